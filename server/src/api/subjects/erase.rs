//! `POST /v1/subjects/{subject_id}/erasure`: requests the erasure of a person.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use ledger_app::erasures::NewRequest;
use ledger_core::event::{Ground, IdentityCheck};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::subject;
use crate::api::erasures::refused;
use crate::api::words::{ErasureGroundName, ErasureStateName, IdentityCheckName};
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

/// Longest note, in characters.
const MAX_NOTE: usize = 4_000;

/// A request to erase a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseRequest {
    /// The ground, which has the term.
    #[serde(deserialize_with = "ground")]
    #[schema(value_type = ErasureGroundName)]
    ground: Ground,
    /// The party that requests it: `person` (the default), `representative`, `controller`, `authority`, or
    /// another text, which is stored sealed and ends with the person's keys.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    requested_by: Option<String>,
    /// The check of the identity of that party; none was necessary by default.
    #[serde(default, deserialize_with = "identity")]
    #[schema(value_type = Option<IdentityCheckName>)]
    identity: Option<IdentityCheck>,
    /// Receipt of the request, from which the term runs; now by default, at most 366 days ago.
    #[serde(default, deserialize_with = "fields::time")]
    received_at: Option<DateTime<Utc>>,
    /// A note; stored sealed, ends with the person's keys.
    #[serde(default, deserialize_with = "note")]
    #[schema(min_length = 1, max_length = 4000)]
    note: Option<String>,
}

fn ground<'de, D: Deserializer<'de>>(field: D) -> Result<Ground, D::Error> {
    let word = fields::required_text(field)?;
    let known = ErasureGroundName::ALL.join(", ");
    Ground::parse(&word).ok_or_else(|| D::Error::custom(format!("choose one of {known}")))
}

fn identity<'de, D: Deserializer<'de>>(field: D) -> Result<Option<IdentityCheck>, D::Error> {
    let Some(word) = fields::text(field)? else { return Ok(None) };
    let known = IdentityCheckName::ALL.join(", ");
    let parsed = IdentityCheck::parse(&word);
    parsed.map(Some).ok_or_else(|| D::Error::custom(format!("choose one of {known}")))
}

fn note<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    fields::long_text(field, MAX_NOTE)
}

/// A request that was recorded and decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureRequested {
    /// Id of the erasure.
    erasure_id: Uuid,
    /// `deferred` under a legal hold, else `requested`.
    #[schema(value_type = ErasureStateName)]
    state: &'static str,
    /// End of the term.
    due_at: DateTime<Utc>,
}

operation! {
    EraseSubject {
        id: "erase_subject",
        action: "subjects.erase",
        access: Compliance,
        audit: Changes,
    }
}

/// Requests the erasure of a person. It is decided at once: a legal hold defers it, otherwise it is carried
/// out in the background, and the live certificate is issued within a minute.
///
/// # Errors
/// 404 `subject-not-found`, for another tenant's too; 409 `subject-merged` (with the survivor), `erasure-open`,
/// `subject-erased`, or `subject-restricted` for texts that cannot be sealed.
#[utoipa::path(
    post, path = "/v1/subjects/{subject_id}/erasure", tag = "privacy",
    params(("subject_id" = String, Path, description = "The contact")),
    request_body(content = EraseRequest, content_type = "application/json"),
    responses(
        (status = 202, body = ErasureRequested, description = "It is recorded and decided", headers(("ledger-position" = i64, description = "Where the request is recorded"))),
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
#[tracing::instrument(name = "api.subjects.erase", skip_all)]
pub async fn handler(
    caller: Authorized<EraseSubject>,
    State(app): State<App>,
    PathId(subject_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<EraseRequest>,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let subject_id = subject(subject_id)?;
    let new = NewRequest {
        ground: request.ground,
        requested_by: request.requested_by,
        identity: request.identity.unwrap_or(IdentityCheck::NotRequired),
        received_at: request.received_at,
        note: request.note,
    };
    let process = app.erasures.process();
    let requested = process.request(&caller.actor(), caller.tenant_id(), subject_id, &new).await;
    let requested = requested.map_err(refused)?;
    app.erasures.wake(requested.of);
    let answer = ErasureRequested {
        erasure_id: requested.of.erasure_id.0,
        state: requested.state.as_str(),
        due_at: requested.due_at,
    };
    let response = (StatusCode::ACCEPTED, Json(answer)).into_response();
    Ok(with_write_position(response, requested.position))
}
