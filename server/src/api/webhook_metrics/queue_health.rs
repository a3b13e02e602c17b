//! `GET /v1/webhook-metrics/queue-health`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use ledger_store::counts::{self, Hours};
use ledger_store::{TenantTx, read};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::figures::Sum;
use crate::api::words::{HealthReason, HealthWord};
use crate::api::{Params, begin_read};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::ingest::hour_of;
use crate::problem::{ApiError, Problem};

/// A read model further behind than this needs somebody's attention.
const MAX_LAG: i64 = 10_000;

/// How webhooks fare at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueHealth {
    /// `ok`, or `attention` when `reasons` names something.
    #[schema(value_type = HealthWord)]
    status: &'static str,
    /// `quarantine-waiting`, `read-model-behind`.
    #[schema(value_type = Vec<HealthReason>)]
    reasons: Vec<&'static str>,
    /// Messages whose tenant could not be told. Zero to a tenant's key: they are no tenant's.
    quarantine_waiting: i64,
    /// Since when the oldest of them waits.
    oldest_waiting_at: Option<DateTime<Utc>>,
    /// Webhooks and other appends that wait in this server to be recorded; null to a tenant's key.
    waiting_appends: Option<usize>,
    /// How far each read model is behind: to a tenant's key behind its log, to the installation's
    /// behind all logs together.
    projections: Vec<ProjectionLag>,
    /// When something with a right proof last arrived.
    last_received_at: Option<DateTime<Utc>>,
    /// Webhooks that failed in this hour, by our fault or without a hearer.
    failed_this_hour: i64,
}

/// How far a read model is behind.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectionLag {
    /// The read model.
    projection: String,
    /// Events that are not in it yet.
    lag_events: i64,
}

/// Whether webhooks are taken, and whether what they said has arrived where it is read.
///
/// # Errors
/// 400 for a parameter: there is none.
#[utoipa::path(
    get, path = "/v1/webhook-metrics/queue-health", operation_id = "get_queue_health", tag = "operations", security(("api_key" = [])),
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
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<QueueHealth>, ApiError> {
    caller.require(&app, Scope::Admin, "webhook_metrics.queue_health").await?;
    params.finish()?;
    app.counts.flush(&app.store).await?;
    let is_installation = caller.tenant_id() == TenantId::INSTALLATION;
    let (quarantine_waiting, oldest_waiting_at) =
        if is_installation { app.store.quarantine_waiting().await? } else { (0, None) };
    let projections =
        if is_installation { lag_of_all(&app).await? } else { lag(&app, &caller).await? };
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let this_hour = Hours { from: Some(hour_of(app.store.clock().now())), to: None };
    let mut sum = Sum::default();
    for tally in counts::tallies(&mut tx, None, this_hour).await? {
        sum.add(&tally);
    }
    let last_received_at = counts::last_proven(&mut tx).await?;
    let is_behind = projections.iter().any(|one| one.lag_events > MAX_LAG);
    let reasons: Vec<_> =
        [(quarantine_waiting > 0, "quarantine-waiting"), (is_behind, "read-model-behind")]
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
        failed_this_hour: sum.proven_failed(),
    }))
}

/// How busy the others are is nobody's business, so a tenant is told of its own log only.
async fn lag(app: &App, caller: &Caller) -> Result<Vec<ProjectionLag>, ApiError> {
    let (mut tx, reached) = begin_read(app, caller, "calls", None).await?;
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
