//! Divides a phrase into words, numbers and signs, and joins the words of a number.

use super::number;

/// Longest phrase that is read, in bytes. Every step after this check costs a bounded amount.
pub(super) const MAX_BYTES: usize = 200;

/// A number as it was written or said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) value: u64,
    /// Digits it was written with; 0 for a number in words.
    pub(super) digits: usize,
    /// Whether it is an ordinal: `24th`, `first`.
    pub(super) is_ordinal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number(Number),
    Sign(char),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// The text in lower case.
    pub(super) text: String,
    /// Whether it follows the token before it without a blank.
    pub(super) is_glued: bool,
}

/// Returns the tokens of a phrase. `None` if the phrase is too long or has a character that no
/// supported phrase contains: controls, directional marks, letters and digits outside ASCII.
pub(super) fn tokens(phrase: &str) -> Option<Vec<Token>> {
    if phrase.len() > MAX_BYTES {
        return None;
    }
    let text: Option<String> = phrase.chars().map(plain).collect();
    let text = text?;
    let bytes = text.as_bytes();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let start = at;
        let is_glued = start > 0 && bytes[start - 1] != b' ';
        let kind = match bytes[at] {
            b' ' => {
                at += 1;
                continue;
            }
            byte if byte.is_ascii_digit() => {
                at += run(&bytes[at..], |byte| byte.is_ascii_digit());
                let digits = at - start;
                let value = text[start..at].parse().ok()?;
                Kind::Number(Number { value, digits, is_ordinal: false })
            }
            byte if byte.is_ascii_lowercase() => {
                at += word_length(&bytes[at..]);
                Kind::Word
            }
            byte => {
                at += 1;
                Kind::Sign(char::from(byte))
            }
        };
        let text = match kind {
            Kind::Sign('@') => "at".to_owned(),
            _ => text[start..at].to_owned(),
        };
        let kind = if text == "at" { Kind::Word } else { kind };
        tokens.push(Token { kind, text, is_glued });
    }
    Some(number::joined(tokens))
}

/// Maps a character to its plain form in lower case.
fn plain(c: char) -> Option<char> {
    match c {
        '\u{2018}' | '\u{2019}' | '`' => Some('\''),
        '\u{2010}'..='\u{2014}' | '\u{2212}' => Some('-'),
        '\t' | '\n' | '\r' | '\u{a0}' | '\u{2009}' | '\u{202f}' => Some(' '),
        ' '..='~' => Some(c.to_ascii_lowercase()),
        _ => None,
    }
}

fn run(bytes: &[u8], is_part: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is_part(**byte)).count()
}

/// Length of the word at the start: letters, with apostrophes between letters.
fn word_length(bytes: &[u8]) -> usize {
    let mut length = run(bytes, |byte| byte.is_ascii_lowercase());
    while bytes.get(length) == Some(&b'\'') {
        match run(&bytes[length + 1..], |byte| byte.is_ascii_lowercase()) {
            0 => break,
            more => length += 1 + more,
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(phrase: &str) -> Vec<String> {
        tokens(phrase).expect("tokens").into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_numbers_and_signs_are_separate_tokens() {
        assert_eq!(texts("Dec. 24th, 2PM"), ["dec", ".", "24th", ",", "2", "pm"]);
        assert_eq!(
            texts("o\u{2019}clock in two weeks' time"),
            ["o'clock", "in", "two", "weeks", "'", "time"]
        );
        assert_eq!(texts("twenty-fourth @3"), ["twenty-fourth", "at", "3"]);
    }

    #[test]
    fn marks_and_letters_of_other_scripts_are_refused() {
        for phrase in
            ["\u{202e}tomorrow", "to\u{200b}morrow", "\u{ff12}", "morgen fr\u{fc}h", "\u{0}"]
        {
            assert_eq!(tokens(phrase), None, "{phrase:?}");
        }
        assert_eq!(tokens(&"1".repeat(MAX_BYTES)), None, "no number has so many digits");
        assert_eq!(tokens(&" ".repeat(MAX_BYTES + 1)), None);
    }
}
