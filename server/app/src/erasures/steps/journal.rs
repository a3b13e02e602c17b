//! The entry in the journal outside the database, which is durable before any key is destroyed.

use chrono::SubsecRound;
use ledger_core::erasure::StepFacts;
use ledger_core::event::{ErasureJournaled, ErasureRequested, HexDigest, SubjectEvent};
use ledger_core::ids::Position;
use ledger_store::erasures::Rights;
use ledger_store::journal::{JournaledErasure, JournaledKey};
use ledger_store::vault::KeyFacts;

use super::super::{ErasureError, ErasureProcess, ErasureRef, Progress};
use super::{erasure_of, plan_of, recorded};
use crate::fault::Fault;

impl ErasureProcess {
    /// Writes the erasure to the journal, or finds it there, and records the entry.
    pub(super) async fn journal(
        &self,
        of: ErasureRef,
        rights: &Rights,
    ) -> Result<Progress, ErasureError> {
        let journaled = self.to_journal(of, rights).await?;
        let entry = self.store.journal().append(&journaled).await?;
        let erasure_id = of.erasure_id;
        let facts = ErasureJournaled { erasure_id, entry: entry.entry, digest: entry.digest };
        self.record(of, StepFacts::Journaled(facts)).await
    }

    async fn to_journal(
        &self,
        of: ErasureRef,
        rights: &Rights,
    ) -> Result<JournaledErasure, ErasureError> {
        let due_at = erasure_of(rights, of)?.due_at;
        let request = recorded(rights, |event| match event {
            SubjectEvent::ErasureRequested(facts) if facts.erasure_id == of.erasure_id => {
                Some(ErasureRequested { due_at, ..*facts })
            }
            _ => None,
        });
        let fenced = recorded(rights, |event| match event {
            SubjectEvent::Fenced(facts) if facts.erasure_id == of.erasure_id => {
                Some(facts.fenced_at)
            }
            _ => None,
        });
        let ((request, _), (fenced_at, position)) =
            request.zip(fenced).ok_or(ErasureError::NotFound)?;
        let keys = self.store.vault().fenced_keys(of.tenant_id, of.erasure_id).await?;
        let keys = keys.iter().map(journaled_key).collect::<Result<_, _>>()?;
        Ok(JournaledErasure {
            tenant_id: of.tenant_id,
            request,
            plan: plan_of(rights, of)?.clone(),
            fenced_at,
            keys,
            position: Position(position.0),
            at: self.store.clock().now().trunc_subsecs(6),
        })
    }
}

fn journaled_key(key: &KeyFacts) -> Result<JournaledKey, ErasureError> {
    let fingerprint = <[u8; 32]>::try_from(key.fingerprint.as_slice());
    let fingerprint =
        fingerprint.map_err(|_| Fault::internal(&"a fingerprint of a key is not SHA-256"))?;
    Ok(JournaledKey {
        subject_id: key.subject_id,
        generation: key.generation,
        fingerprint: HexDigest(fingerprint),
    })
}
