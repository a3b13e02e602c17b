//! How far the read models are, measured against the logs themselves.

use chrono::{DateTime, Utc};
use ledger_core::ids::{Position, TenantId};
use sqlx::{PgConnection, PgPool};

use crate::versions::{State, Version, versions};

/// A version that is behind and has not moved for this long is not well.
const STALLED_SECONDS: i32 = 30;

/// A version of a read model, over all its tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub version: Version,
    /// How many tenants it has rows of, or will have.
    pub tenants: i64,
    /// Events that are in it.
    pub events: i64,
    /// Events in all logs that are not in it yet.
    pub lag_events: i64,
    /// How long the oldest of them has been waiting, in seconds.
    pub lag_seconds: i64,
    /// Tenants whose log it cannot read on.
    pub halted: i64,
    /// Keys that wait behind an event that could not be folded.
    pub parked: i64,
    /// Tenants that are behind and have not moved for half a minute, though nothing halts them.
    pub stalled: i64,
    /// When any tenant last moved.
    pub moved_at: Option<DateTime<Utc>>,
    /// Why one of the halted tenants does not move. No personal data.
    pub why: Option<String>,
}

impl Progress {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.version.name
    }

    /// One word for it.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self.version.state {
            State::Active if self.halted > 0 => "halted",
            State::Active if self.lag_events > 0 => "catching_up",
            State::Active => "current",
            state => state.as_str(),
        }
    }

    /// Whether it is behind and nothing of it moves any more.
    #[must_use]
    pub fn is_stuck(&self, now: DateTime<Utc>) -> bool {
        let still = |at: DateTime<Utc>| (now - at).num_seconds() > i64::from(STALLED_SECONDS);
        self.stalled > 0 && still(self.moved_at.unwrap_or(self.version.began_at))
    }
}

/// Every version of every read model, over all tenants.
///
/// # Errors
/// The database did not answer.
pub async fn progress(pool: &PgPool) -> sqlx::Result<Vec<Progress>> {
    progress_within(pool, None).await
}

/// The same as far as it is one tenant's, when one is named: versions of another tenant alone are not
/// among them, and every figure is of its own log.
///
/// # Errors
/// The database did not answer.
pub async fn progress_within(
    pool: &PgPool,
    tenant_id: Option<TenantId>,
) -> sqlx::Result<Vec<Progress>> {
    let mut conn = pool.acquire().await?;
    let mut all = Vec::new();
    for version in versions(&mut conn).await? {
        let is_others = version.only.is_some_and(|only| tenant_id.is_some_and(|id| id != only));
        if !is_others {
            let only = version.only.or(tenant_id);
            all.push(progress_of(&mut conn, version, only).await?);
        }
    }
    Ok(all)
}

async fn progress_of(
    conn: &mut PgConnection,
    version: Version,
    only: Option<TenantId>,
) -> sqlx::Result<Progress> {
    let only = only.map(|tenant| tenant.0);
    let row = sqlx::query!(
        r#"
        with one as (
          select t.tenant_id, coalesce(c.position, 0) as position, coalesce(h.position, 0) as head,
                 c.halted, c.updated_at,
                 case when coalesce(c.position, 0) < h.position then
                   (select e.recorded_at from ledger.events e
                     where e.tenant_id = t.tenant_id and e.position = coalesce(c.position, 0) + 1)
                 end as waiting_since
            from ledger.tenants t
            left join projection.checkpoints c
              on c.tenant_id = t.tenant_id and c.projection = $1 and c.version = $2
            left join lateral (select e.position from ledger.events e
                                where e.tenant_id = t.tenant_id
                                order by e.position desc limit 1) h on true
           where $3::uuid is null or t.tenant_id = $3),
        told as (
          select *, waiting_since < clock_timestamp() - make_interval(secs => $4)
                      and coalesce(updated_at, $5) < clock_timestamp() - make_interval(secs => $4)
                    as is_stalled
            from one)
        select count(*) as "tenants!",
               coalesce(sum(least(position, head)), 0)::bigint as "events!",
               coalesce(sum(greatest(head - position, 0)), 0)::bigint as "lag!",
               coalesce(extract(epoch from clock_timestamp() - min(waiting_since)), 0)::bigint as "lag_seconds!",
               count(halted) as "halted!",
               count(*) filter (where is_stalled and halted is null) as "stalled!",
               max(updated_at) as moved_at,
               min(halted) as why,
               (select count(*) from projection.parked p
                 where p.projection = $1 and p.version = $2
                   and ($3::uuid is null or p.tenant_id = $3)) as "parked!"
          from told
        "#,
        version.name,
        version.version,
        only,
        f64::from(STALLED_SECONDS),
        version.began_at,
    )
    .fetch_one(conn)
    .await?;
    Ok(Progress {
        version,
        tenants: row.tenants,
        events: row.events,
        lag_events: row.lag,
        lag_seconds: row.lag_seconds.max(0),
        halted: row.halted,
        parked: row.parked,
        stalled: row.stalled,
        moved_at: row.moved_at,
        why: row.why,
    })
}

/// A tenant's read model that met an event it cannot read, and waits for a build that can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// The read model.
    pub name: String,
    /// Whose.
    pub tenant_id: TenantId,
    /// The last position that is in it.
    pub position: Position,
    /// Why it does not go on. No personal data.
    pub reason: String,
}

/// Every read model that does not go on, up to a hundred.
///
/// # Errors
/// The database did not answer.
pub async fn halts(pool: &PgPool) -> sqlx::Result<Vec<Halt>> {
    let rows = sqlx::query!(
        r#"select projection, tenant_id, position, halted as "reason!"
             from projection.checkpoints where halted is not null
            order by projection, tenant_id limit 100"#,
    )
    .fetch_all(pool)
    .await?;
    let halt = rows.into_iter().map(|row| Halt {
        name: row.projection,
        tenant_id: TenantId(row.tenant_id),
        position: Position(row.position),
        reason: row.reason,
    });
    Ok(halt.collect())
}
