//! `POST /v1/subjects/{subject_id}/restriction`: restricts the processing of a person's data.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_core::event::RestrictionReason;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::subject;
use crate::api::erasures::refused;
use crate::api::words::RestrictionReasonName;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

/// A restriction.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestrictionRequest {
    /// The reason.
    #[serde(deserialize_with = "reason")]
    #[schema(value_type = RestrictionReasonName)]
    reason: RestrictionReason,
}

fn reason<'de, D: Deserializer<'de>>(field: D) -> Result<RestrictionReason, D::Error> {
    let word = fields::required_text(field)?;
    let parsed = RestrictionReason::parse(&word);
    let chosen = parsed.filter(|reason| *reason != RestrictionReason::Deferral);
    let detail = "choose one of 18.1.a, 18.1.b, 18.1.c, 18.1.d";
    chosen.ok_or_else(|| D::Error::custom(detail))
}

operation! {
    RestrictSubject {
        id: "restrict_subject",
        action: "subjects.restrict",
        access: Compliance,
        audit: Changes,
    }
}

/// Restricts the processing of a person's data (Article 18 GDPR): nothing new is stored about the person, on
/// this server at once and on every server within five seconds. Idempotent.
///
/// # Errors
/// 404 `subject-not-found`, for another tenant's too; 409 `erasure-fenced`.
#[utoipa::path(
    post, path = "/v1/subjects/{subject_id}/restriction", tag = "privacy",
    params(("subject_id" = String, Path, description = "The contact")),
    request_body(content = RestrictionRequest, content_type = "application/json"),
    responses(
        (status = 204, headers(("ledger-position" = i64, description = "Where it is recorded, when it is new"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope compliance, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The state of the person or of its erasure does not permit it"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, missing or not of its form"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.subjects.restrict", skip_all)]
pub async fn handler(
    caller: Authorized<RestrictSubject>,
    State(app): State<App>,
    PathId(subject_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<RestrictionRequest>,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let of = (caller.tenant_id(), subject(subject_id)?);
    let process = app.erasures.process();
    let restricted = process.restrict(&caller.actor(), of, request.reason).await;
    let position = restricted.map_err(refused)?;
    Ok(with_write_position(StatusCode::NO_CONTENT.into_response(), position))
}
