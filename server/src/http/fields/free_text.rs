//! Fields that are free texts, by the one rule of `ledger_core::text`.

use ledger_core::text::{MAX_SHORT, TextFault, check_line, check_lines, visible};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::{MISSING, value};

/// Deserializes an optional short text of one line.
///
/// # Errors
/// For another type, or a text that is empty, too long or has hidden characters.
pub fn text<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    let text = value::<String, D>(field, "it is not a text")?;
    let check = |text: String| {
        check_line(&text, MAX_SHORT).map_err(D::Error::custom)?;
        Ok(text)
    };
    text.map(check).transpose()
}

/// Deserializes a short text that must be there, as [`text`].
///
/// # Errors
/// Those of [`text`], and for null.
pub fn required_text<'de, D: Deserializer<'de>>(field: D) -> Result<String, D::Error> {
    text(field)?.ok_or_else(|| D::Error::custom(MISSING))
}

/// Deserializes a text that must be there, of any form; the caller checks it.
///
/// # Errors
/// For another type, and for null.
pub fn required_raw_text<'de, D: Deserializer<'de>>(field: D) -> Result<String, D::Error> {
    value::<String, D>(field, "it is not a text")?.ok_or_else(|| D::Error::custom(MISSING))
}

/// Deserializes an optional text of at most `longest` characters, which may have line breaks.
///
/// # Errors
/// For another type, or a text that is empty, too long or has hidden characters.
pub fn long_text<'de, D: Deserializer<'de>>(
    field: D,
    longest: usize,
) -> Result<Option<String>, D::Error> {
    let text = value::<String, D>(field, "it is not a text")?;
    let check = |text: String| {
        check_lines(&text, longest).map_err(D::Error::custom)?;
        Ok(text)
    };
    text.map(check).transpose()
}

/// Deserializes an optional telephone number as a short text. Hidden characters, which come with numbers that
/// are copied from other programs, are removed.
///
/// # Errors
/// For another type, or a text that is empty or too long or has line breaks.
pub fn phone<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    let number = value::<String, D>(field, "it is not a text")?;
    number.map(|text| visible_line(&text).map_err(D::Error::custom)).transpose()
}

/// Deserializes a change of a telephone number, as [`phone`].
///
/// # Errors
/// Those of [`phone`].
pub fn phone_change<'de, D: Deserializer<'de>>(field: D) -> Result<Change, D::Error> {
    Ok(phone(field)?.map_or(Change::Remove, Change::Set))
}

/// Returns a short text without its hidden characters.
///
/// # Errors
/// If nothing is left, or too much.
pub fn visible_line(text: &str) -> Result<String, TextFault> {
    let text = visible(text);
    check_line(&text, MAX_SHORT)?;
    Ok(text.into_owned())
}

/// A change of a short text. An absent field is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Change {
    /// The field is absent: the text stays.
    #[default]
    Keep,
    /// The field is null: the text is removed.
    Remove,
    /// The new text.
    Set(String),
}

impl Change {
    /// Returns `None` for no change, and the inner `None` for a removal.
    #[must_use]
    pub fn into_option(self) -> Option<Option<String>> {
        match self {
            Self::Keep => None,
            Self::Remove => Some(None),
            Self::Set(text) => Some(Some(text)),
        }
    }
}

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        Ok(text(field)?.map_or(Self::Remove, Self::Set))
    }
}
