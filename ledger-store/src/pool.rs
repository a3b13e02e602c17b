//! Connection pools that detect a database that no longer responds.
//!
//! When a peer dies without closing the connection, reads on it wait forever. sqlx also waits when
//! a connection is returned, so each dead connection would take a slot of its pool for good.
//! Therefore each connection is checked, with a timeout, before it is lent after an idle period and
//! when it is returned. A connection that fails the check is closed. Callers set a timeout on their
//! own statements.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, Executor, PgPool, Row};

/// Maximum wait for a connection of the pool; then the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection used within this time is lent without a check.
const CHECK_AFTER_IDLE: Duration = Duration::from_secs(1);
/// Timeout of the check before a connection is lent.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// Timeout of the check when a connection is returned, possibly with an abandoned statement still
/// running.
const RETURN_CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Limits how long a process that hangs inside a transaction keeps its locks.
const IDLE_IN_TRANSACTION: &str = "set idle_in_transaction_session_timeout = '60s'";
/// Makes the server end the statement of a client that is gone, which frees its locks and
/// connection.
const CLIENT_CHECK: &str = "set client_connection_check_interval = '2s'";

/// A pool with connections that run `setup` once, such as `set role`. `name` is the
/// `application_name`, unless the connection options have one.
pub(crate) fn pool(
    database: &PgConnectOptions,
    name: &str,
    connections: u32,
    setup: &'static str,
) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(move |conn, _| {
            Box::pin(async move {
                conn.execute(setup).await?;
                conn.execute(IDLE_IN_TRANSACTION).await?;
                // Unsupported on some systems; there the statement fails and the setting has no
                // effect.
                let _ = conn.execute(CLIENT_CHECK).await;
                Ok(())
            })
        })
        // An error closes the connection at once; `Ok(false)` would close it gracefully and wait
        // for a dead peer.
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > CHECK_AFTER_IDLE {
                    check_alive(conn, CHECK_TIMEOUT).await?;
                }
                Ok(true)
            })
        })
        .after_release(|conn, _| {
            Box::pin(async move {
                check_idle(conn, RETURN_CHECK_TIMEOUT).await?;
                Ok(true)
            })
        })
        .connect_lazy_with(named(database, name))
}

fn named(database: &PgConnectOptions, name: &str) -> PgConnectOptions {
    match database.get_application_name() {
        Some(_) => database.clone(),
        None => database.clone().application_name(name),
    }
}

/// Checks that the connection responds and is not inside a transaction.
///
/// sqlx 0.9.0 forgets a `begin` that was cancelled, and the connection would be returned to the
/// pool with an open transaction (<https://github.com/launchbadge/sqlx/issues/4393>). Both clocks
/// are equal in a single message unless an earlier one began a transaction.
async fn check_idle(conn: &mut PgConnection, limit: Duration) -> sqlx::Result<()> {
    let timed_out = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    let query = sqlx::raw_sql("select transaction_timestamp() = statement_timestamp()");
    let row =
        tokio::time::timeout(limit, query.fetch_one(conn)).await.map_err(|_| timed_out())??;
    if row.try_get(0)? {
        return Ok(());
    }
    Err(sqlx::Error::Protocol("a connection came back inside a transaction".into()))
}

async fn check_alive(conn: &mut PgConnection, limit: Duration) -> sqlx::Result<()> {
    let timed_out = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    tokio::time::timeout(limit, conn.ping()).await.map_err(|_| timed_out())?
}
