//! Deletes the rows and the tables of a version.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::catalogue::tables;
use super::compare::is_gone;

/// Deletes the version's row, checkpoints and parked events.
pub(super) async fn delete_version(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with gone as (
           delete from projection.versions where projection = $1 and version = $2),
         parked as (
           delete from projection.parked where projection = $1 and version = $2)
         delete from projection.checkpoints where projection = $1 and version = $2",
        name,
        version,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Drops the schema of a version, after running readers have finished. A schema that a concurrent
/// process has dropped already is no error.
pub(super) async fn drop_schema(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<()> {
    match drop_tables_and_schema(conn, name, version).await {
        Err(error) if is_gone(&error) => Ok(()),
        dropped => dropped,
    }
}

/// Locks the tables and drops the schema. Tables are locked in name order, as readers do, to avoid
/// deadlocks.
async fn drop_tables_and_schema(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<()> {
    let mut tx = conn.begin().await?;
    // Names of read models are constants of this code, not input.
    for table in tables(&mut tx, name, version).await? {
        let lock = format!("lock table {name}_v{version}.{table} in access exclusive mode");
        tx.execute(AssertSqlSafe(lock)).await?;
    }
    tx.execute(AssertSqlSafe(format!("drop schema if exists {name}_v{version} cascade"))).await?;
    tx.commit().await
}
