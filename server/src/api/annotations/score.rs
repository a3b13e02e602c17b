//! `POST /v1/calls/{call_id}/score`: scores a call.

use axum::extract::State;
use axum::response::Response;
use ledger_core::annotation::command::Action;
use ledger_core::ids::StreamId;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::change::change;
use super::refused::not_found;
use super::view::AnnotatedCallView;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// A score.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreRequest {
    /// From 1 to 5; null takes the score away.
    #[serde(deserialize_with = "score")]
    #[schema(minimum = 1, maximum = 5)]
    score: Option<u8>,
}

fn score<'de, D: Deserializer<'de>>(field: D) -> Result<Option<u8>, D::Error> {
    let score = fields::number(field, &(1..=5))?;
    Ok(score.and_then(|score| u8::try_from(score).ok()))
}

operation! {
    ScoreCall {
        id: "score_call",
        action: "calls.score.set",
        access: Write,
        audit: Changes,
    }
}

/// Sets the score of a call.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 422 for a score that is not from
/// 1 to 5.
#[utoipa::path(
    post, path = "/v1/calls/{call_id}/score", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
    ),
    request_body(content = ScoreRequest, content_type = "application/json"),
    responses(
        (status = 200, body = AnnotatedCallView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call, the same for another tenant's"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The score is not from 1 to 5"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.score.set", skip_all)]
pub async fn handler(
    caller: Authorized<ScoreCall>,
    State(app): State<App>,
    PathId(call_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<ScoreRequest>,
) -> Result<Response, ApiError> {
    let call_id = StreamId(call_id.ok_or_else(not_found)?);
    change(&app, &caller, call_id, Action::Score { score: request.score }).await
}
