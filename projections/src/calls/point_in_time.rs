//! The state of a call at a point in the past, folded from the log with the same rules as the read
//! model.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use ledger_core::ids::{Position, StreamId};
use ledger_store::{StoreError, TenantTx, read};
use uuid::Uuid;

use super::update::CallState;
use crate::marks::known_at;

/// A point in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointInTime {
    /// A log position (inclusive).
    Position(i64),
    /// A time by the recording clock: up to the first event recorded later, so that the prefix of
    /// the log has no gaps.
    Time(DateTime<Utc>),
}

/// Returns the last position of the log that was known at a point in the past.
///
/// # Errors
/// [`StoreError::Database`] if a statement fails.
pub async fn position_of(tx: &mut TenantTx, moment: PointInTime) -> Result<Position, StoreError> {
    match moment {
        PointInTime::Position(position) => Ok(Position(position)),
        PointInTime::Time(time) => Ok(known_at(tx, time).await?),
    }
}

/// Returns the call as it was known at a point in the past, or `None` if it had no events.
///
/// Events that were dropped from the read model are skipped, and the first parked event ends the
/// fold, so that the result agrees with the current read model.
///
/// # Errors
/// [`StoreError::Database`] if a statement fails.
pub async fn find(
    tx: &mut TenantTx,
    call_id: Uuid,
    moment: PointInTime,
) -> Result<Option<CallState>, StoreError> {
    let until = position_of(tx, moment).await?;
    let skipped = SkippedEvents::load(tx, call_id).await?;
    let mut folded: Option<CallState> = None;
    read::scan_stream(tx, StreamId(call_id), |event| {
        if event.stream_kind != "call" || skipped.dropped.contains(&event.position) {
            return ControlFlow::Continue(());
        }
        let is_after = skipped.waits_since.is_some_and(|since| event.position >= since);
        if event.position > until.0 || is_after {
            return ControlFlow::Break(());
        }
        // An undecodable event ends the fold, even if the engine has not parked it yet.
        let Ok(recorded) = event.decode() else { return ControlFlow::Break(()) };
        folded.get_or_insert_with(CallState::default).fold(&recorded, &event);
        ControlFlow::Continue(())
    })
    .await?;
    Ok(folded)
}

/// Positions of the call's events that the read model does not apply.
struct SkippedEvents {
    waits_since: Option<i64>,
    dropped: Vec<i64>,
}

impl SkippedEvents {
    async fn load(tx: &mut TenantTx, call_id: Uuid) -> sqlx::Result<Self> {
        let tenant_id = tx.tenant_id();
        let row = sqlx::query!(
            r#"
            select (select min(p.position) from projection.parked p
                      join read.positions v
                        on v.tenant_id = p.tenant_id and v.projection = p.projection
                       and v.version = p.version
                     where p.tenant_id = $1 and p.projection = 'calls' and p.key = $2) as waits_since,
                   array(select d.position from projection.dropped d
                          where d.tenant_id = $1 and d.projection = 'calls') as "dropped!: Vec<i64>"
            "#,
            tenant_id.0,
            call_id,
        )
        .fetch_one(tx.conn())
        .await?;
        Ok(Self { waits_since: row.waits_since, dropped: row.dropped })
    }
}
