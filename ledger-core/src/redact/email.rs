//! E-mail addresses, written and spoken: `anna@example.com`, `a n n a at example dot com`.

use super::Class;
use super::finder::Finder;
use super::words::{
    ADDRESS, AT, DIGIT, DOT, EMAIL, FILLER, JOIN, OH, PHONE, STOP, TEEN, TENS, TIMES, TLD,
};

/// Most tokens of the part before the `@`.
const LOCAL: usize = 24;
/// Most words before a spoken `at` that are neither letters nor digits nor joined by a mark.
const PLAIN_WORDS: usize = 2;
/// Most tokens of a domain.
const DOMAIN: usize = 12;

const NUMBERS: u64 = DIGIT | TEEN | TENS | OH | TIMES;

/// Finds the addresses.
pub(super) fn find(finder: &mut Finder<'_>) {
    for at in 1..finder.tokens.len() {
        let is_written = finder.tokens.is_mark(at, b'@');
        if !is_written && !finder.tokens.has(at, AT) {
            continue;
        }
        let Some(last) = domain(finder, at + 1, is_written) else { continue };
        let first = local_part(finder, at);
        if first < at {
            finder.add(first, last, Class::Email);
        }
    }
}

/// Returns the last token of a domain: words, a point, and a top-level domain, once or more.
fn domain(finder: &Finder<'_>, from: usize, is_written: bool) -> Option<usize> {
    let tokens = &finder.tokens;
    let mut end = None;
    let (mut at, mut labels) = (from, 0);
    while at < from + DOMAIN && at < tokens.len() {
        let is_written_dot =
            tokens.is_mark(at, b'.') && tokens.is_glued(at) && tokens.is_glued(at + 1);
        if is_written_dot || (tokens.has(at, DOT) && labels > 0) {
            let is_top =
                tokens.has(at + 1, TLD) || (is_written && is_written_dot && tokens.is_word(at + 1));
            if labels > 0 && is_top {
                end = Some(at + 1);
            }
            at += 1;
            labels = 0;
            continue;
        }
        let is_label = tokens.is_word(at) || tokens.is_digits(at);
        let is_joint = tokens.is_mark(at, b'-') || tokens.has(at, JOIN);
        if end.is_some() && at > end? {
            break;
        }
        if !is_label && !is_joint {
            break;
        }
        labels += 1;
        at += 1;
    }
    end
}

/// Returns the first token of the part before the `@`.
fn local_part(finder: &Finder<'_>, at: usize) -> usize {
    let tokens = &finder.tokens;
    let is_glued_mark = |at: usize| {
        matches!(
            tokens.get(at).map(|token| token.kind),
            Some(super::token::Kind::Mark(b'.' | b'_' | b'-' | b'+' | b'%' | b'\''))
        )
    };
    let (mut first, mut plain) = (at, 0);
    while first > 0 && at - first < LOCAL {
        let before = first - 1;
        let is_joined = tokens.is_glued(first);
        if is_joined
            && (tokens.is_word(before) || tokens.is_digits(before) || is_glued_mark(before))
        {
            first = before;
            continue;
        }
        if tokens.is_mark(at, b'@') && tokens.is_glued(at) {
            break;
        }
        let is_part =
            tokens.letter(before).is_some_and(|letter| !is_article(finder, before, letter, at))
                || tokens.has(before, NUMBERS)
                || tokens.is_digits(before);
        let is_joint = tokens.has(before, JOIN | DOT);
        let follows_joint = first < at && tokens.has(first, JOIN | DOT);
        if is_part || is_joint || (follows_joint && tokens.is_word(before)) {
            first = before;
            continue;
        }
        let is_bare_number =
            first < at && (first..at).all(|at| tokens.has(at, NUMBERS) || tokens.is_digits(at));
        if tokens.is_word(before) && is_bare_number && !tokens.has(before, EMAIL | ADDRESS) {
            plain = PLAIN_WORDS;
            first = before;
            continue;
        }
        if tokens.is_word(before)
            && plain < PLAIN_WORDS
            && !tokens.has(before, STOP | EMAIL | ADDRESS | FILLER | PHONE)
        {
            plain += 1;
            first = before;
            continue;
        }
        break;
    }
    first
}

/// `a` and `I` are words unless letters or digits are spelled beside them.
fn is_article(finder: &Finder<'_>, before: usize, letter: u8, at: usize) -> bool {
    let next = before + 1;
    let is_spelled =
        next < at && (finder.tokens.letter(next).is_some() || finder.tokens.has(next, NUMBERS));
    matches!(letter, b'a' | b'i') && !is_spelled && next < at
}
