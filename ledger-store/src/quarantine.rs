//! Messages whose tenant cannot be told: sealed, waiting, never given to a default tenant.

use ledger_core::ids::{SourceId, TenantId};
use uuid::Uuid;

use crate::Store;
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

impl Store {
    /// Keeps a message whose tenant cannot be told, sealed under the installation's keys. The same
    /// message waits once.
    ///
    /// # Errors
    /// [`StoreError::Keyring`] when the installation's keys are not available.
    pub async fn quarantine(
        &self,
        source_id: SourceId,
        reason: &str,
        canonical: &[u8],
        body: &[u8],
    ) -> Result<(), StoreError> {
        let installation = TenantId::INSTALLATION;
        let digest = self.keyring.digest_key(installation).await?.digest(canonical);
        let quarantine_id = self.ids.ordered();
        let epoch = self.vault.epoch(installation).await?;
        let sealed = epoch.seal_secret(&quarantine_place(quarantine_id), body);
        let mut tx = TenantTx::begin(&self.app, installation).await?;
        sqlx::query!(
            "insert into ledger.quarantine
               (tenant_id, quarantine_id, source_id, digest, reason, body_sealed, received_at)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
            installation.0,
            quarantine_id,
            source_id.0,
            &digest,
            reason,
            sealed,
            self.clock.now_micros(),
        )
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

fn quarantine_place(quarantine_id: Uuid) -> Vec<u8> {
    [b"quarantine".as_slice(), quarantine_id.as_bytes()].concat()
}
