//! How far the read models are, over all tenants.

use ledger_core::ids::{Position, TenantId};
use sqlx::PgPool;

/// A read model over all tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i32,
    /// How many tenants it serves.
    pub tenants: i64,
    /// Events in all logs that are not in it yet.
    pub lag_events: i64,
    /// Tenants whose log it cannot read on.
    pub halted: i64,
}

/// Each read model, measured against the logs themselves.
///
/// # Errors
/// The database did not answer.
pub async fn progress(pool: &PgPool) -> sqlx::Result<Vec<Progress>> {
    let rows = sqlx::query!(
        r#"
        select c.projection, c.version, count(*) as "tenants!",
               coalesce(sum(greatest(coalesce(h.position, 0) - c.position, 0)), 0)::bigint as "lag!",
               count(c.halted) as "halted!"
          from projection.checkpoints c
          left join lateral (
            select e.position from ledger.events e
             where e.tenant_id = c.tenant_id
             order by e.position desc limit 1) h on true
         group by c.projection, c.version
         order by c.projection, c.version
        "#,
    )
    .fetch_all(pool)
    .await?;
    let progress = rows.into_iter().map(|row| Progress {
        name: row.projection,
        version: row.version,
        tenants: row.tenants,
        lag_events: row.lag,
        halted: row.halted,
    });
    Ok(progress.collect())
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
