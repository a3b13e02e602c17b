//! Ids of letters and digits, written and spelled: IBAN, Medicare numbers, numbers of patients.

use super::Class;
use super::check;
use super::cues::{Cue, Cues};
use super::finder::Finder;
use super::token::Kind;
use super::words::{DASH, DIGIT, DIGITS, FILLER, OH, SPELL, TEEN, TENS, TIMES};

/// Most characters of an id.
const MAX_CHARS: usize = 36;
/// Reach of a cue to the id, in tokens.
const REACH: usize = 40;
/// Most words such as `okay` between the characters of an id.
const MAX_FILLERS: usize = 6;

/// The characters of an id in upper case, with the token of each.
struct Chars {
    text: Vec<u8>,
    tokens: Vec<usize>,
}

/// Finds ids.
pub(super) fn find(finder: &mut Finder<'_>, cues: &Cues) {
    for (at, cue) in cues.all() {
        if matches!(cue, Cue::Iban | Cue::Medicare | Cue::Record) {
            announced(finder, *at, *cue);
        }
    }
    for at in 0..finder.tokens.len() {
        by_form(finder, at);
    }
}

/// Finds the id behind a cue: one that is valid, or else of the length that is announced.
fn announced(finder: &mut Finder<'_>, cue_at: usize, cue: Cue) {
    let mut at = cue_at + 1;
    while at <= cue_at + REACH && at < finder.tokens.len() {
        if !is_start(finder, at) {
            at += 1;
            continue;
        }
        let chars = read(finder, at);
        let len = chars.text.len();
        let digits = chars.text.iter().filter(|c| c.is_ascii_digit()).count();
        let whole = match cue {
            Cue::Iban => len >= 15,
            Cue::Medicare => (10..=12).contains(&len),
            _ => (5..=14).contains(&len) && digits >= 3,
        };
        let class = if cue == Cue::Iban { Class::Iban } else { Class::HealthId };
        let valid = valid(&chars, class);
        if let Some((from, to)) = valid.or_else(|| whole.then_some((0, len))) {
            finder.add(chars.tokens[from], chars.tokens[to - 1], class);
            return;
        }
        at = chars.tokens.last().map_or(at, |last| *last) + 1;
    }
}

/// Finds an IBAN or a Medicare number by its form.
fn by_form(finder: &mut Finder<'_>, at: usize) {
    let tokens = &finder.tokens;
    let Some(token) = tokens.get(at) else { return };
    let next_is_digit =
        |at: usize| tokens.is_digits(at) || tokens.has(at, DIGIT | TEEN | TENS | TIMES | OH);
    let is_letter = |at: usize| tokens.letter(at).is_some() || tokens.has(at, SPELL);
    let class = match token.kind {
        Kind::Word if token.end - token.start == 2 && tokens.is_digits(at + 1) => Class::Iban,
        Kind::Word if is_letter(at) && is_letter(at + 1) && next_is_digit(at + 2) => Class::Iban,
        Kind::Digits
            if token.end - token.start == 1
                && tokens.is_word(at + 1)
                && tokens.is_glued(at + 1) =>
        {
            Class::HealthId
        }
        Kind::Digits | Kind::Word
            if next_is_digit(at) && is_letter(at + 1) && !tokens.has(at + 1, OH) =>
        {
            Class::HealthId
        }
        _ => return,
    };
    if finder.is_taken(at) {
        return;
    }
    let chars = read(finder, at);
    if let Some((0, to)) = valid(&chars, class) {
        finder.add(at, chars.tokens[to - 1], class);
    }
}

/// Returns the range of the characters that are a valid id.
fn valid(chars: &Chars, class: Class) -> Option<(usize, usize)> {
    let len = chars.text.len();
    let is_end = |to: usize| to == len || chars.tokens[to] != chars.tokens[to - 1];
    let find = |from: usize,
                lengths: &mut dyn Iterator<Item = usize>,
                is_valid: fn(&[u8]) -> bool| {
        let mut ends = lengths.map(|length| from + length).filter(|to| *to <= len && is_end(*to));
        ends.find(|to| is_valid(&chars.text[from..*to])).map(|to| (from, to))
    };
    (0..len.min(4)).find_map(|from| match class {
        Class::Iban => find(from, &mut (15..=34).rev(), check::is_iban),
        _ => find(from, &mut std::iter::once(11), check::is_mbi),
    })
}

fn is_start(finder: &Finder<'_>, at: usize) -> bool {
    let tokens = &finder.tokens;
    let is_char = |at: usize| {
        tokens.is_digits(at)
            || tokens.letter(at).is_some()
            || tokens.has(at, DIGIT | TEEN | TENS | TIMES | SPELL)
    };
    let is_zero = tokens.has(at, OH) && tokens.has(at + 1, DIGIT | TEEN | TENS | TIMES | OH);
    let is_code = tokens.is_word(at) && tokens.is_digits(at + 1) && tokens.is_glued(at + 1);
    let is_word = matches!(tokens.letter(at), Some(b'a' | b'i')) && !is_char(at + 1);
    is_code || is_zero || (is_char(at) && !is_word && !tokens.has(at + 1, DIGITS))
}

/// Reads the characters from a token on.
fn read(finder: &Finder<'_>, from: usize) -> Chars {
    let tokens = &finder.tokens;
    let mut chars = Chars { text: Vec::new(), tokens: Vec::new() };
    let (mut at, mut fillers) = (from, 0);
    while let Some(token) = tokens.get(at) {
        let before = chars.text.len();
        let flags = token.word.flags;
        let value = token.word.value;
        let mut last = at;
        match token.kind {
            Kind::Digits => tokens.digits(at, &mut chars.text),
            Kind::Mark(b'-' | b'.' | b',' | b' ' | b'/' | b':') => {}
            Kind::Mark(_) => break,
            Kind::Word => {
                let is_glued = (tokens.is_glued(at) && tokens.is_digits(at.wrapping_sub(1)))
                    || (tokens.is_glued(at + 1) && tokens.is_digits(at + 1));
                if let Some(letter) = tokens.letter(at) {
                    chars.text.push(letter.to_ascii_uppercase());
                    last = skip_example(finder, at);
                } else if flags & DIGIT != 0 {
                    chars.text.push(b'0' + value);
                } else if flags & OH != 0 {
                    chars.text.push(b'0');
                } else if flags & (TEEN | TENS) != 0 {
                    let unit = tokens
                        .get(at + 1)
                        .filter(|it| flags & TENS != 0 && it.word.flags & DIGIT != 0);
                    let ones = unit.map_or(0, |it| it.word.value);
                    last = at + usize::from(unit.is_some());
                    chars.text.extend([b'0' + value / 10, b'0' + value % 10 + ones]);
                } else if flags & TIMES != 0 {
                    let Some(next) = tokens.get(at + 1) else { break };
                    let c = match next.kind {
                        Kind::Digits => tokens.text(at + 1).as_bytes()[0],
                        _ if next.word.flags & DIGIT != 0 => b'0' + next.word.value,
                        _ if next.word.flags & OH != 0 => b'0',
                        _ => match tokens.letter(at + 1) {
                            Some(letter) => letter.to_ascii_uppercase(),
                            None => break,
                        },
                    };
                    chars.text.extend(std::iter::repeat_n(c, usize::from(value.min(3))));
                    last = at + 1;
                } else if flags & SPELL != 0 {
                    chars.text.push(value.to_ascii_uppercase());
                } else if is_glued || is_capitals(tokens.text(at)) {
                    chars.text.extend(tokens.text(at).bytes().map(|b| b.to_ascii_uppercase()));
                } else if flags & (FILLER | DASH) == 0 && !tokens.is_label(at) {
                    break;
                }
            }
        }
        if chars.text.len() > before {
            fillers = 0;
            let (first, count) = (at, chars.text.len() - before);
            // The last character of an atom has its last token, the others its first.
            chars.tokens.extend(std::iter::repeat_n(first, count - 1));
            chars.tokens.push(if count == 1 && last > first + 1 { first } else { last });
        } else {
            fillers += 1;
        }
        if chars.text.len() >= MAX_CHARS || fillers > MAX_FILLERS {
            break;
        }
        at = last + 1;
    }
    chars
}

/// Four capital letters, as in `GB29 NWBK`.
fn is_capitals(text: &str) -> bool {
    (2..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// Returns the last token of `D as in delta`, or of the letter alone.
fn skip_example(finder: &Finder<'_>, at: usize) -> usize {
    let tokens = &finder.tokens;
    let is =
        |at: usize, text: &str| tokens.is_word(at) && tokens.text(at).eq_ignore_ascii_case(text);
    if is(at + 1, "as") && is(at + 2, "in") && tokens.is_word(at + 3) {
        return at + 3;
    }
    if is(at + 1, "for") && tokens.is_word(at + 2) { at + 2 } else { at }
}
