//! Pools of connections that give up on a database that has gone silent.
//!
//! A peer that dies without a word leaves a connection on which every answer is awaited for ever,
//! and sqlx waits on it when it gives a connection back as well: each would take a place of its
//! pool with it. So a connection is asked, within a bound, before it is lent after a rest and when
//! it is given back, and one that does not answer is cut. Whoever waits for an answer of a statement
//! bounds that wait.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, Executor, PgPool, Row};

/// How long a connection may be waited for; what waits longer is told that the database is away.
const ACQUIRE: Duration = Duration::from_secs(5);
/// A connection that worked this recently is lent without asking.
const FRESH: Duration = Duration::from_secs(1);
/// A database that does not answer the empty question in this time does not answer.
const ANSWER: Duration = Duration::from_secs(1);
/// The same when it is given back, perhaps in the middle of a statement that nobody waits for now.
const RETURN: Duration = Duration::from_secs(2);
/// A process that stops in the middle of a transaction, and does not die, holds its locks for this long.
const IDLE: &str = "set idle_in_transaction_session_timeout = '60s'";
/// A server whose client is gone ends the statement, rather than hold locks and a connection for it.
const NOTICE_US_GONE: &str = "set client_connection_check_interval = '2s'";

/// A pool whose connections take a role as soon as they are made. `name` is what PostgreSQL lists
/// them as, unless the database was given with a name for them.
pub(crate) fn pool(
    database: &PgConnectOptions,
    name: &str,
    connections: u32,
    setup: &'static str,
) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .after_connect(move |conn, _| {
            Box::pin(async move {
                conn.execute(setup).await?;
                conn.execute(IDLE).await?;
                // Only where the system can tell; elsewhere the statement is refused, and that is all.
                let _ = conn.execute(NOTICE_US_GONE).await;
                Ok(())
            })
        })
        // Errors rather than `Ok(false)`, which would say goodbye to a peer that does not listen.
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > FRESH {
                    answers(conn, ANSWER).await?;
                }
                Ok(true)
            })
        })
        .after_release(|conn, _| {
            Box::pin(async move {
                outside(conn, RETURN).await?;
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

/// Whether it answers, and in no transaction. A `begin` that nobody waited for is forgotten by sqlx
/// 0.9.0, and its transaction would go back with the connection
/// (<https://github.com/launchbadge/sqlx/issues/4393>). In one message the two clocks only differ
/// inside a transaction that an earlier one began.
async fn outside(conn: &mut PgConnection, patience: Duration) -> sqlx::Result<()> {
    let silent = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    let asked = sqlx::raw_sql("select transaction_timestamp() = statement_timestamp()");
    let row =
        tokio::time::timeout(patience, asked.fetch_one(conn)).await.map_err(|_| silent())??;
    if row.try_get(0)? {
        return Ok(());
    }
    Err(sqlx::Error::Protocol("a connection came back inside a transaction".into()))
}

async fn answers(conn: &mut PgConnection, patience: Duration) -> sqlx::Result<()> {
    let silent = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    tokio::time::timeout(patience, conn.ping()).await.map_err(|_| silent())?
}
