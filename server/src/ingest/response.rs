//! Responses to webhooks. The adapter writes those in the platform's format. Tool calls and requests are answered with 200 even if the
//! ledger failed: the platform ignores other status codes, and the assistant needs text to say.

mod shapes;

use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ledger_app::intake::{Delivered, DeliveryError, FAILED, IngestOutcome, NOT_CONFIGURED};
use ledger_core::provider::{Adapter, Reply, ReplyContent, ToolReply};
use ledger_core::tools::Speech;
use ledger_core::tools::words::UNREADABLE;
use ledger_store::append::Appended;
use ledger_store::record::FirstAnswer;
use ledger_store::source::Source;
use serde_json::Value;

use self::shapes::WebhookAcknowledged;
use super::counts::OutcomeRecorder;
use crate::problem::ApiError;

pub(super) use shapes::{WebhookAnswer, WebhookQuarantined};

/// Text for the assistant when no assistant is configured for the call.
const NO_ASSISTANT: &str = "No assistant is set up for this number. Please call again later.";

/// Text for the assistant when no transfer destination is configured.
const NO_DESTINATION: &str = "No transfer destination is set up. Please take a message instead.";

impl From<DeliveryError> for ApiError {
    fn from(error: DeliveryError) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        match error {
            DeliveryError::Untranslatable(_) => Self::new(StatusCode::BAD_REQUEST, code, detail),
            DeliveryError::ScheduleBusy => Self::unavailable(code, &detail),
            DeliveryError::Fault(fault) => fault.into(),
        }
    }
}

/// Returns the response to a delivery, and counts its outcome. Messages of kinds for which the platform ignores
/// other status codes are always answered with 200.
pub(super) fn answer(
    source: &Source,
    reply: &Reply,
    delivered: Delivered,
    recorder: &mut OutcomeRecorder<'_>,
) -> Result<Response, ApiError> {
    let Delivered { outcome, answers } = delivered;
    let taken = outcome.map_err(ApiError::from);
    recorder.set_outcome(&taken);
    if *reply == Reply::Acknowledge {
        return taken.map(|taken| acknowledge(&taken));
    }
    let told = match &taken {
        Ok(IngestOutcome::Recorded(appended)) => Told::Recorded(*appended),
        // A quarantined message gives the assistant no result either.
        Ok(IngestOutcome::Ignored | IngestOutcome::Quarantined) | Err(_) => {
            Told::Failed(&answers.first)
        }
    };
    Ok(provider_response(
        source.provider.adapter(),
        reply,
        SourceReply::of(source),
        (told, answers.replies.as_slice()),
    ))
}

/// Returns the response to an informational message.
fn acknowledge(taken: &IngestOutcome) -> Response {
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

/// What a reply depends on of the source; the default if it is not known.
#[derive(Clone, Copy, Default)]
pub(super) struct SourceReply<'a> {
    assistant_id: Option<&'a str>,
    speech: Speech,
}

impl<'a> SourceReply<'a> {
    fn of(source: &'a Source) -> Self {
        Self { assistant_id: source.assistant_id.as_deref(), speech: source.tools.speech }
    }

    /// Whether the caller is told an answer word by word. An answer that asks the assistant to do
    /// something is worded by the model.
    fn is_verbatim(self, answered: Option<&ToolReply>) -> bool {
        let is_spoken =
            |reply: &ToolReply| reply.as_ref().err().is_none_or(|why| why != UNREADABLE);
        self.speech == Speech::Verbatim && answered.is_some_and(is_spoken)
    }
}

/// Returns the reply to a message, written by the adapter. `replies` are those of the tools that the
/// ledger answers, by their place among the tool calls.
pub(super) fn provider_response(
    adapter: &dyn Adapter,
    reply: &Reply,
    source: SourceReply<'_>,
    (told, replies): (Told<'_>, &[Option<ToolReply>]),
) -> Response {
    let reply_of = |nth: usize| replies.get(nth).and_then(Option::as_ref);
    let calls = 0..reply.tool_calls();
    let verbatim: Vec<bool> = calls.clone().map(|nth| source.is_verbatim(reply_of(nth))).collect();
    let tools = calls.map(|nth| reply_of(nth).cloned().unwrap_or_else(|| told.of_tool(nth)));
    let tools: Vec<ToolReply> = tools.collect();
    let when_recorded = match reply {
        Reply::Assistant => NO_ASSISTANT,
        _ => NO_DESTINATION,
    };
    let error = told.error_text(when_recorded);
    // Which assistant takes the call is no statement about the log, so it is sent even if the ledger
    // failed.
    let assistant_id = source.assistant_id;
    let content = ReplyContent { assistant_id, tools: &tools, verbatim: &verbatim, error: &error };
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
