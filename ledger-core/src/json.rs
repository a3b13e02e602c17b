//! A JSON reader without loss. Numbers keep their text, so money never passes through a float; keys
//! keep their order, so a body can be written again as received.
//!
//! Any input is safe to read: depth is checked before any recursion. JSON permits half a surrogate
//! pair, Unicode does not; such a half is read as U+FFFD instead of an error.

#[cfg(test)]
mod law_tests;
mod read;
mod time;
mod write;

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::money::parse_decimal;
use crate::plausible::{self, FieldValue};
use crate::provider::TranslateError;

/// Maximum nesting depth of a body. Captured bodies reach 16.
pub const MAX_DEPTH: usize = 64;

/// Maximum number of values in a body. Captured bodies have at least 30 bytes a value, so the
/// largest accepted body would hold 170,000.
pub const MAX_VALUES: usize = 250_000;

/// Maximum length of a text in facts, in characters.
pub const MAX_FACT_CHARS: usize = 200;

/// A JSON value. Strings without escapes, and numbers, borrow from the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json<'a> {
    /// The literal `null`.
    Null,
    /// The literal `true` or `false`.
    Bool(bool),
    /// A number, as its original text.
    Number(&'a str),
    /// A string with its escapes resolved.
    String(Cow<'a, str>),
    /// An array, in its original order.
    Array(Vec<Json<'a>>),
    /// An object. Fields keep their order, and repeated keys are all kept.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Parses a single JSON value.
    ///
    /// # Errors
    /// [`TranslateError::NotUtf8`], [`TranslateError::TooDeep`] beyond [`MAX_DEPTH`], [`TranslateError::TooMany`] beyond
    /// [`MAX_VALUES`], [`TranslateError::NotJson`]. No error quotes the body.
    pub fn parse(body: &'a [u8]) -> Result<Self, TranslateError> {
        let body = without_bom(body);
        let text = std::str::from_utf8(body)
            .map_err(|error| TranslateError::NotUtf8 { at: error.valid_up_to() })?;
        read::read(text)
    }

    /// Returns the value of a key. The last of repeated keys wins, as in most parsers.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => {
                fields.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Returns the value of a key for modification; see [`Json::get`].
    #[must_use]
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match self {
            Self::Object(fields) => {
                fields.iter_mut().rev().find(|(known, _)| known == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Returns the value at the end of a path of keys.
    #[must_use]
    pub fn path(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |value, key| value.get(key))
    }

    /// Returns true unless the value is null, a blank string, an empty array or an empty object.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(_) | Self::Number(_) => true,
            Self::String(text) => !text.trim().is_empty(),
            Self::Array(items) => !items.is_empty(),
            Self::Object(fields) => !fields.is_empty(),
        }
    }

    /// Returns true for an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Returns the text of a string; `None` for any other value.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the elements of an array; an empty slice for any other value.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// Returns a boolean, written as a literal or as text.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// Returns a decimal, written as a number or as text; rounded beyond 28 digits. `None` if the
    /// value is no number or too large.
    #[must_use]
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Number(text) => parse_decimal(text),
            Self::String(text) => parse_decimal(text),
            _ => None,
        }
    }

    /// Returns a time that is possible for a call (see [`plausible`]), cut to microseconds, the
    /// precision of the store.
    ///
    /// Accepts ISO 8601 in its variants, and seconds, milliseconds, microseconds or nanoseconds
    /// since 1970, distinguished by their magnitude. Zero counts as absent.
    #[must_use]
    pub fn time(&self) -> FieldValue<DateTime<Utc>> {
        let number = self.as_decimal().map(plausible::epoch);
        match (number, self.written_time()) {
            // Fourteen digits are a date and a time without separators.
            (Some(FieldValue::Plausible(at)), _) | (Some(FieldValue::Implausible), Some(at)) => {
                plausible::time(at)
            }
            (Some(reading), _) => reading,
            (None, Some(at)) => plausible::time(at),
            (None, None) => FieldValue::Absent,
        }
    }

    fn written_time(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Number(text) => time::read(text),
            Self::String(text) => time::read(text),
            _ => None,
        }
    }

    /// Returns the time of [`Json::time`]; `None` if it is absent or implausible.
    #[must_use]
    pub fn as_time(&self) -> Option<DateTime<Utc>> {
        self.time().plausible()
    }

    /// Returns the time in whole milliseconds since the Unix epoch.
    #[must_use]
    pub fn as_millis(&self) -> Option<i64> {
        self.as_time().map(|time| time.timestamp_millis())
    }
}

/// Strips the byte order mark that some editors and libraries write before UTF-8.
#[must_use]
pub fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// Returns an id in the form stored in facts. An id that is too long becomes its beginning and a
/// SHA-256 digest of the whole, so that long ids with the same beginning stay different.
#[must_use]
pub fn fact_id(id: &str) -> String {
    const KEPT: usize = MAX_FACT_CHARS - 1 - 64;
    if id.chars().count() <= MAX_FACT_CHARS {
        return fact_text(id);
    }
    let kept = id.chars().filter(|c| !c.is_control()).take(KEPT);
    let digest = digest(&SHA256, id.as_bytes());
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    kept.chain(['#']).collect::<String>() + &digits.collect::<String>()
}

/// Returns a text in the form stored in facts: without control characters (PostgreSQL rejects NUL)
/// and at most [`MAX_FACT_CHARS`] characters, cut at a character boundary.
#[must_use]
pub fn fact_text(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_FACT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Json<'_> {
        Json::parse(text.as_bytes()).expect("JSON")
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        let value = parse(r#"{"a":1,"b":{"c":2},"a":3}"#);
        assert_eq!(value.get("a"), Some(&Json::Number("3")));
        assert_eq!(value.path(&["b", "c"]), Some(&Json::Number("2")));
        assert_eq!(value.path(&["b", "c", "d"]), None);
    }

    #[test]
    fn a_number_is_a_decimal_whether_or_not_it_was_quoted() {
        for text in ["0.1088", "\"0.1088\"", "1.088E-1", "1088e-4"] {
            assert_eq!(parse(text).as_decimal(), Some(Decimal::new(1088, 4)), "{text}");
        }
        for text in ["1e400", "1e99999999999", "\"\"", "null", "[1]", "\"NaN\""] {
            assert_eq!(parse(text).as_decimal(), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_read_from_every_form_that_was_seen() {
        let micros = |text| parse(text).as_time().map(|time| time.timestamp_micros());
        for text in ["1722115418016", "1.722115418016E12", "\"1722115418016\""] {
            assert_eq!(micros(text), Some(1_722_115_418_016_000), "{text}");
        }
        assert_eq!(micros("1763567243392.4297"), Some(1_763_567_243_392_429));
        for text in [
            "\"2024-07-25T18:53:47.736Z\"",
            "\"2024-07-25T20:53:47.736+02:00\"",
            "\"2024-07-25T18:53:47.736\"",
            "1721933627.736",
            "1721933627736",
            "1721933627736000",
            "1721933627736000000",
            "\"1721933627.736\"",
        ] {
            assert_eq!(micros(text), Some(1_721_933_627_736_000), "{text}");
        }
        for text in ["20240725185347", "\"20240725185347\"", "1721933627"] {
            assert_eq!(micros(text), Some(1_721_933_627_000_000), "{text}");
        }
    }

    #[test]
    fn a_value_without_a_plausible_time_has_none() {
        for text in [
            "0",
            "0.0",
            "\"1970-01-01T00:00:00.000Z\"",
            "\"1970-01-01T01:00:00+01:00\"",
            "1",
            "86400000",
            "\"1970-01-02T00:00:00Z\"",
            "\"1999-12-31T23:59:59Z\"",
            "\"2100-01-01T00:00:00Z\"",
            "\"9999-12-31T23:59:59Z\"",
            "-1",
            "9223372036854775807",
            "1e28",
            "253402300800000",
            "\"0000-01-01T00:00:00Z\"",
            "\"0000-00-00\"",
            "\"1969-12-31T23:59:59Z\"",
            "\"+10000-01-01T00:00:00Z\"",
            "\"yesterday\"",
            "\"\"",
            "true",
            "{}",
        ] {
            assert_eq!(parse(text).as_time(), None, "{text}");
        }
    }

    #[test]
    fn text_for_facts_has_no_control_characters_and_an_end() {
        assert_eq!(fact_text("a\u{0}b\r\n\u{85}c"), "abc");
        assert_eq!(fact_text(&"ж".repeat(500)), "ж".repeat(MAX_FACT_CHARS));
    }
}
