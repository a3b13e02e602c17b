//! Detects a pooler in transaction mode, such as `PgBouncer`'s, between this process and the database.
//!
//! Such a pooler assigns a server connection to each transaction, so roles, settings, prepared statements and
//! notifications are lost between transactions.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

/// Description of the problem, for error messages and `doctor`.
pub const PROBLEM: &str = "a pooler in transaction mode stands before the database: what is set for a \
                         connection does not stay with it";
/// Remedy, for error messages and `doctor`.
pub const REMEDY: &str = "use session mode (pool_mode = session), or name the database itself";

/// Timeout of a query: a pooler with a small pool may block the second connection until the first is closed.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Returns true if two connections share one server process, or if one connection changes its process between
/// two queries.
///
/// # Errors
/// The database did not answer.
pub async fn find(database: &PgConnectOptions) -> sqlx::Result<bool> {
    let mut first = PgConnection::connect_with(database).await?;
    let before = backend(&mut first).await?;
    let Ok(second) = timeout(TIMEOUT, second(database)).await else { return Ok(false) };
    let (mut second, other) = second?;
    // The second connection keeps its transaction open, so a pooler must assign another process to the first.
    let after = timeout(TIMEOUT, backend(&mut first)).await.unwrap_or(Ok(-1))?;
    let _ = timeout(TIMEOUT, sqlx::raw_sql("rollback").execute(&mut second)).await;
    drop((first, second));
    Ok(is_shared(before, other, after))
}

async fn second(database: &PgConnectOptions) -> sqlx::Result<(PgConnection, i32)> {
    let mut conn = PgConnection::connect_with(database).await?;
    sqlx::raw_sql("begin").execute(&mut conn).await?;
    let pid = backend(&mut conn).await?;
    Ok((conn, pid))
}

/// Process id of the server. Uses the simple protocol, because prepared statements fail behind such a pooler.
async fn backend(conn: &mut PgConnection) -> sqlx::Result<i32> {
    let row = sqlx::raw_sql("select pg_backend_pid()").fetch_one(conn).await?;
    sqlx::Row::try_get(&row, 0)
}

fn is_shared(before: i32, other: i32, after: i32) -> bool {
    before == other || before != after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_have_a_process_each_and_keep_it() {
        assert!(!is_shared(10, 11, 10));
        assert!(is_shared(10, 10, 12), "the second was given the first's");
        assert!(is_shared(10, 11, 12), "the first was given another");
        assert!(is_shared(10, 10, -1), "and then waits for it");
    }
}
