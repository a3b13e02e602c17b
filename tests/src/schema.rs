//! Validates a response against a published schema of a third party: the subset of OpenAPI 3.0 that
//! Vapi's schemas use.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::fixtures;

/// The schemas of one OpenAPI document.
pub struct Schemas(Value);

impl Schemas {
    /// Loads the stored subset of Vapi's schemas.
    #[must_use]
    pub fn vapi() -> Self {
        Self(fixtures::json("vapi-schema/components.json")["components"]["schemas"].take())
    }

    /// Returns the violations of a schema by a value, each with its path; empty if the value is
    /// valid.
    ///
    /// # Panics
    /// If the schema or one it references is not stored.
    #[must_use]
    pub fn faults(&self, name: &str, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(self.named(name), value, name, &mut faults);
        faults
    }

    fn named(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or_else(|| panic!("the schema {name} was not kept"))
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().expect("a reference has a name");
            return self.check(self.named(name), value, at, faults);
        }
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check(part, value, at, faults);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fits = |choice: &&Value| {
                let mut faults = Vec::new();
                self.check(choice, value, at, &mut faults);
                faults.is_empty()
            };
            if !choices.iter().any(|choice| fits(&choice)) {
                faults.push(format!("{at} is none of what it may be: {value}"));
            }
        }
        check_kind(schema, value, at, faults);
        check_text(schema, value, at, faults);
        self.check_within(schema, value, at, faults);
    }

    fn check_within(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        for item in value.as_array().into_iter().flatten() {
            if schema["items"].is_object() {
                self.check(&schema["items"], item, &format!("{at}[]"), faults);
            }
        }
        let Some(fields) = value.as_object() else { return };
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().expect("names are text")) {
                faults.push(format!("{at} has no {name}"));
            }
        }
        for (name, field) in fields {
            let known = &schema["properties"][name];
            let other = &schema["additionalProperties"];
            if let Some(schema) = [known, other].into_iter().find(|schema| schema.is_object()) {
                self.check(schema, field, &format!("{at}.{name}"), faults);
            }
        }
    }
}

fn check_kind(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let is_of_kind = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some(other) => panic!("{at}: what is a {other}?"),
        None => true,
    };
    if !is_of_kind {
        faults.push(format!("{at} is no {}: {value}", schema["type"]));
    }
}

fn check_text(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let Some(text) = value.as_str() else { return };
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        faults.push(format!("{at} is no word of its schema: {text}"));
    }
    let len = u64::try_from(text.chars().count()).expect("texts are short");
    let bound = |name: &str| schema[name].as_u64();
    if bound("minLength").is_some_and(|min| len < min)
        || bound("maxLength").is_some_and(|max| len > max)
    {
        faults.push(format!("{at} is too short or too long: {text}"));
    }
    if schema["format"] == "date-time" && text.parse::<DateTime<Utc>>().is_err() {
        faults.push(format!("{at} is no time: {text}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call() -> Value {
        let at = "2026-11-02T09:00:00.000Z";
        json!({ "id": "c-1", "orgId": "o-1", "createdAt": at, "updatedAt": at })
    }

    #[test]
    fn a_response_of_vapi_is_valid_under_its_schema() {
        let answer = fixtures::json("vapi/api-get-call.inbound-analysis.sanitized.json");
        let mut answer = answer.as_object().expect("a call").clone();
        // The author of this sample removed fields that the schema requires in its cost entries.
        answer.remove("costs");
        assert_eq!(Schemas::vapi().faults("Call", &Value::Object(answer)), [""; 0]);
    }

    #[test]
    fn violations_of_the_schema_are_found() {
        let schemas = Schemas::vapi();
        assert_eq!(schemas.faults("Call", &call()), [""; 0]);
        for (name, wrong) in [
            ("orgId", Value::Null),
            ("type", json!("inbound")),
            ("status", json!("in_progress")),
            ("endedReason", json!("it was time")),
            ("cost", json!("0.07")),
            ("startedAt", json!("yesterday")),
            ("costBreakdown", json!({ "llm": "1" })),
            ("customer", json!({ "number": "1" })),
            ("messages", json!([{ "role": "bot", "message": "Hello" }])),
            ("artifact", json!({ "messages": {} })),
            ("analysis", json!({ "successEvaluation": true })),
        ] {
            let mut call = call();
            call[name] = wrong;
            assert_eq!(schemas.faults("Call", &call).len(), 1, "{call}");
        }
        let mut call = call();
        call.as_object_mut().expect("a call").remove("updatedAt");
        assert_eq!(schemas.faults("Call", &call), [r#"Call has no "updatedAt""#]);
    }
}
