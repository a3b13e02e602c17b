//! `POST /v1/webhook-metrics/retry-failed/{id}`: replays a quarantined message.

use axum::Json;
use axum::extract::State;

use crate::api::quarantine::replay::{self, ReplayView};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::http::params::PathId;
use crate::problem::{ApiError, Problem};

/// Retries a dead letter: assigns a quarantined message to the tenant with a matching route. Idempotent.
///
/// # Errors
/// 404 for every key but the installation's own; 409 `no-single-route` while no tenant or several match.
#[utoipa::path(
    post, path = "/v1/webhook-metrics/retry-failed/{id}", operation_id = "retry_dead_letter", tag = "operations",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "As the dead letter queue lists it")),
    responses(
        (status = 200, body = ReplayView),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.webhook_metrics.retry_failed", skip_all)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<ReplayView>, ApiError> {
    caller.require(&app, Scope::Admin, "webhook_metrics.retry_failed").await?;
    replay::replay(&app, &caller, id).await.map(Json)
}
