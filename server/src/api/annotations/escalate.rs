//! `POST /v1/calls/{call_id}/escalate`: escalates a call.

use axum::extract::State;
use axum::response::Response;
use ledger_core::annotation::command::Action;
use ledger_core::annotation::words::{EscalationReason, EscalationSource};
use ledger_core::ids::StreamId;
use ledger_core::personal::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::body;
use super::change::change;
use super::refused::not_found;
use super::view::AnnotatedCallView;
use crate::app::App;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// An escalation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalateRequest {
    /// A word of `EscalationReasonName`, or any other text, which is stored sealed with the reason `other`.
    #[serde(deserialize_with = "body::reason")]
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Personal<String>,
}

operation! {
    EscalateCall {
        id: "escalate_call",
        action: "calls.escalate",
        access: Write,
        audit: Changes,
    }
}

/// Records that a call was escalated to a person. Each request is an escalation of its own. Answers to changes have
/// no texts; `GET /v1/calls/{call_id}` shows them.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 409 `too-many-annotations` after
/// 100 escalations; 409 `subject-erased`; 422 for a missing or malformed reason.
#[utoipa::path(
    post, path = "/v1/calls/{call_id}/escalate", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
    ),
    request_body(content = EscalateRequest, content_type = "application/json"),
    responses(
        (status = 200, body = AnnotatedCallView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call, the same for another tenant's"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "too-many-annotations, or subject-erased"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The reason is missing or malformed"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.escalate", skip_all)]
pub async fn handler(
    caller: Authorized<EscalateCall>,
    State(app): State<App>,
    PathId(call_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<EscalateRequest>,
) -> Result<Response, ApiError> {
    let call_id = StreamId(call_id.ok_or_else(not_found)?);
    let known = EscalationReason::parse(request.reason.as_revealed());
    let text = known.is_none().then_some(request.reason);
    let reason = known.unwrap_or(EscalationReason::Other);
    let action = Action::Escalate { reason, text, source: EscalationSource::Api };
    change(&app, &caller, call_id, action).await
}
