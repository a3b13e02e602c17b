//! `POST /v1/parked/{parked_id}/retry`: applies a parked event again.

use axum::Json;
use axum::extract::State;
use projections::parked::retry;

use super::OutcomeView;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::http::params::{Params, PathId};
use crate::problem::{ApiError, Problem};

/// Applies a parked event again, and then the events that wait behind it, in order.
///
/// # Errors
/// 404 `parked-not-found`, for another tenant's too; 409 `projection-schema-mismatch`.
#[utoipa::path(
    post, path = "/v1/parked/{parked_id}/retry", operation_id = "retry_parked_event", tag = "operations", security(("api_key" = [])),
    params(("parked_id" = String, Path, description = "The entry")),
    responses(
        (status = 200, body = OutcomeView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.parked.retry", skip_all)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    PathId(parked_id): PathId,
    params: Params,
) -> Result<Json<OutcomeView>, ApiError> {
    caller.require(&app, Scope::Admin, "parked.retry").await?;
    params.reject_unknown()?;
    let parked_id = parked_id.unwrap_or_default();
    let is_folded = retry(app.store.projector(), parked_id, caller.tenant_scope()).await?;
    Ok(Json(OutcomeView::new(parked_id, is_folded)))
}
