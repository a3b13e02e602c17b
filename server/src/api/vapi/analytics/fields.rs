//! Parser for JSON objects as strict as Vapi's: every fault is reported with the path of its field.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::api::vapi::query::safe_name;
use crate::api::vapi::time;

/// Maximum number of items in a list.
const MAX_ITEMS: usize = 50;
/// Maximum length of a name in characters, from Vapi's schema.
const MAX_NAME: usize = 40;

/// The fields of an object that were not read yet.
pub(super) struct ObjectFields<'f> {
    /// Path of the object with a dot at its end; empty for the body itself.
    path: String,
    left: Map<String, Value>,
    pub(super) faults: &'f mut Vec<String>,
}

impl<'f> ObjectFields<'f> {
    /// Takes a value that must be an object, or reports a fault.
    pub(super) fn of(value: Value, path: &str, faults: &'f mut Vec<String>) -> Option<Self> {
        let Value::Object(left) = value else {
            let what = if path.is_empty() { "the body" } else { path.trim_end_matches('.') };
            faults.push(format!("{what} must be an object"));
            return None;
        };
        Some(Self { path: path.to_owned(), left, faults })
    }

    /// Path of a nested object.
    pub(super) fn path_of(&self, name: &str) -> String {
        format!("{}{name}.", self.path)
    }

    /// Reports a fault of a field.
    pub(super) fn fault(&mut self, name: &str, fault: &str) {
        self.faults.push(format!("{}{name} {fault}", self.path));
    }

    /// Removes a field; null counts as absent.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    /// Removes a required field that must be one of the `known` words.
    pub(super) fn word<T: Copy>(&mut self, name: &str, known: &[(&'static str, T)]) -> Option<T> {
        let value = self.take(name).unwrap_or_default();
        let found = known.iter().find(|(word, _)| value.as_str() == Some(word));
        if found.is_none() {
            self.fault(name, &one_of(known));
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// Removes a required text of limited length.
    pub(super) fn name(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(Value::String(text)) if text.chars().count() <= MAX_NAME => Some(text),
            _ => {
                self.fault(name, &format!("must be a string of at most {MAX_NAME} characters"));
                None
            }
        }
    }

    /// Removes a text of limited length; an absent one has the default.
    pub(super) fn name_or(&mut self, name: &str, default: Option<String>) -> Option<String> {
        if self.left.get(name).is_none_or(Value::is_null) {
            self.left.remove(name);
            return default;
        }
        self.name(name)
    }

    /// Removes an optional ISO 8601 time.
    pub(super) fn time(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let value = self.take(name)?;
        let at = value.as_str().and_then(time::parse);
        if at.is_none() {
            self.fault(name, "must be a valid ISO 8601 date string");
        }
        at
    }

    /// Removes a required list; returns its items with their paths.
    pub(super) fn list(&mut self, name: &str) -> Vec<(String, Value)> {
        if self.left.get(name).is_none_or(Value::is_null) {
            self.fault(name, "must be an array");
        }
        self.optional_list(name)
    }

    /// Removes an optional list; returns its items with their paths.
    pub(super) fn optional_list(&mut self, name: &str) -> Vec<(String, Value)> {
        let items = match self.take(name) {
            Some(Value::Array(items)) if items.len() <= MAX_ITEMS => items,
            Some(Value::Array(_)) => {
                self.fault(name, &format!("must contain no more than {MAX_ITEMS} elements"));
                return Vec::new();
            }
            Some(_) => {
                self.fault(name, "must be an array");
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let path = self.path_of(name);
        items.into_iter().enumerate().map(|(nth, item)| (format!("{path}{nth}."), item)).collect()
    }

    /// Reports every remaining field.
    pub(super) fn reject_unknown(self) {
        for name in self.left.keys() {
            self.faults.push(format!("{}property {} should not exist", self.path, safe_name(name)));
        }
    }
}

/// Fault of a field that must be one of the `known` words.
pub(super) fn one_of<T>(known: &[(&'static str, T)]) -> String {
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    format!("must be one of the following values: {}", words.join(", "))
}
