//! The destruction of the keys.

use ledger_core::erasure::StepFacts;
use ledger_core::event::KeysDestroyed;

use super::super::{ErasureError, ErasureProcess, ErasureRef, Progress};

impl ErasureProcess {
    /// Destroys the fenced keys in the vault, after the erasure was journaled.
    pub(super) async fn destroy(&self, of: ErasureRef) -> Result<Progress, ErasureError> {
        let entry = self.store.journal().find(of.tenant_id, of.erasure_id).await?;
        let entry = entry.ok_or(ErasureError::NotJournaled)?;
        let keys = self.store.vault().destroy_keys(&entry).await?;
        let facts = StepFacts::Destroyed(KeysDestroyed {
            erasure_id: of.erasure_id,
            keys: u32::try_from(keys).unwrap_or(u32::MAX),
            destroyed_at: self.store.clock().now_micros(),
        });
        self.record(of, facts).await
    }
}
