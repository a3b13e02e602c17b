//! Deliberate bugs that the torture harness must detect. Compiled only with the feature
//! `fault-injection`.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Executor, Postgres};

use crate::append::{AppendOutcome, AppendRequest, append};

/// Environment variable with the name of the bug to activate.
pub const VARIABLE: &str = "LEDGER_PLANTED_BUG";
/// Answers append requests before their transaction is committed.
pub const ACKNOWLEDGE_BEFORE_COMMIT: &str = "acknowledge-before-commit";
/// Commits a checkpoint before the rows it covers.
pub const CHECKPOINT_OUTSIDE_THE_TRANSACTION: &str = "checkpoint-outside-the-transaction";

/// Delay of the commit after the answer.
const LATE: Duration = Duration::from_millis(60);

/// Whether the named bug is active in this process.
#[must_use]
pub fn is(bug: &str) -> bool {
    std::env::var(VARIABLE).is_ok_and(|planted| planted == bug)
}

/// Returns the answers and commits later, in a background task.
pub(crate) async fn append_uncommitted(
    mut conn: PoolConnection<Postgres>,
    requests: &[&AppendRequest],
) -> sqlx::Result<Vec<AppendOutcome>> {
    conn.execute("begin").await?;
    let answers = append(&mut conn, requests).await?;
    tokio::spawn(async move {
        tokio::time::sleep(LATE).await;
        // The caller has its answer already, so a failure has no effect.
        let _ = conn.execute("commit").await;
    });
    Ok(answers)
}
