//! `POST /v1/subjects/{subject_id}/holds`: places a legal hold on a person.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger_core::event::HoldReason;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::subject;
use crate::api::erasures::refused;
use crate::api::words::HoldReasonName;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

/// A new legal hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// The reason.
    #[serde(deserialize_with = "reason")]
    #[schema(value_type = HoldReasonName)]
    reason: HoldReason,
}

fn reason<'de, D: Deserializer<'de>>(field: D) -> Result<HoldReason, D::Error> {
    let word = fields::required_text(field)?;
    let known = HoldReasonName::ALL.join(", ");
    HoldReason::parse(&word).ok_or_else(|| D::Error::custom(format!("choose one of {known}")))
}

/// A legal hold that was placed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlacedHold {
    /// Id of the hold.
    hold_id: Uuid,
    /// The contact.
    subject_id: Uuid,
    /// The reason.
    #[schema(value_type = HoldReasonName)]
    reason: &'static str,
}

operation! {
    PlaceHold {
        id: "place_hold",
        action: "subjects.hold",
        access: Compliance,
        audit: Changes,
    }
}

/// Places a legal hold on a person. As long as it is not released, no erasure of the person is carried out.
///
/// # Errors
/// 404 `subject-not-found`, for another tenant's too; 409 `erasure-fenced` after the fence of an erasure.
#[utoipa::path(
    post, path = "/v1/subjects/{subject_id}/holds", tag = "privacy",
    params(("subject_id" = String, Path, description = "The contact")),
    request_body(content = HoldRequest, content_type = "application/json"),
    responses(
        (status = 201, body = PlacedHold, headers(("ledger-position" = i64, description = "Where it is recorded"))),
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
#[tracing::instrument(name = "api.subjects.hold", skip_all)]
pub async fn handler(
    caller: Authorized<PlaceHold>,
    State(app): State<App>,
    PathId(subject_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<HoldRequest>,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let subject_id = subject(subject_id)?;
    let process = app.erasures.process();
    let of = (caller.tenant_id(), subject_id);
    let placed = process.place_hold(&caller.actor(), of, request.reason).await;
    let (hold_id, position) = placed.map_err(refused)?;
    let reason = request.reason.as_str();
    let placed = PlacedHold { hold_id: hold_id.0, subject_id: subject_id.0, reason };
    Ok(with_write_position((StatusCode::CREATED, Json(placed)).into_response(), position))
}
