//! `POST /v1/quarantine/{id}/replay`: assigns a quarantined message to its tenant.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ledger_app::intake::{self, Replay, ReplayError};
use ledger_core::ids::QuarantineId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::ReplayStatus;
use crate::app::App;
use crate::auth::Caller;
use crate::http::operation::{Authorized, operation};
use crate::http::params::PathId;
use crate::problem::{ApiError, Problem};

/// Result of a replay.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayView {
    /// `recorded`, or `duplicate` if the message was already in the log.
    #[schema(value_type = ReplayStatus)]
    status: &'static str,
    /// Id of the quarantine entry.
    quarantine_id: Uuid,
    /// Tenant the message was assigned to.
    tenant_id: Uuid,
    /// Position in that tenant's log.
    position: i64,
}

impl From<Replay> for ReplayView {
    fn from(replay: Replay) -> Self {
        Self {
            status: if replay.was_known { "duplicate" } else { "recorded" },
            quarantine_id: replay.quarantine_id.0,
            tenant_id: replay.tenant_id.0,
            position: replay.position.0,
        }
    }
}

operation! {
    ReplayQuarantinedMessage {
        id: "replay_quarantined_message",
        action: "quarantine.replay",
        access: Admin,
        audit: Changes,
    }
}

/// Assigns a message to the tenant with a matching route and records it. Idempotent.
///
/// # Errors
/// 404 for every key but the installation's own; 409 `no-single-route` while no tenant or several match.
#[utoipa::path(
    post, path = "/v1/quarantine/{quarantine_id}/replay", tag = "operations",
    params(("quarantine_id" = String, Path, description = "The entry")),
    responses(
        (status = 200, body = ReplayView),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.quarantine.replay", skip_all)]
pub async fn handler(
    caller: Authorized<ReplayQuarantinedMessage>,
    State(app): State<App>,
    PathId(quarantine_id): PathId,
) -> Result<Json<ReplayView>, ApiError> {
    replay(&app, &caller, quarantine_id).await.map(Json)
}

/// Replays an entry on behalf of a caller that is already authorized.
///
/// # Errors
/// Those of the endpoint.
pub async fn replay(app: &App, caller: &Caller, id: Option<Uuid>) -> Result<ReplayView, ApiError> {
    let quarantine_id = QuarantineId(id.unwrap_or_default());
    let key_id = Some(caller.key.key_id);
    let tenant_id = caller.tenant_id();
    let replayed =
        intake::replay(&app.store, tenant_id, quarantine_id, key_id, caller.request_id).await;
    Ok(replayed.map_err(refused)?.into())
}

/// The answer to a replay of a message that stays in quarantine.
fn refused(error: ReplayError) -> ApiError {
    let (code, detail) = (error.code(), error.to_string());
    match error {
        ReplayError::NotFound => ApiError::new(StatusCode::NOT_FOUND, code, detail),
        ReplayError::NoSingleRoute | ReplayError::SourceGone(_) => {
            ApiError::new(StatusCode::CONFLICT, code, detail)
        }
        ReplayError::Delivery(error) => error.into(),
    }
}
