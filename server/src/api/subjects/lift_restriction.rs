//! `DELETE /v1/subjects/{subject_id}/restriction`: lifts the restriction of a person.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::subject;
use crate::api::erasures::refused;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

operation! {
    LiftRestriction {
        id: "lift_restriction",
        action: "subjects.unrestrict",
        access: Compliance,
        audit: Changes,
    }
}

/// Lifts the restriction of a person. Idempotent.
///
/// # Errors
/// 404 `subject-not-found`, for another tenant's too; 409 `erasure-deferred` while an erasure of the person is
/// deferred, and `erasure-fenced`.
#[utoipa::path(
    delete, path = "/v1/subjects/{subject_id}/restriction", tag = "privacy",
    params(("subject_id" = String, Path, description = "The contact")),
    responses(
        (status = 204, headers(("ledger-position" = i64, description = "Where it is recorded, when it was in force"))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.subjects.unrestrict", skip_all)]
pub async fn handler(
    caller: Authorized<LiftRestriction>,
    State(app): State<App>,
    PathId(subject_id): PathId,
    _: NoQuery,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let of = (caller.tenant_id(), subject(subject_id)?);
    let lifted = app.erasures.process().lift_restriction(&caller.actor(), of).await;
    let position = lifted.map_err(refused)?;
    Ok(with_write_position(StatusCode::NO_CONTENT.into_response(), position))
}
