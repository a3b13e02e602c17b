//! Fields of requests that annotations share.

use ledger_core::annotation::words::{NoteKind, Visibility, Word};
use ledger_core::personal::Personal;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::http::fields;

/// Longest text of a note, in characters.
const MAX_NOTE: usize = 4_000;
/// Longest reason of an escalation, in characters.
const MAX_REASON: usize = 500;

/// Deserializes the text of a note, which may have markup and letters of any direction, and no
/// character that hides or reorders others.
pub(super) fn note_text<'de, D: Deserializer<'de>>(
    field: D,
) -> Result<Option<Personal<String>>, D::Error> {
    text(field, MAX_NOTE)
}

/// Deserializes the text of a note that must be there.
pub(super) fn required_note_text<'de, D: Deserializer<'de>>(
    field: D,
) -> Result<Personal<String>, D::Error> {
    note_text(field)?.ok_or_else(|| D::Error::custom("it is missing"))
}

/// Deserializes the reason of an escalation.
pub(super) fn reason<'de, D: Deserializer<'de>>(field: D) -> Result<Personal<String>, D::Error> {
    text(field, MAX_REASON)?.ok_or_else(|| D::Error::custom("it is missing"))
}

fn text<'de, D: Deserializer<'de>>(
    field: D,
    longest: usize,
) -> Result<Option<Personal<String>>, D::Error> {
    Ok(fields::long_text(field, longest)?.map(Personal::new))
}

/// Deserializes an optional kind of a note.
pub(super) fn kind<'de, D: Deserializer<'de>>(field: D) -> Result<Option<NoteKind>, D::Error> {
    let kinds = "it is none of general, during_call, after_call and follow_up";
    one_of(field, kinds)
}

/// Deserializes the optional readers of a note.
pub(super) fn visibility<'de, D: Deserializer<'de>>(
    field: D,
) -> Result<Option<Visibility>, D::Error> {
    one_of(field, "it is neither internal nor shared")
}

fn one_of<'de, T: for<'a> Deserialize<'a>, D: Deserializer<'de>>(
    field: D,
    detail: &str,
) -> Result<Option<T>, D::Error> {
    let word = fields::text(field)?;
    let parse = |word: String| serde_json::from_value(serde_json::Value::String(word));
    word.map(|word| parse(word).map_err(|_| D::Error::custom(detail))).transpose()
}

/// Deserializes an optional word.
pub(super) fn word<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Word>, D::Error> {
    fields::text(field)?.map(|text| parse_word(&text).map_err(D::Error::custom)).transpose()
}

/// Deserializes a word that must be there.
pub(super) fn required_word<'de, D: Deserializer<'de>>(field: D) -> Result<Word, D::Error> {
    word(field)?.ok_or_else(|| D::Error::custom("it is missing"))
}

/// Reads a word.
///
/// # Errors
/// The description of its form.
pub(super) fn parse_word(text: &str) -> Result<Word, &'static str> {
    let form = "it is not a word of 1 to 40 letters, digits, -, _, . and :, with at most 6 digits";
    Word::parse(text).ok_or(form)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Deserialize)]
    struct Noted {
        #[serde(deserialize_with = "required_note_text")]
        text: Personal<String>,
    }

    fn read(text: &Value) -> Option<String> {
        let noted: Option<Noted> = serde_json::from_value(json!({ "text": text })).ok();
        noted.map(|noted| noted.text.reveal())
    }

    #[test]
    fn a_note_has_text_of_any_script_and_nothing_that_reorders_it() {
        for text in [
            "Call <b>back</b>\n\u{2022} at 5",
            "\u{5e0}\u{5d5}\u{5e2}\u{5d4}",
            "a\u{200D}b",
            "\u{1F600}",
        ] {
            assert_eq!(read(&json!(text)).as_deref(), Some(text));
        }
        for text in ["", " \n", "a\u{0}b", "\u{202E}abc", "a\u{2066}b", "\u{1b}[31m"] {
            assert_eq!(read(&json!(text)), None, "{text:?}");
        }
        assert_eq!(read(&json!("x".repeat(MAX_NOTE + 1))), None);
        assert_eq!(read(&json!(7)), None);
        assert_eq!(read(&Value::Null), None);
    }
}
