//! Contacts by id, as a request names them.

use std::sync::Arc;

use ledger_core::ids::{SubjectId, TenantId};

use super::keys::{KeyState, load_keys};
use super::resolve::newest::subject;
use super::{Subject, Vault, VaultError, database};
use crate::tenant_tx::TenantTx;

impl Vault {
    /// Returns the contact that stands for a contact of the tenant, with its newest key: the survivor
    /// if it was merged, else itself. `None` if the tenant has no such contact.
    ///
    /// # Errors
    /// As [`Vault::contact`].
    pub async fn standing_contact(
        &self,
        tenant_id: TenantId,
        contact_id: SubjectId,
    ) -> Result<Option<Subject>, VaultError> {
        let facts = self.contact_facts(tenant_id, &[contact_id.0]).await?;
        let Some(facts) = facts.get(&contact_id.0) else { return Ok(None) };
        self.contact(tenant_id, facts.merged_into.unwrap_or(contact_id)).await
    }

    /// Returns a contact of the tenant with its newest key; `None` if the tenant has no such
    /// contact.
    ///
    /// # Errors
    /// [`VaultError`] when the keys are not available or the database did not answer.
    pub async fn contact(
        &self,
        tenant_id: TenantId,
        contact_id: SubjectId,
    ) -> Result<Option<Subject>, VaultError> {
        self.keys.gate.pass().await?;
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let is_known = sqlx::query_scalar!(
            r#"select exists (select from vault.contacts
                               where tenant_id = $1 and contact_id = $2) as "is_known!""#,
            tenant_id.0,
            contact_id.0,
        )
        .fetch_one(tx.conn())
        .await
        .map_err(database)?;
        if !is_known {
            return Ok(None);
        }
        let mut newest: Option<(u32, Arc<KeyState>)> = None;
        let keys = (&self.keys, &self.keyring);
        // Generations arrive in ascending order.
        load_keys(keys.0, keys.1, &mut tx, &[contact_id.0], |(_, generation), state| {
            newest = Some((generation, state));
        })
        .await?;
        let (generation, state) = newest.ok_or(VaultError::Corrupt { subject_id: contact_id })?;
        subject(contact_id, generation, &state).map(Some)
    }
}
