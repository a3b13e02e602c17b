//! Replaces the rows of one tenant in the served version by those of a version built for it alone.

use std::time::Duration;

use ledger_core::ids::TenantId;
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool};
use tokio::time::Instant;

use super::catalogue::{State, Version, in_state, lock, tables};
use super::deletion::{delete_version, drop_schema};
use super::error::VersionError;
use super::promote::{database_time, newly_parked};

/// Maximum time the tenant's served rows are stopped while the new version catches up.
const MAX_STOP: Duration = Duration::from_secs(3);

/// Replaces the served rows of a tenant by those of its version, at the same position, in one
/// transaction. Afterwards the version is deleted.
///
/// # Errors
/// [`VersionError::Behind`] if it cannot catch up in time: retry later. [`VersionError::Parked`] if
/// it has keys parked that are not parked in the served version, unless `with_parked`.
pub(super) async fn swap(
    owner: &PgPool,
    version: &Version,
    only: TenantId,
    with_parked: bool,
) -> Result<(), VersionError> {
    let name = version.name.as_str();
    let behind =
        || VersionError::Behind { name: name.to_owned(), version: version.version, tenants: 1 };
    let mut tx = owner.begin().await?;
    tx.execute("set local lock_timeout = '5s'").await?;
    // Check before taking locks: a missing checkpoint cannot be created while the version is
    // locked.
    if position(&mut tx, name, version.version, only).await?.is_none() {
        return Err(behind());
    }
    let all = lock(&mut tx, version, &[State::Building, State::Active]).await?;
    if !all.iter().any(|one| one == version) {
        return Err(VersionError::NoneBuilding { name: name.to_owned() });
    }
    let active = in_state(&all, State::Active).ok_or(sqlx::Error::RowNotFound)?.version;
    let shown = lock_checkpoint(&mut tx, name, active, only).await?;
    let since = Instant::now();
    while position(&mut tx, name, version.version, only).await?.unwrap_or(0) < shown {
        if since.elapsed() > MAX_STOP {
            return Err(behind());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let built = lock_checkpoint(&mut tx, name, version.version, only).await?;
    let parked = newly_parked(&mut tx, name, active, version.version, Some(only)).await?;
    if parked > 0 && !with_parked {
        let (name, version) = (name.to_owned(), version.version);
        return Err(VersionError::Parked { name, version, parked });
    }
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
    move_state(&mut tx, name, version.version, active, only, built).await?;
    delete_version(&mut tx, name, version.version).await?;
    tx.commit().await?;
    tracing::info!(projection = name, tenant_id = %only, "projection.tenant_rebuilt");
    let mut conn = owner.acquire().await?;
    drop_schema(&mut conn, name, version.version).await?;
    Ok(())
}

/// Returns the checkpoint of a tenant in a version; `None` if there is none yet.
async fn position(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
    tenant_id: TenantId,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select position from projection.checkpoints
          where tenant_id = $1 and projection = $2 and version = $3",
        tenant_id.0,
        name,
        version,
    )
    .fetch_optional(conn)
    .await
}

/// Locks the checkpoint of a tenant, creates it if missing, and returns its position.
async fn lock_checkpoint(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
    tenant_id: TenantId,
) -> sqlx::Result<i64> {
    sqlx::query!(
        "insert into projection.checkpoints (tenant_id, projection, version)
         values ($1, $2, $3) on conflict do nothing",
        tenant_id.0,
        name,
        version,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar!(
        "select position from projection.checkpoints
          where tenant_id = $1 and projection = $2 and version = $3
            for update",
        tenant_id.0,
        name,
        version,
    )
    .fetch_one(conn)
    .await
}

/// Moves the parked keys to the served version and sets its checkpoint to that of the new rows.
async fn move_state(
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
    let now = database_time(conn).await?;
    sqlx::query!(
        "update projection.checkpoints set position = $4, halted = null, updated_at = $5
          where tenant_id = $1 and projection = $2 and version = $3",
        tenant_id.0,
        name,
        to,
        position,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}
