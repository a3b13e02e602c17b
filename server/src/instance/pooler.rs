//! Whether a pooler in transaction mode, such as `PgBouncer`'s, stands between us and the database. It
//! hands a connection of the server to each transaction, so that roles, settings, prepared statements and
//! notifications of a connection do not stay with it.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

/// What was found.
pub const FOUND: &str = "a pooler in transaction mode stands before the database: what is set for a \
                         connection does not stay with it";
/// What to do about it.
pub const TODO: &str = "use session mode (pool_mode = session), or name the database itself";

/// A pooler whose pool is small may let the second connection wait for the first.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether two connections share one process of the server, or one changes it between two questions.
///
/// # Errors
/// The database did not answer.
pub async fn find(database: &PgConnectOptions) -> sqlx::Result<bool> {
    let mut first = PgConnection::connect_with(database).await?;
    let before = backend(&mut first).await?;
    let Ok(second) = timeout(PATIENCE, second(database)).await else { return Ok(false) };
    let (mut second, other) = second?;
    // The second stays in a transaction, so the first is given another process, if it is given any.
    let after = timeout(PATIENCE, backend(&mut first)).await.unwrap_or(Ok(-1))?;
    let _ = timeout(PATIENCE, sqlx::raw_sql("rollback").execute(&mut second)).await;
    drop((first, second));
    Ok(is_shared(before, other, after))
}

async fn second(database: &PgConnectOptions) -> sqlx::Result<(PgConnection, i32)> {
    let mut conn = PgConnection::connect_with(database).await?;
    sqlx::raw_sql("begin").execute(&mut conn).await?;
    let pid = backend(&mut conn).await?;
    Ok((conn, pid))
}

/// The server's process. The simple protocol: a prepared statement is what does not work there.
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
