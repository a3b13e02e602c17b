//! API keys: issue, list, revoke, and look up when one is presented. Only the SHA-256 hash of a key
//! is stored.

mod rows;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use ledger_core::ids::{KeyId, Position, TenantId};
use ledger_core::scope::Scope;
use ledger_core::tenant::keys::{ApiKeys, CreateKey, KeyCommand};

use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::execute::ChangeError;
use crate::tenant_tx::TenantTx;

pub use ledger_core::tenant::keys::KeyRejection;

use rows::KeyRows;

/// API key look-ups in the database that one tenant may have in progress.
const LOOKUPS: usize = 2;

/// A valid API key that was presented with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The tenant that the key gives access to.
    pub tenant_id: TenantId,
    /// The public id of the key.
    pub key_id: KeyId,
    /// The granted scopes, without those that this build does not know.
    pub scopes: Vec<Scope>,
    /// Expiry time; `None` if the key does not expire.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether the tenant is closed: then the key can revoke credentials and read nothing.
    pub is_tenant_closed: bool,
}

/// The properties of a key to create.
#[derive(Debug, Clone, Copy)]
pub struct NewKey<'a> {
    /// The scopes to grant.
    pub scopes: &'a [Scope],
    /// A label chosen by the operator.
    pub name: Option<&'a str>,
    /// Expiry time; `None` if the key does not expire.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The metadata of an API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyInfo {
    /// The public id, time-ordered.
    pub key_id: KeyId,
    /// The label chosen by the operator.
    pub name: Option<String>,
    /// The granted scopes, without those that this build does not know.
    pub scopes: Vec<Scope>,
    /// Time of issue.
    pub created_at: DateTime<Utc>,
    /// Time of revocation; `None` while the key is not revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Expiry time, possibly in the past.
    pub expires_at: Option<DateTime<Utc>>,
    /// Time of the last use, to about a minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The result of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The key was revoked by this request. Holds the position of the event; `None` for a key of
    /// the installation, which has no log.
    Revoked(Option<Position>),
    /// The key was already revoked.
    AlreadyRevoked,
}

/// The reason for which a key was not issued or revoked.
pub type KeyError = ChangeError<KeyRejection>;

impl Store {
    /// Stores the hash of a new API key and records the issue, with its actor, in the tenant's
    /// log. Returns the key's id and the event's position.
    ///
    /// The caller shows the key, once. A key of the installation gives access to data of no tenant;
    /// its issue is not recorded, since the installation has no log.
    ///
    /// # Errors
    /// [`KeyError`]; no key was issued.
    pub async fn create_api_key_by(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        key: &str,
        new: &NewKey<'_>,
    ) -> Result<(KeyId, Option<Position>), KeyError> {
        // The id of a command is time-ordered, like the id of any key.
        let key_id = KeyId(by.command_id.map_or_else(|| self.ids.ordered(), |id| id.0));
        let now = self.clock.now_micros();
        let command = KeyCommand::Create(CreateKey {
            key_id,
            is_installation: tenant_id == TenantId::INSTALLATION,
            scopes: new.scopes.to_vec(),
            expires_at: new.expires_at,
            now,
        });
        let rows = KeyRows { tenant_id, key_id, new: Some((key, new)), now };
        let done = self.execute_over_rows::<ApiKeys, _>(by, tenant_id, &command, &rows).await?;
        Ok((key_id, done.position))
    }

    /// Issues a key without expiry, with the operator as actor.
    ///
    /// # Errors
    /// The errors of [`Store::create_api_key_by`].
    pub async fn create_api_key(
        &self,
        tenant_id: TenantId,
        key: &str,
        scopes: &[Scope],
        name: Option<&str>,
    ) -> Result<KeyId, KeyError> {
        let new = NewKey { scopes, name, expires_at: None };
        Ok(self.create_api_key_by(&self.operator(), tenant_id, key, &new).await?.0)
    }

    /// Revokes a key permanently, in any state of the tenant. With `tenant_id` the key must be of
    /// this tenant. This process refuses the key at once, other processes within seconds.
    ///
    /// # Errors
    /// [`KeyRejection::NotFound`] when there is no such key; the database did not answer.
    pub async fn revoke_api_key(
        &self,
        by: &Attribution,
        tenant_id: Option<TenantId>,
        key_id: KeyId,
    ) -> Result<Revocation, KeyError> {
        let found = sqlx::query_scalar!(
            "select tenant_id from ledger.api_keys
              where key_id = $1 and ($2::uuid is null or tenant_id = $2)",
            key_id.0,
            tenant_id.map(|id| id.0),
        )
        .fetch_optional(&self.owner)
        .await?;
        let tenant_id = TenantId(found.ok_or(KeyError::Rejected(KeyRejection::NotFound))?);
        let now = self.clock.now_micros();
        let rows = KeyRows { tenant_id, key_id, new: None, now };
        let command = KeyCommand::Revoke(key_id);
        let done = self.execute_over_rows::<ApiKeys, _>(by, tenant_id, &command, &rows).await?;
        if done.events.is_empty() {
            return Ok(Revocation::AlreadyRevoked);
        }
        Ok(Revocation::Revoked(done.position))
    }

    /// Returns the valid key of this tenant for a presented secret, or `None`. The result is cached
    /// for seconds, and `last_used_at` is updated about once a minute.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn find_api_key(
        &self,
        tenant_id: TenantId,
        key: &str,
    ) -> Result<Option<ApiKey>, StoreError> {
        let hash: [u8; 32] =
            digest(&SHA256, key.as_bytes()).as_ref().try_into().expect("SHA-256 is 32 bytes");
        let now = self.clock.now_micros();
        let is_live = |key: &ApiKey| key.expires_at.is_none_or(|end| now < end);
        if let Some(known) = self.settings_cache.key(&hash) {
            return Ok(Some(known).filter(is_live));
        }
        // The limit is per tenant: requests with invalid keys delay only the tenant they name.
        let _permit = self.lookups.take(&tenant_id, LOOKUPS, 1).await;
        if let Some(known) = self.settings_cache.key(&hash) {
            return Ok(Some(known).filter(is_live));
        }
        let version = self.settings_cache.version();
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let row = sqlx::query!(
            r#"select k.key_id, k.scopes, k.expires_at,
                      coalesce(t.state = 'closed', false) as "is_closed!",
                      coalesce(k.last_used_at < $3::timestamptz - interval '1 minute', true) as "is_note_due!"
                 from ledger.api_keys k
                 left join ledger.tenants t on t.tenant_id = k.tenant_id
                where k.tenant_id = $1 and k.key_hash = $2 and k.revoked_at is null"#,
            tenant_id.0,
            hash.as_ref(),
            now,
        )
        .fetch_optional(tx.conn())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let found = ApiKey {
            tenant_id,
            key_id: KeyId(row.key_id),
            scopes: Scope::known_among(&row.scopes),
            expires_at: row.expires_at,
            is_tenant_closed: row.is_closed,
        };
        if !is_live(&found) {
            return Ok(None);
        }
        if row.is_note_due {
            update_last_used(tx, found.key_id, now).await;
        }
        self.settings_cache.insert_key(version, hash, &found);
        Ok(Some(found))
    }

    /// The keys of every tenant, or of one, oldest first, each with its tenant.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn api_keys(
        &self,
        tenant_id: Option<TenantId>,
    ) -> Result<Vec<(TenantId, ApiKeyInfo)>, StoreError> {
        let rows = sqlx::query!(
            "select tenant_id, key_id, name, scopes, created_at, revoked_at, expires_at, last_used_at
               from ledger.api_keys
              where $1::uuid is null or tenant_id = $1
              order by key_id",
            tenant_id.map(|id| id.0),
        )
        .fetch_all(&self.owner)
        .await?;
        let listed = rows.into_iter().map(|row| {
            let key = ApiKeyInfo {
                key_id: KeyId(row.key_id),
                name: row.name,
                scopes: Scope::known_among(&row.scopes),
                created_at: row.created_at,
                revoked_at: row.revoked_at,
                expires_at: row.expires_at,
                last_used_at: row.last_used_at,
            };
            (TenantId(row.tenant_id), key)
        });
        Ok(listed.collect())
    }
}

/// Updates `last_used_at`. A failure, such as on a standby, is logged and does not refuse the key.
async fn update_last_used(mut tx: TenantTx, key_id: KeyId, at: DateTime<Utc>) {
    let tenant_id = tx.tenant_id();
    let noted = sqlx::query!("select ledger.note_key_use($1, $2, $3)", tenant_id.0, key_id.0, at)
        .execute(tx.conn())
        .await;
    let noted = match noted {
        Ok(_) => tx.commit().await,
        Err(error) => Err(error),
    };
    if let Err(error) = noted {
        tracing::debug!(error = %error, %key_id, "key.use_not_noted");
    }
}

/// The keys of the transaction's tenant, newest first, revoked ones included.
///
/// # Errors
/// The database did not answer.
pub async fn list(
    tx: &mut TenantTx,
    before: Option<KeyId>,
    limit: i64,
) -> sqlx::Result<Vec<ApiKeyInfo>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "select key_id, name, scopes, created_at, revoked_at, expires_at, last_used_at
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
    let listed = rows.into_iter().map(|row| ApiKeyInfo {
        key_id: KeyId(row.key_id),
        name: row.name,
        scopes: Scope::known_among(&row.scopes),
        created_at: row.created_at,
        revoked_at: row.revoked_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    });
    Ok(listed.collect())
}
