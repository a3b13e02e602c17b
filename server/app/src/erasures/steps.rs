//! The steps of an erasure that was allowed. Each makes its effect and returns the facts to record;
//! it can be repeated, and be found half done.

mod certify;
mod destroy;
mod fence;
mod journal;
mod manifest;
mod roll;
mod verify;

use ledger_core::erasure::{Erasure, ErasureRejection, Step, StepFacts};
use ledger_core::event::{ErasurePlanned, NoticesRecorded, SubjectEvent};
use ledger_store::erasures::Rights;

use super::{ErasureError, ErasureProcess, ErasureRef, Progress};

impl ErasureProcess {
    /// Carries out the next step of an erasure and records it.
    pub(super) async fn carry_out(
        &self,
        of: ErasureRef,
        step: Step,
        rights: &Rights,
    ) -> Result<Progress, ErasureError> {
        let carried_out = match step {
            Step::Planned => self.plan(of, rights).await,
            Step::Fenced => self.fence(of).await,
            Step::Journaled => self.journal(of, rights).await,
            Step::Destroyed => self.destroy(of).await,
            Step::Notified => self.notify(of, rights).await,
            Step::Certified => self.certify_live(of, rights).await,
            Step::Rolled => self.note_roll(of).await,
            Step::Verified => self.verify(of, rights).await,
            Step::Erased => self.certify_final(of, rights).await,
            // The bytes of the sections stay; see the known gaps of decision 51.
            Step::Purged => Ok(Progress::Ended),
        };
        match carried_out {
            // Another process was faster: the next look at the log shows how far it came.
            Err(ErasureError::Rejected(
                ErasureRejection::Deferred(_)
                | ErasureRejection::Refused
                | ErasureRejection::Held(_)
                | ErasureRejection::ManifestOutdated
                | ErasureRejection::Missing(_),
            )) => self.replan(of).await,
            other => other,
        }
    }

    /// After a step that was refused: an outdated manifest is made again, and everything else is decided
    /// by the next attempt.
    async fn replan(&self, of: ErasureRef) -> Result<Progress, ErasureError> {
        let rights = self.store.rights(of.tenant_id, of.subject_id).await?;
        let erasure = rights.state.erasure(of.erasure_id).ok_or(ErasureError::NotFound)?;
        let is_held = rights.state.hold_on(of.subject_id).is_some();
        match erasure.phase {
            ledger_core::erasure::Phase::Allowed(done) if done < Some(Step::Fenced) && is_held => {
                // A hold that came with a merge defers the erasure, which was allowed before.
                self.lift_fence(of, &rights).await?;
                self.defer(of).await
            }
            _ => Ok(Progress::Advanced),
        }
    }

    /// Records the notices that recipients of the data must get. No data leaves the ledger to
    /// recipients yet, so there are none.
    async fn notify(&self, of: ErasureRef, rights: &Rights) -> Result<Progress, ErasureError> {
        let recipients = plan_of(rights, of)?.recipients;
        let erasure_id = of.erasure_id;
        let facts = StepFacts::Notified(NoticesRecorded { erasure_id, recipients });
        self.record(of, facts).await
    }
}

/// The erasure in the state that was read.
fn erasure_of(rights: &Rights, of: ErasureRef) -> Result<&Erasure, ErasureError> {
    rights.state.erasure(of.erasure_id).ok_or(ErasureError::NotFound)
}

/// The newest manifest.
fn plan_of(rights: &Rights, of: ErasureRef) -> Result<&ErasurePlanned, ErasureError> {
    let plan = erasure_of(rights, of)?.plan.as_ref();
    plan.ok_or(ErasureError::Rejected(ErasureRejection::Missing(Step::Planned)))
}

/// The recorded event of a step of the erasure that `pick` selects, with its facts.
fn recorded<T>(
    rights: &Rights,
    pick: impl Fn(&SubjectEvent) -> Option<T>,
) -> Option<(T, ledger_core::ids::Position)> {
    rights.events.iter().rev().find_map(|one| Some((pick(&one.event)?, one.position)))
}
