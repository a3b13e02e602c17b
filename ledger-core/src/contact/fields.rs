//! Values of contacts that are no handles.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Maximum number of custom fields of a contact.
pub const MAX_CUSTOM_FIELDS: usize = 32;
/// Maximum length of the text of a custom field, in characters.
pub const MAX_CUSTOM_TEXT: usize = 500;
/// Maximum length of a word, in characters.
const MAX_WORD: usize = 40;

/// A tag, segment, priority or name of a custom field. Stored in the clear, so its form leaves no
/// room for a number, an address or a sentence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Word(String);

impl Word {
    /// Description of a word, for faults.
    pub const FORM: &str = "a word of lower-case letters, digits, - and _, with a letter first, at most 40 characters \
                            and 6 digits";

    /// Parses a word: 1 to 40 lower-case letters, digits, `-` and `_`, the first one a letter, with
    /// at most six digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_part = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let is_word = text.len() <= MAX_WORD
            && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && text.bytes().all(is_part)
            && digits <= 6;
        is_word.then(|| Self(text.to_owned()))
    }

    /// The word as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Value of a custom field.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CustomValue {
    /// True or false.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

/// `Debug` prints no value.
impl fmt::Debug for CustomValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomValue(..)")
    }
}

/// Section `custom_fields` of a contact: the values by name that are not kept in the clear.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CustomFields(pub BTreeMap<Word, CustomValue>);

impl fmt::Debug for CustomFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomFields(..)")
    }
}
