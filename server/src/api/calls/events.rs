//! `GET /v1/calls/{call_id}/events`: the recorded events of a call.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_core::ids::StreamId;
use ledger_store::compute::compute;
use ledger_store::read::{self, PageSize, StoredEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::personal::{OpenedEvent, OpenedEvents, open_events, read_within_budget};
use super::show::not_found;
use crate::app::App;
use crate::auth::Scope;
use crate::http::consistency::begin_consistent_read;
use crate::http::operation::{Authorized, operation};
use crate::http::page::{next_cursor, page_params};
use crate::http::params::{Params, PathId};
use crate::http::response::opened_page;
use crate::problem::{ApiError, Problem};
use crate::read_budget::PAGE;

/// A page of a call's events, oldest first.
#[derive(Serialize, ToSchema)]
pub struct EventPage {
    /// Events in the order of their stream version.
    data: Vec<EventView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Cursor of the page: the stream version of its last event.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct EventCursor {
    v: i64,
}

/// An event as it was recorded.
#[derive(Serialize, ToSchema)]
pub struct EventView {
    /// Position in the tenant's log, from 1.
    position: i64,
    /// Unique id of the event.
    event_id: Uuid,
    /// Event type, such as `call.ended`.
    r#type: String,
    /// Version of the schema of the facts.
    schema_version: i16,
    /// The platform's time of the event; the time of receipt if it reported none.
    occurred_at: DateTime<Utc>,
    /// Time at which this installation recorded the event.
    recorded_at: DateTime<Utc>,
    /// The unsealed part of the event, without personal data.
    facts: Value,
    /// The opened sections; null without scope `personal`, `{"erased":true}` if their key is destroyed.
    #[schema(value_type = Option<Object>)]
    personal: Option<OpenedEvent>,
}

operation! {
    ListCallEvents {
        id: "list_call_events",
        action: "calls.events",
        access: Read,
        audit: ReadsPersonalData,
    }
}

/// Lists the recorded events of a call, oldest first.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's.
#[utoipa::path(
    get, path = "/v1/calls/{call_id}/events", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = EventPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.calls.events", skip_all)]
pub async fn handler(
    caller: Authorized<ListCallEvents>,
    State(app): State<App>,
    PathId(call_id): PathId,
    mut params: Params,
) -> Result<Response, ApiError> {
    let (limit, after) = page_params(&mut params, |last: &EventCursor| last.v > 0)?;
    let after = after.map_or(0, |last| last.v);
    let min_position = params.number("min_position")?;
    params.reject_unknown()?;
    let call_id = call_id.ok_or_else(not_found)?;
    let (mut tx, reached) = begin_consistent_read(&app, &caller, "calls", min_position).await?;
    let is_personal = caller.has(Scope::Personal);
    let size = PageSize { rows: limit.rows(), bytes: PAGE };
    let page = read::stream_after(&mut tx, StreamId(call_id), after, size).await?;
    let (mut events, mut has_more) = (page.rows, page.has_more);
    events.retain(|event| event.stream_kind == "call");
    if events.is_empty() && after == 0 {
        return Err(not_found());
    }
    drop(tx);
    let tenant_id = caller.tenant_id();
    let reservation = app.read_budget.reservation(tenant_id).await?;
    if is_personal && !events.is_empty() {
        let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
        let within = read_within_budget(&app, tenant_id, &positions).await?;
        has_more |= within.len() < events.len();
        events = within;
        let mut subjects: Vec<_> = events.iter().filter_map(StoredEvent::subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let count = events.len();
        caller.audit_personal_read(&app, caller.action, Some(call_id), count, subjects).await?;
    }
    let _permit = app.read_budget.open_permit().await;
    let mut opened = OpenedEvents::default();
    if is_personal {
        opened = open_events(&app.vault_of(&caller), tenant_id, &events, PAGE).await?;
        // The page ends where its budget is used up; the cursor continues after it.
        has_more |= opened.events.len() < events.len();
        events.truncate(opened.events.len());
    }
    let next_cursor = next_cursor(&events, has_more, |last| EventCursor { v: last.stream_version });
    let facts: usize = events.iter().map(|event| event.facts.len()).sum();
    let write = || {
        let view = |event: StoredEvent| {
            let personal = opened.events.remove(&event.position).map(without_erased);
            view(event, personal)
        };
        let data = events.into_iter().map(view).collect::<serde_json::Result<_>>()?;
        serde_json::to_vec(&EventPage { data, next_cursor })
    };
    opened_page(reservation, compute(facts + opened.bytes, write).await, reached)
}

/// Removes the remaining sections of an event with an erased one.
fn without_erased(opened: OpenedEvent) -> OpenedEvent {
    if opened.is_erased {
        return OpenedEvent { is_erased: true, ..OpenedEvent::default() };
    }
    opened
}

fn view(event: StoredEvent, personal: Option<OpenedEvent>) -> serde_json::Result<EventView> {
    Ok(EventView {
        position: event.position,
        event_id: event.event_id,
        r#type: event.event_type,
        schema_version: event.schema_version,
        occurred_at: event.occurred_at,
        recorded_at: event.recorded_at,
        facts: serde_json::from_str(&event.facts)?,
        personal,
    })
}
