//! Dates of birth with the name of a month: `March 14, 1985`, `the fourteenth of March`.

use super::Class;
use super::cues::{Cue, Cues};
use super::finder::Finder;
use super::token::Kind;
use super::words::{DIGIT, HUNDRED, MONTH, OH, ORDINAL, TEEN, TENS};

/// Reach of a cue to the date, in tokens.
const REACH: usize = 30;
/// Reach of a cue behind the date.
const REACH_BACK: usize = 7;
/// Most tokens of a date on either side of the month.
const SIDE: usize = 10;

const NUMBERS: u64 = DIGIT | TEEN | TENS | OH | HUNDRED | ORDINAL;

/// Finds dates of birth.
pub(super) fn find(finder: &mut Finder<'_>, cues: &Cues) {
    let births: Vec<usize> =
        cues.all().iter().filter(|(_, cue)| *cue == Cue::Birth).map(|(at, _)| *at).collect();
    let mut next = 0;
    for at in 0..finder.tokens.len() {
        if births.is_empty() || !finder.tokens.has(at, MONTH) {
            continue;
        }
        while births.get(next).is_some_and(|birth| *birth < at) {
            next += 1;
        }
        let Some((first, last)) = date_around(finder, at) else { continue };
        let is_before = next > 0 && at - births[next - 1] <= REACH;
        let is_after = births.get(next).is_some_and(|birth| *birth <= last + REACH_BACK);
        if is_before || is_after {
            finder.add(first, last, Class::DateOfBirth);
        }
    }
}

/// Returns the range of a date; `None` if no number is beside the month.
fn date_around(finder: &Finder<'_>, month: usize) -> Option<(usize, usize)> {
    let tokens = &finder.tokens;
    let is_number = |at: usize| {
        tokens.is_digits(at) && tokens.text(at).len() <= 4
            || (tokens.has(at, NUMBERS) && !tokens.has(at, MONTH))
    };
    let is_link = |at: usize| {
        let is_mark =
            matches!(tokens.get(at).map(|it| it.kind), Some(Kind::Mark(b',' | b'-' | b'.' | b'/')));
        let is_word = tokens.is_word(at)
            && ["of", "the", "and", "in", "st", "nd", "rd", "th"]
                .iter()
                .any(|it| tokens.text(at).eq_ignore_ascii_case(it));
        is_mark || is_word
    };
    let (mut first, mut last) = (month, month);
    for at in (month.saturating_sub(4)..month).rev() {
        if is_number(at) {
            first = at;
        } else if !is_link(at) || tokens.is_mark(at, b',') {
            break;
        }
    }
    for at in month + 1..(month + SIDE).min(tokens.len()) {
        let is_suffix = tokens.is_glued(at) && tokens.is_word(at) && last == at - 1;
        if is_number(at) || is_suffix {
            last = at;
        } else if !is_link(at) {
            break;
        }
    }
    let has_article = first > 0 && first < month && is_text(finder, first - 1, "the");
    (first < month || last > month).then_some((first - usize::from(has_article), last))
}

fn is_text(finder: &Finder<'_>, at: usize, text: &str) -> bool {
    finder.tokens.is_word(at) && finder.tokens.text(at).eq_ignore_ascii_case(text)
}
