//! Liveness and readiness probes, and metrics.

mod gauges;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use ledger_app::fault::chain;
use ledger_store::vault::VaultError;
use ledger_store::{Store, StoreError};
use projections::Progress;
use projections::versions;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use ledger_app::workers::WorkerState;

use crate::api::words::{HealthStatus, ReadModelState, ReadinessWord, WorkerWord};
use crate::app::App;
use crate::telemetry::Form;

/// A served projection with a larger lag, in events, makes the server not ready.
const MAX_LAG: i64 = 100_000;
/// A part without a fault.
const OK: &str = "ok";
/// Time limit of each check: probes run every few seconds and have short timeouts themselves.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Routes of probes and metrics.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    public_routes().merge(internal_routes())
}

/// Routes that stay on the API address when operations have a separate one.
#[must_use]
pub fn public_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz))
}

/// Routes that move to the separate operations address.
fn internal_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(readyz)).routes(routes!(metrics))
}

/// Answer of the liveness probe.
#[derive(Serialize, ToSchema)]
struct Health {
    #[schema(value_type = HealthStatus)]
    status: &'static str,
}

/// Answer of the readiness probe: whether webhooks can be accepted, and the state of each part.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// `ready` or `not_ready`.
    #[schema(value_type = ReadinessWord)]
    status: &'static str,
    /// `ok`, or the fault.
    database: String,
    /// `ok`, or the fault.
    migrations: String,
    /// `ok`, or the fault.
    keyring: String,
    /// `ok`, or the fault: with any, no webhook is accepted and no personal data are read.
    journal: String,
    /// Sum of the lags of all served projections, in events; null if the database does not answer.
    lag_events: Option<i64>,
    /// Read models of tenants that stopped at an event this build cannot read, summed over all tenants.
    halted: Option<i64>,
    /// Parked keys: streams with an event that could not be applied.
    parked: Option<i64>,
    /// State of each served projection.
    projections: Vec<ReadModel>,
    /// State of each background task.
    workers: Vec<WorkerView>,
}

/// State of a background task.
#[derive(Serialize, ToSchema)]
struct WorkerView {
    name: &'static str,
    /// `running`, `restarting`, `died` or `stopped`.
    #[schema(value_type = WorkerWord)]
    state: &'static str,
    /// Number of restarts since the start of the process.
    restarts: u64,
}

/// State of a served projection.
#[derive(Serialize, ToSchema)]
struct ReadModel {
    name: String,
    version: i32,
    /// `current`, `catching_up`, `halted` or `stuck`.
    #[schema(value_type = ReadModelState)]
    state: &'static str,
    lag_events: i64,
    /// Age of the oldest event that is not yet applied, in seconds.
    lag_seconds: i64,
    parked: i64,
    /// Tenants with a lag and no progress for 30 seconds.
    stalled: i64,
    /// Reason of a stall or halt; null while the projection makes progress.
    reason: Option<String>,
}

impl ReadModel {
    fn of(one: &Progress, now: DateTime<Utc>, last_error: Option<&str>) -> Self {
        let has_stalled = one.has_stalled(now);
        let unknown = "no worker of this build moves it; see the log";
        let why = one.why.as_deref().or(last_error).unwrap_or(unknown);
        Self {
            name: one.name().to_owned(),
            version: one.version.version,
            state: if has_stalled { "stuck" } else { one.state() },
            lag_events: one.lag_events,
            lag_seconds: one.lag_seconds,
            parked: one.parked,
            stalled: one.stalled,
            reason: (one.stalled > 0 || one.halted > 0).then(|| why.to_owned()),
        }
    }
}

/// The versions that are served.
fn active_versions(all: &[Progress]) -> impl Iterator<Item = &Progress> {
    all.iter().filter(|one| one.version.state == versions::State::Active)
}

/// Returns 200 while the process runs. Checks nothing else.
#[utoipa::path(get, path = "/healthz", operation_id = "get_health", tag = "operations", responses((status = 200, body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Returns 200 if webhooks can be accepted: database, migrations, keyring, journal and lag are checked. Otherwise 503
/// with the fault. A background task that died and cannot be restarted is one.
#[utoipa::path(
    get, path = "/readyz", operation_id = "get_readiness", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)),
)]
async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let migrated = in_time(app.store.is_migrated()).await;
    let progress = match &migrated {
        Some(_) => in_time(projections::progress(app.store.projector())).await,
        None => None,
    };
    let lag_events =
        progress.as_ref().map(|all| active_versions(all).map(|one| one.lag_events).sum());
    let halted = progress.as_ref().map(|all| active_versions(all).map(|one| one.halted).sum());
    let parked = progress.as_ref().map(|all| active_versions(all).map(|one| one.parked).sum());
    let (now, last_error) = (app.store.clock().now(), app.engine.last_error());
    let model = |one| ReadModel::of(one, now, last_error.as_deref());
    let projections: Vec<_> =
        progress.iter().flat_map(|all| active_versions(all)).map(model).collect();
    let is_moving = projections.iter().all(|one| one.state != "stuck");
    let keyring = check_keyring(&app.store, migrated.is_some()).await;
    let journal = journal(&app.store).await;
    let workers = app.workers.all();
    let is_listening = workers.iter().all(|one| one.state != WorkerState::Died);
    let is_ready = migrated == Some(true)
        && is_listening
        && keyring.is_ok()
        && journal == OK
        && lag_events.is_some_and(|lag: i64| lag <= MAX_LAG)
        && is_moving;
    let readiness = Readiness {
        status: if is_ready { "ready" } else { "not_ready" },
        database: if migrated.is_some() { "ok".into() } else { "does not answer".into() },
        migrations: match migrated {
            Some(true) => "ok".into(),
            Some(false) => "not applied: run call-ledger migrate".into(),
            None => "unknown".into(),
        },
        keyring: match keyring {
            Ok(()) => "ok".into(),
            Err(StoreError::Keyring(error)) => {
                tracing::error!(error = chain(&error), "readyz.keyring");
                "cannot be used; see the log".into()
            }
            Err(_) => "unknown".into(),
        },
        journal: journal.to_owned(),
        lag_events,
        halted,
        parked,
        projections,
        workers: workers
            .iter()
            .map(|one| WorkerView {
                name: one.name,
                state: one.state.as_str(),
                restarts: one.restarts,
            })
            .collect(),
    };
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// Checks that the keys exist and match the database. Without the database only the files are checked.
async fn check_keyring(store: &Store, is_answering: bool) -> Result<(), StoreError> {
    if is_answering
        && let Ok(checked) = tokio::time::timeout(PROBE_TIMEOUT, store.check_keyring()).await
    {
        return checked;
    }
    store.keyring().check().await.map_err(StoreError::from)
}

/// `ok` if the database has every entry of the erasure journal, else the fault.
async fn journal(store: &Store) -> &'static str {
    match tokio::time::timeout(PROBE_TIMEOUT, store.vault().gate().pass()).await {
        Ok(Ok(())) => OK,
        Ok(Err(VaultError::Refused(refusal))) => refusal.public(),
        _ => "unknown",
    }
}

/// Returns the value, or `None` after an error or the probe's time limit.
async fn in_time<T, E>(asked: impl Future<Output = Result<T, E>>) -> Option<T> {
    tokio::time::timeout(PROBE_TIMEOUT, asked).await.ok()?.ok()
}

/// Counters, gauges and histograms, as Prometheus text or, if `Accept` requests it, as OpenMetrics. No label
/// contains personal data or a tenant's name.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "operations",
    responses((status = 200, description = "The metrics", content(
        (String = "text/plain"), (String = "application/openmetrics-text"),
    ))),
)]
async fn metrics(State(app): State<App>, headers: HeaderMap) -> impl IntoResponse {
    gauges::measure(&app).await;
    let form = Form::accepted(&headers);
    ([(header::CONTENT_TYPE, form.content_type())], form.write(app.metrics.render()))
}
