//! What the platform hears. Tool calls and requests are answered 200 even when the ledger failed:
//! the platform ignores anything else, and a voice must have something to say.

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ledger_core::envelope::Draft;
use ledger_core::provider::{Reply, ToolRequest};
use ledger_store::append::Appended;
use serde_json::{Value, json};

use super::{Taken, is_tool_call};

/// What a voice says when the ledger has no such tool. One line, and no promise in anybody's name.
pub const NOT_CONFIGURED: &str =
    "This tool is not configured here. Nothing was done. Please take a message instead.";

/// What a voice says when the ledger failed. It claims nothing.
pub(super) const FAILED: &str =
    "The system cannot be reached at the moment. Nothing was done. Please try again later.";

/// What a voice says when nobody told which assistant shall answer.
const NO_ASSISTANT: &str = "No assistant is set up for this number. Please call again later.";

/// What a voice says when there is nowhere to transfer to.
const NO_DESTINATION: &str = "No transfer destination is set up. Please take a message instead.";

/// Message types that are counted, and are metric labels, by themselves.
pub(super) const KNOWN_KINDS: &[&str] = &[
    "assistant-request",
    "assistant.speechStarted",
    "assistant.started",
    "call-object",
    "call.artifact.upload",
    "call.delete.failed",
    "call.deleted",
    "chat.created",
    "chat.deleted",
    "conversation-update",
    "end-of-call-report",
    "function-call",
    "handoff-destination-request",
    "hang",
    "knowledge-base-request",
    "language-change-detected",
    "model-output",
    "phone-call-control",
    "session.created",
    "session.deleted",
    "session.updated",
    "speech-update",
    "status-update",
    "tool-calls",
    "transcript",
    "transfer-destination-request",
    "transfer-update",
    "untyped",
    "user-interrupted",
    "voice-input",
    "voice-request",
];

/// Writes into each tool call what it is answered with, before that is sealed.
pub(super) fn fill_tool_results(drafts: &mut [Draft], error: &str) {
    for draft in drafts.iter_mut().filter(|draft| is_tool_call(draft)) {
        for io in &mut draft.sections.tool_io {
            io.result = Some(json!({ "error": error }));
        }
    }
}

/// The answer to an informational message.
pub(super) fn acknowledge(taken: &Taken) -> Response {
    let status = taken.word();
    match taken {
        Taken::Recorded(appended) => {
            let body = json!({ "status": status, "position": appended.first });
            with_position(Json(body).into_response(), appended)
        }
        Taken::Ignored => Json(json!({ "status": status })).into_response(),
        Taken::Quarantined => {
            (StatusCode::ACCEPTED, Json(json!({ "status": status }))).into_response()
        }
    }
}

/// The answer to a message that wants one in the platform's own shape. `taken` is `None` when the
/// ledger failed; what was only quarantined is no better for the voice.
pub(super) fn spoken(reply: &Reply, assistant_id: Option<&str>, taken: Option<&Taken>) -> Response {
    let recorded = match taken {
        Some(Taken::Recorded(appended)) => Some(appended),
        _ => None,
    };
    let said =
        |when_recorded: &'static str| if recorded.is_some() { when_recorded } else { FAILED };
    let body = match reply {
        Reply::Acknowledge => json!({ "status": "recorded" }),
        Reply::ToolResults(requests) => {
            let results: Vec<Value> =
                requests.iter().map(|request| tool_result(request, said(NOT_CONFIGURED))).collect();
            json!({ "results": results })
        }
        Reply::FunctionResult(_) => json!({ "result": said(NOT_CONFIGURED) }),
        // Which assistant answers is no claim about the log: it is told even when the ledger failed.
        Reply::Assistant => match assistant_id {
            Some(assistant_id) => json!({ "assistantId": assistant_id }),
            None => json!({ "error": said(NO_ASSISTANT) }),
        },
        Reply::Destination => json!({ "error": said(NO_DESTINATION) }),
        Reply::Fixed(body) => body.clone(),
    };
    let response = Json(body).into_response();
    match recorded {
        Some(appended) => with_position(response, appended),
        None => response,
    }
}

fn tool_result(request: &ToolRequest, error: &str) -> Value {
    json!({ "toolCallId": request.tool_call_id, "name": request.tool, "error": error })
}

fn with_position(mut response: Response, appended: &Appended) -> Response {
    response.headers_mut().insert("ledger-position", HeaderValue::from(appended.last.0));
    response
}
