//! Deliveries reconstructed from a tenant's log: recorded ones, and ones refused for an invalid
//! signature. Duplicates and telemetry leave no event; [`crate::webhook_counts`] has their numbers.

use chrono::{DateTime, Utc};
use ledger_core::ids::{Position, SourceId, StreamId};
use uuid::Uuid;

use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

/// Maximum number of events scanned for one page: a log may have long ranges without webhooks.
const MAX_SCANNED: i64 = 5_000;
/// Number of events read by one query.
const SCAN_BATCH: i64 = 500;

/// A webhook in the log: the contiguous events that one request appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedDelivery {
    /// Time of recording, by this installation's clock.
    pub at: DateTime<Utc>,
    /// The source that received it.
    pub source_id: SourceId,
    /// Our id of the request.
    pub request_id: Uuid,
    /// The type of its first event.
    pub event_type: String,
    /// Position of its first event.
    pub first: Position,
    /// Position of its last event.
    pub last: Position,
    /// The stream id of its call; `None` if the events are not of a call stream.
    pub call_id: Option<StreamId>,
    /// The reason of the refusal and the number of refused requests it stands for; `None` when it
    /// was recorded.
    pub refused: Option<(String, i64)>,
}

/// A page of deliveries, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The deliveries found. A page may be short or empty, because at most 5,000 events are scanned
    /// for it.
    pub deliveries: Vec<LoggedDelivery>,
    /// The next page ends before this position; `None` when the start of the log was reached.
    pub next: Option<Position>,
}

struct EventRow {
    position: i64,
    event_type: String,
    stream_kind: String,
    stream_id: Uuid,
    recorded_at: DateTime<Utc>,
    source_id: Option<String>,
    request_id: Option<String>,
    reason: Option<String>,
    suppressed: Option<i64>,
}

/// Returns the deliveries in the log of the transaction's tenant before a position.
///
/// # Errors
/// [`StoreError::Corrupt`] when the metadata of an event has an invalid source or request id;
/// [`StoreError::Database`] when the database did not answer.
pub async fn before(
    tx: &mut TenantTx,
    before: Option<Position>,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut deliveries: Vec<LoggedDelivery> = Vec::new();
    let mut before = before.map_or(i64::MAX, |before| before.0);
    for _ in 0..MAX_SCANNED / SCAN_BATCH {
        let rows = rows_before(tx, before).await?;
        let is_last = rows.len() < usize::try_from(SCAN_BATCH).expect("a small number");
        for row in rows {
            before = row.position;
            let Some(found) = LoggedDelivery::of(row)? else { continue };
            if let Some(later) = deliveries.last_mut().filter(|later| later.is_same_request(&found))
            {
                later.extend_backwards(found);
            } else if deliveries.len() < limit {
                deliveries.push(found);
            } else {
                return Ok(Page { deliveries, next: Some(Position(found.last.0 + 1)) });
            }
        }
        if is_last {
            return Ok(Page { deliveries, next: None });
        }
    }
    // The oldest delivery may continue before the scanned range; then the next page starts with it.
    let may_continue = |last: &mut LoggedDelivery| {
        last.first.0 == before && last.last.0 - last.first.0 + 1 < MAX_SCANNED
    };
    let cut = deliveries.pop_if(may_continue);
    let next = cut.map_or(before, |cut| cut.last.0 + 1);
    Ok(Page { deliveries, next: Some(Position(next)) })
}

async fn rows_before(tx: &mut TenantTx, before: i64) -> sqlx::Result<Vec<EventRow>> {
    let tenant_id = tx.tenant_id();
    sqlx::query_as!(
        EventRow,
        r#"
        select position, event_type, stream_kind, stream_id, recorded_at,
               meta ->> 'request_id' as request_id,
               case when event_type = 'access.denied' then facts ->> 'source_id'
                    else meta ->> 'source_id' end as source_id,
               case when event_type = 'access.denied' then facts ->> 'reason' end as reason,
               case when event_type = 'access.denied' then (facts ->> 'suppressed')::bigint end
                 as suppressed
          from ledger.events
         where tenant_id = $1 and position < $2
         order by position desc
         limit $3
        "#,
        tenant_id.0,
        before,
        SCAN_BATCH,
    )
    .fetch_all(tx.conn())
    .await
}

impl LoggedDelivery {
    /// Returns `None` when the event was not caused by a webhook.
    fn of(row: EventRow) -> Result<Option<Self>, StoreError> {
        let corrupt = || StoreError::Corrupt { table: "ledger.events", column: "meta" };
        let parse = |id: &str| Uuid::try_parse(id).map_err(|_| corrupt());
        let Some(source_id) = row.source_id else { return Ok(None) };
        Ok(Some(Self {
            at: row.recorded_at,
            source_id: SourceId(parse(&source_id)?),
            request_id: parse(&row.request_id.ok_or_else(corrupt)?)?,
            event_type: row.event_type,
            first: Position(row.position),
            last: Position(row.position),
            call_id: (row.stream_kind == "call").then_some(StreamId(row.stream_id)),
            refused: row.reason.map(|reason| (reason, 1 + row.suppressed.unwrap_or(0))),
        }))
    }

    /// Whether an event directly before this delivery is part of the same request.
    fn is_same_request(&self, earlier: &Self) -> bool {
        self.request_id == earlier.request_id && self.first.0 == earlier.first.0 + 1
    }

    fn extend_backwards(&mut self, earlier: Self) {
        self.first = earlier.first;
        self.event_type = earlier.event_type;
        self.at = earlier.at;
    }
}
