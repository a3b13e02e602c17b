//! The arguments of a tool call by their meaning.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::names::{Field, is_container};
use crate::identity::is_placeholder_id;
use crate::phone::is_withheld;
use crate::text::visible;

/// Maximum length of a value, in characters; the rest is cut off. The sealed arguments of the tool
/// call are whole.
const MAX_LENGTH: usize = 2_000;

/// Texts that models write for a number that they do not know.
const NO_NUMBER: &[&str] =
    &["caller's number", "callers number", "caller number", "caller's phone", "same number"];

/// A field that the arguments give two different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction(pub Field);

/// The values of a tool call by field. `Debug` prints no values.
#[derive(Clone, Default, PartialEq)]
pub struct Arguments {
    fields: BTreeMap<Field, String>,
    /// Arguments of no known field.
    other: BTreeMap<String, Value>,
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

impl Arguments {
    /// Reads arguments: an object, or its JSON text. Values that mean nothing are left out, and hidden
    /// characters are removed: a call cannot be refused for them.
    ///
    /// # Errors
    /// [`Contradiction`] if two synonyms of a field have different values.
    pub fn read(arguments: Option<&Value>) -> Result<Self, Contradiction> {
        let parsed;
        let arguments = match arguments {
            Some(Value::String(text)) => {
                parsed = serde_json::from_str::<Value>(text).ok();
                parsed.as_ref()
            }
            other => other,
        };
        let mut read = Self::default();
        if let Some(Value::Object(object)) = arguments {
            read.take(object)?;
            for (_, inner) in object.iter().filter(|(name, _)| is_container(name)) {
                if let Value::Object(inner) = inner {
                    read.take(inner)?;
                }
            }
        }
        Ok(read)
    }

    fn take(&mut self, object: &Map<String, Value>) -> Result<(), Contradiction> {
        for (name, value) in object {
            let text = match value {
                Value::String(text) => visible(text).trim().to_owned(),
                Value::Number(number) => number.to_string(),
                _ => continue,
            };
            let field = Field::of(name);
            if is_nothing(field, &text) {
                continue;
            }
            let text: String = text.chars().take(MAX_LENGTH).collect();
            let Some(field) = field else {
                let name: String = visible(name).chars().take(64).collect();
                self.other.entry(name).or_insert_with(|| Value::from(text));
                continue;
            };
            let known = self.fields.entry(field).or_insert_with(|| text.clone());
            if known.to_lowercase() != text.to_lowercase() {
                return Err(Contradiction(field));
            }
        }
        Ok(())
    }

    /// Returns the value of a field.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&str> {
        self.fields.get(&field).map(String::as_str)
    }

    /// Returns the arguments of no known field.
    #[must_use]
    pub const fn other(&self) -> &BTreeMap<String, Value> {
        &self.other
    }
}

/// Whether a value means that there is none.
fn is_nothing(field: Option<Field>, text: &str) -> bool {
    // Midnight is written with zeros only, and is a time.
    let is_clock = text.contains(':');
    let is_phone = field == Some(Field::Phone);
    let is_no_number = || NO_NUMBER.contains(&text.to_lowercase().as_str()) || is_withheld(text);
    text.is_empty() || (is_placeholder_id(text) && !is_clock) || (is_phone && is_no_number())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(arguments: &Value, field: Field) -> Option<String> {
        let read = Arguments::read(Some(arguments)).expect("no contradiction");
        read.get(field).map(str::to_owned)
    }

    #[test]
    fn a_field_is_found_by_its_synonyms_at_the_top_and_in_containers() {
        for arguments in [
            json!({ "name": "Ann Example" }),
            json!({ "patient_name": " Ann Example " }),
            json!({ "customer": { "fullName": "Ann Example" } }),
            json!({ "name": "Ann Example", "caller_name": "ann example" }),
            json!("{\"customerName\": \"Ann Example\"}"),
        ] {
            let name = field(&arguments, Field::Name).map(|name| name.to_lowercase());
            assert_eq!(name.as_deref(), Some("ann example"), "{arguments}");
        }
    }

    #[test]
    fn two_synonyms_with_different_values_are_a_contradiction_of_their_field() {
        let arguments = json!({ "date": "2026-12-24", "appointment": { "day": "2026-12-25" } });
        assert_eq!(Arguments::read(Some(&arguments)), Err(Contradiction(Field::Date)));
    }

    #[test]
    fn values_that_mean_nothing_are_absent() {
        for text in ["", " ", "null", "None", "unknown", "N/A", "undefined", "{{customer.name}}"] {
            assert_eq!(field(&json!({ "name": text }), Field::Name), None, "{text}");
        }
        for text in ["caller's number", "+266696687", "7378742833", "anonymous"] {
            assert_eq!(field(&json!({ "phone": text }), Field::Phone), None, "{text}");
        }
        assert_eq!(field(&json!({ "time": "00:00" }), Field::Time).as_deref(), Some("00:00"));
        assert_eq!(field(&json!({ "minutes": 30 }), Field::Minutes).as_deref(), Some("30"));
    }

    #[test]
    fn hidden_characters_are_removed_from_what_was_said() {
        let arguments = json!({
            "name": "Ann\u{202e} Example\u{2066}",
            "caller_name": "Ann Example",
            "notes": "call\u{200b} back\u{0}\nat 5",
            "phone": "\u{202a}+15550100141\u{202c}",
            "reason": "\u{200e}\u{202e}",
            "mood\u{202e}": "good\u{2069}",
        });
        for (name, text) in [
            (Field::Name, Some("Ann Example")),
            (Field::Notes, Some("call back\nat 5")),
            (Field::Phone, Some("+15550100141")),
            (Field::Reason, None),
        ] {
            assert_eq!(field(&arguments, name).as_deref(), text, "{name:?}");
        }
        let read = Arguments::read(Some(&arguments)).expect("no contradiction");
        assert_eq!(read.other().get("mood"), Some(&json!("good")));
    }
}
