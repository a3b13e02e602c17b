//! The fence. Until `subject.fenced` is recorded it can be lifted; afterwards the erasure can only be
//! completed.

use chrono::SubsecRound;
use ledger_core::erasure::StepFacts;
use ledger_core::event::SubjectFenced;

use super::super::{ErasureError, ErasureProcess, ErasureRef, Progress};
use super::plan_of;

/// How often the manifest may grow while it is fenced, before the step is tried again later.
const MAX_ROUNDS: usize = 4;

impl ErasureProcess {
    /// Fences the subjects of the manifest, waits until no process seals or opens anything of them, and
    /// records it. A call of the person that was recorded since the manifest may have a further subject:
    /// then the manifest is made again, and the new subjects are fenced too.
    pub(super) async fn fence(&self, of: ErasureRef) -> Result<Progress, ErasureError> {
        let (vault, tenant_id, erasure_id) = (self.store.vault(), of.tenant_id, of.erasure_id);
        for _ in 0..MAX_ROUNDS {
            let rights = self.store.rights(tenant_id, of.subject_id).await?;
            let before = self.manifest(of, &rights).await?;
            let known = vault.fenced_keys(tenant_id, erasure_id).await?;
            if known.is_empty() {
                self.fences.acquire(before.subjects.len()).await;
            }
            vault.place_fence(tenant_id, erasure_id, &before.subjects).await?;
            let placed = vault.wait_for_fence(tenant_id, erasure_id).await;
            let fenced_at = placed?.ok_or(ErasureError::OtherErasure)?.trunc_subsecs(6);
            // Nothing is sealed for the person any more, so from here on the manifest cannot grow.
            let rights = self.store.rights(tenant_id, of.subject_id).await?;
            let after = self.manifest(of, &rights).await?;
            if after.subjects == before.subjects && after.plan == *plan_of(&rights, of)? {
                let facts = StepFacts::Fenced(SubjectFenced { erasure_id, fenced_at });
                return self.record(of, facts).await;
            }
            self.record(of, StepFacts::Planned(after.plan)).await?;
        }
        Err(ErasureError::Busy)
    }
}
