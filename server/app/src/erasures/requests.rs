//! Requests to erase a person, and the decision on them.

use chrono::{DateTime, Utc};
use ledger_core::erasure::{ErasureAction, ErasureRejection, ErasureState, NewErasure};
use ledger_core::event::{ExtensionReason, Ground, IdentityCheck, RefusalReason, Requester};
use ledger_core::ids::{ErasureId, Position, SubjectId, TenantId};
use ledger_core::personal::RequestText;
use ledger_store::admin_events::Attribution;

use super::{ErasureError, ErasureProcess, ErasureRef, Progress};

/// A request as it is made. The lengths of texts are checked by the entrance.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// The ground.
    pub ground: Ground,
    /// The party that requests it: a word of [`Requester`], or another text, which is sealed.
    pub requested_by: Option<String>,
    /// The check of the identity of that party.
    pub identity: IdentityCheck,
    /// Receipt of the request; now if absent.
    pub received_at: Option<DateTime<Utc>>,
    /// A note, which is sealed.
    pub note: Option<String>,
}

/// A request that was recorded and decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requested {
    /// The erasure.
    pub of: ErasureRef,
    /// Its state after the decision.
    pub state: ErasureState,
    /// End of the term.
    pub due_at: DateTime<Utc>,
    /// Position of the request.
    pub position: Option<Position>,
}

impl NewRequest {
    /// Returns the word for the party, and the texts to seal.
    fn parts(&self) -> (Requester, Option<RequestText>) {
        let given = self.requested_by.as_deref();
        let word = given.and_then(Requester::parse);
        let other = given.filter(|_| word.is_none()).map(str::to_owned);
        let requester = match (word, &other) {
            (Some(word), _) => word,
            (None, Some(_)) => Requester::Other,
            (None, None) => Requester::Person,
        };
        let text = RequestText { requested_by: other, note: self.note.clone() };
        (requester, Some(text).filter(|text| *text != RequestText::default()))
    }
}

impl ErasureProcess {
    /// Records a request to erase a contact and decides it: deferred under a legal hold, else allowed.
    /// With a command id, a repetition has the same result.
    ///
    /// # Errors
    /// [`ErasureError::Rejected`] by name for a merged or erased contact and for one with an open
    /// erasure; [`ErasureError::TextNotSealed`] if the texts cannot be sealed.
    pub async fn request(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        subject_id: SubjectId,
        new: &NewRequest,
    ) -> Result<Requested, ErasureError> {
        let known = self.store.vault().contact(tenant_id, subject_id).await?;
        let subject = known.ok_or(ErasureError::NotFound)?;
        let (requester, text) = new.parts();
        let now = self.store.clock().now();
        let derived = |command: ledger_core::ids::CommandId| {
            tenant_id.derive(&[b"erasure".as_slice(), command.0.as_bytes()])
        };
        let fresh = || self.store.ids().ordered();
        let erasure_id = ErasureId(by.command_id.map_or_else(fresh, derived));
        let of = ErasureRef { tenant_id, subject_id, erasure_id };
        let can_seal = subject.sealing_key().is_some();
        if text.is_some() && !can_seal {
            // The command ran before, or an erased or merged person is refused by that name.
            if let Some(requested) = self.requested(of, None).await? {
                return Ok(requested);
            }
            self.refuse_by_name(of).await?;
            return Err(ErasureError::TextNotSealed);
        }
        let new = NewErasure {
            erasure_id,
            ground: new.ground,
            requester,
            identity: new.identity,
            received_at: new.received_at.unwrap_or(now),
            text,
        };
        let sealing = Some(subject).filter(|_| can_seal);
        let action = (ErasureAction::Request(new), sealing);
        let executed = self.execute(by, tenant_id, subject_id, action).await?;
        self.decide(of).await?;
        tracing::info!(%subject_id, %erasure_id, "erasure.requested");
        self.requested(of, executed.position).await?.ok_or(ErasureError::NotFound)
    }

    /// Returns an erasure as it is now; `None` if it was not requested.
    async fn requested(
        &self,
        of: ErasureRef,
        position: Option<Position>,
    ) -> Result<Option<Requested>, ErasureError> {
        let rights = self.store.rights(of.tenant_id, of.subject_id).await?;
        let erasure = rights.state.erasure(of.erasure_id);
        Ok(erasure.map(|erasure| {
            let (state, due_at) = (erasure.phase.state(), erasure.due_at);
            Requested { of, state, due_at, position }
        }))
    }

    /// Fails with the reason for which another request of the person is refused, if there is one.
    async fn refuse_by_name(&self, of: ErasureRef) -> Result<(), ErasureError> {
        let rights = self.store.rights(of.tenant_id, of.subject_id).await?;
        if let Some(into) = rights.state.merged_into(of.subject_id) {
            return Err(ErasureRejection::Merged { into }.into());
        }
        match rights.state.erasure_of(of.subject_id) {
            Some((id, erasure)) if erasure.phase.state() == ErasureState::Final => {
                Err(ErasureRejection::AlreadyErased(id).into())
            }
            Some((id, _)) => Err(ErasureRejection::Open(id).into()),
            None => Ok(()),
        }
    }

    /// Decides a request, or a deferred erasure again: a legal hold over a retention duty over the
    /// request.
    pub(super) async fn decide(&self, of: ErasureRef) -> Result<Progress, ErasureError> {
        let by = self.store.server();
        let ErasureRef { tenant_id, subject_id, erasure_id } = of;
        let allow = (ErasureAction::Allow(erasure_id), None);
        match self.execute(&by, tenant_id, subject_id, allow).await {
            Ok(_) => Ok(Progress::Advanced),
            Err(ErasureError::Rejected(ErasureRejection::Retained(_))) => Ok(Progress::Deferred),
            Err(ErasureError::Rejected(ErasureRejection::Held(_))) => self.defer(of).await,
            Err(ErasureError::Rejected(ErasureRejection::Refused)) => Ok(Progress::Ended),
            Err(error) => Err(error),
        }
    }

    /// Defers an erasure because of a legal hold, and restricts the person's keys.
    pub(super) async fn defer(&self, of: ErasureRef) -> Result<Progress, ErasureError> {
        let by = self.store.server();
        let defer = (ErasureAction::Defer(of.erasure_id, None), None);
        match self.execute(&by, of.tenant_id, of.subject_id, defer).await {
            Ok(_) => {}
            // The hold was released meanwhile: the next attempt allows it.
            Err(ErasureError::Rejected(ErasureRejection::NothingToWaitFor)) => {
                return Ok(Progress::Advanced);
            }
            Err(error) => return Err(error),
        }
        self.apply_restriction(of.tenant_id, of.subject_id).await?;
        Ok(Progress::Deferred)
    }

    /// Extends the term of an erasure.
    ///
    /// # Errors
    /// [`ErasureError::Rejected`] after the first term, and for a ground without an extension.
    pub async fn extend(
        &self,
        by: &Attribution,
        of: ErasureRef,
        reason: ExtensionReason,
    ) -> Result<Option<Position>, ErasureError> {
        let action = (ErasureAction::Extend(of.erasure_id, reason), None);
        Ok(self.execute(by, of.tenant_id, of.subject_id, action).await?.position)
    }

    /// Refuses an erasure.
    ///
    /// # Errors
    /// [`ErasureError::Rejected`] after the fence.
    pub async fn refuse(
        &self,
        by: &Attribution,
        of: ErasureRef,
        reason: RefusalReason,
    ) -> Result<Option<Position>, ErasureError> {
        let action = (ErasureAction::Refuse(of.erasure_id, reason), None);
        let executed = self.execute(by, of.tenant_id, of.subject_id, action).await?;
        let rights = self.store.rights(of.tenant_id, of.subject_id).await?;
        self.lift_fence(of, &rights).await?;
        Ok(executed.position)
    }
}
