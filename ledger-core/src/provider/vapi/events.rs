//! Translation of each message type to events and to the expected response.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::message::{CALL_OBJECT, Message, list, object, text};
use super::tools::ToolCall;
use super::{conversation, facts, report, tools};
use crate::envelope::{Dedupe, Sections};
use crate::event::{
    ArtifactUploaded, CallEvent, CallFacts, CallMessageReceived, CallRecordingAvailable,
    CallStarted, CallStatusChanged, CallToolCalled, CallTransferred, Status, ToolAnswer,
};
use crate::json::{Json, fact_text};
use crate::provider::{Reply, TranslateError};

/// Maximum number of artifacts in the facts. A call has few recordings and logs.
const MAX_ARTIFACTS: usize = 50;

/// An event of a message, without the data common to all its events.
pub(super) struct EventDraft {
    pub(super) dedupe: Dedupe,
    pub(super) event: CallEvent,
    pub(super) sections: Sections,
}

impl EventDraft {
    fn new(event: CallEvent) -> Self {
        Self { dedupe: Dedupe::Content(0), event, sections: Sections::default() }
    }
}

/// Returns the events of a message, in order, and the expected response.
///
/// # Errors
/// [`TranslateError::UnrecognizedMessage`] if the message has more tool calls than any model makes.
pub(super) fn events_of(
    message: &Message<'_>,
    call: CallFacts,
    at: Option<DateTime<Utc>>,
) -> Result<(Vec<EventDraft>, Reply), TranslateError> {
    let one = match message.base_kind() {
        "tool-calls" => return tool_calls(message, &call, at),
        "function-call" => return Ok(function_call(message, call, at)),
        "status-update" => status_update(message, call, at),
        CALL_OBJECT => call_object(message, call),
        "call.started" | "call-start" | "assistant.started" => started(message, call, at),
        "end-of-call-report" | "end-of-call" | "call-end" | "call.ended" | "call-ended" => {
            ended(message, call)
        }
        "transfer-update" => transferred(message, call),
        "call.artifact.upload" => artifacts(message, call),
        "transcript" if !is_partial(message) => {
            let conversation =
                conversation::single_turn(message, at.map(|at| at.timestamp_millis()));
            EventDraft {
                sections: Sections { conversation, ..Sections::default() },
                ..received(message, call)
            }
        }
        _ => received(message, call),
    };
    Ok((vec![one], reply(message)))
}

/// Returns the expected response of a message that is neither a tool call nor a function call.
fn reply(message: &Message<'_>) -> Reply {
    match message.base_kind() {
        "assistant-request" => Reply::Assistant,
        "transfer-destination-request" | "handoff-destination-request" => Reply::Destination,
        "knowledge-base-request" => Reply::Fixed(json!({ "documents": [] })),
        // `campaign.predial` too. By Vapi's own rule, any response other than `{"eligible": true}`
        // skips the contact. A ledger neither approves nor rejects a call.
        _ => Reply::Acknowledge,
    }
}

/// Returns true if the end-of-call report repeats the content of the message.
pub(super) fn is_telemetry(message: &Message<'_>) -> bool {
    match message.base_kind() {
        "transcript" => is_partial(message),
        "conversation-update" | "speech-update" | "model-output" | "voice-input" => true,
        _ => false,
    }
}

fn is_partial(message: &Message<'_>) -> bool {
    message.message_field("transcriptType", text) == Some("partial")
        || message.kind.contains("=\"partial\"")
}

/// Returns the status implied by a message type. Types that occur only in a live conversation imply
/// `in_progress`, even if the start was not reported.
fn implied_status(kind: &str) -> Option<Status> {
    match kind {
        "assistant-request" => Some(Status::Ringing),
        "transcript"
        | "conversation-update"
        | "speech-update"
        | "model-output"
        | "voice-input"
        | "voice-request"
        | "user-interrupted"
        | "assistant.speechStarted"
        | "language-change-detected"
        | "knowledge-base-request"
        | "transfer-destination-request"
        | "handoff-destination-request" => Some(Status::InProgress),
        _ => None,
    }
}

fn received(message: &Message<'_>, call: CallFacts) -> EventDraft {
    let status = implied_status(message.base_kind());
    let kind = message.kind.clone();
    EventDraft::new(CallEvent::MessageReceived(CallMessageReceived { call, kind, status }))
}

fn started(message: &Message<'_>, mut call: CallFacts, at: Option<DateTime<Utc>>) -> EventDraft {
    let started_at = report::time(message, "startedAt", "started_at", &mut call).or(at);
    EventDraft::new(CallEvent::Started(CallStarted { call, started_at }))
}

fn ended(message: &Message<'_>, call: CallFacts) -> EventDraft {
    let (ended, sections) = report::report(message, call);
    EventDraft { sections, ..EventDraft::new(CallEvent::Ended(ended)) }
}

fn status_update(message: &Message<'_>, call: CallFacts, at: Option<DateTime<Utc>>) -> EventDraft {
    match message.message_field("status", text) {
        Some("in-progress") => started(message, call, at),
        Some("ended") => EventDraft::new(CallEvent::Ended(report::ended(message, call, at))),
        Some(word) => status_changed(word, call),
        None => received(message, call),
    }
}

/// Translates a call object of the API: a report if the call has ended, otherwise its current
/// status.
fn call_object(message: &Message<'_>, call: CallFacts) -> EventDraft {
    match message.message_field("status", text) {
        Some("ended") => ended(message, call),
        Some(word) => status_changed(word, call),
        None => received(message, call),
    }
}

fn status_changed(word: &str, call: CallFacts) -> EventDraft {
    let (status, provider_status) = (facts::status(word), fact_text(word));
    EventDraft::new(CallEvent::StatusChanged(CallStatusChanged { call, status, provider_status }))
}

fn transferred(message: &Message<'_>, call: CallFacts) -> EventDraft {
    // Kinds by the key of the destination, if it has no type.
    const KINDS: [(&str, &str); 5] = [
        ("assistantId", "assistant"),
        ("assistantName", "assistant"),
        ("assistant", "assistant"),
        ("number", "number"),
        ("sipUri", "sip"),
    ];
    let from_destination = message.lookup("destination", |destination| {
        let by_key = |(key, kind): &(&'static str, &'static str)| {
            destination.get(key).filter(|value| value.is_filled()).map(|_| *kind)
        };
        let word = destination.get("type").and_then(Json::as_str).filter(|word| !word.is_empty());
        word.or_else(|| KINDS.iter().find_map(by_key))
    });
    let to = |key, kind| message.message_field(key, object).map(|_| kind);
    let to_assistant = || to("toAssistant", "assistant").or_else(|| to("toStepRecord", "step"));
    let destination_kind = from_destination.or_else(to_assistant).map(fact_text);
    EventDraft::new(CallEvent::Transferred(CallTransferred { call, destination_kind }))
}

fn artifacts(message: &Message<'_>, call: CallFacts) -> EventDraft {
    let uploaded = |artifact: &Json<'_>| {
        Some(ArtifactUploaded {
            kind: fact_text(artifact.get("type")?.as_str()?),
            success: artifact.get("success").and_then(Json::as_bool).unwrap_or(false),
        })
    };
    let listed = message.message_field("artifacts", list).unwrap_or_default();
    let artifacts: Vec<_> = listed.iter().filter_map(uploaded).take(MAX_ARTIFACTS).collect();
    if artifacts.is_empty() {
        return received(message, call);
    }
    let available = CallRecordingAvailable { call, artifacts, has_link: false };
    EventDraft::new(CallEvent::RecordingAvailable(available))
}

fn tool_calls(
    message: &Message<'_>,
    call: &CallFacts,
    at: Option<DateTime<Utc>>,
) -> Result<(Vec<EventDraft>, Reply), TranslateError> {
    let calls = tools::pending_calls(message)?;
    let reply = Reply::ToolResults(calls.iter().map(ToolCall::request).collect());
    if calls.is_empty() {
        return Ok((vec![received(message, call.clone())], reply));
    }
    let events = calls.iter().zip(0..).map(|(tool_call, nth)| EventDraft {
        dedupe: Dedupe::Content(nth),
        ..tool_called(tool_call, call.clone(), at)
    });
    Ok((events.collect(), reply))
}

fn function_call(
    message: &Message<'_>,
    call: CallFacts,
    at: Option<DateTime<Utc>>,
) -> (Vec<EventDraft>, Reply) {
    match tools::function(message) {
        Some(function) => {
            let reply = Reply::FunctionResult(function.request());
            (vec![tool_called(&function, call, at)], reply)
        }
        None => (vec![received(message, call)], Reply::Acknowledge),
    }
}

fn tool_called(tool_call: &ToolCall<'_>, call: CallFacts, at: Option<DateTime<Utc>>) -> EventDraft {
    let tool = tool_call.fact(at.map(|at| at.timestamp_millis()));
    let (answer, is_async) = (ToolAnswer::NotConfigured, tool_call.is_async);
    let called = CallToolCalled { call, tool, answer, offered: false, is_async };
    let sections = Sections { tool_io: tool_call.io(), ..Sections::default() };
    EventDraft { sections, ..EventDraft::new(CallEvent::ToolCalled(called)) }
}
