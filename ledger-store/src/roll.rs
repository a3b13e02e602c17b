//! The roll of a tenant's epoch: a new epoch key, everything that the old one protects moved to it, and
//! the old one destroyed, so that no copy of an older row opens anything.
//!
//! The steps are small transactions, so that the tenant is served meanwhile. Each can be repeated: a roll
//! that was interrupted is continued by the next one, and until the old key is marked as destroyed, both
//! are in use. The order is that of `docs/decisions/0054-epoch-roll.md`.

mod begin;
mod due;
mod end;
mod forget;
mod lock;
mod reindex;
mod reseal;
mod rewrap;

use std::sync::Arc;

use ledger_core::ids::TenantId;
use thiserror::Error;

pub use self::due::EpochState;
use self::lock::RollLock;
use crate::Store;
use crate::keyring::{EpochKeys, KeyringError};
use crate::vault::VaultError;
use crate::vault::export::VaultExportError;

/// Rows of one transaction.
const BATCH: i64 = 1_000;
/// Repetitions of the steps that move rows, for rows that changed meanwhile.
const MAX_PASSES: usize = 5;

/// The result of a roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolledEpoch {
    /// The epoch whose key was destroyed.
    pub destroyed: i32,
    /// The epoch in use now.
    pub current: i32,
    /// Number of subject keys that were wrapped again.
    pub subjects: u64,
    /// Number of blind indexes that were made again.
    pub indexes: u64,
}

/// The reason for which a roll did not end. No key was destroyed, except where the reason says so; the
/// tenant is served, and the next roll continues.
#[derive(Debug, Error)]
pub enum RollError {
    /// The installation has keys of secrets and of its quarantine, and no persons.
    #[error("the keys of the installation are not rolled")]
    Installation,
    /// There is no tenant with this id.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// Another process rolls the epoch of this tenant.
    #[error("a roll of this tenant is running")]
    Running,
    /// Keys wait for the destruction by their erasure.
    #[error("{keys} fenced keys wait for the destruction by their erasure")]
    Fenced {
        /// Number of fenced keys.
        keys: i64,
    },
    /// Rows of the old epoch are left, because they do not open or change all the time.
    #[error("{keys} keys and {indexes} blind indexes of epoch {epoch} are left; its key stays")]
    Unfinished {
        /// The old epoch.
        epoch: i32,
        /// Number of subject keys under it.
        keys: i64,
        /// Number of blind indexes of it.
        indexes: i64,
    },
    /// The connection with the lock of the roll was lost.
    #[error("the lock of the roll was lost")]
    LockLost,
    /// A key file is missing, unreadable or the wrong one.
    #[error("the keys are not available")]
    Keyring(#[from] KeyringError),
    /// The vault export of the roll was not written, or does not open. The old key file stays, and no row
    /// needs it.
    #[error("the vault export was not written")]
    Export(#[from] VaultExportError),
    /// The vault did not answer.
    #[error("the vault did not answer")]
    Vault(#[from] VaultError),
    /// The database did not answer.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

/// The two epochs of a roll.
struct Roll<'s> {
    store: &'s Store,
    tenant_id: TenantId,
    old: Arc<EpochKeys>,
    new: Arc<EpochKeys>,
}

/// Rows under the old epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    keys: i64,
    fenced: i64,
    indexes: i64,
}

impl Store {
    /// Rolls the epoch of a tenant, or continues a roll that was interrupted. Requests go on meanwhile.
    ///
    /// # Errors
    /// [`RollError`]; the call can be repeated.
    pub async fn roll_epoch(&self, tenant_id: TenantId) -> Result<RolledEpoch, RollError> {
        if tenant_id == TenantId::INSTALLATION {
            return Err(RollError::Installation);
        }
        let mut lock = RollLock::take(&self.owner, tenant_id).await?;
        let rolled = self.roll_locked(tenant_id, &mut lock).await;
        lock.release().await;
        rolled
    }

    async fn roll_locked(
        &self,
        tenant_id: TenantId,
        lock: &mut RollLock,
    ) -> Result<RolledEpoch, RollError> {
        // The roll before was interrupted between the mark and the destruction of the file.
        if let Some(rolled) = self.destroy_marked_epoch(tenant_id).await? {
            return Ok(rolled);
        }
        let roll = self.begin_roll(tenant_id).await?;
        // From here on every process seals with the new epoch and opens with both.
        self.vault.wait_until_fenced(self.clock.now()).await?;
        let (mut subjects, mut indexes) = (0, 0);
        for _ in 0..MAX_PASSES {
            roll.forget_destroyed().await?;
            subjects += roll.rewrap().await?;
            indexes += roll.reindex().await?;
            roll.reseal().await?;
            let left = roll.left().await?;
            if left.keys == 0 && left.indexes == 0 {
                break;
            }
        }
        let left = roll.left().await?;
        if left.fenced > 0 {
            return Err(RollError::Fenced { keys: left.fenced });
        }
        if left.keys > 0 || left.indexes > 0 {
            let Left { keys, indexes, .. } = left;
            return Err(RollError::Unfinished { epoch: roll.old.epoch, keys, indexes });
        }
        lock.check().await?;
        self.mark_destroyed(&roll).await?;
        let destroyed = self.destroy_marked_epoch(tenant_id).await?;
        let (destroyed, current) =
            destroyed.map_or((roll.old.epoch, roll.new.epoch), |one| (one.destroyed, one.current));
        tracing::info!(%tenant_id, destroyed, current, subjects, indexes, "epoch.rolled");
        Ok(RolledEpoch { destroyed, current, subjects, indexes })
    }
}
