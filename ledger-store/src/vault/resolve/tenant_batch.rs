//! The messages of one tenant in a transaction.

use std::sync::Arc;

use ledger_core::identity::PersonIdentifiers;
use ledger_core::ids::{StreamId, SubjectId, TenantId};

use super::lookup::Lookup;
use crate::vault::epochs::TenantKeys;
use crate::vault::keys::KeyState;

/// The keys that a transaction created for a tenant.
pub(super) type CreatedKeys = Vec<(SubjectId, Arc<KeyState>)>;

/// The messages of one tenant.
pub(super) struct TenantBatch {
    pub(super) tenant_id: TenantId,
    pub(super) epoch: Arc<TenantKeys>,
    pub(super) lookups: Vec<Lookup>,
}

impl TenantBatch {
    /// Creates it from streams and the identifiers that their messages state.
    pub(super) fn of<'m>(
        tenant_id: TenantId,
        messages: impl Iterator<Item = (StreamId, &'m PersonIdentifiers)>,
        epoch: Arc<TenantKeys>,
    ) -> Self {
        let lookups = messages.map(|(stream, given)| Lookup::of(stream, given, &epoch)).collect();
        Self { tenant_id, epoch, lookups }
    }
}

/// The one-based SQL index of an entry.
pub(super) fn sql_index(nth: usize) -> i32 {
    i32::try_from(nth + 1).expect("a batch holds far fewer entries")
}
