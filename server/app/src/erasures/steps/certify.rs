//! The certificates: the live one after the destruction of the keys, the final one after the
//! verification.

use ledger_core::erasure::StepFacts;
use ledger_core::erasure::certificate::CertifiedEpoch;
use ledger_core::event::{ErasureCertified, SubjectEvent};
use ledger_store::certificates::{CertificateFacts, ClosingFacts};
use ledger_store::erasures::Rights;

use super::super::{ErasureError, ErasureProcess, ErasureRef, Progress};
use super::recorded;

impl ErasureProcess {
    /// Issues the live certificate.
    pub(super) async fn certify_live(
        &self,
        of: ErasureRef,
        rights: &Rights,
    ) -> Result<Progress, ErasureError> {
        let facts = self.certificate_facts(of, rights, None).await?;
        let digest = self.store.certify(&facts).await?.digest;
        let facts = ErasureCertified { erasure_id: of.erasure_id, digest };
        self.record(of, StepFacts::Certified(facts)).await
    }

    /// Issues the final certificate, with the epochs that were destroyed.
    pub(super) async fn certify_final(
        &self,
        of: ErasureRef,
        rights: &Rights,
    ) -> Result<Progress, ErasureError> {
        let verified = recorded(rights, |event| match event {
            SubjectEvent::ErasureVerified(facts)
                if facts.erasure_id == of.erasure_id && facts.findings == 0 =>
            {
                Some(facts.digest)
            }
            _ => None,
        });
        let (verification, _) = verified.ok_or(ErasureError::NotFound)?;
        let epochs = self.store.vault().epochs_of_erasure(of.tenant_id, of.erasure_id).await?;
        let epochs = epochs
            .into_iter()
            .map(|(epoch, check_value)| CertifiedEpoch { check_value, epoch })
            .collect();
        let closing = Some(ClosingFacts { epochs, verification });
        let facts = self.certificate_facts(of, rights, closing).await?;
        let digest = self.store.certify(&facts).await?.digest;
        let facts = ErasureCertified { erasure_id: of.erasure_id, digest };
        self.record(of, StepFacts::Erased(facts)).await
    }

    async fn certificate_facts(
        &self,
        of: ErasureRef,
        rights: &Rights,
        closing: Option<ClosingFacts>,
    ) -> Result<CertificateFacts, ErasureError> {
        let entry = self.store.journal().find(of.tenant_id, of.erasure_id).await?;
        let entry = entry.ok_or(ErasureError::NotJournaled)?;
        let destroyed = recorded(rights, |event| match event {
            SubjectEvent::KeysDestroyed(facts) if facts.erasure_id == of.erasure_id => {
                Some(facts.destroyed_at)
            }
            _ => None,
        });
        let (destroyed_at, _) = destroyed.ok_or(ErasureError::NotFound)?;
        Ok(CertificateFacts { entry, destroyed_at, recipients: Vec::new(), closing })
    }
}
