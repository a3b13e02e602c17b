//! Bounds of every cache of a process: what it holds, for how long, how much, and what invalidates it.
//!
//! No other module builds a cache, so this list is complete. A cached value is valid until it expires or is
//! invalidated. An erasure of a person has to reach the two caches of the vault that hold a person's data:
//! [`SUBJECT_KEYS`] and [`RESOLVED_PERSONS`].

use std::hash::Hash;
use std::time::Duration;

use moka::sync::Cache;

/// Size and lifetime of a cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheBounds {
    /// Maximum number of entries; the least used one is removed first.
    pub(crate) capacity: u64,
    /// Maximum age of an entry.
    pub(crate) lifetime: Duration,
}

/// Unwrapped subject keys, by tenant, subject and generation, with the state of the key.
///
/// Invalidation: a fence of an erasure, at once in the process that places it, and in others when they look for
/// fences, once per second. No entry is used four seconds after the last look. Any other change of the state
/// takes effect when the entry expires.
pub(crate) const SUBJECT_KEYS: CacheBounds =
    CacheBounds { capacity: 10_000, lifetime: Duration::from_mins(1) };

/// Subjects that messages were resolved to, by tenant and hash of the handles and the name.
///
/// Invalidation: a change of the tenant's contacts by a request, and a message that gives a contact a handle of
/// another one, at once in this process, and in others when the notification arrives ([`CHANGED_CONTACTS`]). An entry
/// is used with the key of its subject in [`SUBJECT_KEYS`] only, so a fence ends it too.
pub(crate) const RESOLVED_PERSONS: CacheBounds =
    CacheBounds { capacity: 10_000, lifetime: Duration::from_mins(1) };

/// Number of the last change of the contacts of a tenant. Older entries of [`RESOLVED_PERSONS`] are not used.
///
/// Invalidation: none. The lifetime is longer than that of the entries it concerns, including the time until one that
/// is being decided is stored.
pub(crate) const CHANGED_CONTACTS: CacheBounds =
    CacheBounds { capacity: 100_000, lifetime: Duration::from_mins(2) };

/// Epochs of a tenant in use, checked against the key files.
///
/// Invalidation: a roll of the epoch, in each process when it looks for changes, once per second. No entry is used four
/// seconds after the last look. Any other change of a key file takes effect after the sum of this lifetime and that of
/// [`KEY_FILES`].
pub(crate) const CURRENT_EPOCHS: CacheBounds =
    CacheBounds { capacity: 10_000, lifetime: Duration::from_secs(30) };

/// Keys derived from the key files, by tenant and epoch.
///
/// Invalidation: an entry with another check value than the database's is removed. Any other change of the file
/// takes effect when the entry expires.
pub(crate) const KEY_FILES: CacheBounds =
    CacheBounds { capacity: 10_000, lifetime: Duration::from_secs(30) };

/// Keys of content digests, by tenant, derived from the key files.
///
/// Invalidation: none. A change of the key file takes effect when the entry expires.
pub(crate) const DIGEST_KEYS: CacheBounds =
    CacheBounds { capacity: 10_000, lifetime: Duration::from_secs(30) };

/// Sources, by id. A source older than [`TENANT_FACTS`] allows is used only while the database does not answer.
///
/// Invalidation: a change of the tenant's settings, at once in this process, and in others when the
/// notification arrives.
pub(crate) const SOURCES: CacheBounds =
    CacheBounds { capacity: 10_000, lifetime: Duration::from_mins(10) };

/// State and country of a tenant.
///
/// Invalidation: as for [`SOURCES`]. The lifetime is the maximum time until a change takes effect in every
/// process, notified or not.
pub(crate) const TENANT_FACTS: CacheBounds =
    CacheBounds { capacity: 100_000, lifetime: Duration::from_secs(5) };

/// API keys, by the hash of their text.
///
/// Invalidation: as for [`TENANT_FACTS`].
pub(crate) const API_KEYS: CacheBounds =
    CacheBounds { capacity: 10_000, lifetime: Duration::from_secs(5) };

/// Settings of a tenant for bookings, read from its settings stream.
///
/// Invalidation: as for [`TENANT_FACTS`].
pub(crate) const BOOKING_SETTINGS: CacheBounds =
    CacheBounds { capacity: 10_000, lifetime: Duration::from_secs(5) };

/// Settings of a tenant for calls and contacts, read from their stream.
///
/// Invalidation: as for [`TENANT_FACTS`].
pub(crate) const CALL_SETTINGS: CacheBounds =
    CacheBounds { capacity: 10_000, lifetime: Duration::from_secs(5) };

/// Streams of recent conflicts. Commands on them are decided under the lock of the log at once,
/// because another process writes to them.
///
/// Invalidation: none. An outdated entry costs time and changes no decision.
pub(crate) const CONTENDED_STREAMS: CacheBounds =
    CacheBounds { capacity: 10_000, lifetime: Duration::from_millis(500) };

/// Events of schedule streams, which have no personal data. The capacity counts events.
///
/// Invalidation: none is needed, because recorded events do not change. Each load reads the last known event with
/// those after it, and reads the stream from its beginning if that event is another one.
pub(crate) const SCHEDULE_EVENTS: CacheBounds =
    CacheBounds { capacity: 100_000, lifetime: Duration::from_mins(10) };

impl CacheBounds {
    /// Builds an empty cache with these bounds, of entries with different weights.
    pub(crate) fn build_weighted<K, V>(
        self,
        weight: impl Fn(&K, &V) -> u32 + Send + Sync + 'static,
    ) -> Cache<K, V>
    where
        K: Hash + Eq + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        let builder = Cache::builder().max_capacity(self.capacity).time_to_live(self.lifetime);
        builder.weigher(weight).build()
    }

    /// Builds an empty cache with these bounds.
    pub(crate) fn build<K, V>(self) -> Cache<K, V>
    where
        K: Hash + Eq + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        Cache::builder().max_capacity(self.capacity).time_to_live(self.lifetime).build()
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    fn sources(dir: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).expect("a directory of the crate");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_cache_of_the_store_is_built_from_bounds_listed_here() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let builds = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).expect("a source file");
            text.contains("Cache::builder")
        };
        let other: Vec<_> = sources(&root)
            .into_iter()
            .filter(|path| !path.ends_with("caches.rs") && builds(path))
            .collect();
        assert!(other.is_empty(), "{other:?}");
    }
}
