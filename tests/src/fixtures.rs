//! Real payloads, with their provenance beside them.

use std::path::PathBuf;

use serde_json::Value;

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
