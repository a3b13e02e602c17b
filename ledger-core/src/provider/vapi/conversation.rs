//! Extraction of the conversation: transcript, summary, turns, evaluation and recordings.

use serde_json::Value;

use super::cost;
use super::message::{Message, filled, object, text};
use super::tools::filled_text;
use crate::json::Json;
use crate::personal::{Analysis, Conversation, Recording, Turn};

/// Returns the parts of the conversation in the message.
pub(super) fn conversation(message: &Message<'_>) -> Conversation {
    Conversation {
        transcript: message.lookup("transcript", transcript_text).map(str::to_owned),
        summary: message.lookup("summary", text).map(str::to_owned),
        messages: message.logs().map(turns).find(|turns| !turns.is_empty()).unwrap_or_default(),
        structured_data: structured_data(message),
        evaluation: message.lookup("successEvaluation", filled).map(Json::to_value),
        recordings: recordings(message),
        analysis: cost::summary_model(message)
            .map(|model| Analysis { model_version: Some(model), ..Analysis::default() }),
    }
}

/// Returns the single turn of a `transcript` message.
pub(super) fn single_turn(message: &Message<'_>, at_ms: Option<i64>) -> Option<Conversation> {
    let role = message.message_field("role", |role| speaker(role.as_str()?))?;
    let text = message.message_field("transcript", transcript_text)?;
    let turn = Turn { role: role.to_owned(), text: text.to_owned(), at_ms };
    Some(Conversation { messages: vec![turn], ..Conversation::default() })
}

/// Returns the provider's judgement of success if it is a plain word. Rubrics of numbers, letters
/// or the tenant's own words are kept in the conversation only.
pub(super) fn success(message: &Message<'_>) -> Option<bool> {
    let verdict = message.lookup("successEvaluation", filled)?;
    if let Some(plain) = verdict.as_bool() {
        return Some(plain);
    }
    match verdict.as_str()?.trim().to_ascii_lowercase().as_str() {
        "true" | "pass" | "passed" | "success" | "successful" | "yes" => Some(true),
        "false" | "fail" | "failed" | "failure" | "unsuccessful" | "no" => Some(false),
        _ => None,
    }
}

/// Reads a transcript: a text, or (in older integrations) an object with text and messages.
fn transcript_text<'m>(value: &'m Json<'m>) -> Option<&'m str> {
    value.as_str().or_else(|| filled_text(value, &["text", "transcript"]))
}

fn structured_data(message: &Message<'_>) -> Option<Value> {
    ["structuredData", "structuredDataMulti", "structuredOutputs"]
        .iter()
        .find_map(|key| message.lookup(key, filled))
        .map(Json::to_value)
}

/// Returns the turns in chronological order. If a time is missing, the order of the list is kept:
/// offsets from the start begin at zero again after a handoff to another assistant.
fn turns(log: &[Json<'_>]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = log.iter().filter_map(turn).collect();
    if turns.iter().all(|turn| turn.at_ms.is_some()) {
        turns.sort_by_key(|turn| turn.at_ms);
    }
    turns
}

fn turn(message: &Json<'_>) -> Option<Turn> {
    Some(Turn {
        role: speaker(message.get("role")?.as_str()?)?.to_owned(),
        text: message_text(message)?,
        at_ms: message.get("time").and_then(Json::as_millis),
    })
}

pub(super) fn message_text(message: &Json<'_>) -> Option<String> {
    if let Some(text) = filled_text(message, &["message", "content", "text"]) {
        return Some(text.to_owned());
    }
    // The form of language models: a list of parts, some of which are text.
    let parts = message.get("content")?.items().iter();
    let texts: Vec<_> = parts.filter_map(|part| part.get("text")?.as_str()).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

/// Maps a role to `assistant` or `user`. Prompts and tool messages have neither role.
fn speaker(role: &str) -> Option<&'static str> {
    match role {
        "bot" | "assistant" => Some("assistant"),
        "user" | "customer" => Some("user"),
        _ => None,
    }
}

/// Returns the recordings without duplicates; most occur under two names.
fn recordings(message: &Message<'_>) -> Vec<Recording> {
    let nested = |path: &[&str]| {
        message.lookup("recording", |recording| object(recording)?.path(path)?.as_str())
    };
    let urls = [
        ("mono", message.lookup("recordingUrl", text)),
        ("mono", nested(&["mono", "combinedUrl"])),
        ("stereo", message.lookup("stereoRecordingUrl", text)),
        ("stereo", nested(&["stereoUrl"])),
        ("assistant", nested(&["mono", "assistantUrl"])),
        ("customer", nested(&["mono", "customerUrl"])),
        ("video", message.lookup("videoRecordingUrl", text)),
        ("video", nested(&["videoUrl"])),
    ];
    let mut recordings: Vec<Recording> = Vec::new();
    for (kind, url) in urls {
        let Some(url) = url.filter(|url| !url.trim().is_empty()) else { continue };
        if recordings.iter().all(|known| known.url != url) {
            recordings.push(Recording { kind: kind.to_owned(), url: url.to_owned() });
        }
    }
    recordings
}
