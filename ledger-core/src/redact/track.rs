//! Data of a magnetic stripe (ISO/IEC 7813): track 1 and track 2, with or without sentinels.

use super::Class;
use super::finder::Finder;
use super::token::Kind;

/// Most tokens of a track.
const MAX_TOKENS: usize = 60;

/// Finds tracks.
pub(super) fn find(finder: &mut Finder<'_>) {
    for at in 0..finder.tokens.len() {
        let token = finder.tokens.all()[at];
        let is_number =
            token.kind == Kind::Digits && (12..=19).contains(&(token.end - token.start));
        if !is_number || finder.is_taken(at) {
            continue;
        }
        if let Some((first, last)) = track_of(finder, at) {
            finder.add(first, last, Class::Track);
        }
    }
}

/// Returns the range of the track that a card number is in.
fn track_of(finder: &Finder<'_>, number: usize) -> Option<(usize, usize)> {
    let tokens = &finder.tokens;
    let is_second = matches!(tokens.get(number + 1).map(|it| it.kind), Some(Kind::Mark(b'=')))
        || (tokens.is_word(number + 1) && tokens.text(number + 1).eq_ignore_ascii_case("d"));
    let is_second = is_second && tokens.is_digits(number + 2) && tokens.text(number + 2).len() >= 4;
    let is_first = tokens.is_mark(number + 1, b'^');
    if !is_first && !is_second {
        return None;
    }
    let mut first = number;
    let is_format = first > 0 && tokens.is_glued(first) && tokens.letter(first - 1) == Some(b'b');
    first -= usize::from(is_format);
    let is_sentinel =
        first > 0 && (tokens.is_mark(first - 1, b'%') || tokens.is_mark(first - 1, b';'));
    first -= usize::from(is_sentinel);
    Some((first, end_of(finder, number + 2)))
}

/// Returns the end sentinel, or the last token without white space before it.
fn end_of(finder: &Finder<'_>, from: usize) -> usize {
    let tokens = &finder.tokens;
    let to = (from + MAX_TOKENS).min(tokens.len());
    if let Some(end) = (from..to).find(|at| tokens.is_mark(*at, b'?')) {
        return end;
    }
    let mut last = from.min(tokens.len() - 1);
    while last + 1 < to && tokens.is_glued(last + 1) {
        last += 1;
    }
    last
}
