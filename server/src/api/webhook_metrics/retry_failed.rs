//! `POST /v1/webhook-metrics/retry-failed/{id}`: replays a quarantined message.

use axum::Json;
use axum::extract::State;

use crate::api::quarantine::replay::{self, ReplayView};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::PathId;
use crate::problem::{ApiError, Problem};

operation! {
    RetryDeadLetter {
        id: "retry_dead_letter",
        action: "webhook_metrics.retry_failed",
        access: Admin,
        audit: Changes,
    }
}

/// Retries a dead letter: assigns a quarantined message to the tenant with a matching route. Idempotent.
///
/// # Errors
/// 404 for every key but the installation's own; 409 `no-single-route` while no tenant or several match.
#[utoipa::path(
    post, path = "/v1/webhook-metrics/retry-failed/{id}", tag = "operations",
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
    caller: Authorized<RetryDeadLetter>,
    State(app): State<App>,
    PathId(id): PathId,
) -> Result<Json<ReplayView>, ApiError> {
    replay::replay(&app, &caller, id).await.map(Json)
}
