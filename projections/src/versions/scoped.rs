//! A version of one tenant alone: its rows take the place of those that are shown.

use std::time::Duration;

use ledger_core::ids::TenantId;
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool};
use tokio::time::Instant;

use super::{State, Version, VersionError, drop_schema, forget, lock_state, tables};

/// How long the tenant's shown rows are held still, for the new ones to reach them.
const STILL: Duration = Duration::from_secs(3);

/// Puts the rows of a version of one tenant in the place of those that are shown, at the same
/// position; readers see the one or the other. The version goes.
///
/// # Errors
/// [`VersionError::Behind`]: wait. [`VersionError::Parked`]: it has keys that wait; look at them.
pub async fn swap(owner: &PgPool, version: &Version, only: TenantId) -> Result<(), VersionError> {
    let name = version.name.as_str();
    let mut tx = owner.begin().await?;
    tx.execute("set local lock_timeout = '5s'").await?;
    let active = lock_state(&mut tx, name, State::Active).await?.ok_or(sqlx::Error::RowNotFound)?;
    let shown = position(&mut tx, name, active, only, true).await?;
    let since = Instant::now();
    while position(&mut tx, name, version.version, only, false).await? < shown {
        if since.elapsed() > STILL {
            let (name, version) = (name.to_owned(), version.version);
            return Err(VersionError::Behind { name, version, tenants: 1 });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let built = position(&mut tx, name, version.version, only, true).await?;
    for table in tables(&mut tx, name, version.version).await? {
        let (from, to) = (version.version, active);
        for statement in [
            format!("delete from {name}_v{to}.{table} where tenant_id = $1"),
            format!(
                "insert into {name}_v{to}.{table} select * from {name}_v{from}.{table} where tenant_id = $1"
            ),
        ] {
            sqlx::query(AssertSqlSafe(statement)).bind(only.0).execute(&mut *tx).await?;
        }
    }
    take_over(&mut tx, name, version.version, active, only, built).await?;
    forget(&mut tx, name, version.version).await?;
    tx.commit().await?;
    tracing::info!(projection = name, tenant_id = %only, "projection.tenant_rebuilt");
    let mut conn = owner.acquire().await?;
    drop_schema(&mut conn, name, version.version).await?;
    Ok(())
}

/// How far a tenant's version is; `held`, so that nobody moves it.
async fn position(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
    tenant_id: TenantId,
    held: bool,
) -> sqlx::Result<i64> {
    let position = if held {
        sqlx::query_scalar!(
            "select position from projection.checkpoints
              where tenant_id = $1 and projection = $2 and version = $3
                for update",
            tenant_id.0,
            name,
            version,
        )
        .fetch_optional(conn)
        .await?
    } else {
        sqlx::query_scalar!(
            "select position from projection.checkpoints
              where tenant_id = $1 and projection = $2 and version = $3",
            tenant_id.0,
            name,
            version,
        )
        .fetch_optional(conn)
        .await?
    };
    Ok(position.unwrap_or(0))
}

/// Checkpoint and parked keys go with the rows.
async fn take_over(
    conn: &mut PgConnection,
    name: &str,
    from: i32,
    to: i32,
    tenant_id: TenantId,
    position: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from projection.parked
          where tenant_id = $1 and projection = $2 and version = $3",
        tenant_id.0,
        name,
        to,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update projection.parked set version = $4
          where tenant_id = $1 and projection = $2 and version = $3",
        tenant_id.0,
        name,
        from,
        to,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update projection.checkpoints set position = $4, halted = null, updated_at = clock_timestamp()
          where tenant_id = $1 and projection = $2 and version = $3",
        tenant_id.0,
        name,
        to,
        position,
    )
    .execute(conn)
    .await?;
    Ok(())
}
