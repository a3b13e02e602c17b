//! Migrations: applying them, listing those that are missing, and refusing a database that another
//! build has changed.

mod locks;

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr};

pub use locks::TableLock;

use crate::diagnostics;
use crate::error::StoreError;

/// The migrations of this build, as in `migrations/`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Locks the checkpoints before a migration runs, for its transaction. Workers of running servers lock
/// checkpoints first and tables of read models next, so a migration that begins with a table of a read
/// model would deadlock with each of them in turn. Workers wait behind the lock request, so it is given up
/// after some seconds and repeated.
const LOCK_CHECKPOINTS: &str = "
do $$
begin
  if exists (select from pg_catalog.pg_class c
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              where n.nspname = 'projection' and c.relname = 'checkpoints') then
    set local role ledger_owner;
    set local lock_timeout = '3s';
    lock table projection.checkpoints in exclusive mode;
    reset lock_timeout;
    reset role;
  end if;
end
$$;
";

/// Attempts to apply the missing migrations while running servers lock the same tables.
const ATTEMPTS: u32 = 10;

/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// A migration of this build that is not applied to a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMigration {
    /// The number of the migration, from 1.
    pub version: i64,
    /// The name, such as `log time`.
    pub name: String,
    /// The path of its statements in the repository.
    pub file: String,
    /// SHA-384 of the statements in hexadecimal, as recorded when it is applied.
    pub checksum: String,
    /// Locks on tables that exist before it; held until its transaction ends.
    pub locks: Vec<TableLock>,
    /// Whether it runs statements that are composed while it runs. Their locks are not in `locks`.
    pub has_dynamic_statements: bool,
}

/// Returns every migration of this build, as pending on an empty database.
#[must_use]
pub fn all() -> Vec<PendingMigration> {
    with_locks(MIGRATOR.iter())
}

/// Returns the migrations that [`migrate`] would apply, in order. Changes nothing.
///
/// # Errors
/// As [`migrate`], for a database that it refuses.
pub async fn pending(database: &PgConnectOptions) -> Result<Vec<PendingMigration>, StoreError> {
    let mut conn = PgConnection::connect_with(database).await?;
    let found = diagnostics::migrations(&mut conn).await?;
    refuse_other_builds(&mut conn, &found).await?;
    conn.close().await?;
    Ok(with_locks(MIGRATOR.iter().filter(|one| found.missing.contains(&one.version))))
}

/// Applies the missing migrations and returns how many were applied. A migration that deadlocks with
/// transactions of running servers, or waits too long for one, is rolled back and applied again.
///
/// # Errors
/// [`StoreError::NewerSchema`] and [`StoreError::AlteredMigration`] when another build migrated the
/// database; [`StoreError::Migrate`] when a migration fails. Those before it stay applied.
pub async fn migrate(database: &PgConnectOptions) -> Result<usize, StoreError> {
    let mut conn = PgConnection::connect_with(database).await?;
    // PostgreSQL's default search path starts with a schema named like the login. If the login is
    // called `ledger`, the list of migrations would be looked up there.
    conn.execute("set search_path = public").await?;
    let before = diagnostics::migrations(&mut conn).await?;
    refuse_other_builds(&mut conn, &before).await?;
    apply(&mut conn).await?;
    let after = applied(&mut conn).await;
    conn.close().await?;
    Ok(usize::try_from(after).unwrap_or(0).saturating_sub(before.applied))
}

/// Runs the missing migrations, each in a transaction of its own that locks the checkpoints first.
async fn apply(conn: &mut PgConnection) -> Result<(), MigrateError> {
    let migrator = Migrator::with_migrations(MIGRATOR.iter().map(after_the_workers).collect());
    for attempt in 1..ATTEMPTS {
        match migrator.run(&mut *conn).await {
            Err(error) if is_lock_conflict(&error) => {
                tracing::warn!(attempt, error = %error, "migrations.lock_conflict");
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
    migrator.run(conn).await
}

/// Returns a migration with the same checksum that waits for the transactions of workers.
fn after_the_workers(one: &Migration) -> Migration {
    let sql = format!("{LOCK_CHECKPOINTS}{}", one.sql.as_str());
    Migration { sql: AssertSqlSafe(sql).into_sql_str(), ..one.clone() }
}

/// Whether PostgreSQL ended the transaction because of a deadlock (40P01), or because a lock was not
/// available in time (55P03).
fn is_lock_conflict(error: &MigrateError) -> bool {
    let (MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) = error else {
        return false;
    };
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("40P01" | "55P03"))
}

/// Number of applied migrations; 0 before the first one, and when the list cannot be read.
pub(crate) async fn applied(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from public._sqlx_migrations where success")
        .fetch_one(conn)
        .await
        .unwrap_or(0)
}

/// Fails with the name of the first migration that another build applied.
async fn refuse_other_builds(
    conn: &mut PgConnection,
    found: &diagnostics::Migrations,
) -> Result<(), StoreError> {
    if let Some(version) = found.altered.first().copied() {
        let ours = MIGRATOR.iter().find(|one| one.version == version);
        let name = ours.map(|one| one.description.to_string()).unwrap_or_default();
        return Err(StoreError::AlteredMigration { version, name });
    }
    let Some(version) = found.unknown.last().copied() else { return Ok(()) };
    let name =
        sqlx::query_scalar("select description from public._sqlx_migrations where version = $1")
            .bind(version)
            .fetch_one(conn)
            .await?;
    Err(StoreError::NewerSchema { version, name, unknown: found.unknown.len() })
}

/// Describes migrations that run one after the other: tables that one of them creates are not
/// counted as locked by it or by a later one.
fn with_locks<'m>(migrations: impl Iterator<Item = &'m Migration>) -> Vec<PendingMigration> {
    let mut created = locks::Created::default();
    let describe = |one: &Migration| {
        let found = created.locks_of(one.sql.as_str());
        PendingMigration {
            version: one.version,
            name: one.description.to_string(),
            file: format!(
                "migrations/{:04}_{}.sql",
                one.version,
                one.description.replace(' ', "_")
            ),
            checksum: hex::encode(&one.checksum),
            locks: found.locks,
            has_dynamic_statements: found.is_dynamic,
        }
    };
    migrations.map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_described_by_the_file_it_comes_from() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let all = all();
        assert_eq!(all.len(), MIGRATOR.iter().count());
        for one in &all {
            let text = std::fs::read_to_string(dir.join(&one.file)).unwrap();
            let ours = MIGRATOR.iter().find(|ours| ours.version == one.version).unwrap();
            assert_eq!(text, ours.sql.as_str(), "{}", one.file);
            assert_eq!(one.checksum.len(), 96, "{}", one.file);
        }
    }

    #[test]
    fn an_empty_database_has_no_table_to_lock() {
        for one in all() {
            assert_eq!(one.locks, [], "{}", one.file);
        }
    }

    #[test]
    fn a_later_migration_names_the_tables_that_servers_use_meanwhile() {
        let last = with_locks(MIGRATOR.iter().filter(|one| one.version == 17));
        let lock = |table: &str, mode| TableLock { table: table.into(), mode };
        assert!(
            last[0].locks.contains(&lock("projection.dropped", "access exclusive")),
            "{last:?}"
        );
    }
}
