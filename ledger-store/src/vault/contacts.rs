//! Contacts as objects: search by handle and by name, handles of a contact, and merges.

use std::collections::HashMap;
use std::sync::Arc;

use ledger_core::clock::Clock;
use ledger_core::event::ContactHandle;
use ledger_core::identity::{Handle, HandleKind, PersonIdentifiers};
use ledger_core::ids::{HandleId, Ids, SubjectId, TenantId};
use uuid::Uuid;

use super::epochs::read_epochs;
use super::resolve::lookup::words_of;
use super::resolve::make::MadeContact;
use super::resolved_persons::notify_contacts;
use super::{DescribeError, Vault, VaultError, database};
use crate::tenant_tx::TenantTx;

/// Maximum number of contacts that a search returns.
pub const MAX_FOUND: i64 = 200;
/// Maximum number of handles in the event of a merge, newest first.
const MAX_HANDLES: i64 = 64;

/// What the vault knows about a contact beyond its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContactFacts {
    /// The contact that it may be a duplicate of: the survivor of that contact, and not this one.
    pub possible_duplicate_of: Option<SubjectId>,
    /// The contact that it was merged into.
    pub merged_into: Option<SubjectId>,
}

impl Vault {
    /// Finds the contact of the handles and the name of a person, by the rules of messages, or makes
    /// one with the id `new`. Its key is durable on return.
    ///
    /// # Errors
    /// [`DescribeError`]; an external id that only other contacts have makes none.
    pub async fn make_contact(
        &self,
        tenant_id: TenantId,
        new: SubjectId,
        given: &PersonIdentifiers,
        (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>),
    ) -> Result<MadeContact, DescribeError> {
        // A command that runs again has made the contact.
        if let Some(subject) = self.contact(tenant_id, new).await? {
            let handles = self.handles_of(tenant_id, new).await?;
            return Ok(MadeContact { subject, is_new: true, handles });
        }
        self.worker(clock, ids).make_contact(tenant_id, new, given).await
    }

    /// Returns the contacts that have a handle now, oldest first; the survivor for a merged one. At
    /// most [`MAX_FOUND`].
    ///
    /// # Errors
    /// [`VaultError`] when the keys are not available or the database did not answer.
    pub async fn contacts_with(
        &self,
        tenant_id: TenantId,
        handle: &Handle,
    ) -> Result<Vec<SubjectId>, VaultError> {
        self.keys.gate.pass().await?;
        let mut tx = TenantTx::begin_snapshot(&self.pool, tenant_id).await.map_err(database)?;
        let epoch = read_epochs(&self.keys, &self.keyring, &mut tx).await?;
        let kind = handle.kind().as_str();
        let indexes = epoch.indexes(kind, handle.value());
        let found = sqlx::query_scalar!(
            r#"
            select coalesce(c.merged_into, c.contact_id) as "contact_id!"
              from vault.handles h
              join vault.contact_handles x
                on x.tenant_id = h.tenant_id and x.handle_id = h.handle_id and x.until is null
              join vault.contacts c
                on c.tenant_id = x.tenant_id and c.contact_id = x.contact_id
             where h.tenant_id = $1 and h.kind = $2 and h.blind_index in ($3, $4)
             group by coalesce(c.merged_into, c.contact_id)
             order by min(c.created_at), coalesce(c.merged_into, c.contact_id)
             limit $5
            "#,
            tenant_id.0,
            kind,
            &indexes.current,
            &indexes.old,
            MAX_FOUND,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        Ok(found.into_iter().map(SubjectId).collect())
    }

    /// Returns the contacts with all words of a name in normal form among those of their names; the
    /// survivor for a merged one. At most [`MAX_FOUND`].
    ///
    /// # Errors
    /// [`VaultError`] when the keys are not available or the database did not answer.
    pub async fn contacts_named(
        &self,
        tenant_id: TenantId,
        name: &str,
    ) -> Result<Vec<SubjectId>, VaultError> {
        self.keys.gate.pass().await?;
        let mut tx = TenantTx::begin_snapshot(&self.pool, tenant_id).await.map_err(database)?;
        let epoch = read_epochs(&self.keys, &self.keyring, &mut tx).await?;
        let words = words_of(name, &epoch);
        let tokens: Vec<Vec<u8>> = words.iter().map(|word| word.current.to_vec()).collect();
        let old: Vec<Vec<u8>> = words.iter().map(|word| word.old.to_vec()).collect();
        let both = [tokens.as_slice(), &old].concat();
        let found = sqlx::query_scalar!(
            r#"
            select coalesce(c.merged_into, c.contact_id) as "contact_id!"
              from vault.contact_names n
              join vault.contacts c
                on c.tenant_id = n.tenant_id and c.contact_id = n.contact_id
             where n.tenant_id = $1 and n.token = any ($2)
             group by coalesce(c.merged_into, c.contact_id)
            having count(distinct coalesce(array_position($3::bytea[], n.token),
                                           array_position($4::bytea[], n.token))) = cardinality($3)
             order by min(c.created_at), coalesce(c.merged_into, c.contact_id)
             limit $5
            "#,
            tenant_id.0,
            &both,
            &tokens,
            &old,
            MAX_FOUND,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        Ok(found.into_iter().map(SubjectId).collect())
    }

    /// Returns what the vault knows about contacts; one that it does not have is absent.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn contact_facts(
        &self,
        tenant_id: TenantId,
        contacts: &[Uuid],
    ) -> Result<HashMap<Uuid, ContactFacts>, VaultError> {
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let rows = sqlx::query!(
            r#"
            select c.contact_id, c.merged_into,
                   coalesce(d.merged_into, d.contact_id) as possible_duplicate_of
              from vault.contacts c
              left join vault.contacts d
                on d.tenant_id = c.tenant_id and d.contact_id = c.possible_duplicate_of
             where c.tenant_id = $1 and c.contact_id = any ($2)
            "#,
            tenant_id.0,
            contacts,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        let facts = rows.into_iter().map(|row| {
            let own = [Some(row.contact_id), row.merged_into];
            let other = row.possible_duplicate_of.filter(|other| !own.contains(&Some(*other)));
            let facts = ContactFacts {
                possible_duplicate_of: other.map(SubjectId),
                merged_into: row.merged_into.map(SubjectId),
            };
            (row.contact_id, facts)
        });
        Ok(facts.collect())
    }

    /// Returns a contact with the contacts that were merged into it.
    ///
    /// # Errors
    /// The database did not answer.
    pub(crate) async fn members_of(
        &self,
        tenant_id: TenantId,
        contact_id: SubjectId,
    ) -> Result<Vec<SubjectId>, VaultError> {
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let parts = sqlx::query_scalar!(
            "select contact_id from vault.contacts
              where tenant_id = $1 and merged_into = $2
              order by contact_id",
            tenant_id.0,
            contact_id.0,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        Ok(std::iter::once(contact_id).chain(parts.into_iter().map(SubjectId)).collect())
    }

    /// Returns the handles that a contact has now, newest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn handles_of(
        &self,
        tenant_id: TenantId,
        contact_id: SubjectId,
    ) -> Result<Vec<ContactHandle>, VaultError> {
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let rows = sqlx::query!(
            "select h.handle_id, h.kind
               from vault.contact_handles x
               join vault.handles h on h.tenant_id = x.tenant_id and h.handle_id = x.handle_id
              where x.tenant_id = $1 and x.contact_id = $2 and x.until is null
              group by h.handle_id, h.kind
              order by max(x.since) desc, h.handle_id
              limit $3",
            tenant_id.0,
            contact_id.0,
            MAX_HANDLES,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        let handle = |kind: &str, id| {
            Some(ContactHandle { kind: HandleKind::parse(kind)?, handle_id: HandleId(id) })
        };
        Ok(rows.iter().filter_map(|row| handle(&row.kind, row.handle_id)).collect())
    }

    /// Lets later messages about a merged contact resolve to its survivor, and links the two subjects.
    /// The merge is in the log already; a repetition changes nothing. The contacts that were merged
    /// into `contact_id` before follow.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn merge(
        &self,
        tenant_id: TenantId,
        contact_id: SubjectId,
        into: SubjectId,
        clock: &dyn Clock,
    ) -> Result<(), VaultError> {
        let mut tx = TenantTx::begin_exclusive(&self.pool, tenant_id).await.map_err(database)?;
        sqlx::query!(
            "with survivor as (
               select coalesce(merged_into, contact_id) as contact_id
                 from vault.contacts
                where tenant_id = $1 and contact_id = $3
             ), merged as (
               update vault.contacts c set merged_into = s.contact_id
                 from survivor s
                where c.tenant_id = $1 and (c.contact_id = $2 or c.merged_into = $2)
                  and c.contact_id <> s.contact_id
               returning c.contact_id, s.contact_id as survivor_id
             )
             insert into vault.links (tenant_id, subject_id, linked_to, created_at)
             select $1, contact_id, survivor_id, $4 from merged
                 on conflict do nothing",
            tenant_id.0,
            contact_id.0,
            into.0,
            clock.now_micros(),
        )
        .execute(tx.conn())
        .await
        .map_err(database)?;
        notify_contacts(tx.conn(), &[tenant_id]).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        self.keys.found.forget(tenant_id);
        Ok(())
    }
}
