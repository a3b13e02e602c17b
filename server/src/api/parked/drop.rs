//! `POST /v1/parked/{parked_id}/drop`: skips a parked event permanently.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use projections::parked::{Reason, drop_event};
use serde::Deserialize;
use utoipa::ToSchema;

use super::OutcomeView;
use crate::api::fields::Fields;
use crate::api::{Params, PathId};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// Body of the request to drop a parked event.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the contract; what is sent is taken apart by `Fields`")]
pub struct DropRequest {
    /// Reason in one line of 1 to 200 characters. Stored unsealed in the log, so it must not contain personal
    /// data.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// Skips a parked event in every version of its read model permanently, and applies the events that wait
/// behind it.
///
/// The event stays in the log, which also records the reason and the key that was used.
///
/// # Errors
/// 404 `parked-not-found`, for another tenant's too; 403 `tenant-not-active`; 422 for the reason.
#[utoipa::path(
    post, path = "/v1/parked/{parked_id}/drop", operation_id = "drop_parked_event", tag = "operations", security(("api_key" = [])),
    params(("parked_id" = String, Path, description = "The entry")),
    request_body = DropRequest,
    responses(
        (status = 200, body = OutcomeView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.parked.drop", skip_all)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    PathId(parked_id): PathId,
    params: Params,
    body: Body,
) -> Result<Json<OutcomeView>, ApiError> {
    caller.require(&app, Scope::Admin, "parked.drop").await?;
    params.finish()?;
    let mut fields = Fields::read(body).await?;
    let reason = fields.text("reason")?;
    fields.finish()?;
    let reason = reason.as_deref().and_then(Reason::parse);
    let reason =
        reason.ok_or_else(|| ApiError::field("reason", "say why, without personal data"))?;
    let parked_id = parked_id.unwrap_or_default();
    let by = Some((caller.key.key_id, caller.request_id));
    let is_folded = drop_event(&app.store, parked_id, caller.only(), &reason, by).await?;
    Ok(Json(OutcomeView::new(parked_id, is_folded)))
}
