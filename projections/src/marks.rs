//! Log time ([`LogTime`]) at any position, and the position at a time.
//!
//! Log time is a function of all events up to a position. Some positions are marked with it as they
//! are read, so it is computed from the nearest mark on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use ledger_core::clock::LogTime;
use ledger_core::ids::{Position, TenantId};
use ledger_store::TenantTx;
use sqlx::PgConnection;

/// Number of positions between two marks.
const MARK_INTERVAL: i64 = 64;
/// Number of rows per query when there is no mark nearby.
const ROWS_PER_QUERY: i64 = 10_000;
/// Maximum number of tenants in the cache; when it is full it is cleared, and times are computed
/// again.
const MAX_CACHED_TENANTS: usize = 10_000;

/// Cache of the log time at which reading stopped, by tenant. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct LogTimes(Arc<Mutex<HashMap<TenantId, (Position, LogTime)>>>);

impl LogTimes {
    /// Returns the log time at a position, from the cache or computed.
    pub(crate) async fn at(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        position: Position,
    ) -> sqlx::Result<LogTime> {
        let known = self.lock().get(&tenant_id).copied();
        match known {
            _ if position.0 <= 0 => Ok(LogTime::default()),
            Some((at, time)) if at == position => Ok(time),
            _ => compute(conn, tenant_id, position).await,
        }
    }

    /// Stores the log time at a position in the cache.
    pub(crate) fn keep(&self, tenant_id: TenantId, position: Position, time: LogTime) {
        let mut known = self.lock();
        if known.len() >= MAX_CACHED_TENANTS && !known.contains_key(&tenant_id) {
            known.clear();
        }
        known.insert(tenant_id, (position, time));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, (Position, LogTime)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether marks are stored for this position.
pub(crate) fn is_marked(position: i64) -> bool {
    position % MARK_INTERVAL == 0
}

/// Stores marks. Existing marks are kept: they are deterministic, hence equal.
pub(crate) async fn mark(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    marks: &[(i64, DateTime<Utc>)],
) -> sqlx::Result<()> {
    if marks.is_empty() {
        return Ok(());
    }
    let positions: Vec<i64> = marks.iter().map(|(position, _)| *position).collect();
    let times: Vec<DateTime<Utc>> = marks.iter().map(|(_, at)| *at).collect();
    sqlx::query!(
        "insert into projection.marks (tenant_id, position, updated_at)
         select $1, * from unnest($2::bigint[], $3::timestamptz[])
             on conflict do nothing",
        tenant_id.0,
        &positions,
        &times,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the log times at these positions. Positions without an event are omitted.
pub(crate) async fn times(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    positions: &[i64],
) -> sqlx::Result<HashMap<i64, DateTime<Utc>>> {
    let mut times: HashMap<i64, Option<DateTime<Utc>>> =
        positions.iter().map(|position| (*position, None)).collect();
    let mut order = positions.to_vec();
    order.sort_unstable();
    let mut known: Option<(Position, LogTime)> = None;
    for position in order {
        let before = Position(position - 1);
        // If the known position is far away, a mark is nearer.
        let from = match known {
            Some((at, time)) if position - at.0 <= MARK_INTERVAL => (at, time),
            _ => (before, compute(conn, tenant_id, before).await?),
        };
        let time = scan_times(conn, tenant_id, from, Position(position), |passed, at| {
            if let Some(time) = times.get_mut(&passed) {
                *time = Some(at);
            }
        })
        .await?;
        known = Some((Position(position), time));
    }
    Ok(times.into_iter().filter_map(|(position, at)| Some((position, at?))).collect())
}

/// Returns the last position known at a time: the one before the first event recorded later.
///
/// # Errors
/// Fails if the database does not answer.
pub(crate) async fn known_at(tx: &mut TenantTx, time: DateTime<Utc>) -> sqlx::Result<Position> {
    let tenant_id = tx.tenant_id();
    // A mark's time is an upper bound of all recording times before it, so no later event precedes
    // the mark.
    let later = sqlx::query_scalar!(
        "select e.position
           from ledger.events e
          where e.tenant_id = $1
            and e.position > coalesce((select m.position from projection.marks m
                                        where m.tenant_id = $1 and m.updated_at <= $2
                                        order by m.updated_at desc
                                        limit 1), 0)
            and e.recorded_at > $2
          order by e.position
          limit 1",
        tenant_id.0,
        time,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(Position(later.map_or(i64::MAX, |position| position - 1)))
}

/// Computes the log time at a position, from the nearest mark before it.
async fn compute(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    position: Position,
) -> sqlx::Result<LogTime> {
    let mark = sqlx::query!(
        "select position, updated_at from projection.marks
          where tenant_id = $1 and position <= $2
          order by position desc
          limit 1",
        tenant_id.0,
        position.0,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let from = mark.map_or((Position(0), LogTime::default()), |mark| {
        (Position(mark.position), LogTime::at(mark.updated_at))
    });
    scan_times(conn, tenant_id, from, position, |_, _| ()).await
}

async fn scan_times(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    (from, mut time): (Position, LogTime),
    to: Position,
    mut passed: impl FnMut(i64, DateTime<Utc>),
) -> sqlx::Result<LogTime> {
    let mut from = from;
    while from < to {
        let rows = sqlx::query!(
            "select position, recorded_at from ledger.events
              where tenant_id = $1 and position > $2 and position <= $3
              order by position
              limit $4",
            tenant_id.0,
            from.0,
            to.0,
            ROWS_PER_QUERY,
        )
        .fetch_all(&mut *conn)
        .await?;
        let Some(last) = rows.last() else { break };
        from = Position(last.position);
        for row in rows {
            passed(row.position, time.advance(row.recorded_at));
        }
    }
    Ok(time)
}
