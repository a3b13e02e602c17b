//! Tests with `null` and every wrong type in each field of each capture.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::LINKS;
use super::fixtures::messages;
use super::mutants::{REPLACEMENTS, descendants, keys_to, put};
use crate::call::{Call, SealedSections};
use crate::envelope::{Draft, Recorded};
use crate::event::Event;
use crate::ids::{EventId, Position, StreamId, StreamVersion, SubjectId};
use crate::json::Json;
use crate::provider::redact;
use crate::provider::{TranslateError, Translation};

/// Depth of the nested replacement. Captured bodies reach 16 levels, the limit is 64.
const DEEP: usize = 40;

/// Fields by which a message without a type is recognised.
const SHAPE: [&str; 9] = [
    "message",
    "type",
    "messageType",
    "call",
    "toolCallList",
    "toolCalls",
    "toolCall",
    "function",
    "functionCall",
];

/// Objects in which the adapter reads at most an id.
const UNREAD: [&str; 5] =
    ["assistant", "squad", "assistantOverrides", "phoneCallProviderDetails", "parameters"];

/// Shortens long texts, since only their type matters here: prompts are most of a body.
fn shorten(value: &mut Json<'_>) {
    match value {
        Json::String(text) if text.len() > 200 => *text = Cow::Borrowed("a long text"),
        Json::Array(items) => items.iter_mut().for_each(shorten),
        Json::Object(fields) => fields.iter_mut().for_each(|(_, value)| shorten(value)),
        _ => {}
    }
}

/// Removes the parts that the adapter never reads, so that the others can be tested in full.
fn prune(value: &mut Json<'_>) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(prune),
        Json::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Json::Object(inner) if UNREAD.contains(&key.as_ref()) => {
                        inner.retain(|(_, value)| {
                            !matches!(value, Json::Array(_) | Json::Object(_))
                        });
                    }
                    value => prune(value),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_of_every_capture_may_be_of_any_type() {
    let deep = format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP));
    let wrong: Vec<Json<'_>> = REPLACEMENTS
        .into_iter()
        .chain(["\"x\"", &deep])
        .map(|text| Json::parse(text.as_bytes()).expect("JSON"))
        .collect();
    let mut translated = 0;
    for (name, body) in messages() {
        let mut whole = Json::parse(body.as_bytes()).expect("JSON");
        shorten(&mut whole);
        redact::redact(&mut whole, LINKS);
        let mut read = whole.clone();
        prune(&mut read);
        // Small bodies are tested with every value in each field. Large bodies repeat their
        // structure, so each field is tested with a few values.
        let each = if descendants(&read) < 100 { wrong.len() } else { 2 };
        for nth in 0..descendants(&read) {
            let turn = wrong.iter().cycle().skip(nth * each % wrong.len()).take(each);
            translated += turn.filter(|with| is_translated(&mut read, nth, with, &name)).count();
        }
        for nth in 0..descendants(&whole) {
            translated +=
                usize::from(is_translated(&mut whole, nth, &wrong[nth % wrong.len()], &name));
        }
    }
    assert!(translated > 10_000, "{translated}");
}

/// Translates a body with the value in the place of its `nth` node. Returns true if it is accepted,
/// after checks that its events can be stored, decoded and folded.
fn is_translated<'a>(tree: &mut Json<'a>, nth: usize, with: &Json<'a>, name: &str) -> bool {
    let was = put(tree, nth, with.clone()).expect("it is there");
    let translated = super::translate(tree, Vec::new(), Vec::new(), Some("US"));
    let case = || {
        let keys = keys_to(tree, &mut nth.clone());
        format!("{name}: {keys:?} is {with:?}")
    };
    let is_translated = match translated {
        Ok(translated) => {
            check(&translated, &case);
            true
        }
        Err(TranslateError::UnrecognizedMessage(_)) => {
            let keys = keys_to(tree, &mut nth.clone()).expect("it is there");
            let is_shape = keys.iter().all(|key| SHAPE.contains(&key.as_str()) || key == "name");
            assert!(keys.len() <= 3 && is_shape, "{}", case());
            false
        }
        Err(other) => panic!("{}: {other}", case()),
    };
    put(tree, nth, was);
    is_translated
}

fn check(translated: &Translation, case: &impl Fn() -> String) {
    assert!(!translated.drafts.is_empty(), "{}", case());
    let mut call = Call::default();
    for (draft, position) in translated.drafts.iter().zip(1..) {
        fold(&mut call, draft, position, case);
    }
    let state = serde_json::to_string(&call).expect("plain data");
    assert_eq!(serde_json::from_str::<Call>(&state).expect("what was written"), call);
    // The accessors must not panic for any value.
    let _ = (call.status(), call.outcome(), call.duration_ms(), call.tool_calls());
}

fn fold(call: &mut Call, draft: &Draft, position: i64, case: &impl Fn() -> String) {
    let facts = draft.event.to_facts();
    assert!(facts.len() < 8_000 && !facts.contains("\\u0000"), "{}: {facts}", case());
    let (event_type, version) = (draft.event.event_type(), draft.event.schema_version());
    let event = crate::event::upcast::decode(event_type, version, &facts)
        .unwrap_or_else(|error| panic!("{}: {error}", case()));
    assert_eq!(event, Event::Call(draft.event.clone()), "{}", case());
    let recorded = Recorded {
        position: Position(position),
        stream_id: StreamId(Uuid::nil()),
        stream_version: StreamVersion(position),
        event_id: EventId(Uuid::from_u128(u128::try_from(position).expect("positive"))),
        occurred_at: draft.occurred_at.unwrap_or(DateTime::<Utc>::UNIX_EPOCH),
        recorded_at: DateTime::UNIX_EPOCH,
        event,
    };
    let subject = Some(SubjectId(Uuid::nil()));
    let recorded = recorded.as_call().expect("an event of a call");
    call.evolve(&recorded, SealedSections { subject, has_party: draft.sections.party.is_some() });
}
