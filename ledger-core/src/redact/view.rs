//! Redaction of several texts that are one conversation, and of JSON values.

use serde_json::Value;

use super::places::words_of;
use super::{Class, KnownNames, Span, find, replace};

/// Redacts a JSON value. The name of a field counts as words before its value, and a field such as
/// `patientName` is replaced as a whole.
pub fn redact_value(value: &mut Value, names: &KnownNames) {
    redact_field("", value, names);
}

fn redact_field(key: &str, value: &mut Value, names: &KnownNames) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                redact_field(key, value, names);
            }
        }
        Value::Array(items) => redact_items(key, items, names),
        Value::String(text) => {
            let words = words_of(key);
            if let Some(class) = class_of_field(&words)
                && !text.is_empty()
            {
                class.placeholder().clone_into(text);
                return;
            }
            let spans = find(&[words.as_str(), text.as_str()], names);
            *text = replace_in(1, text, &spans);
        }
        Value::Number(number) => {
            let text = number.to_string();
            let words = words_of(key);
            let spans = find(&[words.as_str(), text.as_str()], names);
            if let Some(span) = spans.iter().find(|span| span.segment == 1) {
                *value = Value::String(span.class.placeholder().to_owned());
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// The texts of a list are one conversation.
fn redact_items(key: &str, items: &mut [Value], names: &KnownNames) {
    let is_texts = items.iter().all(Value::is_string) && class_of_field(&words_of(key)).is_none();
    if is_texts {
        let texts = items.iter_mut().filter_map(|item| match item {
            Value::String(text) => Some(text),
            _ => None,
        });
        redact_texts(&mut texts.collect::<Vec<_>>(), names);
    } else {
        for item in items {
            redact_field(key, item, names);
        }
    }
}

/// Adds the values of fields that are names of persons, such as `patientName`.
pub fn names_in(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if class_of_field(&words_of(key)) == Some(Class::Name) => {
                        names.push(text.clone());
                    }
                    _ => names_in(value, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names_in(item, names)),
        _ => {}
    }
}

/// Returns the class of a field that is personal by its name.
fn class_of_field(words: &str) -> Option<Class> {
    const WHOSE: [&str; 12] = [
        "first", "last", "full", "caller", "customer", "patient", "contact", "given", "family",
        "middle", "client", "user",
    ];
    let mut parts = words.split_whitespace();
    let last = parts.next_back()?;
    let has = |word: &str| words.split_whitespace().any(|part| part == word);
    match last {
        "name" | "names" if words == "name" || WHOSE.iter().any(|whose| has(whose)) => {
            Some(Class::Name)
        }
        "firstname" | "lastname" | "fullname" | "surname" => Some(Class::Name),
        "address" | "street" if !has("email") && !has("ip") => Some(Class::Address),
        "diagnosis" | "diagnoses" | "condition" | "conditions" | "symptoms" | "allergies"
        | "allergy" => Some(Class::Condition),
        "medication" | "medications" | "prescription" | "prescriptions" => Some(Class::Medication),
        _ => None,
    }
}

/// Redacts texts that are one conversation, such as the turns of a call.
pub fn redact_texts(texts: &mut [&mut String], names: &KnownNames) {
    let spans = find(&texts.iter().map(|text| text.as_str()).collect::<Vec<_>>(), names);
    let mut rest = spans.as_slice();
    for (segment, text) in texts.iter_mut().enumerate() {
        let count = rest.iter().take_while(|span| span.segment == segment).count();
        let (spans, others) = rest.split_at(count);
        if !spans.is_empty() {
            **text = replace(text, spans);
        }
        rest = others;
    }
}

fn replace_in(segment: usize, text: &str, spans: &[Span]) -> String {
    let spans: Vec<Span> = spans.iter().filter(|span| span.segment == segment).copied().collect();
    replace(text, &spans)
}
