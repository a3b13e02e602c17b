//! `GET /v1/projections`: versions of the read models and their progress.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use projections::{Progress, progress_within};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::ProjectionState;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

/// Every version of every read model.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectionPage {
    /// Versions ordered by name.
    data: Vec<ProjectionView>,
    /// Always null: all versions fit on a page.
    next_cursor: Option<String>,
}

/// Progress of a version: over all logs for a key of the installation, over its own log for a tenant's key.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectionView {
    /// Name of the read model.
    name: String,
    /// Number of the version.
    version: i32,
    /// `current`, `catching_up` or `halted` for the served version; otherwise `building` or `previous`.
    #[schema(value_type = ProjectionState)]
    state: &'static str,
    /// Number of tenants with rows in the version, or that will have.
    tenants: i64,
    /// Number of applied events.
    events: i64,
    /// Events of the logs that are not applied yet.
    lag_events: i64,
    /// Age of the oldest event that is not applied yet, in seconds.
    lag_seconds: i64,
    /// Parked keys: streams with an event that could not be applied.
    parked: i64,
    /// Tenants stopped at an event this build cannot read.
    halted: i64,
    /// Tenants with a lag and no progress for 30 seconds.
    stalled: i64,
    /// Reason of a halt; null otherwise.
    reason: Option<String>,
    /// The only tenant with rows in the version; null for all tenants.
    tenant_id: Option<Uuid>,
    /// True if the version is promoted automatically when it has caught up.
    promotes_itself: bool,
    /// Start of the rebuild.
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
            reason: one.why,
            tenant_id: one.version.only.map(|only| only.0),
            promotes_itself: one.version.promotes_itself,
            began_at: one.version.began_at,
            version: one.version.version,
            name: one.version.name,
        }
    }
}

operation! {
    ListProjections {
        id: "list_projections",
        action: "projections.list",
        access: Admin,
        audit: ReadsFacts,
    }
}

/// Lists the versions of the read models and their progress. A tenant's key sees the progress over its own
/// log only.
///
/// # Errors
/// 400 for an unknown parameter.
#[utoipa::path(
    get, path = "/v1/projections", tag = "operations",
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
    caller: Authorized<ListProjections>,
    State(app): State<App>,
    _: NoQuery,
) -> Result<Json<ProjectionPage>, ApiError> {
    let all = progress_within(app.store.projector(), caller.tenant_scope()).await?;
    let data = all.into_iter().map(ProjectionView::from).collect();
    Ok(Json(ProjectionPage { data, next_cursor: None }))
}
