//! `GET /v1/parked`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use projections::parked::{Parked, page};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::{Params, decode_cursor, encode_cursor, is_rfc3339};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// A page of parked events, oldest first: that is the order to look at them in.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParkedPage {
    /// The entries.
    data: Vec<ParkedView>,
    /// Send it back as `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// An event that could not be folded. What follows it in its stream waits.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParkedView {
    /// The entry.
    parked_id: Uuid,
    /// Whose log.
    tenant_id: Uuid,
    /// The read model.
    name: String,
    /// Its version.
    version: i32,
    /// The stream that waits: the call.
    key: Uuid,
    /// The event.
    position: i64,
    /// Its type.
    event_type: String,
    /// Why it could not be folded.
    reason: String,
    /// How often it was tried.
    attempts: i32,
    /// When it was parked.
    parked_at: DateTime<Utc>,
    /// How many later events of the stream wait behind it.
    followers: i64,
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
            followers: one.followers,
        }
    }
}

/// Where a page ended.
#[derive(Serialize, Deserialize)]
struct Place {
    t: DateTime<Utc>,
    p: Uuid,
}

/// Events that could not be folded, oldest first. A tenant's key sees its own.
///
/// # Errors
/// 400 for a parameter that is unknown or not of its form, by name.
#[utoipa::path(
    get, path = "/v1/parked", operation_id = "list_parked_events", tag = "operations", security(("api_key" = [])),
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
    State(app): State<App>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<ParkedPage>, ApiError> {
    caller.require(&app, Scope::Admin, "parked.list").await?;
    let limit = params.limit()?;
    let cursor = params.take("cursor")?;
    let is_possible = |place: &Place| is_rfc3339(place.t);
    let after = cursor.map(|cursor| decode_cursor(&cursor, is_possible)).transpose()?;
    params.finish()?;
    let after = after.map(|place: Place| (place.t, place.p));
    let mut parked = page(app.store.projector(), caller.only(), after, limit + 1).await?;
    let has_more = parked.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if has_more {
        parked.pop();
    }
    let last = parked.last().filter(|_| has_more);
    let next_cursor = last.map(|one| encode_cursor(&Place { t: one.parked_at, p: one.parked_id }));
    let data = parked.into_iter().map(ParkedView::from).collect();
    Ok(Json(ParkedPage { data, next_cursor }))
}
