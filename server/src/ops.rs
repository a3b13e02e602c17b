//! Probes and metrics.

mod gauges;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use ledger_store::{Store, StoreError};
use projections::Progress;
use projections::versions;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::words::{HealthStatus, ReadModelState, ReadinessWord};
use crate::app::App;
use crate::problem::chain;
use crate::telemetry::Form;

/// A read model further behind than this makes the server not ready.
const MAX_LAG: i64 = 100_000;
/// Probes are asked every few seconds and given up soon.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// The routes.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    public_routes().merge(internal_routes())
}

/// What is served beside the API, wherever the rest of operations is.
#[must_use]
pub fn public_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz))
}

/// What an address of its own can serve instead.
fn internal_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(readyz)).routes(routes!(metrics))
}

/// The process lives.
#[derive(Serialize, ToSchema)]
struct Health {
    #[schema(value_type = HealthStatus)]
    status: &'static str,
}

/// Whether webhooks can be taken, and if not, why.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// `ready` or `not_ready`.
    #[schema(value_type = ReadinessWord)]
    status: &'static str,
    /// `ok`, or what is wrong.
    database: String,
    /// `ok`, or what is wrong.
    migrations: String,
    /// `ok`, or what is wrong.
    keyring: String,
    /// Events not yet in the read models.
    lag_events: Option<i64>,
    /// Tenants whose read model met an event it cannot read.
    halted: Option<i64>,
    /// Keys that wait behind an event that could not be folded.
    parked: Option<i64>,
    /// Each read model that is shown.
    projections: Vec<ReadModel>,
}

/// How a read model that is shown is.
#[derive(Serialize, ToSchema)]
struct ReadModel {
    name: String,
    version: i32,
    /// `current`, `catching_up`, `halted` or `stuck`.
    #[schema(value_type = ReadModelState)]
    state: &'static str,
    lag_events: i64,
    /// How long the oldest event that is not in it has been waiting.
    lag_seconds: i64,
    parked: i64,
    /// Tenants that are behind and have not moved for half a minute.
    stalled: i64,
    /// Why it does not go on, when it does not.
    why: Option<String>,
}

impl ReadModel {
    fn of(one: &Progress, now: DateTime<Utc>, complaint: Option<&str>) -> Self {
        let is_stuck = one.is_stuck(now);
        let unknown = "no worker of this build moves it; see the log";
        let why = one.why.as_deref().or(complaint).unwrap_or(unknown);
        Self {
            name: one.name().to_owned(),
            version: one.version.version,
            state: if is_stuck { "stuck" } else { one.state() },
            lag_events: one.lag_events,
            lag_seconds: one.lag_seconds,
            parked: one.parked,
            stalled: one.stalled,
            why: (one.stalled > 0 || one.halted > 0).then(|| why.to_owned()),
        }
    }
}

/// The versions that are shown.
fn shown(all: &[Progress]) -> impl Iterator<Item = &Progress> {
    all.iter().filter(|one| one.version.state == versions::State::Active)
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", operation_id = "get_health", tag = "operations", responses((status = 200, body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether webhooks can be taken: database, migrations, keyring, lag.
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
    let lag_events = progress.as_ref().map(|all| shown(all).map(|one| one.lag_events).sum());
    let halted = progress.as_ref().map(|all| shown(all).map(|one| one.halted).sum());
    let parked = progress.as_ref().map(|all| shown(all).map(|one| one.parked).sum());
    let (now, complaint) = (app.store.clock().now(), app.engine.complaint());
    let model = |one| ReadModel::of(one, now, complaint.as_deref());
    let projections: Vec<_> = progress.iter().flat_map(|all| shown(all)).map(model).collect();
    let is_moving = projections.iter().all(|one| one.state != "stuck");
    let keyring = check_keyring(&app.store, migrated.is_some()).await;
    let is_ready = migrated == Some(true)
        && keyring.is_ok()
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
        lag_events,
        halted,
        parked,
        projections,
    };
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// Whether the keys are there and the database's own. Without the database only the files can be
/// looked at.
async fn check_keyring(store: &Store, is_answering: bool) -> Result<(), StoreError> {
    if is_answering
        && let Ok(checked) = tokio::time::timeout(PROBE_PATIENCE, store.check_keyring()).await
    {
        return checked;
    }
    store.keyring().check().map_err(StoreError::from)
}

/// What the database answers, if it does so while a probe waits.
async fn in_time<T, E>(asked: impl Future<Output = Result<T, E>>) -> Option<T> {
    tokio::time::timeout(PROBE_PATIENCE, asked).await.ok()?.ok()
}

/// Counters, gauges and histograms, as text or, when `Accept` asks for it, as OpenMetrics. No labels hold
/// personal data or tenants' names.
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
