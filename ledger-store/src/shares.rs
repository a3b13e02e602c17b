//! Per-user quotas of a shared resource: a user that exhausts its own share is refused or delayed,
//! and no other user is.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Number of users at which the semaphores of idle users are removed.
const MAX_IDLE_USERS: usize = 1_024;

/// The quotas of all users of one kind, as one semaphore per user.
#[derive(Debug, Clone)]
pub struct Shares<K> {
    users: Arc<Mutex<HashMap<K, Arc<Semaphore>>>>,
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// Takes `amount` of a user's share, or returns `None` at once if it is not free.
    pub fn try_take(&self, user: &K, share: usize, amount: u32) -> Option<OwnedSemaphorePermit> {
        self.of(user, share).try_acquire_many_owned(amount).ok()
    }

    /// Takes `amount` of a user's share, waiting behind earlier requests of the same user. An
    /// amount above the share takes all of it.
    ///
    /// # Panics
    /// Never: the semaphores are not closed.
    pub async fn take(&self, user: &K, share: usize, amount: u32) -> OwnedSemaphorePermit {
        let amount = amount.min(u32::try_from(share).unwrap_or(u32::MAX));
        self.of(user, share).acquire_many_owned(amount).await.expect("shares are not closed")
    }

    fn of(&self, user: &K, share: usize) -> Arc<Semaphore> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MAX_IDLE_USERS && !users.contains_key(user) {
            // A held or awaited permit keeps a reference to its semaphore.
            users.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let new = || Arc::new(Semaphore::new(share.min(Semaphore::MAX_PERMITS)));
        Arc::clone(users.entry(user.clone()).or_insert_with(new))
    }
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self { users: Arc::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_share_is_used_up_by_its_own_user_alone() {
        let shares = Shares::default();
        let held = shares.try_take(&1, 10, 8).expect("a fresh share");
        assert!(shares.try_take(&1, 10, 3).is_none());
        assert!(shares.try_take(&2, 10, 10).is_some());
        drop(held);
        assert!(shares.try_take(&1, 10, 10).is_some());
        assert_eq!(shares.take(&1, 10, 400).await.num_permits(), 10, "all there is");
    }

    #[test]
    fn users_that_hold_nothing_are_forgotten_and_others_are_not() {
        let shares = Shares::default();
        let _held = shares.try_take(&0, 1, 1).expect("a fresh share");
        for user in 1..10_000 {
            assert!(shares.try_take(&user, 1, 1).is_some());
        }
        assert!(shares.users.lock().expect("it").len() <= MAX_IDLE_USERS);
        assert!(shares.try_take(&0, 1, 1).is_none());
    }
}
