//! `GET /v1/subjects/{subject_id}`: what is held about a person.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::view::SubjectView;
use super::{not_found, subject};
use crate::api::erasures::refused;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

operation! {
    GetSubject {
        id: "get_subject",
        action: "subjects.show",
        access: Compliance,
        audit: ReadsFacts,
    }
}

/// Returns what is held about a person: counts, state of the keys, legal holds, restriction and erasure.
/// The counts include what was recorded before the request.
///
/// # Errors
/// 404 `subject-not-found`, the same for an unknown person and for another tenant's.
#[utoipa::path(
    get, path = "/v1/subjects/{subject_id}", tag = "privacy",
    params(("subject_id" = String, Path, description = "The contact")),
    responses(
        (status = 200, body = SubjectView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.subjects.show", skip_all)]
pub async fn handler(
    caller: Authorized<GetSubject>,
    State(app): State<App>,
    PathId(subject_id): PathId,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let subject_id = subject(subject_id)?;
    let held = app.erasures.process().held(caller.tenant_id(), subject_id).await;
    let held = held.map_err(refused)?.ok_or_else(not_found)?;
    Ok(Json(SubjectView::of(&held)).into_response())
}
