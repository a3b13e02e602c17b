//! Access to the captured bodies for tests.

use std::path::PathBuf;
use std::{fs, str};

use super::Vapi;
use crate::envelope::Draft;
use crate::event::{CallEnded, CallEvent, CallFacts};
use crate::provider::{Adapter, TranslateError, Translation};

/// Fixtures that are not messages; the adapter rejects them.
pub(super) const REJECTED: [&str; 2] = [
    "vapi-legacy/chattyai-09_webhook_flat_legacy.json",
    "vapi-legacy/voxanne-15_vapi_calls_api_list.json",
];

/// Returns every fixture as `folder/file` with its text, sorted.
pub(super) fn all() -> Vec<(String, String)> {
    let names = ["vapi", "vapi-legacy"].iter().flat_map(|folder| {
        let files = fs::read_dir(root().join(folder)).expect("the fixtures are there");
        files.map(move |file| {
            let name = file.expect("a file").file_name().into_string().expect("UTF-8");
            format!("{folder}/{name}")
        })
    });
    let mut names: Vec<_> = names.filter(|name| !name.ends_with("PROVENANCE.md")).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), read(&name))).collect()
}

/// Returns every fixture that is a message.
pub(super) fn messages() -> Vec<(String, String)> {
    all().into_iter().filter(|(name, _)| !REJECTED.contains(&name.as_str())).collect()
}

pub(super) fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("the fixture is there")
}

pub(super) fn try_translate(body: &str) -> Result<Translation, TranslateError> {
    Vapi.translate(body.as_bytes(), None)
}

pub(super) fn translate(body: &str) -> Translation {
    try_translate(body).expect("a message")
}

/// Returns the only event of a body.
pub(super) fn only_draft(body: &str) -> Draft {
    let mut drafts = translate(body).drafts;
    assert_eq!(drafts.len(), 1, "one event");
    drafts.remove(0)
}

pub(super) fn call_facts(body: &str) -> CallFacts {
    translate(body).drafts[0].event.call().clone()
}

/// Returns the `call.ended` facts of a body.
pub(super) fn ended(body: &str) -> CallEnded {
    match only_draft(body).event {
        CallEvent::Ended(ended) => ended,
        other => panic!("{} is no end", other.event_type()),
    }
}

/// Returns all stored content of a draft as one text.
pub(super) fn kept_text(draft: &Draft) -> String {
    let sections = &draft.sections;
    let json = |value: serde_json::Result<String>| value.expect("sections are JSON");
    let raw = sections.raw.as_deref().unwrap_or_default();
    [
        draft.event.to_facts(),
        json(serde_json::to_string(&sections.party)),
        json(serde_json::to_string(&sections.conversation)),
        json(serde_json::to_string(&sections.tool_io)),
        str::from_utf8(raw).expect("UTF-8").to_owned(),
    ]
    .join("\n")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}
