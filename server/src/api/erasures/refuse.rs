//! `POST /v1/erasures/{erasure_id}/refuse`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ledger_core::event::RefusalReason;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::found::{found, reference, shown};
use super::refused;
use super::view::ErasureView;
use crate::api::words::RefusalReasonName;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

/// The decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseRequest {
    /// The reason, an article of the law or a word.
    #[serde(deserialize_with = "reason")]
    #[schema(value_type = RefusalReasonName)]
    reason: RefusalReason,
}

fn reason<'de, D: Deserializer<'de>>(field: D) -> Result<RefusalReason, D::Error> {
    let word = fields::required_text(field)?;
    let known = RefusalReasonName::ALL.join(", ");
    RefusalReason::parse(&word).ok_or_else(|| D::Error::custom(format!("choose one of {known}")))
}

operation! {
    RefuseErasure {
        id: "refuse_erasure",
        action: "erasures.refuse",
        access: Compliance,
        audit: Changes,
    }
}

/// Refuses an erasure that is not fenced. The answer has the text for the person.
///
/// # Errors
/// 404 `erasure-not-found`, for another tenant's too; 409 `erasure-fenced`.
#[utoipa::path(
    post, path = "/v1/erasures/{erasure_id}/refuse", tag = "privacy",
    params(("erasure_id" = String, Path, description = "The erasure")),
    request_body(content = RefuseRequest, content_type = "application/json"),
    responses(
        (status = 200, body = ErasureView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope compliance, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The state of the erasure does not permit it"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, missing or not of its form"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.erasures.refuse", skip_all)]
pub async fn handler(
    caller: Authorized<RefuseErasure>,
    State(app): State<App>,
    PathId(erasure_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<RefuseRequest>,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let row = found(&app, &caller, erasure_id).await?;
    let of = reference(&caller, &row);
    let process = app.erasures.process();
    let position = process.refuse(&caller.actor(), of, request.reason).await.map_err(refused)?;
    let view = shown(&app, &caller, row.erasure_id, position).await?;
    Ok(with_write_position(Json(view).into_response(), position))
}
