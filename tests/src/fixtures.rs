//! Reads the fixtures: real payloads, with their provenance beside them, and a builder for small
//! messages.

use std::fmt::Display;
use std::path::PathBuf;

use serde_json::{Value, json};

/// Returns the path of the folder of fixtures.
#[must_use]
pub fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Returns the exact bytes of a fixture, such as `vapi/hang.inbound.composed.json`.
///
/// # Panics
/// If the fixture does not exist.
#[must_use]
pub fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(dir().join(name)).unwrap_or_else(|error| panic!("fixture {name}: {error}"))
}

/// Parses a fixture, for a test to modify. Numbers become floats: use [`bytes`] for amounts of
/// money.
///
/// # Panics
/// If the fixture does not exist or is no JSON.
#[must_use]
pub fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).expect("fixtures are JSON")
}

/// Returns the names of the JSON fixtures of a folder, sorted.
///
/// # Panics
/// If the folder does not exist.
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

/// Builder of a message about a call. Values are JSON text, so numbers keep their spelling.
#[derive(Clone)]
pub struct Message {
    message: Vec<(String, String)>,
    call: Vec<(String, String)>,
}

impl Message {
    /// Starts a message of the type `kind` about a call.
    #[must_use]
    pub fn new(kind: &str, call_id: &str) -> Self {
        Self { message: Vec::new(), call: Vec::new() }
            .field("type", json!(kind))
            .call_field("id", json!(call_id))
    }

    /// Starts an end-of-call report.
    #[must_use]
    pub fn report(call_id: &str) -> Self {
        Self::new("end-of-call-report", call_id)
    }

    /// Starts a status update with its time in milliseconds since 1970.
    #[must_use]
    pub fn status(call_id: &str, status: &str, at_ms: i64) -> Self {
        Self::new("status-update", call_id).field("status", json!(status)).field("timestamp", at_ms)
    }

    /// Starts a request for tool results; `tools` are pairs of id and name.
    #[must_use]
    pub fn tools(call_id: &str, tools: &[(&str, &str)]) -> Self {
        let tools = tools.iter().map(|(id, name)| {
            json!({ "id": id, "type": "function", "function": { "name": name, "arguments": { "of": id } } })
        });
        Self::new("tool-calls", call_id).field("toolCallList", tools.collect::<Value>())
    }

    /// Adds a field to the message object.
    #[must_use]
    pub fn field(mut self, key: &str, value: impl Display) -> Self {
        self.message.push((key.to_owned(), value.to_string()));
        self
    }

    /// Adds a field to the call object of the message.
    #[must_use]
    pub fn call_field(mut self, key: &str, value: impl Display) -> Self {
        self.call.push((key.to_owned(), value.to_string()));
        self
    }

    /// Returns the request body.
    #[must_use]
    pub fn body(&self) -> String {
        let object = |fields: &[(String, String)]| {
            let fields = fields.iter().map(|(key, value)| format!("{}:{value}", json!(key)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        };
        let complete = self.clone().field("call", object(&self.call));
        format!("{{\"message\":{}}}", object(&complete.message))
    }
}
