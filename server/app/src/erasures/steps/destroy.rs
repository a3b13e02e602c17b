//! The destruction of the keys.

use ledger_core::erasure::StepFacts;
use ledger_core::event::KeysDestroyed;

use crate::access_export::{AccessExportError, delete_exports_of};
use crate::fault::Fault;

use super::super::{ErasureError, ErasureProcess, ErasureRef, Progress};

impl ErasureProcess {
    /// Destroys the fenced keys in the vault, after the erasure was journaled.
    pub(super) async fn destroy(&self, of: ErasureRef) -> Result<Progress, ErasureError> {
        let entry = self.store.journal().find(of.tenant_id, of.erasure_id).await?;
        let entry = entry.ok_or(ErasureError::NotJournaled)?;
        self.delete_exports(of).await?;
        let keys = self.store.vault().destroy_keys(&entry).await?;
        let facts = StepFacts::Destroyed(KeysDestroyed {
            erasure_id: of.erasure_id,
            keys: u32::try_from(keys).unwrap_or(u32::MAX),
            destroyed_at: self.store.clock().now_micros(),
        });
        self.record(of, facts).await
    }

    /// Deletes the files of access exports of the person. After the fence no other one is handed over.
    async fn delete_exports(&self, of: ErasureRef) -> Result<(), ErasureError> {
        let Some(files) = &self.exports else { return Ok(()) };
        let rights = self.store.rights(of.tenant_id, of.subject_id).await?;
        let parts = rights.state.parts_of(of.subject_id);
        let people: Vec<_> = std::iter::once(of.subject_id).chain(parts).collect();
        let deleted = delete_exports_of(&self.store, files, of.tenant_id, &people).await;
        let deleted = deleted.map_err(|error| match error {
            AccessExportError::Fault(fault) => fault,
            error => Fault::internal(&error),
        })?;
        if !deleted.is_empty() {
            tracing::info!(erasure_id = %of.erasure_id, exports = deleted.len(), "erasure.exports_deleted");
        }
        Ok(())
    }
}
