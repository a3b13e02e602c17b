//! Removes dropped events from versions that may have folded them, and folds the rest of their keys
//! again.
//!
//! Each version does so when it reads the event that records the decision, so a drop is completed
//! even if the process that decided it has ended. The operation is idempotent.

use std::collections::HashSet;

use ledger_core::ids::{Position, TenantId};
use ledger_store::read::{StoredEvent, events_after, metadata, stream_between};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::apply::{VersionTarget, apply, outcome};
use super::parking::{ParkedKeys, park};
use crate::marks;
use crate::panic_guard::catch_panic;
use crate::projector::{Again, LeftOut, LogEvent, Precomputed, Projector, WriteMode};

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
            let mut event = [event];
            fill_meta(conn, target.projector, target.tenant.tenant_id, &mut event).await?;
            let [event] = event;
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
    let (tenant_id, name, key) = (tenant.tenant_id, projector.name(), projector.key(event));
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
                park(conn, tenant_id, name, version, (key, event), &reason).await?;
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
    let events = events_of(conn, tenant_id, (projector, key), from, until).await?;
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
    (projector, key): (&dyn Projector, Uuid),
    from: Position,
    until: Position,
) -> sqlx::Result<Vec<LogEvent>> {
    let stored = if projector.has_own_keys() {
        scan_key(conn, tenant_id, (projector, key), from, until).await?
    } else {
        stream_between(conn, tenant_id, key, from, until).await?
    };
    let dropped = dropped_of(conn, tenant_id, (projector, key), until).await?;
    let decided = dropped.iter().filter_map(|one| one.decided.filter(|at| *at <= until.0)).max();
    let positions: Vec<i64> = stored.iter().map(|event| event.position).chain(decided).collect();
    let times = marks::times(conn, tenant_id, &positions).await?;
    let changed = decided.and_then(|position| times.get(&position).copied());
    let events = stored.into_iter().map(|event| {
        let at = times.get(&event.position).copied().unwrap_or(event.recorded_at);
        LogEvent::new(event, changed.map_or(at, |changed| at.max(changed)))
    });
    let mut events: Vec<LogEvent> = events.collect();
    fill_meta(conn, projector, tenant_id, &mut events).await?;
    Ok(events)
}

/// Reads the metadata of events, if the projector asks for it.
async fn fill_meta(
    conn: &mut PgConnection,
    projector: &dyn Projector,
    tenant_id: TenantId,
    events: &mut [LogEvent],
) -> sqlx::Result<()> {
    if projector.reads_meta() {
        let positions: Vec<i64> = events.iter().map(|event| event.stored.position).collect();
        let mut all = metadata(conn, tenant_id, &positions).await?;
        for event in events {
            event.set_meta(all.remove(&event.stored.position));
        }
    }
    Ok(())
}

/// Number of events that a scan for a key reads at once.
const SCAN_PAGE: i64 = 1_000;

/// Returns the events of a key that is not a stream, by a scan of the log.
async fn scan_key(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    (projector, key): (&dyn Projector, Uuid),
    from: Position,
    until: Position,
) -> sqlx::Result<Vec<StoredEvent>> {
    let (mut found, mut after) = (Vec::new(), Position(from.0 - 1));
    loop {
        let page = events_after(conn, tenant_id, after, SCAN_PAGE).await?;
        let Some(last) = page.last().map(|event| Position(event.position)) else { break };
        let mut events: Vec<LogEvent> = page
            .into_iter()
            .filter(|event| event.position <= until.0 && projector.handles(&event.stream_kind))
            .map(|event| LogEvent::new(event.clone(), event.recorded_at))
            .collect();
        fill_meta(conn, projector, tenant_id, &mut events).await?;
        events.retain(|event| projector.key(event) == key);
        found.extend(events.into_iter().map(|event| event.stored));
        if last >= until {
            break;
        }
        after = last;
    }
    Ok(found)
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
    (projector, key): (&dyn Projector, Uuid),
    until: Position,
) -> sqlx::Result<Vec<DroppedEvent>> {
    if projector.has_own_keys() {
        let all = all_dropped(conn, tenant_id, projector.name(), until).await?;
        let events = scan_key(conn, tenant_id, (projector, key), Position(1), until).await?;
        let of_key: HashSet<i64> = events.iter().map(|event| event.position).collect();
        return Ok(all.into_iter().filter(|one| of_key.contains(&one.position)).collect());
    }
    sqlx::query_as!(
        DroppedEvent,
        "select d.position, d.decided
           from projection.dropped d
           join ledger.events e on e.tenant_id = d.tenant_id and e.position = d.position
          where d.tenant_id = $1 and d.projection = $2 and d.position <= $4 and e.stream_id = $3
          order by d.position",
        tenant_id.0,
        projector.name(),
        key,
        until.0,
    )
    .fetch_all(conn)
    .await
}

/// Returns the events of a tenant that a read model leaves out, up to a position.
async fn all_dropped(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    projection: &str,
    until: Position,
) -> sqlx::Result<Vec<DroppedEvent>> {
    sqlx::query_as!(
        DroppedEvent,
        "select position, decided from projection.dropped
          where tenant_id = $1 and projection = $2 and position <= $3
          order by position",
        tenant_id.0,
        projection,
        until.0,
    )
    .fetch_all(conn)
    .await
}
