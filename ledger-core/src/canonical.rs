//! Canonical JSON (RFC 8785) for texts that are signed: one text for each value.
//!
//! Numbers are integers that a double has exactly. Others, and keys beyond the Basic Multilingual
//! Plane, are not written by any caller.

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

/// Largest integer that every reader of JSON has exactly.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// The reason for which a value has no canonical text.
#[derive(Debug, Error)]
pub enum CanonicalError {
    /// The value is not JSON, such as a map with keys that are no texts.
    #[error("the value is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// A number is not an integer of at most 53 bits.
    #[error("{0} is not an integer of at most 53 bits")]
    Number(serde_json::Number),
}

/// Returns the canonical text of a value.
///
/// # Errors
/// [`CanonicalError`]
pub fn to_canonical(value: &impl Serialize) -> Result<String, CanonicalError> {
    let value = serde_json::to_value(value).map_err(CanonicalError::NotJson)?;
    let mut text = String::new();
    write(&value, &mut text)?;
    Ok(text)
}

/// Parses a text if it is canonical: any other spelling of the same value is refused, so that a
/// signed text cannot be read in two ways.
#[must_use]
pub fn parse_canonical(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    let canonical = to_canonical(&value).ok()?;
    (canonical == text).then_some(value)
}

fn write(value: &Value, text: &mut String) -> Result<(), CanonicalError> {
    match value {
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if size.is_none_or(|size| size > MAX_SAFE) {
                return Err(CanonicalError::Number(number.clone()));
            }
            text.push_str(&number.to_string());
        }
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
        Value::Array(items) => {
            text.push('[');
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            text.push('{');
            for (nth, (key, value)) in fields.into_iter().enumerate() {
                if nth > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write(value, text)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_by_utf_16_and_texts_have_the_shortest_escapes() {
        // From RFC 8785, 3.2.3: U+FB33 sorts after the surrogates of U+1F600.
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Dalet", "1": "One",
            "\u{1f600}": "Emoji", "\u{80}": "Control", "\u{f6}": "o",
        });
        let text = to_canonical(&value).expect("a text");
        assert_eq!(
            text,
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"\u{f6}\":\"o\",\
             \"\u{20ac}\":\"Euro Sign\",\"\u{1f600}\":\"Emoji\",\"\u{fb33}\":\"Dalet\"}"
        );
        assert_eq!(
            to_canonical(&"\u{8}\u{c}\n\r\t\"\\/\u{1f}\u{7f}").expect("a text"),
            "\"\\b\\f\\n\\r\\t\\\"\\\\/\\u001f\u{7f}\""
        );
    }

    #[test]
    fn other_spellings_are_not_canonical() {
        assert!(parse_canonical(r#"{"a":1,"b":[true,null]}"#).is_some());
        for text in [
            r#"{"b":1,"a":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a": 1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":1e0}"#,
            r#"{"a":-0}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":9007199254740992}"#,
            "{\"a\":1}\n",
            "",
        ] {
            assert!(parse_canonical(text).is_none(), "{text}");
        }
        assert!(to_canonical(&0.5).is_err());
        assert!(to_canonical(&u64::MAX).is_err());
    }
}
