//! Looks for new fences every second. Cached keys are used only while the last look is recent, so a
//! fence takes effect in a process that cannot reach the database, or was stopped, as well.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ledger_core::ids::{SubjectId, TenantId};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::keys::{SubjectKeys, forget};
use crate::pool::pool;

/// Longest time from the commit of a fence until no process seals or opens with a key of it.
pub const FENCE_EFFECT: Duration = Duration::from_secs(5);
/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for the database.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time for which cached keys are used after the begin of a look.
const MAX_AGE: Duration = Duration::from_secs(4);
/// Longest use of a key that was read, after which it is read again. With [`MAX_AGE`] it is
/// [`FENCE_EFFECT`].
pub(super) const MAX_USE: Duration = Duration::from_secs(1);

/// The time of the last look at the fences.
pub(super) struct FenceWatch {
    started: Instant,
    /// Milliseconds from `started` to the begin of the last look that succeeded, plus 1; 0 before
    /// the first one.
    looked: AtomicU64,
    /// Starts the looks with the first use of a cache, because a store that uses none connects to
    /// no database.
    used: Arc<Notify>,
}

impl FenceWatch {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), looked: AtomicU64::new(0), used: Arc::default() }
    }

    /// Whether cached keys may be used.
    pub(super) fn is_current(&self) -> bool {
        self.is_current_at(Instant::now())
    }

    fn is_current_at(&self, now: Instant) -> bool {
        let Some(looked) = self.looked.load(Ordering::Acquire).checked_sub(1) else {
            self.used.notify_one();
            return false;
        };
        now.saturating_duration_since(self.started) < Duration::from_millis(looked) + MAX_AGE
    }

    fn looked(&self, begun: Instant) {
        let millis = begun.saturating_duration_since(self.started).as_millis();
        let looked = u64::try_from(millis).unwrap_or(u64::MAX - 1);
        self.looked.store(looked + 1, Ordering::Release);
    }
}

impl Drop for FenceWatch {
    fn drop(&mut self) {
        // The task finds that the watch is gone, and ends.
        self.used.notify_one();
    }
}

/// Removes fenced keys from the caches, until the vault is dropped or the pool of messages is closed.
///
/// The connection is its own, so that a look never waits for one that messages use: without looks, no cached
/// key is used.
pub(super) async fn run(intake: PgPool, subjects: SubjectKeys, watch: Weak<FenceWatch>) {
    let setup = "set role ledger_app; set statement_timeout = '2s'";
    let own = pool(&intake.connect_options(), "call-ledger vault", 1, setup);
    let _ = intake.close_event().do_until(look(&own, &subjects, watch)).await;
    own.close().await;
}

async fn look(pool: &PgPool, subjects: &SubjectKeys, watch: Weak<FenceWatch>) {
    let Some(used) = watch.upgrade().map(|watch| Arc::clone(&watch.used)) else { return };
    used.notified().await;
    let mut is_failing = false;
    while let Some(current) = watch.upgrade() {
        let begun = Instant::now();
        match timeout(TIMEOUT, recent(pool)).await {
            Ok(Ok(fenced)) => {
                for (tenant_id, subject_id, newest) in fenced {
                    forget(subjects, tenant_id, subject_id, newest);
                }
                current.looked(begun);
                is_failing = false;
            }
            Ok(Err(error)) if !is_failing => {
                tracing::warn!(error = %error, "vault.fences_not_read");
                is_failing = true;
            }
            Err(error) if !is_failing => {
                tracing::warn!(error = %error, "vault.fences_not_read");
                is_failing = true;
            }
            _ => {}
        }
        drop(current);
        sleep(INTERVAL).await;
    }
}

/// The fences that may concern a cached key. A key that was read before its fence and cached after
/// a look is removed by the next one, because each look returns those of two minutes.
async fn recent(pool: &PgPool) -> sqlx::Result<Vec<(TenantId, SubjectId, u32)>> {
    let rows = sqlx::query!(
        r#"select tenant_id as "tenant_id!", subject_id as "subject_id!",
                  generation as "generation!"
             from vault.recent_fences()"#,
    )
    .fetch_all(pool)
    .await?;
    let fence = |tenant, subject, generation: i32| {
        (TenantId(tenant), SubjectId(subject), generation.cast_unsigned())
    };
    Ok(rows.into_iter().map(|row| fence(row.tenant_id, row.subject_id, row.generation)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_keys_are_used_for_four_seconds_after_the_begin_of_a_look() {
        let watch = FenceWatch::new();
        let after = |millis| watch.started + Duration::from_millis(millis);
        assert!(!watch.is_current_at(after(0)), "before the first look");
        watch.looked(after(10_000));
        for (millis, is_current) in [(10_000, true), (13_999, true), (14_000, false)] {
            assert_eq!(watch.is_current_at(after(millis)), is_current, "{millis}");
        }
        watch.looked(after(20_000));
        assert!(watch.is_current_at(after(23_999)));
        assert_eq!(MAX_AGE + MAX_USE, FENCE_EFFECT);
    }
}
