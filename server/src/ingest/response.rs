//! Responses in the platform's format. Tool calls and requests are answered with 200 even if the
//! ledger failed: the platform ignores other status codes, and the assistant needs text to say.

mod shapes;

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ledger_core::envelope::Draft;
use ledger_core::provider::{Reply, ToolRequest};
use ledger_store::append::Appended;
use ledger_store::record::FirstAnswer;
use serde_json::{Value, json};

use self::shapes::{
    WebhookAcknowledged, WebhookAssistant, WebhookDocuments, WebhookFunctionResult, WebhookRefusal,
    WebhookToolResult, WebhookToolResults,
};
use super::{IngestOutcome, is_tool_call};

pub(super) use shapes::{WebhookAnswer, WebhookQuarantined};

/// Text for the assistant when the ledger has no such tool. One line, without any promise.
pub const NOT_CONFIGURED: &str =
    "This tool is not configured here. Nothing was done. Please take a message instead.";

/// Text for the assistant when the ledger failed; makes no claim about the result.
pub(super) const FAILED: &str =
    "The system cannot be reached at the moment. Nothing was done. Please try again later.";

/// Text for the assistant when a tool call is in the log and its answer cannot be opened.
const UNREADABLE: &str =
    "This was asked before, and its answer cannot be read any more. Please take a message instead.";

/// Text for the assistant when no assistant is configured for the call.
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
pub(super) fn acknowledge(taken: &IngestOutcome) -> Response {
    let status = taken.as_str();
    match taken {
        IngestOutcome::Recorded(appended) => {
            let body = WebhookAcknowledged { status, position: Some(appended.first.0) };
            with_position(Json(body).into_response(), appended)
        }
        IngestOutcome::Ignored => {
            Json(WebhookAcknowledged { status, position: None }).into_response()
        }
        IngestOutcome::Quarantined => {
            (StatusCode::ACCEPTED, Json(WebhookQuarantined { status })).into_response()
        }
    }
}

/// State of a message that needs a response in the platform's format.
#[derive(Clone, Copy)]
pub(super) enum Told<'a> {
    /// The message is in the log.
    Recorded(Appended),
    /// The message is not in the log. Contains the first answer of each of its tool calls, or
    /// nothing if the look-up was not made or failed.
    Failed(&'a [FirstAnswer]),
}

impl Told<'_> {
    fn error_text(self, when_recorded: &str) -> String {
        match self {
            Self::Recorded(_) => when_recorded.to_owned(),
            Self::Failed(_) => FAILED.to_owned(),
        }
    }

    /// Returns the result and the error of the nth tool call; one of them is set.
    fn of_tool(self, nth: usize) -> (Option<String>, Option<String>) {
        let first = match self {
            Self::Recorded(_) => None,
            Self::Failed(first_answers) => first_answers.get(nth),
        };
        match first {
            None | Some(FirstAnswer::Unknown) => (None, Some(self.error_text(NOT_CONFIGURED))),
            Some(FirstAnswer::Unreadable) => (None, Some(UNREADABLE.to_owned())),
            Some(FirstAnswer::Answered(answer)) => match answer.get("error") {
                Some(error) => (None, Some(text(error))),
                None => (Some(text(answer.get("result").unwrap_or(answer))), None),
            },
        }
    }
}

/// Builds the response in the platform's format.
pub(super) fn provider_response(
    reply: &Reply,
    assistant_id: Option<&str>,
    told: Told<'_>,
) -> Response {
    let body = match reply {
        Reply::Acknowledge => {
            WebhookAnswer::Acknowledged(WebhookAcknowledged { status: "recorded", position: None })
        }
        Reply::ToolResults(requests) => {
            let results = requests.iter().enumerate();
            let results = results.map(|(nth, request)| tool_result(request, told.of_tool(nth)));
            WebhookAnswer::ToolResults(WebhookToolResults { results: results.collect() })
        }
        Reply::FunctionResult(_) => {
            let (result, error) = told.of_tool(0);
            let result = result.or(error).unwrap_or_default();
            WebhookAnswer::Function(WebhookFunctionResult { result })
        }
        // The choice of the assistant is independent of the log, so it is sent even if the ledger
        // failed.
        Reply::Assistant => match assistant_id {
            Some(assistant_id) => {
                let assistant_id = assistant_id.to_owned();
                WebhookAnswer::Assistant(WebhookAssistant { assistant_id })
            }
            None => WebhookAnswer::Refused(WebhookRefusal { error: told.error_text(NO_ASSISTANT) }),
        },
        Reply::Destination => {
            WebhookAnswer::Refused(WebhookRefusal { error: told.error_text(NO_DESTINATION) })
        }
        Reply::Fixed(body) => WebhookAnswer::Documents(WebhookDocuments(body.clone())),
    };
    let response = Json(body).into_response();
    match told {
        Told::Recorded(appended) => with_position(response, &appended),
        Told::Failed(_) => response,
    }
}

fn tool_result(
    request: &ToolRequest,
    (result, error): (Option<String>, Option<String>),
) -> WebhookToolResult {
    let tool_call_id = request.tool_call_id.clone();
    WebhookToolResult { tool_call_id, name: request.tool.clone(), result, error }
}

/// Returns text unchanged and any other value as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn with_position(mut response: Response, appended: &Appended) -> Response {
    response.headers_mut().insert("ledger-position", HeaderValue::from(appended.last.0));
    response
}
