//! `POST /v1/sources/{source_id}/rotate-secret`: replaces the shared secret.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use ledger_app::sources::{MAX_OVERLAP_S, rotate_secret};
use ledger_core::ids::SourceId;
use ledger_store::source::check_secret;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::refused;
use super::settings::not_found;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::OptionalJsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

/// The new secret, and the time during which the previous one is also accepted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationRequest {
    /// New secret: 16 to 200 visible ASCII characters without repetitions or sequences; default: 256 random
    /// bits.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 16, max_length = 200, pattern = "^[!-~]*$")]
    secret: Option<String>,
    /// Seconds during which the previous secret is also accepted; 0 (default) refuses it at once.
    #[serde(default, deserialize_with = "overlap_seconds")]
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_seconds: Option<i64>,
}

/// The new secret of a webhook source. Returned only this once.
#[derive(Serialize, ToSchema)]
pub struct RotatedSecret {
    /// Id of the source.
    source_id: Uuid,
    /// Secret the platform has to send with each webhook from now on.
    secret: String,
    /// Time until which the previous secret is accepted too; null if refused from now on.
    old_secret_until: Option<DateTime<Utc>>,
}

operation! {
    RotateSourceSecret {
        id: "rotate_source_secret",
        action: "sources.rotate_secret",
        access: Revocation,
        audit: Administers,
    }
}

/// Replaces the secret of a webhook source.
///
/// With an overlap the previous secret is accepted together with the new one for that time; an older one is
/// not accepted any more. This server applies the change to the next webhook, others within five seconds. The
/// tenant may be in any state.
///
/// # Errors
/// 404 `source-not-found`, the same for an unknown source and for another tenant's; 422 for an unknown or
/// malformed field, named in the answer.
#[utoipa::path(
    post, path = "/v1/sources/{source_id}/rotate-secret", tag = "operations",
    params(("source_id" = String, Path, description = "The webhook source")),
    request_body(content = Option<RotationRequest>, content_type = "application/json"),
    responses(
        (status = 200, body = RotatedSecret, description = "The new secret", headers(("ledger-position" = i64, description = "Where it is recorded; a shared source is in no log"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "The body is no JSON object"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "No valid API key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope admin"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such source"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body did not arrive in time"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The body is too large"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown or not of its form"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database or the keys are not available"),
    ),
)]
#[tracing::instrument(name = "api.sources.rotate_secret", skip_all)]
pub async fn handler(
    caller: Authorized<RotateSourceSecret>,
    State(app): State<App>,
    PathId(source_id): PathId,
    _: NoQuery,
    OptionalJsonBody(request): OptionalJsonBody<RotationRequest>,
) -> Result<Response, ApiError> {
    let secret = request.secret.unwrap_or_else(|| caller.new_secret());
    let overlap = request.overlap_seconds.unwrap_or(0);
    check_secret(&secret).map_err(|weak| ApiError::field("secret", weak.to_string()))?;
    let source_id = SourceId(source_id.ok_or_else(not_found)?);
    let by = caller.actor();
    let tenant_id = Some(caller.tenant_id());
    let rotated = rotate_secret(&app.store, &by, tenant_id, source_id, (&secret, overlap)).await;
    let changed = rotated.map_err(refused)?;
    tracing::info!(%source_id, "source.secret_rotated");
    let body = RotatedSecret {
        source_id: source_id.0,
        secret,
        old_secret_until: changed.source.old_secret_until,
    };
    Ok(with_write_position(Json(body).into_response(), changed.position))
}

fn overlap_seconds<'de, D: Deserializer<'de>>(field: D) -> Result<Option<i64>, D::Error> {
    fields::number(field, &(0..=MAX_OVERLAP_S))
}
