//! Looks for new fences and changes of epochs every second, and at once after a notification.
//!
//! Cached keys are used only while the last look is recent, so a fence takes effect in a process that
//! cannot reach the database, or was stopped, as well. Each look states the last one whose result the
//! process has applied; [`Vault::wait_until_fenced`](super::Vault::wait_until_fenced) waits for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_core::ids::{SubjectId, TenantId};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::keys::{SubjectKeys, forget};
use crate::pool::pool;

/// Channel of notifications: all processes look at once.
pub(crate) const LOOK: &str = "call_ledger_vault";
/// Longest time from the commit of a fence until no process seals or opens with a key of it.
pub const FENCE_EFFECT: Duration = Duration::from_secs(5);
/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Shortest time between a look and the next one after a notification.
const MIN_INTERVAL: Duration = Duration::from_millis(20);
/// Longest wait for the database.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time for which cached keys are used after the begin of a look.
const MAX_AGE: Duration = Duration::from_secs(4);
/// Longest use of a key that was read, after which it is read again. With [`MAX_AGE`] it is
/// [`FENCE_EFFECT`].
pub(super) const MAX_USE: Duration = Duration::from_secs(1);

/// What the last look has found: fences and changes of epochs of two minutes, which is longer than
/// anything they concern is cached.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Newest fenced generation of each subject.
    fences: HashMap<(TenantId, SubjectId), u32>,
    /// Last change of the epochs of each tenant.
    epochs: HashMap<TenantId, DateTime<Utc>>,
}

/// The time and the result of the last look.
pub(super) struct FenceWatch {
    started: Instant,
    /// Milliseconds from `started` to the begin of the last look that succeeded, plus 1; 0 before
    /// the first one.
    looked: AtomicU64,
    found: RwLock<Found>,
    /// Starts the looks with the first use of a cache, because a store that uses none connects to
    /// no database.
    used: Arc<Notify>,
    /// Begins a look at once.
    wake: Arc<Notify>,
}

impl FenceWatch {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            looked: AtomicU64::new(0),
            found: RwLock::default(),
            used: Arc::default(),
            wake: Arc::default(),
        }
    }

    /// Begins a look at once when it is notified.
    pub(super) fn waker(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
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

    /// Whether the last look found a fence of this generation. A key that was read before the fence
    /// and cached after the look is not used either.
    pub(super) fn is_fenced(
        &self,
        tenant_id: TenantId,
        subject_id: SubjectId,
        generation: u32,
    ) -> bool {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        found.fences.get(&(tenant_id, subject_id)).is_some_and(|newest| generation <= *newest)
    }

    /// Whether epochs that were read from rows with this time of their last change are the newest
    /// ones that the looks know.
    pub(super) fn has_newest_epochs(&self, tenant_id: TenantId, changed_at: DateTime<Utc>) -> bool {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        found.epochs.get(&tenant_id).is_none_or(|newest| changed_at >= *newest)
    }

    fn looked(&self, begun: Instant) {
        let millis = begun.saturating_duration_since(self.started).as_millis();
        let looked = u64::try_from(millis).unwrap_or(u64::MAX - 1);
        self.looked.store(looked + 1, Ordering::Release);
    }

    /// Applies the result of a look; returns whether it differs from the one before.
    fn apply(&self, subjects: &SubjectKeys, found: Found) -> bool {
        for ((tenant_id, subject_id), newest) in &found.fences {
            forget(subjects, *tenant_id, *subject_id, *newest);
        }
        let mut known = self.found.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = *known != found;
        *known = found;
        is_new
    }
}

impl Drop for FenceWatch {
    fn drop(&mut self) {
        // The task finds that the watch is gone, and ends.
        self.used.notify_one();
        self.wake.notify_one();
    }
}

/// Looks until the vault is dropped or the pool of messages is closed, under the name of the process.
///
/// The connection is its own, so that a look never waits for one that messages use: without looks, no cached
/// key is used. Its commits do not wait for the disk: what a crash loses is repeated by the next look.
pub(super) async fn run(
    intake: PgPool,
    process_id: Uuid,
    subjects: SubjectKeys,
    watch: Weak<FenceWatch>,
) {
    let setup = "set role ledger_app; set statement_timeout = '2s'; set synchronous_commit = off";
    let own = pool(&intake.connect_options(), "call-ledger vault", 1, setup);
    let looks = look(&own, process_id, &subjects, watch);
    let _ = intake.close_event().do_until(looks).await;
    own.close().await;
}

async fn look(pool: &PgPool, process_id: Uuid, subjects: &SubjectKeys, watch: Weak<FenceWatch>) {
    let notified = watch.upgrade().map(|watch| (Arc::clone(&watch.used), watch.waker()));
    let Some((used, wake)) = notified else { return };
    used.notified().await;
    let (mut is_failing, mut is_woken) = (false, false);
    let mut applied = None;
    while let Some(current) = watch.upgrade() {
        let begun = Instant::now();
        let answer = timeout(TIMEOUT, recent(pool, process_id, applied)).await;
        let answer = answer.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut));
        let is_awaited = match answer {
            Ok((at, found)) => {
                let is_new = current.apply(subjects, found);
                current.looked(begun);
                applied = Some(at);
                is_failing = false;
                is_new || is_woken
            }
            Err(error) => {
                if !is_failing {
                    tracing::warn!(error = %error, "vault.fences_not_read");
                }
                is_failing = true;
                false
            }
        };
        drop(current);
        is_woken = false;
        sleep(MIN_INTERVAL).await;
        // The next look tells that this one was applied.
        if !is_awaited {
            is_woken =
                timeout(INTERVAL.saturating_sub(MIN_INTERVAL), wake.notified()).await.is_ok();
        }
    }
}

/// The time of a look, and what may concern something cached. A key that was read before its fence and
/// cached after a look is not used either, because each look returns the fences of two minutes.
async fn recent(
    pool: &PgPool,
    process_id: Uuid,
    applied: Option<DateTime<Utc>>,
) -> sqlx::Result<(DateTime<Utc>, Found)> {
    let rows = sqlx::query!(
        r#"select part as "part!", at as "at!", tenant_id, subject_id, number
             from vault.look($1, $2)"#,
        process_id,
        applied,
    )
    .fetch_all(pool)
    .await?;
    let (mut now, mut found) = (None, Found::default());
    for row in rows {
        match (row.part.as_str(), row.tenant_id.map(TenantId)) {
            ("fence", Some(tenant_id)) => {
                let fence = row.subject_id.map(SubjectId).zip(row.number);
                found.fences.extend(
                    fence.map(|(subject, newest)| ((tenant_id, subject), newest.cast_unsigned())),
                );
            }
            ("epoch", Some(tenant_id)) => {
                let newest = found.epochs.entry(tenant_id).or_insert(row.at);
                *newest = (*newest).max(row.at);
            }
            _ => now = Some(row.at),
        }
    }
    Ok((now.ok_or(sqlx::Error::RowNotFound)?, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caches;
    use crate::vault::keys::KeyState;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const SUBJECT: SubjectId = SubjectId(Uuid::from_u128(2));

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

    #[test]
    fn a_key_that_is_cached_after_the_look_that_found_its_fence_is_not_used() {
        let (watch, subjects) = (FenceWatch::new(), caches::SUBJECT_KEYS.build());
        let key = |generation| (TENANT, SUBJECT, generation);
        subjects.insert(key(1), Arc::new(KeyState::Gone));
        let found = || Found { fences: [((TENANT, SUBJECT), 2)].into(), ..Found::default() };
        assert!(watch.apply(&subjects, found()), "it is new");
        assert!(subjects.get(&key(1)).is_none());
        assert!(!watch.apply(&subjects, found()), "it is known");
        subjects.insert(key(1), Arc::new(KeyState::Gone));
        for (generation, is_fenced) in [(1, true), (2, true), (3, false)] {
            assert_eq!(watch.is_fenced(TENANT, SUBJECT, generation), is_fenced, "{generation}");
        }
        assert!(!watch.is_fenced(TenantId(SUBJECT.0), SUBJECT, 1), "another tenant");
    }

    #[test]
    fn epochs_that_were_read_before_a_known_change_are_not_used() {
        let (watch, subjects) = (FenceWatch::new(), caches::SUBJECT_KEYS.build());
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
        assert!(watch.has_newest_epochs(TENANT, at(1)));
        watch.apply(&subjects, Found { epochs: [(TENANT, at(2))].into(), ..Found::default() });
        for (seconds, is_newest) in [(1, false), (2, true), (3, true)] {
            assert_eq!(watch.has_newest_epochs(TENANT, at(seconds)), is_newest, "{seconds}");
        }
    }
}
