//! The end of a roll: the old epoch is marked as destroyed, and its key file is destroyed.

use std::path::PathBuf;

use ledger_core::ids::TenantId;

use super::{Roll, RollError, RolledEpoch};
use crate::Store;
use crate::vault::export::{KEPT_EXPORTS, keep_newest_exports};

impl Store {
    /// Marks the old epoch. No row is under it any more and none can be written, so that no process needs
    /// its key from now on.
    pub(super) async fn mark_destroyed(&self, roll: &Roll<'_>) -> Result<(), RollError> {
        sqlx::query!(
            "update vault.epochs set state = 'destroyed', changed_at = clock_timestamp()
              where tenant_id = $1 and epoch = $2 and state = 'draining'",
            roll.tenant_id.0,
            roll.old.epoch,
        )
        .execute(&self.owner)
        .await?;
        Ok(())
    }

    /// Destroys the key file of an epoch that is marked, after every process has stopped to use it, and
    /// records the time. Returns `None` if no epoch is marked whose file exists.
    pub(super) async fn destroy_marked_epoch(
        &self,
        tenant_id: TenantId,
    ) -> Result<Option<RolledEpoch>, RollError> {
        let marked = sqlx::query!(
            r#"select d.epoch, d.check_value, d.changed_at, l.epoch as current
                 from vault.epochs d
                 join vault.epochs l on l.tenant_id = d.tenant_id and l.state = 'live'
                where d.tenant_id = $1 and d.state = 'destroyed' and d.destroyed_at is null"#,
            tenant_id.0,
        )
        .fetch_optional(&self.owner)
        .await?;
        let Some(marked) = marked else { return Ok(None) };
        let at = self.vault.wait_until_fenced(marked.changed_at).await?;
        self.export_after_roll().await?;
        self.keyring.destroy_epoch(tenant_id, marked.epoch, &marked.check_value, at).await?;
        sqlx::query!(
            "update vault.epochs set destroyed_at = clock_timestamp()
              where tenant_id = $1 and epoch = $2 and state = 'destroyed' and destroyed_at is null",
            tenant_id.0,
            marked.epoch,
        )
        .execute(&self.owner)
        .await?;
        let (destroyed, current) = (marked.epoch, marked.current);
        tracing::info!(%tenant_id, destroyed, current, "epoch.destroyed");
        Ok(Some(RolledEpoch { destroyed, current, subjects: 0, indexes: 0 }))
    }

    /// Sets the directory of the vault exports that rolls write. Without one they write none.
    pub fn keep_vault_exports_in(&self, dir: PathBuf) {
        // The first directory stays.
        let _ = self.vault_exports.set(dir);
    }

    /// Writes an export of the vault and opens every key in it. A backup of the database from before the
    /// roll is restored with it.
    async fn export_after_roll(&self) -> Result<(), RollError> {
        let Some(dir) = self.vault_exports.get() else { return Ok(()) };
        let export = self.export_vault(dir).await?;
        self.prove_vault_export(&export.path).await?;
        keep_newest_exports(dir, KEPT_EXPORTS)?;
        Ok(())
    }
}
