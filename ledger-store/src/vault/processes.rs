//! Waits until every process knows a fence or a change of epochs.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep};

use super::fence_watch::{FENCE_EFFECT, LOOK, MAX_USE};
use super::{Vault, VaultError, database};

/// Time between two questions whether all processes have looked.
const POLL: Duration = Duration::from_millis(20);
/// Age of a change at which no process has a copy of what was before it: longer than any transaction
/// and any cached value.
const LONG_AGO: TimeDelta = TimeDelta::minutes(5);

impl Vault {
    /// Waits until no process uses a key that it had cached before a change, such as a fence, which is
    /// committed. `changed_at` is the time of the change by the clock of the database. Returns the time
    /// of the database from which on this holds.
    ///
    /// All processes look at once. When each one that may use cached keys has applied a look, openings
    /// and seals that began before have another second; on an idle node this takes about 1.1 s. It takes
    /// [`FENCE_EFFECT`] if a process is stopped or cannot reach the database.
    ///
    /// # Errors
    /// The database did not answer; the call can be repeated.
    pub async fn wait_until_fenced(
        &self,
        changed_at: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, VaultError> {
        let begun = Instant::now();
        let since = self.notify_processes().await.map_err(database)?;
        if since - changed_at > LONG_AGO {
            return Ok(since);
        }
        let left = || FENCE_EFFECT.saturating_sub(begun.elapsed());
        while !left().is_zero() && self.processes_behind(since).await.map_err(database)? > 0 {
            sleep(POLL).await;
        }
        sleep(left().min(MAX_USE)).await;
        let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#);
        now.fetch_one(&self.pool).await.map_err(database)
    }

    /// Lets all processes look at once, and returns the time of the database.
    async fn notify_processes(&self) -> sqlx::Result<DateTime<Utc>> {
        let notified = sqlx::query!(
            r#"select clock_timestamp() as "now!", pg_notify($1, '') is null as is_sent"#,
            LOOK,
        );
        Ok(notified.fetch_one(&self.pool).await?.now)
    }

    /// Number of processes that may use what they cached before a time.
    async fn processes_behind(&self, since: DateTime<Utc>) -> sqlx::Result<i64> {
        sqlx::query_scalar!(r#"select vault.processes_behind($1) as "behind!""#, since)
            .fetch_one(&self.pool)
            .await
    }
}
