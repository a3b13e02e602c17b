//! Bugs on purpose, for the torture harness to find. In no build but its own: the feature `planted-bugs`.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Executor, Postgres};

use crate::append::{Answer, AppendRequest, append};

/// The variable that names the bug a process is to have.
pub const VARIABLE: &str = "LEDGER_PLANTED_BUG";
/// Callers hear of positions whose transaction is still open.
pub const ACKNOWLEDGE_BEFORE_COMMIT: &str = "acknowledge-before-commit";
/// A checkpoint is moved, and committed, before the rows it speaks of are.
pub const CHECKPOINT_OUTSIDE_THE_TRANSACTION: &str = "checkpoint-outside-the-transaction";

/// How long a commit that is not waited for takes.
const LATE: Duration = Duration::from_millis(60);

/// Whether this process has a bug.
#[must_use]
pub fn is(bug: &str) -> bool {
    std::env::var(VARIABLE).is_ok_and(|planted| planted == bug)
}

/// Answers first and commits later.
pub(crate) async fn append_uncommitted(
    mut conn: PoolConnection<Postgres>,
    requests: &[&AppendRequest],
) -> sqlx::Result<Vec<Answer>> {
    conn.execute("begin").await?;
    let answers = append(&mut conn, requests).await?;
    tokio::spawn(async move {
        tokio::time::sleep(LATE).await;
        // Nobody is left to hear that it failed.
        let _ = conn.execute("commit").await;
    });
    Ok(answers)
}
