//! The persons that messages were resolved to, so that a returning caller costs no query.
//!
//! An entry has the number of changes that were known when its message was decided. A change of the
//! contacts of a tenant has the next number; entries of the tenant with a smaller one are not used.
//! So a result that was decided before a change is not used after it, also if it is stored later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ledger_core::event::PersonFacts;
use ledger_core::ids::{SubjectId, TenantId};
use moka::sync::Cache;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::caches;

/// Channel of notifications, with the tenant id: changes of contacts by requests, and handles that several
/// contacts got.
pub(crate) const CHANGED_CONTACTS: &str = "call_ledger_contacts";

/// The subject that a message was resolved to.
#[derive(Clone)]
pub(super) struct ResolvedPerson {
    pub(super) subject_id: SubjectId,
    pub(super) facts: PersonFacts,
}

/// Number of changes of contacts in this process, taken before a message is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChangeCount(u64);

/// A resolved person, with the changes that were known when it was resolved.
struct CachedPerson {
    decided_at: ChangeCount,
    person: ResolvedPerson,
}

/// Resolved persons by tenant and by the hash of the handles and the name of the message. Cheap to
/// clone.
#[derive(Clone)]
pub(crate) struct ResolvedPersons {
    found: Cache<(TenantId, [u8; 16]), Arc<CachedPerson>>,
    /// Number of the last change of the contacts of each tenant.
    changed: Cache<TenantId, ChangeCount>,
    changes: Arc<AtomicU64>,
}

impl ResolvedPersons {
    pub(super) fn new() -> Self {
        Self {
            found: caches::RESOLVED_PERSONS.build(),
            changed: caches::CHANGED_CONTACTS.build(),
            changes: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Returns the number of changes so far; call it before the query with the value to store.
    pub(super) fn changes(&self) -> ChangeCount {
        ChangeCount(self.changes.load(Ordering::Acquire))
    }

    pub(super) fn get(&self, tenant_id: TenantId, key: [u8; 16]) -> Option<ResolvedPerson> {
        let known = self.found.get(&(tenant_id, key))?;
        let is_current =
            self.changed.get(&tenant_id).is_none_or(|changed| known.decided_at >= changed);
        is_current.then(|| known.person.clone())
    }

    pub(super) fn insert(
        &self,
        decided_at: ChangeCount,
        key: (TenantId, [u8; 16]),
        person: &ResolvedPerson,
    ) {
        self.found.insert(key, Arc::new(CachedPerson { decided_at, person: person.clone() }));
    }

    /// Lets later messages of a tenant be resolved again, because its contacts changed.
    pub(crate) fn forget(&self, tenant_id: TenantId) {
        let change = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        self.changed.insert(tenant_id, ChangeCount(change));
    }
}

/// Notifies all processes, when the transaction commits, that the contacts of tenants changed.
///
/// # Errors
/// The database did not answer.
pub(super) async fn notify_contacts(
    conn: &mut PgConnection,
    tenants: &[TenantId],
) -> sqlx::Result<()> {
    let tenants: Vec<Uuid> = tenants.iter().map(|tenant_id| tenant_id.0).collect();
    sqlx::query!(
        "select pg_notify($1, k.tenant_id::text) from unnest($2::uuid[]) as k (tenant_id)",
        CHANGED_CONTACTS,
        &tenants,
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(7));
    const OTHER: TenantId = TenantId(Uuid::from_u128(8));

    #[test]
    fn what_was_decided_before_a_change_is_not_used_after_it() {
        let persons = ResolvedPersons::new();
        let person = ResolvedPerson {
            subject_id: SubjectId(Uuid::from_u128(1)),
            facts: PersonFacts::default(),
        };
        let key = [1; 16];
        let before = persons.changes();
        persons.insert(before, (TENANT, key), &person);
        persons.insert(before, (OTHER, key), &person);
        assert!(persons.get(TENANT, key).is_some());
        persons.forget(TENANT);
        assert!(persons.get(TENANT, key).is_none());
        assert!(persons.get(OTHER, key).is_some(), "another tenant's stay");
        // A decision that began before the change and is stored after it.
        persons.insert(before, (TENANT, key), &person);
        assert!(persons.get(TENANT, key).is_none());
        persons.insert(persons.changes(), (TENANT, key), &person);
        assert!(persons.get(TENANT, key).is_some());
    }
}
