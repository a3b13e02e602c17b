//! `GET /v1/parked`: events that a projection could not apply.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use projections::parked::{Parked, page};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::page::page_params;
use crate::http::params::Params;
use crate::http::times::is_rfc3339;
use crate::problem::{ApiError, Problem};

/// A page of parked events, oldest first, which is the order to resolve them in.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParkedPage {
    /// Parked events.
    data: Vec<ParkedView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// An event that could not be applied. Later events of its stream wait behind it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParkedView {
    /// Id of the parked entry.
    parked_id: Uuid,
    /// Tenant of the log.
    tenant_id: Uuid,
    /// Name of the projection.
    name: String,
    /// Version of the read model.
    version: i32,
    /// Id of the waiting stream, which is the call.
    key: Uuid,
    /// Log position of the event.
    position: i64,
    /// Type of the event.
    event_type: String,
    /// Error of the last attempt.
    reason: String,
    /// Number of attempts.
    attempts: i32,
    /// Time at which the event was parked.
    parked_at: DateTime<Utc>,
    /// Number of later events of the stream that wait.
    waiting_events: i64,
}

impl From<Parked> for ParkedView {
    fn from(one: Parked) -> Self {
        Self {
            parked_id: one.parked_id,
            tenant_id: one.tenant_id.0,
            name: one.name,
            version: one.version,
            key: one.key,
            position: one.position.0,
            event_type: one.event_type,
            reason: one.reason,
            attempts: one.attempts,
            parked_at: one.parked_at,
            waiting_events: one.followers,
        }
    }
}

/// Cursor of the page: time and id of its last entry.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct ParkedCursor {
    t: DateTime<Utc>,
    p: Uuid,
}

operation! {
    ListParkedEvents {
        id: "list_parked_events",
        action: "parked.list",
        access: Admin,
        audit: ReadsFacts,
    }
}

/// Lists parked events, oldest first.
///
/// A tenant's key lists those of its own log.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/parked", tag = "operations",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = ParkedPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.parked.list", skip_all)]
pub async fn handler(
    caller: Authorized<ListParkedEvents>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Json<ParkedPage>, ApiError> {
    let (limit, after) = page_params(&mut params, |last: &ParkedCursor| is_rfc3339(last.t))?;
    params.reject_unknown()?;
    let after = after.map(|last| (last.t, last.p));
    let mut parked =
        page(app.store.projector(), caller.tenant_scope(), after, limit.rows_to_read()).await?;
    let next_cursor =
        limit.cut(&mut parked, |last| ParkedCursor { t: last.parked_at, p: last.parked_id });
    let data = parked.into_iter().map(ParkedView::from).collect();
    Ok(Json(ParkedPage { data, next_cursor }))
}
