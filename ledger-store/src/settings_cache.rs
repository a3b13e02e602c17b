//! Caches of sources, API keys and tenant settings, so that a webhook or an API request needs no
//! query for them.
//!
//! A change made by this process invalidates the entries at once, a change made elsewhere when its
//! notification arrives. Without a notification entries expire: see [`caches`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use ledger_core::annotation::settings::CallSettings;
use ledger_core::booking::BookingSettings;
use ledger_core::ids::{EventId, SourceId, TenantId};
use moka::sync::Cache;

use crate::caches;
use crate::source::Source;
use crate::tenants::{ApiKey, TenantState};

/// The settings of a tenant that the intake of a webhook needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TenantFacts {
    /// Country code, ISO 3166-1 alpha-2.
    pub(crate) country: String,
    /// The tenant's state, which decides on the events its log accepts.
    pub(crate) state: TenantState,
}

/// The settings of bookings of a tenant.
#[derive(Clone)]
pub(crate) struct CachedBookings {
    /// The settings, without the names of resources.
    pub(crate) settings: Arc<BookingSettings>,
    /// Event and sections of the sealed names; `None` if no resource has one.
    pub(crate) names: Option<Arc<(EventId, Vec<u8>)>>,
}

/// A version of the caches, taken before a query; a result read before a change is not cached after
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheVersion(u64);

/// The caches of this process, with a counter of changes.
pub(crate) struct SettingsCache {
    /// Sources with their read time; older ones are used while the database does not answer.
    sources: Cache<SourceId, (Source, Instant)>,
    tenants: Cache<TenantId, TenantFacts>,
    keys: Cache<[u8; 32], ApiKey>,
    bookings: Cache<TenantId, CachedBookings>,
    calls: Cache<TenantId, Arc<CallSettings>>,
    changes: AtomicU64,
}

impl SettingsCache {
    pub(crate) fn new() -> Self {
        Self {
            sources: caches::SOURCES.build(),
            tenants: caches::TENANT_FACTS.build(),
            keys: caches::API_KEYS.build(),
            bookings: caches::BOOKING_SETTINGS.build(),
            calls: caches::CALL_SETTINGS.build(),
            changes: AtomicU64::new(0),
        }
    }

    /// Returns the current version; call it before the query with the value to cache.
    pub(crate) fn version(&self) -> CacheVersion {
        CacheVersion(self.changes.load(Ordering::Acquire))
    }

    fn is_current(&self, version: CacheVersion) -> bool {
        self.version() == version
    }

    /// Removes a tenant's sources, keys and settings from the caches. The installation
    /// has the nil tenant's id.
    pub(crate) fn invalidate(&self, tenant_id: TenantId) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.tenants.invalidate(&tenant_id);
        self.bookings.invalidate(&tenant_id);
        self.calls.invalidate(&tenant_id);
        for (id, _) in self.sources.iter().filter(|(_, (one, _))| one.tenant_id == tenant_id) {
            self.sources.invalidate(&*id);
        }
        for (hash, _) in self.keys.iter().filter(|(_, key)| key.tenant_id == tenant_id) {
            self.keys.invalidate(&*hash);
        }
    }

    pub(crate) fn source(&self, source_id: SourceId) -> Option<(Source, Instant)> {
        self.sources.get(&source_id)
    }

    pub(crate) fn insert_source(
        &self,
        version: CacheVersion,
        source: &Source,
        facts: Option<TenantFacts>,
    ) {
        if self.is_current(version) {
            self.sources.insert(source.source_id, (source.clone(), Instant::now()));
            if let Some(facts) = facts {
                self.tenants.insert(source.tenant_id, facts);
            }
        }
    }

    pub(crate) fn invalidate_source(&self, source_id: SourceId) {
        self.sources.invalidate(&source_id);
    }

    pub(crate) fn tenant(&self, tenant_id: TenantId) -> Option<TenantFacts> {
        self.tenants.get(&tenant_id)
    }

    pub(crate) fn insert_tenant(
        &self,
        version: CacheVersion,
        tenant_id: TenantId,
        facts: &TenantFacts,
    ) {
        if self.is_current(version) {
            self.tenants.insert(tenant_id, facts.clone());
        }
    }

    pub(crate) fn bookings(&self, tenant_id: TenantId) -> Option<CachedBookings> {
        self.bookings.get(&tenant_id)
    }

    pub(crate) fn insert_bookings(
        &self,
        version: CacheVersion,
        tenant_id: TenantId,
        bookings: &CachedBookings,
    ) {
        if self.is_current(version) {
            self.bookings.insert(tenant_id, bookings.clone());
        }
    }

    pub(crate) fn calls(&self, tenant_id: TenantId) -> Option<Arc<CallSettings>> {
        self.calls.get(&tenant_id)
    }

    pub(crate) fn insert_calls(
        &self,
        version: CacheVersion,
        tenant_id: TenantId,
        settings: &Arc<CallSettings>,
    ) {
        if self.is_current(version) {
            self.calls.insert(tenant_id, Arc::clone(settings));
        }
    }

    pub(crate) fn key(&self, hash: &[u8; 32]) -> Option<ApiKey> {
        self.keys.get(hash)
    }

    pub(crate) fn insert_key(&self, version: CacheVersion, hash: [u8; 32], key: &ApiKey) {
        if self.is_current(version) {
            self.keys.insert(hash, key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(7));

    #[test]
    fn an_answer_asked_for_before_a_change_is_not_remembered_after_it() {
        let settings_cache = SettingsCache::new();
        let facts = TenantFacts { country: "US".into(), state: TenantState::Active };
        let version = settings_cache.version();
        settings_cache.invalidate(TENANT);
        settings_cache.insert_tenant(version, TENANT, &facts);
        assert_eq!(settings_cache.tenant(TENANT), None);
        settings_cache.insert_tenant(settings_cache.version(), TENANT, &facts);
        assert_eq!(settings_cache.tenant(TENANT), Some(facts));
        settings_cache.invalidate(TENANT);
        assert_eq!(settings_cache.tenant(TENANT), None);
    }
}
