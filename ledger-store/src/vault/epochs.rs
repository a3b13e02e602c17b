//! The epochs of a tenant: the live one, and one that is being replaced.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use zeroize::Zeroizing;

use super::keys::Keys;
use super::{Vault, VaultError, database};
use crate::keyring::{EpochKeys, Keyring};
use crate::tenant_tx::TenantTx;

/// The keys of a tenant: those of the live epoch, which protect new data, and during a roll those of
/// the draining one, which still protects some.
pub struct TenantKeys {
    live: Arc<EpochKeys>,
    draining: Option<Arc<EpochKeys>>,
    /// Last change of the epochs that is known here.
    changed_at: DateTime<Utc>,
}

/// The blind indexes of a value in the live epoch and in the draining one. Without a draining epoch
/// both are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Indexes {
    pub(super) current: [u8; 16],
    pub(super) old: [u8; 16],
}

impl TenantKeys {
    /// The keys of the live epoch.
    #[must_use]
    pub fn live(&self) -> &EpochKeys {
        &self.live
    }

    /// Number of the live epoch.
    #[must_use]
    pub fn epoch(&self) -> i32 {
        self.live.epoch
    }

    /// Seals a secret under the live epoch.
    #[must_use]
    pub fn seal_secret(&self, aad: &[u8], secret: &[u8]) -> Vec<u8> {
        self.live.seal_secret(aad, secret)
    }

    /// Opens a secret of either epoch; `None` when it does not open.
    #[must_use]
    pub fn open_secret(&self, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let opened = self.live.open_secret(aad, sealed);
        opened.or_else(|| self.draining.as_ref()?.open_secret(aad, sealed))
    }

    /// The blind indexes of a value.
    pub(super) fn indexes(&self, kind: &str, normalised: &str) -> Indexes {
        let digest = self.live.value_digest(kind, normalised);
        let current = self.live.seal_index(digest);
        let old = self.draining.as_ref().map_or(current, |old| old.seal_index(digest));
        Indexes { current, old }
    }

    /// The keyed digest of a value, the same in all epochs.
    pub(super) fn value_digest(&self, kind: &str, normalised: &str) -> [u8; 16] {
        self.live.value_digest(kind, normalised)
    }

    /// The blind index of the live epoch that stands for a stored one of `epoch`.
    pub(super) fn current_index(&self, stored: [u8; 16], epoch: i32) -> [u8; 16] {
        match &self.draining {
            Some(old) if old.epoch == epoch => self.live.seal_index(old.open_index(stored)),
            _ => stored,
        }
    }
}

impl Keys {
    /// Returns the cached keys of a tenant, unless they may have changed.
    pub(super) fn cached_epochs(&self, tenant_id: TenantId) -> Option<Arc<TenantKeys>> {
        let keys = self.epochs.get(&tenant_id)?;
        let is_newest =
            self.fences.is_current() && self.fences.has_newest_epochs(tenant_id, keys.changed_at);
        is_newest.then_some(keys)
    }
}

/// Reads the epochs of the transaction's tenant, checked against the keyring, as the transaction sees
/// them. With the lock of the vault they are those to the end of the transaction.
pub(super) async fn read_epochs(
    keys: &Keys,
    keyring: &Keyring,
    tx: &mut TenantTx,
) -> Result<Arc<TenantKeys>, VaultError> {
    keys.gate.require().await?;
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"
        select epoch, check_value, state = 'live' as "is_live!",
               (select max(n.changed_at) from vault.epochs n where n.tenant_id = $1) as "changed_at!"
          from vault.epochs
         where tenant_id = $1 and state in ('live', 'draining')
        "#,
        tenant_id.0,
    )
    .fetch_all(tx.conn())
    .await
    .map_err(database)?;
    let (mut live, mut draining, mut changed_at) = (None, None, DateTime::UNIX_EPOCH);
    for row in rows {
        let read = keyring.checked_epoch(tenant_id, row.epoch, &row.check_value).await;
        let read = read.map_err(|error| VaultError::Keyring(Arc::new(error)))?;
        changed_at = row.changed_at;
        *(if row.is_live { &mut live } else { &mut draining }) = Some(read);
    }
    let live = live.ok_or_else(|| database(sqlx::Error::RowNotFound))?;
    let read = Arc::new(TenantKeys { live, draining, changed_at });
    keys.epochs.insert(tenant_id, Arc::clone(&read));
    Ok(read)
}

impl Vault {
    /// Returns the tenant's keys, which protect new data.
    ///
    /// # Errors
    /// [`VaultError`] when the keys are not available or the database did not answer.
    pub async fn epoch(&self, tenant_id: TenantId) -> Result<Arc<TenantKeys>, VaultError> {
        if let Some(keys) = self.keys.cached_epochs(tenant_id) {
            return Ok(keys);
        }
        let mut tx = TenantTx::begin(&self.intake, tenant_id).await.map_err(database)?;
        read_epochs(&self.keys, &self.keyring, &mut tx).await
    }
}
