//! Decides which contact a message is about, without writing.

use std::sync::Arc;

use ledger_core::identity::{self, PersonIdentifiers, Resolution};
use ledger_core::ids::StreamId;

use super::read;
use super::tenant_batch::TenantBatch;
use crate::tenant_tx::TenantTx;
use crate::vault::VaultError;
use crate::vault::epochs::TenantKeys;

/// Decides about a message in a transaction that has the lock of the tenant's vault.
pub(crate) async fn recognize(
    tx: &mut TenantTx,
    stream_id: StreamId,
    given: &PersonIdentifiers,
    epoch: Arc<TenantKeys>,
) -> Result<Resolution, VaultError> {
    let messages = std::iter::once((stream_id, given));
    let batch = [TenantBatch::of(tx.tenant_id(), messages, epoch)];
    let known = read::known(tx.conn(), &batch).await?.pop().flatten();
    let known = known.ok_or(VaultError::Overloaded)?;
    let lookup = &batch[0].lookups[0];
    let contacts = |handle| known.contacts_of(handle, lookup.name);
    let handles: Vec<_> = lookup.handles.iter().map(contacts).collect();
    Ok(identity::resolve(&handles, lookup.name))
}
