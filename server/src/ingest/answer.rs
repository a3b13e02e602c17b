//! Responses in the platform's format. Tool calls and requests are answered with 200 even if the
//! ledger failed: the platform ignores other status codes, and the assistant needs text to say.

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ledger_core::envelope::Draft;
use ledger_core::provider::{Reply, ToolRequest};
use ledger_store::append::Appended;
use serde_json::{Value, json};

use super::{Taken, is_tool_call};

/// Text for the assistant when the tool is not configured. Makes no promise on
/// behalf of the business.
pub const NOT_CONFIGURED: &str =
    "This tool is not configured here. Nothing was done. Please take a message instead.";

/// Text for the assistant when the ledger failed; makes no claim about the result.
pub(super) const FAILED: &str =
    "The system cannot be reached at the moment. Nothing was done. Please try again later.";

/// Text for the caller when the source names no assistant.
const NO_ASSISTANT: &str = "No assistant is set up for this number. Please call again later.";

/// Text for the assistant when no transfer destination is configured.
const NO_DESTINATION: &str = "No transfer destination is set up. Please take a message instead.";

/// Message types counted separately; also the values of the metric label `kind`.
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

/// Writes the response into each tool call draft, before it is sealed.
pub(super) fn fill_tool_results(drafts: &mut [Draft], error: &str) {
    for draft in drafts.iter_mut().filter(|draft| is_tool_call(draft)) {
        for io in &mut draft.sections.tool_io {
            io.result = Some(json!({ "error": error }));
        }
    }
}

/// Returns the response to an informational message.
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

/// Returns the response to a message in the platform's format. `taken` is `None` if the ledger
/// failed; a quarantined message is answered as a failure, too.
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
        // The assistant's id makes no claim about the log, so it is sent even if the ledger failed.
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
