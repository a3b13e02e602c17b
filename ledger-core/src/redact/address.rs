//! Postal addresses: a number, a street and what follows; postal codes; post office boxes.

use super::Class;
use super::finder::Finder;
use super::words::{
    COMPASS, DIGIT, FILLER, FLAT, HUNDRED, OH, OTHER, PHONE, STATE, STOP, STREET, TEEN, TENS,
    TIMES, TLD, UNIT,
};

/// Most tokens between the number of a house and the suffix of its street.
const STREET_WORDS: usize = 5;
/// Most tokens between the street and the state or the postal code.
const CITY_WORDS: usize = 7;

const NUMBERS: u64 = DIGIT | TEEN | TENS | OH | HUNDRED | TIMES;
const STATES: &str = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM \
                      NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC";

/// Finds addresses.
pub(super) fn find(finder: &mut Finder<'_>) {
    for at in 0..finder.tokens.len() {
        if finder.tokens.has(at, STREET)
            && let Some(first) = house_of(finder, at)
        {
            let last = end_of(finder, at);
            finder.add(first, last, Class::Address);
        } else if finder.tokens.is_word(at)
            && let Some(last) = code_at(finder, at)
        {
            finder.add(at, last, Class::Address);
        }
    }
}

fn is_number(finder: &Finder<'_>, at: usize) -> bool {
    (finder.tokens.is_digits(at) && finder.tokens.text(at).len() <= 6)
        || finder.tokens.has(at, NUMBERS)
}

/// `42nd`, as a part of the name of a street.
fn is_written_ordinal(finder: &Finder<'_>, at: usize) -> bool {
    finder.tokens.is_digits(at) && finder.tokens.is_glued(at + 1) && finder.tokens.is_word(at + 1)
}

/// Returns the number of the house before the suffix of a street.
fn house_of(finder: &Finder<'_>, suffix: usize) -> Option<usize> {
    let tokens = &finder.tokens;
    let mut at = suffix.checked_sub(1)?;
    for words in 0..=STREET_WORDS {
        let is_house = is_number(finder, at) && !is_written_ordinal(finder, at);
        if is_house {
            let has_street = words >= 1;
            return has_street.then(|| first_number(finder, at));
        }
        let is_ordinal =
            is_written_ordinal(finder, at) || (tokens.has(at, UNIT) && tokens.is_glued(at));
        let is_name =
            tokens.is_word(at) && !tokens.has(at, STOP | UNIT | OTHER | TLD | PHONE | FILLER);
        let is_point = tokens.is_mark(at, b'.');
        if !is_name && !is_ordinal && !is_point {
            return None;
        }
        at = at.checked_sub(1)?;
    }
    None
}

/// Returns the first token of a number that may have several: `twelve oh four`.
fn first_number(finder: &Finder<'_>, mut at: usize) -> usize {
    while at > 0 && is_number(finder, at - 1) && !finder.is_taken(at - 1) {
        at -= 1;
    }
    at
}

/// Returns the last token of an address: flat, city, state and postal code.
fn end_of(finder: &Finder<'_>, suffix: usize) -> usize {
    let tokens = &finder.tokens;
    let mut last = suffix;
    let skip = |at: usize| at + usize::from(tokens.is_mark(at, b',') || tokens.is_mark(at, b'.'));
    let next = skip(last + 1);
    if tokens.has(next, COMPASS) {
        last = next;
    }
    let next = skip(last + 1);
    if tokens.has(next, FLAT) || tokens.is_mark(next, b'#') {
        last = next;
        while last < next + 5 && is_flat(finder, last + 1) {
            last += 1;
        }
    }
    let from = last + 1;
    for at in from..(from + CITY_WORDS).min(tokens.len()) {
        let is_state = tokens.has(at, STATE) || is_state_code(finder, at);
        let is_code = is_postal_code(finder, at);
        if is_state || is_code {
            last = if is_code { at } else { state_end(finder, at) };
            return postal_end(finder, last);
        }
        let is_city = tokens.is_word(at)
            && (!tokens.has(at, STOP) || tokens.text(at).eq_ignore_ascii_case("in"));
        if !is_city && !tokens.is_mark(at, b',') {
            break;
        }
    }
    capitalised_city(finder, last)
}

fn is_flat(finder: &Finder<'_>, at: usize) -> bool {
    is_number(finder, at) || finder.tokens.letter(at).is_some_and(|letter| !matches!(letter, b'i'))
}

fn is_state_code(finder: &Finder<'_>, at: usize) -> bool {
    let tokens = &finder.tokens;
    let is_capital = |byte: &u8| byte.is_ascii_uppercase();
    tokens.is_word(at)
        && tokens.text(at).len() == 2
        && tokens.text(at).as_bytes().iter().all(is_capital)
        && STATES.split(' ').any(|code| code == tokens.text(at))
}

fn is_postal_code(finder: &Finder<'_>, at: usize) -> bool {
    finder.tokens.is_digits(at) && finder.tokens.text(at).len() == 5
}

/// Second words of states: `new york`, `north carolina`.
fn state_end(finder: &Finder<'_>, at: usize) -> usize {
    at + usize::from(finder.tokens.has(at + 1, STATE))
}

/// Includes the postal code behind a state, written or spoken.
fn postal_end(finder: &Finder<'_>, state: usize) -> usize {
    let tokens = &finder.tokens;
    let mut last = state;
    let from =
        state + 1 + usize::from(tokens.is_mark(state + 1, b',') || tokens.is_mark(state + 1, b'-'));
    for at in from..from + 6 {
        if !is_number(finder, at) {
            break;
        }
        last = at;
    }
    last
}

/// Includes a city that is written with a capital behind a comma.
fn capitalised_city(finder: &Finder<'_>, street: usize) -> usize {
    let tokens = &finder.tokens;
    let is_city = |at: usize| {
        tokens.is_word(at)
            && tokens.text(at).starts_with(char::is_uppercase)
            && !tokens.has(at, STOP)
    };
    if !tokens.is_mark(street + 1, b',') || !is_city(street + 2) {
        return street;
    }
    street + 2 + usize::from(is_city(street + 3))
}

/// Returns the end of `CA 94103`, `SW1A 1AA` or `PO Box 12`.
fn code_at(finder: &Finder<'_>, at: usize) -> Option<usize> {
    let tokens = &finder.tokens;
    let text = tokens.text(at);
    if text.len() > 2 || text.is_empty() {
        return None;
    }
    if text.eq_ignore_ascii_case("po") && at + 2 < tokens.len() && tokens.is_word(at + 1) {
        let is_box = tokens.text(at + 1).eq_ignore_ascii_case("box") && is_number(finder, at + 2);
        return is_box.then_some(at + 2);
    }
    if is_state_code(finder, at) && is_postal_code(finder, at + 1) && !tokens.is_glued(at + 1) {
        return Some(at + 1);
    }
    british_code(finder, at)
}

/// One or two capitals, one or two digits, perhaps a letter; then a digit and two capitals.
fn british_code(finder: &Finder<'_>, at: usize) -> Option<usize> {
    let tokens = &finder.tokens;
    let is_capitals = |at: usize, lengths: std::ops::RangeInclusive<usize>| {
        tokens.is_word(at)
            && lengths.contains(&tokens.text(at).len())
            && tokens.text(at).bytes().all(|b| b.is_ascii_uppercase())
    };
    let is_district =
        |at: usize| tokens.is_digits(at) && tokens.is_glued(at) && tokens.text(at).len() <= 2;
    if !is_capitals(at, 1..=2) || !is_district(at + 1) {
        return None;
    }
    let sector = at + 2 + usize::from(is_capitals(at + 2, 1..=1) && tokens.is_glued(at + 2));
    let is_sector = tokens.is_digits(sector) && tokens.text(sector).len() == 1;
    (is_sector && is_capitals(sector + 1, 2..=2) && tokens.is_glued(sector + 1))
        .then_some(sector + 1)
}
