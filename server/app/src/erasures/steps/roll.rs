//! The epoch roll, which another part of the ledger carries out; this step notes that it happened.

use ledger_core::erasure::StepFacts;
use ledger_core::event::EpochRolled;
use ledger_store::vault::RolledEpochs;

use super::super::{ErasureError, ErasureProcess, ErasureRef, Progress};

impl ErasureProcess {
    /// Records that every epoch that wrapped a key of the erasure is destroyed.
    pub(super) async fn note_roll(&self, of: ErasureRef) -> Result<Progress, ErasureError> {
        let rolled = self.store.vault().rolled_erasures(of.tenant_id, &[of.erasure_id]).await?;
        let Some(RolledEpochs { destroyed, current }) = rolled.get(&of.erasure_id).copied() else {
            return Ok(Progress::AwaitsRoll);
        };
        let facts = EpochRolled { erasure_id: of.erasure_id, destroyed, current };
        self.record(of, StepFacts::Rolled(facts)).await
    }
}
