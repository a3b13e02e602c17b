//! Serialisation of a tree to text, and conversion to a `serde_json` value.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::Json;

impl Json<'_> {
    /// Returns the JSON without white space. Numbers, order and repeated keys are kept.
    #[must_use]
    pub fn to_compact(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write(self, &mut out, &|fields| fields.iter().collect());
        out
    }

    /// Returns the canonical form, equal for all spellings of the same JSON: keys sorted, only the
    /// last of repeated keys, no white space, escapes only where required. Numbers keep their text,
    /// because a reader may distinguish two spellings of a number.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write(self, &mut out, &sorted);
        out
    }

    /// Converts the value to a `serde_json` value, for sealed sections.
    ///
    /// A number that is neither an `i64` nor a `u64` becomes the nearest `f64`, or its text if no
    /// `f64` is near. The section `raw` keeps the exact number.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(text) => text
                .parse::<Number>()
                .map_or_else(|_| Value::String((*text).to_owned()), Value::Number),
            Self::String(text) => Value::String(text.as_ref().to_owned()),
            Self::Array(items) => Value::Array(items.iter().map(Json::to_value).collect()),
            Self::Object(fields) => Value::Object(
                fields.iter().map(|(key, value)| (key.to_string(), value.to_value())).collect(),
            ),
        }
    }
}

type Field<'a> = (Cow<'a, str>, Json<'a>);

fn sorted<'f, 'a>(fields: &'f [Field<'a>]) -> Vec<&'f Field<'a>> {
    // Reversed, then sorted stably: of equal keys the last is first, and `dedup_by` keeps the
    // first.
    let mut fields: Vec<_> = fields.iter().rev().collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.dedup_by(|(later, _), (kept, _)| later == kept);
    fields
}

fn write<'a>(
    value: &Json<'a>,
    out: &mut Vec<u8>,
    order: &impl for<'f> Fn(&'f [Field<'a>]) -> Vec<&'f Field<'a>>,
) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Number(text) => out.extend_from_slice(text.as_bytes()),
        Json::String(text) => write_string(text, out),
        Json::Array(items) => {
            out.push(b'[');
            for (nth, item) in items.iter().enumerate() {
                separate(nth, out);
                write(item, out, order);
            }
            out.push(b']');
        }
        Json::Object(fields) => {
            out.push(b'{');
            for (nth, (key, value)) in order(fields).into_iter().enumerate() {
                separate(nth, out);
                write_string(key, out);
                out.push(b':');
                write(value, out, order);
            }
            out.push(b'}');
        }
    }
}

fn separate(nth: usize, out: &mut Vec<u8>) {
    if nth > 0 {
        out.push(b',');
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a vector takes any bytes");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Json<'_> {
        Json::parse(text.as_bytes()).expect("JSON")
    }

    fn canonical(text: &str) -> String {
        String::from_utf8(parse(text).to_canonical()).expect("UTF-8")
    }

    #[test]
    fn compact_keeps_everything_but_white_space() {
        let spaced = " { \"b\" : [ 1.50 , null , \"x\\u0000\\n\" ] , \"a\" : { } , \"b\" : true } ";
        let compact = r#"{"b":[1.50,null,"x\u0000\n"],"a":{},"b":true}"#;
        assert_eq!(parse(spaced).to_compact(), compact.as_bytes());
    }

    #[test]
    fn canonical_is_one_spelling_for_all() {
        let one = canonical(r#"{"b":1.0,"a":{"y":"\u0041/","x":[ ]}}"#);
        assert_eq!(one, canonical("{ \"a\": {\"x\":[],\"y\":\"A\\/\"},\n \"b\": 1.0 }"));
        assert_eq!(one, r#"{"a":{"x":[],"y":"A/"},"b":1.0}"#);
        assert_ne!(one, canonical(r#"{"b":1,"a":{"y":"A/","x":[]}}"#));
    }

    #[test]
    fn canonical_keeps_the_key_that_counts() {
        assert_eq!(canonical(r#"{"a":1,"b":2,"a":3,"a":4}"#), r#"{"a":4,"b":2}"#);
    }

    #[test]
    fn a_number_no_f64_can_hold_becomes_its_text() {
        assert_eq!(
            parse("[1,18446744073709551615,0.5,1e400]").to_value(),
            json!([1, 18_446_744_073_709_551_615_u64, 0.5, "1e400"])
        );
    }
}
