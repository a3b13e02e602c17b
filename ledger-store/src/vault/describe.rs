//! Changes of the name and the handles of a contact.

use ledger_core::clock::Clock;
use ledger_core::event::ContactHandle;
use ledger_core::identity::{Handle, HandleKind};
use ledger_core::ids::{HandleId, Ids, SubjectId, TenantId};
use sqlx::PgConnection;
use thiserror::Error;
use uuid::Uuid;

use super::epochs::{TenantKeys, read_epochs};
use super::resolve::lookup::words_of;
use super::resolved_persons::notify_contacts;
use super::{Vault, VaultError, database};
use crate::tenant_tx::TenantTx;

/// A change of what a contact is found by.
#[derive(Debug, Clone, Default)]
pub struct Description {
    /// The name in normal form, or its removal; `None` keeps it.
    pub name: Option<Option<String>>,
    /// Handles that the contact gets.
    pub added: Vec<Handle>,
    /// Kinds of which all other handles of the contact end.
    pub ended: Vec<HandleKind>,
}

impl Description {
    fn is_empty(&self) -> bool {
        self.name.is_none() && self.added.is_empty() && self.ended.is_empty()
    }
}

/// The handles that a change has added and ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// The handles of the change, new or not.
    pub added: Vec<ContactHandle>,
    /// Handles that the contact had until now.
    pub ended: Vec<ContactHandle>,
}

/// The reason for which a contact was not changed.
#[derive(Debug, Error)]
pub enum DescribeError {
    /// Another contact has the external id.
    #[error("another contact has this external id")]
    ExternalIdTaken,
    /// The vault is not available.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl Vault {
    /// Changes what a contact and its parts are found by, in one transaction. A repetition changes
    /// nothing and reports no ended handle.
    ///
    /// # Errors
    /// [`DescribeError`]; nothing is changed then.
    pub async fn describe(
        &self,
        tenant_id: TenantId,
        contact_id: SubjectId,
        change: &Description,
        (clock, ids): (&dyn Clock, &dyn Ids),
    ) -> Result<Described, DescribeError> {
        self.keys.gate.pass().await?;
        if change.is_empty() {
            return Ok(Described::default());
        }
        let mut tx = TenantTx::begin_exclusive(&self.pool, tenant_id).await.map_err(database)?;
        let epoch = read_epochs(&self.keys, &self.keyring, &mut tx).await?;
        let mut contact = Contact { tenant_id, contact_id, epoch: &epoch, clock, conn: tx.conn() };
        let mut described = Described::default();
        for handle in &change.added {
            described.added.push(contact.add(handle, ids).await?);
        }
        for kind in &change.ended {
            let kept: Vec<Uuid> = described.added.iter().map(|handle| handle.handle_id.0).collect();
            described.ended.extend(contact.end(*kind, &kept).await.map_err(database)?);
        }
        if let Some(name) = &change.name {
            contact.rename(name.as_deref()).await.map_err(database)?;
        }
        notify_contacts(tx.conn(), &[tenant_id]).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        self.keys.found.forget(tenant_id);
        Ok(described)
    }
}

/// The rows of a contact, in a transaction that has the lock of the tenant's vault.
struct Contact<'c> {
    tenant_id: TenantId,
    contact_id: SubjectId,
    epoch: &'c TenantKeys,
    clock: &'c dyn Clock,
    conn: &'c mut PgConnection,
}

impl Contact<'_> {
    /// Gives the contact a handle from now on, if it does not have it.
    async fn add(
        &mut self,
        handle: &Handle,
        ids: &dyn Ids,
    ) -> Result<ContactHandle, DescribeError> {
        let kind = handle.kind();
        let handle_id = self.handle_id(handle, ids).await.map_err(database)?;
        if kind == HandleKind::ExternalId && self.is_taken(handle_id).await.map_err(database)? {
            return Err(DescribeError::ExternalIdTaken);
        }
        self.hold(handle_id).await.map_err(database)?;
        Ok(ContactHandle { kind, handle_id: HandleId(handle_id) })
    }

    /// Returns the id of a handle, which is stored if it is new.
    async fn handle_id(&mut self, handle: &Handle, ids: &dyn Ids) -> sqlx::Result<Uuid> {
        let kind = handle.kind().as_str();
        let indexes = self.epoch.indexes(kind, handle.value());
        sqlx::query_scalar!(
            r#"
            with known as (
              select handle_id from vault.handles
               where tenant_id = $1 and kind = $2 and blind_index in ($3, $7)
            ), new as (
              insert into vault.handles (tenant_id, handle_id, kind, blind_index, epoch, created_at)
              select $1, $4, $2, $3, $5, $6 where not exists (select from known)
              returning handle_id
            )
            select handle_id as "handle_id!" from known union all select handle_id from new
            "#,
            self.tenant_id.0,
            kind,
            &indexes.current,
            ids.random(),
            self.epoch.epoch(),
            self.clock.now_micros(),
            &indexes.old,
        )
        .fetch_one(&mut *self.conn)
        .await
    }

    /// Whether another contact than this one and its parts has a handle now.
    async fn is_taken(&mut self, handle_id: Uuid) -> sqlx::Result<bool> {
        sqlx::query_scalar!(
            r#"
            select exists (
              select from vault.contact_handles x
                join vault.contacts c
                  on c.tenant_id = x.tenant_id and c.contact_id = x.contact_id
               where x.tenant_id = $1 and x.handle_id = $2 and x.until is null
                 and coalesce(c.merged_into, c.contact_id) <> $3) as "is_taken!"
            "#,
            self.tenant_id.0,
            handle_id,
            self.contact_id.0,
        )
        .fetch_one(&mut *self.conn)
        .await
    }

    /// Stores that the contact has a handle. A handle that ended begins again.
    async fn hold(&mut self, handle_id: Uuid) -> sqlx::Result<()> {
        let now = self.clock.now_micros();
        sqlx::query!(
            "with again as (
               update vault.contact_handles set since = $4, until = null
                where tenant_id = $1 and handle_id = $2 and contact_id = $3 and until is not null
             )
             insert into vault.contact_handles
                    (tenant_id, handle_id, contact_id, name_index, name_epoch, since)
             select $1, $2, $3, '', $5, $4
              where not exists (select from vault.contact_handles
                                 where tenant_id = $1 and handle_id = $2 and contact_id = $3)",
            self.tenant_id.0,
            handle_id,
            self.contact_id.0,
            now,
            self.epoch.epoch(),
        )
        .execute(&mut *self.conn)
        .await?;
        Ok(())
    }

    /// Ends the handles of a kind that the contact and its parts have, except those that are kept.
    async fn end(&mut self, kind: HandleKind, kept: &[Uuid]) -> sqlx::Result<Vec<ContactHandle>> {
        let ended = sqlx::query_scalar!(
            r#"
            with ended as (
              update vault.contact_handles x set until = $5
                from vault.handles h, vault.contacts c
               where x.tenant_id = $1 and x.until is null
                 and c.tenant_id = $1 and c.contact_id = x.contact_id
                 and (c.contact_id = $2 or c.merged_into = $2)
                 and h.tenant_id = $1 and h.handle_id = x.handle_id and h.kind = $3
                 and x.handle_id <> all ($4)
              returning x.handle_id
            )
            select distinct handle_id as "handle_id!" from ended order by 1
            "#,
            self.tenant_id.0,
            self.contact_id.0,
            kind.as_str(),
            kept,
            self.clock.now_micros(),
        )
        .fetch_all(&mut *self.conn)
        .await?;
        let handle = |id| ContactHandle { kind, handle_id: HandleId(id) };
        Ok(ended.into_iter().map(handle).collect())
    }

    /// Stores the index of the name, by which messages find the contact, and of its words.
    async fn rename(&mut self, name: Option<&str>) -> sqlx::Result<()> {
        let index = name.map(|name| self.epoch.indexes("name", name).current.to_vec());
        let words = name.map(|name| words_of(name, self.epoch)).unwrap_or_default();
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.current.to_vec()).collect();
        sqlx::query!(
            "with named as (
               update vault.contacts set name_index = $3, name_epoch = $5
                where tenant_id = $1 and contact_id = $2
             ), gone as (
               delete from vault.contact_names
                where tenant_id = $1 and contact_id = $2 and token <> all ($4)
             )
             insert into vault.contact_names (tenant_id, token, contact_id, epoch)
             select $1, n.token, $2, $5 from unnest($4::bytea[]) as n (token)
                 on conflict do nothing",
            self.tenant_id.0,
            self.contact_id.0,
            index as _,
            &words,
            self.epoch.epoch(),
        )
        .execute(&mut *self.conn)
        .await?;
        Ok(())
    }
}
