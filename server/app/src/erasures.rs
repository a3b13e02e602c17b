//! Erasures of persons: requests and their decisions, legal holds, restrictions, and the process that
//! carries an erasure out step by step.
//!
//! The log decides each step; effects on the vault and the journal are made before the event that
//! records them, and can be repeated. So any number of servers and commands may work on one erasure.
//! See `docs/decisions/0051-erasure-process.md`.

mod error;
mod fence_budget;
mod held;
mod persons;
mod requests;
mod rights;
mod steps;
mod worker;

use std::sync::Arc;

use ledger_core::erasure::{
    ErasureAction, ErasureCommand, ErasureEvent, Erasures, Phase, Step, StepFacts,
};
use ledger_core::ids::{ErasureId, SubjectId, TenantId};
use ledger_store::Store;
use ledger_store::admin_events::Attribution;
use ledger_store::erasures::Rights;
use ledger_store::execute::{CommandContext, Executed};
use ledger_store::vault::Subject;

use crate::access_export::ExportFiles;

pub use self::error::ErasureError;
use self::fence_budget::FenceBudget;
pub use self::held::{HeldData, HeldUnder};
pub use self::persons::{OpenErasure, PersonStreams, Persons};
pub use self::requests::{NewRequest, Requested};
pub use self::worker::ErasureWorker;

/// The erasure process of a server or a command. Cheap to clone.
#[derive(Clone)]
pub struct ErasureProcess {
    store: Arc<Store>,
    persons: Arc<dyn Persons>,
    fences: Arc<FenceBudget>,
    exports: Option<ExportFiles>,
}

/// An erasure, as the process and its commands name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErasureRef {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The contact that is erased.
    pub subject_id: SubjectId,
    /// The erasure.
    pub erasure_id: ErasureId,
}

/// The result of one attempt to continue an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Something was recorded; the next step can follow.
    Advanced,
    /// The legal hold or the retention duty has not ended.
    Deferred,
    /// The epoch key that wrapped the destroyed keys is not destroyed yet.
    AwaitsRoll,
    /// The verification had findings, and is repeated later.
    Findings(u32),
    /// The erasure was refused, or all steps are done.
    Ended,
}

impl ErasureProcess {
    /// Creates the process over a store, with what the read models know about persons.
    #[must_use]
    pub fn new(store: Arc<Store>, persons: Arc<dyn Persons>) -> Self {
        Self { store, persons, fences: Arc::default(), exports: None }
    }

    /// Sets the directory with the files of access exports, which an erasure deletes.
    #[must_use]
    pub fn with_exports(self, files: ExportFiles) -> Self {
        Self { exports: Some(files), ..self }
    }

    /// Continues an erasure by one step or decision.
    ///
    /// # Errors
    /// [`ErasureError`]; repeating it is safe.
    pub async fn advance(&self, of: ErasureRef) -> Result<Progress, ErasureError> {
        let rights = self.store.rights(of.tenant_id, of.subject_id).await?;
        let erasure = rights.state.erasure(of.erasure_id).ok_or(ErasureError::NotFound)?;
        match erasure.phase {
            Phase::Requested => self.decide(of).await.map(|_| Progress::Advanced),
            Phase::Refused => {
                self.lift_fence(of, &rights).await?;
                Ok(Progress::Ended)
            }
            Phase::Deferred(_) => {
                self.lift_fence(of, &rights).await?;
                self.apply_restriction(of.tenant_id, of.subject_id).await?;
                self.decide(of).await
            }
            Phase::Allowed(done) => match Step::after(done) {
                Some(step) => self.carry_out(of, step, &rights).await,
                None => Ok(Progress::Ended),
            },
        }
    }

    /// Continues an erasure until it ends, waits, or `last` is recorded.
    ///
    /// # Errors
    /// As [`ErasureProcess::advance`].
    pub async fn run_to(&self, of: ErasureRef, last: Step) -> Result<Progress, ErasureError> {
        loop {
            let rights = self.store.rights(of.tenant_id, of.subject_id).await?;
            let erasure = rights.state.erasure(of.erasure_id).ok_or(ErasureError::NotFound)?;
            if matches!(erasure.phase, Phase::Allowed(done) if done >= Some(last)) {
                return Ok(Progress::Advanced);
            }
            match self.advance(of).await? {
                Progress::Advanced => {}
                waits => return Ok(waits),
            }
        }
    }

    /// Records a step that was carried out.
    async fn record(&self, of: ErasureRef, facts: StepFacts) -> Result<Progress, ErasureError> {
        let step = facts.step();
        let by = self.store.server();
        self.execute(&by, of.tenant_id, of.subject_id, (ErasureAction::Record(facts), None))
            .await?;
        metrics::counter!("ledger_erasure_steps_total", "step" => step.as_str()).increment(1);
        tracing::info!(erasure_id = %of.erasure_id, step = step.as_str(), "erasure.step");
        Ok(Progress::Advanced)
    }

    /// Executes a command on the rights over a subject's data. The subject seals the texts of a request.
    async fn execute(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        subject_id: SubjectId,
        (action, subject): (ErasureAction, Option<Subject>),
    ) -> Result<Executed<ErasureEvent>, ErasureError> {
        let context = CommandContext { tenant_id, by: *by, content: None, subject };
        let command = ErasureCommand { subject_id, now: self.store.clock().now(), action };
        Ok(self.store.execute::<Erasures>(&context, &command).await?)
    }

    /// Lifts a fence that was placed before a legal hold or a refusal was recorded. The keys of a person
    /// whose processing is not restricted are usable again.
    async fn lift_fence(&self, of: ErasureRef, rights: &Rights) -> Result<(), ErasureError> {
        let vault = self.store.vault();
        let keys = vault.fenced_keys(of.tenant_id, of.erasure_id).await?;
        if keys.is_empty() {
            return Ok(());
        }
        vault.lift_fence(of.tenant_id, of.erasure_id).await?;
        let mut freed: Vec<SubjectId> = keys.iter().map(|key| key.subject_id).collect();
        freed.dedup();
        freed.retain(|subject_id| !rights.state.is_restricted(*subject_id));
        if !rights.state.is_restricted(of.subject_id) {
            vault.restrict(of.tenant_id, &freed, false).await?;
        }
        Ok(())
    }
}
