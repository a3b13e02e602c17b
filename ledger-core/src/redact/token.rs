//! Tokens of a conversation: words, digits and marks of all its segments in one list.
//!
//! A token never spans two segments, and the end of a segment is equal to white space. What is found
//! in a conversation therefore does not depend on how it is split at white space.

use super::words::{self, Word};
use crate::phone::{decimal, is_invisible};

/// Kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, with apostrophes between them.
    Word,
    /// Decimal digits.
    Digits,
    /// Any other visible character; of a long one, the first byte.
    Mark(u8),
}

/// A word, a sequence of digits, or a mark.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) segment: u32,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) kind: Kind,
    /// True if no white space is between this token and the one before it.
    pub(super) is_glued: bool,
    pub(super) word: Word,
}

/// The segments and their tokens.
pub(super) struct Tokens<'t> {
    segments: &'t [&'t str],
    all: Vec<Token>,
}

impl<'t> Tokens<'t> {
    pub(super) fn read(segments: &'t [&'t str]) -> Self {
        let bytes: usize = segments.iter().map(|text| text.len()).sum();
        let mut all = Vec::with_capacity(bytes / 4 + 4);
        for (segment, text) in (0..).zip(segments) {
            read_segment(text, segment, &mut all);
        }
        Self { segments, all }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn all(&self) -> &[Token] {
        &self.all
    }

    /// Returns a token; `None` before the first and after the last.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&Token> {
        self.all.get(at)
    }

    #[inline]
    pub(super) fn flags(&self, at: usize) -> u64 {
        self.all.get(at).map_or(0, |token| token.word.flags)
    }

    #[inline]
    pub(super) fn has(&self, at: usize, flags: u64) -> bool {
        self.flags(at) & flags != 0
    }

    #[inline]
    pub(super) fn text(&self, at: usize) -> &'t str {
        let token = &self.all[at];
        &self.segments[token.segment as usize][token.start as usize..token.end as usize]
    }

    #[inline]
    pub(super) fn is_mark(&self, at: usize, mark: u8) -> bool {
        self.all.get(at).is_some_and(|token| token.kind == Kind::Mark(mark))
    }

    #[inline]
    pub(super) fn is_word(&self, at: usize) -> bool {
        self.all.get(at).is_some_and(|token| token.kind == Kind::Word)
    }

    #[inline]
    pub(super) fn is_digits(&self, at: usize) -> bool {
        self.all.get(at).is_some_and(|token| token.kind == Kind::Digits)
    }

    /// Whether no white space is before the token.
    #[inline]
    pub(super) fn is_glued(&self, at: usize) -> bool {
        self.all.get(at).is_some_and(|token| token.is_glued)
    }

    /// Whether one of the tokens in the range has one of the flags.
    pub(super) fn any(&self, range: std::ops::Range<usize>, flags: u64) -> bool {
        let to = range.end.min(self.all.len());
        self.all[range.start.min(to)..to].iter().any(|token| token.word.flags & flags != 0)
    }

    /// Whether one of the `count` tokens before `at` has one of the flags.
    pub(super) fn any_before(&self, at: usize, count: usize, flags: u64) -> bool {
        self.any(at.saturating_sub(count)..at, flags)
    }

    /// Returns the letter of a word of one ASCII letter, in lower case.
    pub(super) fn letter(&self, at: usize) -> Option<u8> {
        let token = self.all.get(at)?;
        let is_letter = token.kind == Kind::Word && token.end - token.start == 1;
        is_letter.then(|| self.text(at).as_bytes()[0].to_ascii_lowercase())
    }

    /// Adds the ASCII forms of the digits of a token.
    pub(super) fn digits(&self, at: usize, out: &mut Vec<u8>) {
        for c in self.text(at).chars() {
            out.extend(decimal(c));
        }
    }

    /// Whether the word names a speaker, as in `User: yes`.
    pub(super) fn is_label(&self, at: usize) -> bool {
        self.has(at, words::LABEL) && self.is_mark(at + 1, b':') && self.is_glued(at + 1)
    }
}

fn read_segment(text: &str, segment: u32, all: &mut Vec<Token>) {
    let bytes = text.as_bytes();
    let (mut at, mut is_glued) = (0, false);
    while at < bytes.len() {
        let byte = bytes[at];
        let start = at;
        let kind = match CLASSES[byte as usize] {
            SPACE => {
                (at, is_glued) = (at + 1, false);
                continue;
            }
            LETTER => {
                at = end_of_word(text, at);
                Kind::Word
            }
            DIGIT => {
                at += 1;
                while at < bytes.len() && bytes[at].is_ascii_digit() {
                    at += 1;
                }
                Kind::Digits
            }
            MARK => {
                at += 1;
                Kind::Mark(byte)
            }
            _ => match wide(text, at) {
                Wide::Skip(to, glues) => {
                    at = to;
                    is_glued &= glues;
                    continue;
                }
                Wide::Token(Kind::Word, _) => {
                    at = end_of_word(text, at);
                    Kind::Word
                }
                Wide::Token(kind, to) => {
                    at = to;
                    kind
                }
            },
        };
        let word =
            if kind == Kind::Word { words::look_up(&bytes[start..at]) } else { Word::default() };
        all.push(Token { segment, start: to_u32(start), end: to_u32(at), kind, is_glued, word });
        is_glued = true;
    }
}

/// A text is a part of a body, which is far smaller than four gigabytes.
fn to_u32(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

const SPACE: u8 = 0;
const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const MARK: u8 = 3;
const WIDE: u8 = 4;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [MARK; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = match byte {
            b if b.is_ascii_alphabetic() => LETTER,
            b if b.is_ascii_digit() => DIGIT,
            0..=32 | 127 => SPACE,
            128.. => WIDE,
            _ => MARK,
        };
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

/// Returns the end of a word: letters of any script, and apostrophes between two letters.
fn end_of_word(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match CLASSES[bytes[at] as usize] {
            LETTER => at += 1,
            WIDE => match wide(text, at) {
                Wide::Token(Kind::Word, to) => at = to,
                _ => break,
            },
            _ if bytes[at] == b'\'' && bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic) => {
                at += 1;
            }
            _ => break,
        }
    }
    at
}

/// A character outside ASCII.
enum Wide {
    /// White space, or an invisible character, which separates nothing.
    Skip(usize, bool),
    Token(Kind, usize),
}

fn wide(text: &str, at: usize) -> Wide {
    let Some(c) = text[at..].chars().next() else { return Wide::Skip(text.len(), false) };
    let to = at + c.len_utf8();
    match c {
        c if is_invisible(c) => Wide::Skip(to, true),
        c if c.is_whitespace() => Wide::Skip(to, false),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}' => {
            Wide::Token(Kind::Mark(b'-'), to)
        }
        '\u{2019}' | '\u{2BC}' => Wide::Token(Kind::Word, to),
        c if c.is_numeric() && decimal(c).is_some() => Wide::Token(Kind::Digits, to),
        c if c.is_alphabetic() => Wide::Token(Kind::Word, to),
        _ => Wide::Token(Kind::Mark(text.as_bytes()[at]), to),
    }
}
