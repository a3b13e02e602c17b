//! `GET /v1/projections`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use projections::{Progress, progress_within};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::Params;
use crate::api::words::ProjectionState;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// Every version of every read model.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectionPage {
    /// The versions, by name.
    data: Vec<ProjectionView>,
    /// Always null: they are few.
    next_cursor: Option<String>,
}

/// A version of a read model: over all logs for a key of the installation, of its own log for a
/// tenant's key.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectionView {
    /// The read model.
    name: String,
    /// Its version.
    version: i32,
    /// Of what is shown `current`, `catching_up` or `halted`; else `building` or `previous`.
    #[schema(value_type = ProjectionState)]
    state: &'static str,
    /// How many tenants it has rows of, or will have.
    tenants: i64,
    /// Events that are in it.
    events: i64,
    /// Events of the logs that are not in it yet.
    lag_events: i64,
    /// How long the oldest of them has been waiting.
    lag_seconds: i64,
    /// Keys that wait behind an event that could not be folded.
    parked: i64,
    /// Tenants whose log this build cannot read on.
    halted: i64,
    /// Tenants that are behind and have not moved for half a minute.
    stalled: i64,
    /// Why a halted one does not move.
    why: Option<String>,
    /// The one tenant whose rows it holds; null for all.
    tenant_id: Option<Uuid>,
    /// Whether it is shown as soon as it has caught up.
    promotes_itself: bool,
    /// When its filling began.
    began_at: DateTime<Utc>,
}

impl From<Progress> for ProjectionView {
    fn from(one: Progress) -> Self {
        Self {
            state: one.state(),
            tenants: one.tenants,
            events: one.events,
            lag_events: one.lag_events,
            lag_seconds: one.lag_seconds,
            parked: one.parked,
            halted: one.halted,
            stalled: one.stalled,
            why: one.why,
            tenant_id: one.version.only.map(|only| only.0),
            promotes_itself: one.version.promotes_itself,
            began_at: one.version.began_at,
            version: one.version.version,
            name: one.version.name,
        }
    }
}

/// The versions of the read models and how far each is. A tenant's key is told of its own log only.
///
/// # Errors
/// 400 for a parameter that is unknown.
#[utoipa::path(
    get, path = "/v1/projections", operation_id = "list_projections", tag = "operations", security(("api_key" = [])),
    responses(
        (status = 200, body = ProjectionPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.projections.list", skip_all)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<ProjectionPage>, ApiError> {
    caller.require(&app, Scope::Admin, "projections.list").await?;
    params.finish()?;
    let all = progress_within(app.store.projector(), caller.only()).await?;
    let data = all.into_iter().map(ProjectionView::from).collect();
    Ok(Json(ProjectionPage { data, next_cursor: None }))
}
