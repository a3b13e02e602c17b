//! `GET /v1/quarantine`: webhooks without a tenant.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ledger_core::ids::QuarantineId;
use ledger_store::quarantine::{Entry, EntryFilter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::QuarantineState;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::page::page_params;
use crate::http::params::Params;
use crate::problem::{ApiError, Problem};

/// A page of the quarantine, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuarantinePage {
    /// Quarantined messages.
    data: Vec<EntryView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// A message in quarantine, without its content.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryView {
    /// Id of the quarantine entry.
    quarantine_id: Uuid,
    /// Shared source that received the message.
    source_id: Uuid,
    /// `no-single-route`: no tenant has, or several have, a route for an id in the message.
    reason: String,
    /// `waiting` or `replayed`.
    #[schema(value_type = QuarantineState)]
    state: &'static str,
    /// Time of receipt.
    received_at: DateTime<Utc>,
    /// Time of the replay; null while waiting.
    replayed_at: Option<DateTime<Utc>>,
    /// Tenant the message was replayed to; null while waiting.
    tenant_id: Option<Uuid>,
    /// Position in that tenant's log; null while waiting.
    position: Option<i64>,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let replayed = entry.replayed.as_ref();
        Self {
            quarantine_id: entry.quarantine_id.0,
            source_id: entry.source_id.0,
            state: if replayed.is_some() { "replayed" } else { "waiting" },
            received_at: entry.received_at,
            replayed_at: replayed.map(|replayed| replayed.at),
            tenant_id: replayed.map(|replayed| replayed.tenant_id.0),
            position: replayed.map(|replayed| replayed.position.0),
            reason: entry.reason,
        }
    }
}

/// Cursor of the page: id of its last entry.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct QuarantineCursor {
    q: QuarantineId,
}

operation! {
    ListQuarantine {
        id: "list_quarantine",
        action: "quarantine.list",
        access: Admin,
        audit: ReadsFacts,
    }
}

/// Lists messages for which no tenant could be determined. Empty for every key but the installation's own.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/quarantine", tag = "operations",
    params(
        ("state" = Option<String>, Query, description = "waiting or replayed"),
        ("limit" = Option<i64>, Query, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = QuarantinePage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.quarantine.list", skip_all)]
pub async fn handler(
    caller: Authorized<ListQuarantine>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Json<QuarantinePage>, ApiError> {
    let state = params.one_of("state", &["waiting", "replayed"])?;
    let (limit, before) = page_params(&mut params, |_: &QuarantineCursor| true)?;
    let before = before.map(|last| last.q);
    params.reject_unknown()?;
    let is_waiting = state.map(|state| state == "waiting");
    let filter = EntryFilter { is_waiting, before, limit: limit.rows_to_read() };
    let mut entries = app.store.quarantined(caller.tenant_id(), filter).await?;
    let next_cursor = limit.cut(&mut entries, |last| QuarantineCursor { q: last.quarantine_id });
    let data = entries.into_iter().map(EntryView::from).collect();
    Ok(Json(QuarantinePage { data, next_cursor }))
}
