//! Progress of the read models, measured against the ends of the logs.

use chrono::{DateTime, Utc};
use ledger_core::ids::{Position, TenantId};
use sqlx::{PgConnection, PgPool};

use crate::versions::catalogue::{State, Version, versions};

/// Seconds without progress after which a version that is behind counts as stalled.
const STALLED_SECONDS: i32 = 30;

/// Progress of a version of a read model, summed over its tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The version this is about.
    pub version: Version,
    /// Number of tenants the version covers.
    pub tenants: i64,
    /// Number of events that were applied.
    pub events: i64,
    /// Lag: number of events in the logs that were not applied yet.
    pub lag_events: i64,
    /// Age of the oldest event not applied yet, in seconds.
    pub lag_seconds: i64,
    /// Number of tenants with an event this build cannot decode.
    pub halted: i64,
    /// Number of keys parked behind an event that could not be applied.
    pub parked: i64,
    /// Number of tenants that are behind and have not moved for 30 seconds, without being halted.
    pub stalled: i64,
    /// Time of the last checkpoint move of any tenant.
    pub moved_at: Option<DateTime<Utc>>,
    /// Reason why one of the halted tenants does not move; contains no personal data.
    pub why: Option<String>,
}

impl Progress {
    /// Returns the name of the read model.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.version.name
    }

    /// Returns the state in one word: `current`, `catching_up`, `halted`, `building` or `previous`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self.version.state {
            State::Active if self.halted > 0 => "halted",
            State::Active if self.lag_events > 0 => "catching_up",
            State::Active => "current",
            state => state.as_str(),
        }
    }

    /// Returns whether the version is behind and no tenant of it has moved for 30 seconds.
    #[must_use]
    pub fn has_stalled(&self, now: DateTime<Utc>) -> bool {
        let still = |at: DateTime<Utc>| (now - at).num_seconds() > i64::from(STALLED_SECONDS);
        self.stalled > 0 && still(self.moved_at.unwrap_or(self.version.began_at))
    }
}

/// Returns the progress of every version of every read model, over all tenants.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn progress(pool: &PgPool) -> sqlx::Result<Vec<Progress>> {
    progress_within(pool, None).await
}

/// Returns the progress of every version, limited to one tenant if `tenant_id` is given. Versions
/// of other single tenants are then omitted, and all figures are of that tenant's log.
///
/// # Errors
/// Fails if the database does not answer.
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

/// A tenant's read model halted at an event that this build cannot decode, until a newer build
/// runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// Name of the read model.
    pub name: String,
    /// Tenant that owns the log.
    pub tenant_id: TenantId,
    /// Last position that was applied.
    pub position: Position,
    /// Reason why it is halted; contains no personal data.
    pub reason: String,
}

/// Returns the halted read models, at most 100, by read model and tenant.
///
/// # Errors
/// Fails if the database does not answer.
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
