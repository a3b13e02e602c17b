//! Responses to webhooks. The adapter writes those in the platform's format. Tool calls and requests are answered with 200 even if the
//! ledger failed: the platform ignores other status codes, and the assistant needs text to say.

mod shapes;

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ledger_core::envelope::Draft;
use ledger_core::event::CallEvent;
use ledger_core::provider::{Adapter, Reply, ReplyContent, ToolReply};
use ledger_store::append::Appended;
use ledger_store::record::FirstAnswer;
use serde_json::{Value, json};

use self::shapes::WebhookAcknowledged;
use super::outcome::IngestOutcome;

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

/// Whether a draft is a tool call.
pub(super) fn is_tool_call(draft: &Draft) -> bool {
    matches!(draft.event, CallEvent::ToolCalled(_))
}

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

    /// Returns the result of one of the tool calls.
    fn of_tool(self, nth: usize) -> ToolReply {
        let first = match self {
            Self::Recorded(_) => None,
            Self::Failed(first_answers) => first_answers.get(nth),
        };
        match first {
            None | Some(FirstAnswer::Unknown) => Err(self.error_text(NOT_CONFIGURED)),
            Some(FirstAnswer::Unreadable) => Err(UNREADABLE.to_owned()),
            Some(FirstAnswer::Answered(answer)) => match answer.get("error") {
                Some(error) => Err(text(error)),
                None => Ok(text(answer.get("result").unwrap_or(answer))),
            },
        }
    }
}

/// Returns the reply to a message, written by the adapter. `replies` are those of the tools that the
/// ledger answers, by their place among the tool calls.
pub(super) fn provider_response(
    adapter: &dyn Adapter,
    reply: &Reply,
    assistant_id: Option<&str>,
    (told, replies): (Told<'_>, &[Option<ToolReply>]),
) -> Response {
    let reply_of = |nth| replies.get(nth).cloned().flatten();
    let tools =
        (0..reply.tool_calls()).map(|nth| reply_of(nth).unwrap_or_else(|| told.of_tool(nth)));
    let tools: Vec<ToolReply> = tools.collect();
    let when_recorded = match reply {
        Reply::Assistant => NO_ASSISTANT,
        _ => NO_DESTINATION,
    };
    let error = told.error_text(when_recorded);
    // Which assistant takes the call is no statement about the log, so it is sent even if the ledger
    // failed.
    let content = ReplyContent { assistant_id, tools: &tools, error: &error };
    let response = Json(WebhookAnswer(adapter.respond(reply, &content))).into_response();
    match told {
        Told::Recorded(appended) => with_position(response, &appended),
        Told::Failed(_) => response,
    }
}

/// Text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn with_position(mut response: Response, appended: &Appended) -> Response {
    response.headers_mut().insert("ledger-position", HeaderValue::from(appended.last.0));
    response
}
