//! Real payloads, with their provenance beside them.

use std::fmt::Display;
use std::path::PathBuf;

use serde_json::{Value, json};

/// The folder of fixtures.
#[must_use]
pub fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The exact bytes of a fixture, such as `vapi/hang.inbound.composed.json`.
///
/// # Panics
/// When there is no such fixture.
#[must_use]
pub fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(dir().join(name)).unwrap_or_else(|error| panic!("fixture {name}: {error}"))
}

/// A fixture as JSON, to be changed. Numbers go through floats here: use [`bytes`] for money.
///
/// # Panics
/// When there is no such fixture, or it is no JSON.
#[must_use]
pub fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).expect("fixtures are JSON")
}

/// The names of a folder's JSON fixtures, sorted.
///
/// # Panics
/// When there is no such folder.
#[must_use]
pub fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dir().join(folder)).expect("a folder of fixtures");
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| PathBuf::from(name).extension().is_some_and(|end| end == "json"))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    names.sort();
    names
}

/// A message about a call, in as few words as a test needs. Values are JSON text, so numbers stay
/// as they are written.
#[derive(Clone)]
pub struct Message {
    told: Vec<(String, String)>,
    call: Vec<(String, String)>,
}

impl Message {
    /// A message of a type about a call.
    #[must_use]
    pub fn new(kind: &str, call_id: &str) -> Self {
        Self { told: Vec::new(), call: Vec::new() }
            .told("type", json!(kind))
            .of_call("id", json!(call_id))
    }

    /// The report after a call.
    #[must_use]
    pub fn report(call_id: &str) -> Self {
        Self::new("end-of-call-report", call_id)
    }

    /// A status of a call, told at a time in milliseconds.
    #[must_use]
    pub fn status(call_id: &str, status: &str, at_ms: i64) -> Self {
        Self::new("status-update", call_id).told("status", json!(status)).told("timestamp", at_ms)
    }

    /// The request for the results of some tools: id, name.
    #[must_use]
    pub fn tools(call_id: &str, tools: &[(&str, &str)]) -> Self {
        let tools = tools.iter().map(|(id, name)| {
            json!({ "id": id, "type": "function", "function": { "name": name, "arguments": { "of": id } } })
        });
        Self::new("tool-calls", call_id).told("toolCallList", tools.collect::<Value>())
    }

    /// Says something in the message itself.
    #[must_use]
    pub fn told(mut self, key: &str, value: impl Display) -> Self {
        self.told.push((key.to_owned(), value.to_string()));
        self
    }

    /// Says something in the call it is about.
    #[must_use]
    pub fn of_call(mut self, key: &str, value: impl Display) -> Self {
        self.call.push((key.to_owned(), value.to_string()));
        self
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> String {
        let object = |fields: &[(String, String)]| {
            let fields = fields.iter().map(|(key, value)| format!("{}:{value}", json!(key)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        };
        let told = self.clone().told("call", object(&self.call));
        format!("{{\"message\":{}}}", object(&told.told))
    }
}
