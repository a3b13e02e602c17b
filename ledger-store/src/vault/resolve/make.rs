//! Finds or makes the contact of a person that a user describes.

use ledger_core::event::ContactHandle;
use ledger_core::identity::PersonIdentifiers;
use ledger_core::ids::{StreamId, SubjectId, TenantId};
use tokio::time::Instant;

use super::new_rows::NewRows;
use super::newest::subject;
use super::tenant_batch::TenantBatch;
use super::{MAX_ATTEMPTS, Worker, read, write};
use crate::tenant_tx::TenantTx;
use crate::vault::epochs::read_epochs;
use crate::vault::resolved_persons::notify_contacts;
use crate::vault::{DescribeError, Subject, VaultError, database};

/// The contact of a described person.
pub struct MadeContact {
    /// The contact; without a sealing key if it is fenced.
    pub subject: Subject,
    /// Whether the contact is new.
    pub is_new: bool,
    /// The handles that were given.
    pub handles: Vec<ContactHandle>,
}

impl Worker {
    /// Finds the contact of the handles and the name, by the rules of messages, or makes one with the
    /// id `new`. Unlike a message, a description always has a contact, and it does not share an
    /// external id with another one. Its key is durable on return.
    pub(in crate::vault) async fn make_contact(
        &self,
        tenant_id: TenantId,
        new: SubjectId,
        given: &PersonIdentifiers,
    ) -> Result<MadeContact, DescribeError> {
        for _ in 0..MAX_ATTEMPTS {
            if let Some(made) = self.try_make(tenant_id, new, given).await? {
                return Ok(made);
            }
        }
        Err(VaultError::Overloaded.into())
    }

    /// Returns `None` after a conflict with another process; nothing was written.
    async fn try_make(
        &self,
        tenant_id: TenantId,
        new: SubjectId,
        given: &PersonIdentifiers,
    ) -> Result<Option<MadeContact>, DescribeError> {
        let begun = Instant::now();
        let mut tx = TenantTx::begin_exclusive(&self.pool, tenant_id).await.map_err(database)?;
        let epoch = read_epochs(&self.keys, &self.keyring, &mut tx).await?;
        let message = std::iter::once((StreamId(new.0), given));
        let batch = [TenantBatch::of(tenant_id, message, epoch)];
        let known = read::known(tx.conn(), &batch).await?.pop().flatten();
        let mut planned = [(&batch[0], NewRows::new(known.ok_or(VaultError::Overloaded)?))];
        let mut latest = self.newest_keys(tx.conn(), &planned).await?;
        let mut latest = latest.remove(&tenant_id).unwrap_or_default();
        let [(_, rows)] = &mut planned;
        let lookup = &batch[0].lookups[0];
        let holders = rows.holders_of_external_id(lookup);
        let (contact_id, is_new) = rows.describe(lookup, new, &latest, &*self.ids);
        if !holders.is_empty() && !holders.contains(&contact_id) {
            // The transaction ends without a row.
            return Err(DescribeError::ExternalIdTaken);
        }
        let handles = rows.handles_of(lookup);
        let [(_, rows)] = &planned;
        let written = write::write(&[(&batch[0], rows)], tx.conn(), &*self.clock).await?;
        let Some(mut created) = written else { return Ok(None) };
        notify_contacts(tx.conn(), &[tenant_id]).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        for (subject_id, key) in created.pop().unwrap_or_default() {
            self.keys.keep_new(begun, (tenant_id, subject_id), &key);
            latest.insert(subject_id, (1, key));
        }
        // A message that was resolved before may be about this contact from now on.
        self.keys.found.forget(tenant_id);
        let corrupt = VaultError::Corrupt { subject_id: contact_id };
        let (generation, state) = latest.get(&contact_id).ok_or(corrupt)?;
        let subject = subject(contact_id, *generation, state)?;
        Ok(Some(MadeContact { subject, is_new, handles }))
    }
}
