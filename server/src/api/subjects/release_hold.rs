//! `DELETE /v1/subjects/{subject_id}/holds/{hold_id}`: releases a legal hold.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_core::ids::{LegalHoldId, SubjectId};

use super::not_found;
use crate::api::erasures::refused;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathIds};
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

operation! {
    ReleaseHold {
        id: "release_hold",
        action: "subjects.release",
        access: Compliance,
        audit: Changes,
    }
}

/// Releases a legal hold. An erasure that it deferred is carried out, unless another hold remains. Idempotent.
///
/// # Errors
/// 404 `subject-not-found` or `hold-not-found`, for another tenant's too.
#[utoipa::path(
    delete, path = "/v1/subjects/{subject_id}/holds/{hold_id}", tag = "privacy",
    params(
        ("subject_id" = String, Path, description = "The contact"),
        ("hold_id" = String, Path, description = "The hold"),
    ),
    responses(
        (status = 204, headers(("ledger-position" = i64, description = "Where it is recorded, when it was released now"))),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.subjects.release", skip_all)]
pub async fn handler(
    caller: Authorized<ReleaseHold>,
    State(app): State<App>,
    PathIds(ids): PathIds,
    _: NoQuery,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let (subject_id, hold_id) = ids.ok_or_else(not_found)?;
    let of = (caller.tenant_id(), SubjectId(subject_id));
    let process = app.erasures.process();
    let released = process.release_hold(&caller.actor(), of, LegalHoldId(hold_id)).await;
    let position = released.map_err(refused)?;
    Ok(with_write_position(StatusCode::NO_CONTENT.into_response(), position))
}
