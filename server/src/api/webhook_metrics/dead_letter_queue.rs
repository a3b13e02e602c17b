//! `GET /v1/webhook-metrics/dead-letter-queue`: messages that need a manual retry.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ledger_core::ids::QuarantineId;
use ledger_store::quarantine::{Entry, EntryFilter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::DeadLetterKind;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::page::page_params;
use crate::http::params::Params;
use crate::problem::{ApiError, Problem};

/// A page of dead letters, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterPage {
    /// Messages that wait for a retry.
    data: Vec<DeadLetterView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// A message that cannot be processed without intervention.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterView {
    /// Kind of dead letter: `quarantine`, a message for which no tenant could be determined.
    #[schema(value_type = DeadLetterKind)]
    kind: &'static str,
    /// Id to pass to `retry-failed`.
    id: Uuid,
    /// Source that received the message.
    source_id: Uuid,
    /// Reason why the message waits.
    reason: String,
    /// Time of receipt.
    waiting_since: DateTime<Utc>,
}

impl From<Entry> for DeadLetterView {
    fn from(entry: Entry) -> Self {
        Self {
            kind: "quarantine",
            id: entry.quarantine_id.0,
            source_id: entry.source_id.0,
            reason: entry.reason,
            waiting_since: entry.received_at,
        }
    }
}

/// Cursor of the page: id of its last entry.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct DeadLetterCursor {
    q: QuarantineId,
}

operation! {
    ListDeadLetters {
        id: "list_dead_letters",
        action: "webhook_metrics.dead_letter_queue",
        access: Admin,
        audit: ReadsFacts,
    }
}

/// Lists messages in quarantine, which need a manual retry.
///
/// Quarantined messages have no tenant, so the list is empty for every key but the installation's own. An
/// entry leaves the list only by a retry.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/webhook-metrics/dead-letter-queue", tag = "operations",
    params(
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = DeadLetterPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.webhook_metrics.dead_letter_queue", skip_all)]
pub async fn handler(
    caller: Authorized<ListDeadLetters>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Json<DeadLetterPage>, ApiError> {
    let (limit, before) = page_params(&mut params, |_: &DeadLetterCursor| true)?;
    params.reject_unknown()?;
    let before = before.map(|last| last.q);
    let filter = EntryFilter { is_waiting: Some(true), before, limit: limit.rows_to_read() };
    let mut entries = app.store.quarantined(caller.tenant_id(), filter).await?;
    let next_cursor = limit.cut(&mut entries, |last| DeadLetterCursor { q: last.quarantine_id });
    let data = entries.into_iter().map(DeadLetterView::from).collect();
    Ok(Json(DeadLetterPage { data, next_cursor }))
}
