//! API keys as they are administered: issued, listed, revoked. The key itself is never kept, only its
//! hash; whoever presents one is found in [`crate::tenants`].

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use ledger_core::event::{Event, KeyCreated, KeyRevoked};
use ledger_core::ids::{KeyId, Position, TenantId};

use crate::Store;
use crate::change::Author;
use crate::error::StoreError;
use crate::tenant_tx::{TenantTx, begin};

/// A key without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its public name; later ones are greater.
    pub key_id: KeyId,
    /// What the operator calls it.
    pub name: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was issued.
    pub created_at: DateTime<Utc>,
    /// Since when it opens nothing.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What revoking a key came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// It is revoked from now on; where that is recorded, unless it is the installation's.
    Now(Option<Position>),
    /// It was revoked before.
    Before,
}

impl Store {
    /// Keeps the hash of a new API key, and records who issued it, and where. The key itself is the
    /// caller's to show, once. A key of the installation opens what belongs to no tenant; there is no
    /// log that could tell of it.
    ///
    /// # Errors
    /// The database did not answer, or the tenant's log takes nothing.
    pub async fn create_api_key_by(
        &self,
        author: &Author,
        tenant_id: TenantId,
        key: &str,
        scopes: &[String],
        name: Option<&str>,
    ) -> Result<(KeyId, Option<Position>), StoreError> {
        let key_id = KeyId(self.ids.ordered());
        let hash = digest(&SHA256, key.as_bytes());
        let mut tx = begin(&self.owner).await?;
        let created = Event::KeyCreated(KeyCreated { key_id: key_id.0, scopes: scopes.to_vec() });
        let position = match tenant_id {
            TenantId::INSTALLATION => None,
            _ => Some(self.record_change_by(author, &mut tx, tenant_id, &created).await?),
        };
        sqlx::query!(
            "insert into ledger.api_keys (tenant_id, key_id, key_hash, name, scopes, created_at)
             values ($1, $2, $3, $4, $5, $6)",
            tenant_id.0,
            key_id.0,
            hash.as_ref(),
            name,
            scopes,
            self.clock.now_micros(),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.wake.ring([tenant_id]);
        Ok((key_id, position))
    }

    /// Takes a key of a tenant away from whoever holds it, for good; `None` when the tenant has no
    /// such key. Servers remember a key for seconds.
    ///
    /// # Errors
    /// The database did not answer, or the tenant's log takes nothing.
    pub async fn revoke_api_key(
        &self,
        author: &Author,
        tenant_id: TenantId,
        key_id: KeyId,
    ) -> Result<Option<Revoked>, StoreError> {
        let mut tx = begin(&self.owner).await?;
        let was_live = sqlx::query_scalar!(
            r#"select revoked_at is null as "live!" from ledger.api_keys
                where tenant_id = $1 and key_id = $2 for update"#,
            tenant_id.0,
            key_id.0,
        )
        .fetch_optional(&mut *tx)
        .await?;
        match was_live {
            None => return Ok(None),
            Some(false) => return Ok(Some(Revoked::Before)),
            Some(true) => {}
        }
        sqlx::query!(
            "update ledger.api_keys set revoked_at = $3 where tenant_id = $1 and key_id = $2",
            tenant_id.0,
            key_id.0,
            self.clock.now_micros(),
        )
        .execute(&mut *tx)
        .await?;
        let revoked = Event::KeyRevoked(KeyRevoked { key_id: key_id.0 });
        let position = match tenant_id {
            TenantId::INSTALLATION => None,
            _ => Some(self.record_change_by(author, &mut tx, tenant_id, &revoked).await?),
        };
        tx.commit().await?;
        self.wake.ring([tenant_id]);
        Ok(Some(Revoked::Now(position)))
    }
}

/// The keys of the transaction's tenant, newest first, revoked ones too.
///
/// # Errors
/// The database did not answer.
pub async fn list(
    tx: &mut TenantTx,
    before: Option<KeyId>,
    limit: i64,
) -> sqlx::Result<Vec<Listed>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "select key_id, name, scopes, created_at, revoked_at
           from ledger.api_keys
          where tenant_id = $1 and ($2::uuid is null or key_id < $2)
          order by key_id desc
          limit $3",
        tenant_id.0,
        before.map(|before| before.0),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let listed = rows.into_iter().map(|row| Listed {
        key_id: KeyId(row.key_id),
        name: row.name,
        scopes: row.scopes,
        created_at: row.created_at,
        revoked_at: row.revoked_at,
    });
    Ok(listed.collect())
}
