//! Rate limit for searches by number or e-mail address, per API key: prevents enumeration of all numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ledger_core::ids::KeyId;
use moka::sync::Cache;

const WINDOW: Duration = Duration::from_mins(1);
/// Keys that are counted at a time. The count of an evicted key restarts at zero.
const KEYS: u64 = 10_000;

/// Searches of each key within a window of one minute.
pub struct LookupLimiter {
    limit: u32,
    windows: Cache<KeyId, Arc<Window>>,
}

/// A window of one minute that starts with the first search of a key.
struct Window {
    began: Instant,
    count: AtomicU32,
}

impl LookupLimiter {
    /// Allows `limit` searches for each key and minute.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        let windows = Cache::builder().time_to_live(WINDOW).max_capacity(KEYS).build();
        Self { limit, windows }
    }

    /// Counts one search.
    ///
    /// # Errors
    /// The limit is reached; the value is the number of seconds until the window ends.
    pub fn count(&self, key: KeyId) -> Result<(), u32> {
        let begin = || Arc::new(Window { began: Instant::now(), count: AtomicU32::new(0) });
        let window = self.windows.get_with(key, begin);
        if window.count.fetch_add(1, Ordering::Relaxed) < self.limit {
            return Ok(());
        }
        // Resets the counter to the limit, so that it cannot wrap.
        window.count.store(self.limit, Ordering::Relaxed);
        let left = WINDOW.saturating_sub(window.began.elapsed());
        Err(u32::try_from(left.as_secs()).unwrap_or(60) + 1)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_has_so_many_searches_and_another_key_its_own() {
        let lookups = LookupLimiter::new(2);
        let [one, other] = [1, 2].map(|nth| KeyId(Uuid::from_u128(nth)));
        assert_eq!([lookups.count(one), lookups.count(one)], [Ok(()), Ok(())]);
        assert!(lookups.count(one).is_err_and(|seconds| (1..=61).contains(&seconds)));
        assert_eq!(lookups.count(other), Ok(()));
        assert!(lookups.count(one).is_err());
    }
}
