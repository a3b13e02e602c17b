//! The form of free texts that every entrance accepts: names, notes, labels and the like. One rule
//! decides which characters a text must not have; requests and settings are refused by it, and the
//! arguments of voice tools, which cannot be corrected, lose those characters.

use std::borrow::Cow;

use crate::phone::is_invisible;

/// Maximum length of a name or id, in characters.
pub const MAX_SHORT: usize = 200;

/// Description of a text with characters that it must not have.
pub const HIDDEN: &str =
    "it holds a control character, an invisible character or a mark of direction";

/// The fault of a text. Does not contain the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// The text has no visible character.
    #[error("it is empty")]
    Empty,
    /// The text has more characters than this limit.
    #[error("it is longer than {0} characters")]
    TooLong(usize),
    /// The text has a hidden character, see [`is_hidden`], or a line break where it is one line.
    #[error("{HIDDEN}")]
    Hidden,
}

/// Checks a text of one line and 1 to `longest` characters.
///
/// # Errors
/// [`TextFault`].
pub fn check_line(text: &str, longest: usize) -> Result<(), TextFault> {
    check(text, longest)?;
    if is_line(text) { Ok(()) } else { Err(TextFault::Hidden) }
}

/// Checks a text of 1 to `longest` characters, which may have line breaks and tabs.
///
/// # Errors
/// [`TextFault`].
pub fn check_lines(text: &str, longest: usize) -> Result<(), TextFault> {
    check(text, longest)?;
    if has_hidden(text) { Err(TextFault::Hidden) } else { Ok(()) }
}

/// Returns whether a text has neither a line break nor a character of [`is_hidden`].
#[must_use]
pub fn is_line(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || is_hidden(c) || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// Returns whether a text has a character of [`is_hidden`].
#[must_use]
pub fn has_hidden(text: &str) -> bool {
    text.contains(is_hidden)
}

/// Returns the text without the characters of [`is_hidden`].
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if has_hidden(text) {
        text.chars().filter(|c| !is_hidden(*c)).collect()
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns true for a character that no text shows and that changes how others are read: controls
/// other than line breaks and tabs, marks of direction (Unicode `Bidi_Control`), and invisible
/// characters (`Default_Ignorable_Code_Point`). The joiners of scripts and emoji, the selectors of
/// their variants and the grapheme joiner are none.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    let is_layout = matches!(c, '\n' | '\r' | '\t');
    (c.is_control() && !is_layout)
        || matches!(c,
            '\u{AD}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{200B}'
            | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

fn check(text: &str, longest: usize) -> Result<(), TextFault> {
    if text.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
        return Err(TextFault::Empty);
    }
    if text.chars().count() > longest {
        return Err(TextFault::TooLong(longest));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_script_is_one_and_an_emoji_too() {
        for text in [
            "Zo\u{eb} O'Neil-Gro\u{df}",
            "\u{5e0}\u{5d5}\u{5e2}\u{5d4}",
            "\u{633}\u{627}\u{631}\u{629}",
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}",
            "\u{915}\u{94d}\u{200d}\u{937}",
            "\u{674e}\u{5c0f}\u{9f8d}",
            "\u{1F468}\u{200D}\u{1F469}",
            "\u{2764}\u{FE0F}",
        ] {
            assert_eq!(check_line(text, 40), Ok(()), "{text:?}");
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn a_hidden_character_is_refused_and_removed_wherever_it_is() {
        let hidden = ['\0', '\u{7}', '\u{1b}', '\u{7f}', '\u{85}', '\u{AD}', '\u{61C}', '\u{200B}']
            .into_iter()
            .chain(['\u{200E}', '\u{200F}', '\u{2060}', '\u{3164}', '\u{FEFF}', '\u{E0041}'])
            .chain('\u{202A}'..='\u{202E}')
            .chain('\u{2066}'..='\u{2069}');
        for c in hidden {
            for text in [format!("{c}ab"), format!("a{c}b"), format!("ab{c}")] {
                assert_eq!(check_line(&text, 40), Err(TextFault::Hidden), "{text:?}");
                assert_eq!(check_lines(&text, 40), Err(TextFault::Hidden), "{text:?}");
                assert_eq!(visible(&text), "ab");
            }
        }
    }

    #[test]
    fn only_a_text_of_several_lines_has_line_breaks() {
        for text in ["a\nb", "a\r\nb", "a\tb", "a\u{2028}b"] {
            assert_eq!(check_line(text, 40), Err(TextFault::Hidden), "{text:?}");
            assert_eq!(check_lines(text, 40), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn a_text_without_a_visible_character_is_empty() {
        for text in ["", " ", "\n\t", "\u{a0}", "\u{200d}", "\u{FE0F}", "\u{200b} \u{202e}"] {
            assert_eq!(check_lines(text, 40), Err(TextFault::Empty), "{text:?}");
        }
        assert_eq!(check_line("abc", 2), Err(TextFault::TooLong(2)));
    }
}
