//! Searches for a person, counted per key: a number cannot be found by trying all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ledger_core::ids::KeyId;
use moka::sync::Cache;

const WINDOW: Duration = Duration::from_mins(1);
/// Keys that are counted at a time. The counts of others begin anew.
const KEYS: u64 = 10_000;

/// The searches of the last minute.
pub struct Lookups {
    limit: u32,
    windows: Cache<KeyId, Arc<Window>>,
}

/// A minute that began with a key's first search in it.
struct Window {
    began: Instant,
    count: AtomicU32,
}

impl Lookups {
    /// So many a key and minute.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        let windows = Cache::builder().time_to_live(WINDOW).max_capacity(KEYS).build();
        Self { limit, windows }
    }

    /// Counts one search.
    ///
    /// # Errors
    /// The key has made all it may; the seconds until it may again.
    pub fn count(&self, key: KeyId) -> Result<(), u32> {
        let begin = || Arc::new(Window { began: Instant::now(), count: AtomicU32::new(0) });
        let window = self.windows.get_with(key, begin);
        if window.count.fetch_add(1, Ordering::Relaxed) < self.limit {
            return Ok(());
        }
        // It must not wrap, however long somebody goes on.
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
        let lookups = Lookups::new(2);
        let [one, other] = [1, 2].map(|nth| KeyId(Uuid::from_u128(nth)));
        assert_eq!([lookups.count(one), lookups.count(one)], [Ok(()), Ok(())]);
        assert!(lookups.count(one).is_err_and(|seconds| (1..=61).contains(&seconds)));
        assert_eq!(lookups.count(other), Ok(()));
        assert!(lookups.count(one).is_err());
    }
}
