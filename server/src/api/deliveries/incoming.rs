//! `GET /v1/deliveries/in`: recent webhooks.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ledger_core::ids::{Position, QuarantineId, TenantId};
use ledger_store::TenantTx;
use ledger_store::deliveries::{self, LoggedDelivery};
use ledger_store::quarantine::{Entry, EntryFilter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::DeliveryOutcome;
use crate::app::App;
use crate::http::cursor::encode_cursor;
use crate::http::operation::{Authorized, operation};
use crate::http::page::{PageLimit, page_params};
use crate::http::params::Params;
use crate::problem::{ApiError, Problem};

/// A page of webhooks, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryPage {
    /// Deliveries found. A page may be short or empty without being the last.
    data: Vec<DeliveryView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// A webhook with a record: in the log or in quarantine.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Time at which it was recorded, refused or quarantined.
    at: DateTime<Utc>,
    /// Source that received it.
    source_id: Uuid,
    /// Type of the recorded event, the first if several; null if it was not recorded.
    r#type: Option<String>,
    /// `recorded`, `refused` or `quarantined`.
    #[schema(value_type = DeliveryOutcome)]
    outcome: &'static str,
    /// Log position of the event, or of the refusal.
    position: Option<i64>,
    /// Id of the call it is about.
    call_id: Option<Uuid>,
    /// Reason why it was not recorded.
    reason: Option<String>,
    /// Number of webhooks this entry represents: repeated refusals are aggregated into one event with their
    /// number.
    count: i64,
    /// Id of the request; null for a quarantined webhook, and of no single request for aggregated refusals.
    request_id: Option<Uuid>,
    /// Id of the quarantine entry, if quarantined.
    quarantine_id: Option<Uuid>,
}

impl From<LoggedDelivery> for DeliveryView {
    fn from(delivery: LoggedDelivery) -> Self {
        let (refused, count) = delivery.refused.unzip();
        Self {
            at: delivery.at,
            source_id: delivery.source_id.0,
            r#type: refused.is_none().then_some(delivery.event_type),
            outcome: if refused.is_some() { "refused" } else { "recorded" },
            position: Some(delivery.first.0),
            call_id: delivery.call_id.map(|call_id| call_id.0),
            reason: refused,
            count: count.unwrap_or(1),
            request_id: Some(delivery.request_id),
            quarantine_id: None,
        }
    }
}

impl From<Entry> for DeliveryView {
    fn from(entry: Entry) -> Self {
        Self {
            at: entry.received_at,
            source_id: entry.source_id.0,
            r#type: None,
            outcome: "quarantined",
            position: None,
            call_id: None,
            reason: Some(entry.reason),
            count: 1,
            request_id: None,
            quarantine_id: Some(entry.quarantine_id.0),
        }
    }
}

/// Cursor into the tenant's log.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct LogCursor {
    p: Position,
}

/// Cursor into the quarantine.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct QuarantineLogCursor {
    q: QuarantineId,
}

operation! {
    ListIncomingDeliveries {
        id: "list_incoming_deliveries",
        action: "deliveries.in",
        access: Admin,
        audit: ReadsFacts,
    }
}

/// Lists recent webhooks, newest first.
///
/// A tenant's key lists the recorded webhooks of its log and those refused for a missing or invalid
/// signature; the installation's key lists the quarantine.
///
/// Repetitions, ignored telemetry, unrecognized bodies and internal failures have no entry: `/v1/sources` and
/// `/v1/webhook-metrics/recent-failures` count them exactly. Refusals at a shared source are only counted
/// too, because the installation has no log. A message replayed from quarantine is listed in the log of its
/// tenant, at the time of the replay.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/deliveries/in", tag = "operations",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = DeliveryPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.deliveries.in", skip_all)]
pub async fn handler(
    caller: Authorized<ListIncomingDeliveries>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Json<DeliveryPage>, ApiError> {
    let page = match caller.tenant_id() {
        TenantId::INSTALLATION => {
            let (limit, before) = page_params(&mut params, |_: &QuarantineLogCursor| true)?;
            params.reject_unknown()?;
            quarantined(&app, before.map(|last| last.q), limit).await?
        }
        tenant_id => {
            let (limit, before) = page_params(&mut params, |last: &LogCursor| last.p.0 > 0)?;
            params.reject_unknown()?;
            recorded(&app, tenant_id, before.map(|last| last.p), limit).await?
        }
    };
    Ok(Json(page))
}

async fn recorded(
    app: &App,
    tenant_id: TenantId,
    before: Option<Position>,
    limit: PageLimit,
) -> Result<DeliveryPage, ApiError> {
    let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
    let page = deliveries::before(&mut tx, before, limit.rows()).await?;
    let next_cursor = page.next.map(|p| encode_cursor(&LogCursor { p }));
    let data = page.deliveries.into_iter().map(DeliveryView::from).collect();
    Ok(DeliveryPage { data, next_cursor })
}

async fn quarantined(
    app: &App,
    before: Option<QuarantineId>,
    limit: PageLimit,
) -> Result<DeliveryPage, ApiError> {
    let filter = EntryFilter { is_waiting: None, before, limit: limit.rows_to_read() };
    let mut entries = app.store.quarantined(TenantId::INSTALLATION, filter).await?;
    let next_cursor = limit.cut(&mut entries, |last| QuarantineLogCursor { q: last.quarantine_id });
    let data = entries.into_iter().map(DeliveryView::from).collect();
    Ok(DeliveryPage { data, next_cursor })
}
