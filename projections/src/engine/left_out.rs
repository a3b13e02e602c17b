//! Removes dropped events from versions that may have folded them, and folds the rest of their keys
//! again.
//!
//! Each version does so when it reads the event that records the decision, so a drop is completed
//! even if the process that decided it has ended. The operation is idempotent.

use ledger_core::ids::{Position, TenantId};
use ledger_store::read::{events_after, stream_between};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::apply::{VersionTarget, apply, outcome};
use super::parking::{ParkedKeys, park};
use crate::marks;
use crate::panic_guard::catch_panic;
use crate::projector::{Again, LeftOut, LogEvent, Precomputed, WriteMode};

/// Returns the positions that these events decide to drop from a read model.
pub(super) fn decided(events: &[LogEvent], projection: &str) -> Vec<Position> {
    let drops = events.iter().filter_map(LogEvent::drops);
    drops.filter(|(name, _)| *name == projection).map(|(_, position)| position).collect()
}

/// Removes dropped events from the version in the search path, which is filled up to `until`, and
/// folds the other events of their keys again. Returns `false` if one of these keys is parked.
///
/// # Errors
/// The database did not answer; the caller's transaction rolls everything back.
pub(crate) async fn leave_out(
    conn: &mut PgConnection,
    target: VersionTarget<'_>,
    dropped: &[Position],
    until: Position,
) -> sqlx::Result<bool> {
    let mut goes_on = true;
    for position in dropped.iter().filter(|position| **position <= until) {
        let event = event_at(conn, target.tenant.tenant_id, *position).await?;
        if let Some(event) = event.filter(|one| target.projector.handles(&one.stored.stream_kind)) {
            goes_on &= leave_out_one(conn, target, &event, until).await?;
        }
    }
    Ok(goes_on)
}

/// Returns the event at a position, without large sections.
///
/// # Errors
/// The database did not answer.
pub(crate) async fn event_at(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    position: Position,
) -> sqlx::Result<Option<LogEvent>> {
    let mut found = events_after(conn, tenant_id, Position(position.0 - 1), 1).await?;
    found.retain(|event| event.position == position.0);
    Ok(found.pop().map(|event| {
        let at = event.recorded_at;
        LogEvent::new(event, at)
    }))
}

async fn leave_out_one(
    conn: &mut PgConnection,
    target: VersionTarget<'_>,
    event: &LogEvent,
    until: Position,
) -> sqlx::Result<bool> {
    let VersionTarget { projector, version, tenant, .. } = target;
    let (tenant_id, name, key) = (tenant.tenant_id, projector.name(), event.key());
    let position = event.stored.position;
    let mut savepoint = conn.begin().await?;
    let one = LeftOut { tenant, version, until, event };
    let again = outcome(catch_panic(projector.leave_out(&mut savepoint, one)).await)?;
    let again = match again {
        Ok(again) => {
            savepoint.commit().await?;
            again
        }
        Err(reason) => {
            savepoint.rollback().await?;
            let waiting = ParkedKeys::load(conn, &[tenant_id]).await?;
            // A key that is parked already waits for an earlier event.
            if waiting.since(tenant_id, name, version, key).is_none_or(|since| since.0 > position) {
                park(conn, tenant_id, name, version, event, &reason).await?;
            }
            return Ok(false);
        }
    };
    let is_freed = free(conn, tenant_id, (name, version), position).await?;
    let from = match again {
        Again::Key => Position(1),
        Again::Nothing if is_freed => Position(position),
        Again::Nothing => return Ok(true),
    };
    let mut waiting = ParkedKeys::load(conn, &[tenant_id]).await?;
    let events = events_of(conn, tenant_id, (name, key), from, until).await?;
    let wanted =
        events.iter().filter(|event| projector.handles(&event.stored.stream_kind)).collect();
    let target = VersionTarget { mode: WriteMode::Upsert, ..target };
    apply(conn, target, wanted, Precomputed::default(), &mut waiting).await?;
    Ok(waiting.since(tenant_id, name, version, key).is_none())
}

/// Deletes the parked entry of an event that no longer blocks its key. Returns whether there was
/// one.
async fn free(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    (projection, version): (&str, i32),
    position: i64,
) -> sqlx::Result<bool> {
    let gone = sqlx::query!(
        "delete from projection.parked
          where tenant_id = $1 and projection = $2 and version = $3 and position = $4",
        tenant_id.0,
        projection,
        version,
        position,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected() > 0)
}

/// Returns the events of a key between two positions, for a read model to fold.
///
/// Each has its log time, but at least the time of the last drop decision about the key in that
/// range, because the decision changed the row as well.
///
/// # Errors
/// The database did not answer.
pub(crate) async fn events_of(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    (projection, key): (&str, Uuid),
    from: Position,
    until: Position,
) -> sqlx::Result<Vec<LogEvent>> {
    let stored = stream_between(conn, tenant_id, key, from, until).await?;
    let dropped = dropped_of(conn, tenant_id, (projection, key), until).await?;
    let decided = dropped.iter().filter_map(|one| one.decided.filter(|at| *at <= until.0)).max();
    let positions: Vec<i64> = stored.iter().map(|event| event.position).chain(decided).collect();
    let times = marks::times(conn, tenant_id, &positions).await?;
    let changed = decided.and_then(|position| times.get(&position).copied());
    let events = stored.into_iter().map(|event| {
        let at = times.get(&event.position).copied().unwrap_or(event.recorded_at);
        LogEvent::new(event, changed.map_or(at, |changed| at.max(changed)))
    });
    Ok(events.collect())
}

/// A dropped event of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DroppedEvent {
    /// Position of the dropped event.
    pub(crate) position: i64,
    /// Position of the decision; `None` for decisions of older builds.
    pub(crate) decided: Option<i64>,
}

/// Returns the dropped events of a key up to a position.
///
/// # Errors
/// The database did not answer.
pub(crate) async fn dropped_of(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    (projection, key): (&str, Uuid),
    until: Position,
) -> sqlx::Result<Vec<DroppedEvent>> {
    sqlx::query_as!(
        DroppedEvent,
        "select d.position, d.decided
           from projection.dropped d
           join ledger.events e on e.tenant_id = d.tenant_id and e.position = d.position
          where d.tenant_id = $1 and d.projection = $2 and d.position <= $4 and e.stream_id = $3
          order by d.position",
        tenant_id.0,
        projection,
        key,
        until.0,
    )
    .fetch_all(conn)
    .await
}
