//! Migrations of a database that running servers use.

use std::time::{Duration, Instant};

use ledger_store::{MIGRATOR, migrate};
use ledger_tests::{OwnDatabase, run};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

/// The next migration empties tables of a read model, and then changes its version and deletes its
/// checkpoints.
const BEFORE: i64 = 20;

/// A database with the migrations up to [`BEFORE`].
async fn older(own: &OwnDatabase, name: &str) -> OwnDatabase {
    let name = format!("{name}_{}", std::process::id());
    let mut conn = own.superuser().await;
    let create = AssertSqlSafe(format!("create database {name}"));
    conn.execute(create).await.expect("a database");
    // The migration notices the deadlock after this time, and the server would not.
    let noticed = AssertSqlSafe(format!("alter database {name} set deadlock_timeout = '2s'"));
    conn.execute(noticed).await.expect("a setting");
    let database = own.database.clone().database(&name);
    let older = OwnDatabase { database, keys: own.keys.clone() };
    let mut conn = older.superuser().await;
    conn.execute("set search_path = public").await.expect("a setting");
    MIGRATOR.run_to(BEFORE, &mut conn).await.expect("the migrations apply");
    older
}

/// Migrates while a server has run a first statement and then reads a table of a read model, in one
/// transaction. Returns the number of deadlocks.
async fn migrated_beside(name: &str, first: &'static str) -> i64 {
    let older = older(&OwnDatabase::create().await, name).await;
    let mut server = older.superuser().await;
    server.execute("set deadlock_timeout = '1h'").await.expect("a setting");
    let checkpoint = "insert into projection.checkpoints (tenant_id, projection, version, position)
                      values (gen_random_uuid(), 'calls', 2, 0)";
    server.execute(checkpoint).await.expect("a checkpoint");
    server.execute("begin").await.expect("a transaction");
    server.execute(first).await.expect("a lock");
    let serving = async {
        older.until_lock_wait().await;
        server.execute("select from calls_v2.calls; commit").await
    };
    let (applied, outcome) = tokio::join!(migrate(&older.database), serving);
    outcome.expect("the migration gives way");
    let later = MIGRATOR.iter().filter(|one| one.version > BEFORE).count();
    assert_eq!(applied.expect("the migrations apply"), later);
    deadlocks(&mut server).await
}

/// Returns the number of deadlocks of this database. They are counted when the session that noticed one
/// is at rest or has ended.
async fn deadlocks(conn: &mut PgConnection) -> i64 {
    let others = "select count(*) from pg_stat_activity
                   where datname = current_database() and pid <> pg_backend_pid()";
    let begun = Instant::now();
    while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut *conn).await.expect("a count") > 0 {
        assert!(begun.elapsed() < Duration::from_mins(1), "the session does not end");
        tokio::task::yield_now().await;
    }
    let counted = "select deadlocks from pg_stat_database where datname = current_database()";
    sqlx::query_scalar(counted).fetch_one(conn).await.expect("a count")
}

#[test]
fn a_migration_waits_for_workers_that_have_a_checkpoint() {
    run(async {
        let claim = "select from projection.checkpoints for update skip locked";
        assert_eq!(migrated_beside("older_worker", claim).await, 0);
    });
}

#[test]
fn a_migration_that_deadlocks_with_a_running_server_is_applied_again() {
    run(async {
        let lock = "lock table projection.versions in exclusive mode";
        assert_eq!(migrated_beside("older_server", lock).await, 1);
    });
}

#[test]
fn a_migration_lets_workers_continue_when_a_transaction_keeps_a_checkpoint() {
    run(async {
        let older = older(&OwnDatabase::create().await, "older_slow").await;
        let mut server = older.superuser().await;
        server.execute("begin").await.expect("a transaction");
        let claim = "lock table projection.checkpoints in share mode";
        server.execute(claim).await.expect("a lock");
        let holding = async {
            older.until_lock_wait().await;
            let begun = Instant::now();
            while is_waited_for(&mut server).await {
                assert!(begun.elapsed() < Duration::from_mins(1), "the request is given up");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            server.execute("commit").await
        };
        let (applied, released) = tokio::join!(migrate(&older.database), holding);
        released.expect("the transaction ends");
        let later = MIGRATOR.iter().filter(|one| one.version > BEFORE).count();
        assert_eq!(applied.expect("the migrations apply"), later);
    });
}

/// Whether a session waits for a lock.
async fn is_waited_for(conn: &mut PgConnection) -> bool {
    let waiting = "select exists (select from pg_locks where not granted)";
    sqlx::query_scalar(waiting).fetch_one(conn).await.expect("an answer")
}
