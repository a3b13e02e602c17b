//! `GET /v1/webhook-metrics/queue-health`: state of the webhook pipeline.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use ledger_store::webhook_counts::{self, Hours};
use ledger_store::{TenantTx, read};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::webhook_counts::CountSummary;
use crate::api::words::{HealthReason, HealthWord};
use crate::app::App;
use crate::auth::Caller;
use crate::http::consistency::begin_consistent_read;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::http::times::hour_of;
use crate::problem::{ApiError, Problem};

/// A projection with a larger lag, in events, needs attention.
const MAX_LAG: i64 = 10_000;

/// State of the webhook pipeline at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueHealth {
    /// `ok`, or `attention` if `reasons` is not empty.
    #[schema(value_type = HealthWord)]
    status: &'static str,
    /// `quarantine-waiting`, `projection-behind`.
    #[schema(value_type = Vec<HealthReason>)]
    reasons: Vec<&'static str>,
    /// Messages in quarantine; zero for a tenant's key, since they have no tenant.
    quarantine_waiting: i64,
    /// Time of receipt of the oldest of them.
    oldest_waiting_at: Option<DateTime<Utc>>,
    /// Appends queued in this server, webhooks included; null for a tenant's key.
    waiting_appends: Option<usize>,
    /// Lag of each projection: over the tenant's log for a tenant's key, over all logs for the
    /// installation's.
    projections: Vec<ProjectionLag>,
    /// Time of the last authenticated webhook.
    last_received_at: Option<DateTime<Utc>>,
    /// Authenticated webhooks that failed in this hour, by an internal error or because the client
    /// disconnected.
    failed_this_hour: i64,
}

/// Lag of a projection.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectionLag {
    /// Name of the projection.
    projection: String,
    /// Events that are not applied yet.
    lag_events: i64,
}

operation! {
    GetQueueHealth {
        id: "get_queue_health",
        action: "webhook_metrics.queue_health",
        access: Admin,
        audit: ReadsFacts,
    }
}

/// Returns whether webhooks are accepted, and how far the projections are behind.
///
/// # Errors
/// 400 for any parameter.
#[utoipa::path(
    get, path = "/v1/webhook-metrics/queue-health", tag = "operations",
    responses(
        (status = 200, body = QueueHealth),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.webhook_metrics.queue_health", skip_all)]
pub async fn handler(
    caller: Authorized<GetQueueHealth>,
    State(app): State<App>,
    params: Params,
) -> Result<Json<QueueHealth>, ApiError> {
    params.reject_unknown()?;
    app.counts.flush(&app.store).await?;
    let is_installation = caller.tenant_id() == TenantId::INSTALLATION;
    let (quarantine_waiting, oldest_waiting_at) =
        if is_installation { app.store.quarantine_waiting().await? } else { (0, None) };
    let projections =
        if is_installation { lag_of_all(&app).await? } else { lag(&app, &caller).await? };
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let this_hour = Hours { from: Some(hour_of(app.store.clock().now())), to: None };
    let mut sum = CountSummary::default();
    for source_count in webhook_counts::source_counts(&mut tx, None, this_hour).await? {
        sum.add(&source_count);
    }
    let last_received_at = webhook_counts::last_authenticated_at(&mut tx).await?;
    let is_behind = projections.iter().any(|one| one.lag_events > MAX_LAG);
    let reasons: Vec<_> =
        [(quarantine_waiting > 0, "quarantine-waiting"), (is_behind, "projection-behind")]
            .into_iter()
            .filter_map(|(is_so, reason)| is_so.then_some(reason))
            .collect();
    Ok(Json(QueueHealth {
        status: if reasons.is_empty() { "ok" } else { "attention" },
        reasons,
        quarantine_waiting,
        oldest_waiting_at,
        waiting_appends: is_installation.then(|| app.store.appender().waiting()),
        projections,
        last_received_at,
        failed_this_hour: sum.authenticated_failed(),
    }))
}

/// Lag over the caller's own log. A tenant's key does not see the lag of others, which would reveal how busy
/// they are.
async fn lag(app: &App, caller: &Caller) -> Result<Vec<ProjectionLag>, ApiError> {
    let (mut tx, reached) = begin_consistent_read(app, caller, "calls", None).await?;
    let head = read::head(&mut tx).await?;
    let lag_events = (head.0 - reached.0).max(0);
    Ok(vec![ProjectionLag { projection: "calls".to_owned(), lag_events }])
}

async fn lag_of_all(app: &App) -> Result<Vec<ProjectionLag>, ApiError> {
    let progress = projections::progress(app.store.projector()).await?;
    let lag = progress
        .into_iter()
        .map(|one| ProjectionLag { projection: one.name().to_owned(), lag_events: one.lag_events });
    Ok(lag.collect())
}
