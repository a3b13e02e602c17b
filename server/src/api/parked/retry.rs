//! `POST /v1/parked/{parked_id}/retry`: applies a parked event again.

use axum::Json;
use axum::extract::State;
use projections::parked::retry;

use super::OutcomeView;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

operation! {
    RetryParkedEvent {
        id: "retry_parked_event",
        action: "parked.retry",
        access: Admin,
        audit: Changes,
    }
}

/// Applies a parked event again, and then the events that wait behind it, in order.
///
/// # Errors
/// 404 `parked-not-found`, for another tenant's too; 409 `projection-schema-mismatch`.
#[utoipa::path(
    post, path = "/v1/parked/{parked_id}/retry", tag = "operations",
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
    caller: Authorized<RetryParkedEvent>,
    State(app): State<App>,
    PathId(parked_id): PathId,
    _: NoQuery,
) -> Result<Json<OutcomeView>, ApiError> {
    let parked_id = parked_id.unwrap_or_default();
    let is_folded = retry(app.store.projector(), parked_id, caller.tenant_scope()).await?;
    Ok(Json(OutcomeView::new(parked_id, is_folded)))
}
