//! Legal holds, and restrictions of the processing (Article 18).

use ledger_core::erasure::ErasureAction;
use ledger_core::event::{HoldReason, RestrictionReason};
use ledger_core::ids::{LegalHoldId, Position, SubjectId, TenantId};
use ledger_store::admin_events::Attribution;

use super::{ErasureError, ErasureProcess, ErasureRef};

impl ErasureProcess {
    /// Places a legal hold on a contact. An erasure that was allowed is deferred by it.
    ///
    /// # Errors
    /// [`ErasureError::Rejected`] after the fence of an erasure of the person.
    pub async fn place_hold(
        &self,
        by: &Attribution,
        (tenant_id, subject_id): (TenantId, SubjectId),
        reason: HoldReason,
    ) -> Result<(LegalHoldId, Option<Position>), ErasureError> {
        self.check_contact(tenant_id, subject_id).await?;
        let derived = |command: ledger_core::ids::CommandId| {
            tenant_id.derive(&[b"legal hold".as_slice(), command.0.as_bytes()])
        };
        let fresh = || self.store.ids().ordered();
        let hold_id = LegalHoldId(by.command_id.map_or_else(fresh, derived));
        let action = (ErasureAction::PlaceHold(hold_id, reason), None);
        let executed = self.execute(by, tenant_id, subject_id, action).await?;
        self.apply_restriction(tenant_id, subject_id).await?;
        tracing::info!(%subject_id, %hold_id, "legal_hold.placed");
        Ok((hold_id, executed.position))
    }

    /// Releases a legal hold. Erasures that it deferred are decided again.
    ///
    /// # Errors
    /// [`ErasureError::Rejected`] if the contact has no such hold.
    pub async fn release_hold(
        &self,
        by: &Attribution,
        (tenant_id, subject_id): (TenantId, SubjectId),
        hold_id: LegalHoldId,
    ) -> Result<Option<Position>, ErasureError> {
        self.check_contact(tenant_id, subject_id).await?;
        let action = (ErasureAction::ReleaseHold(hold_id), None);
        let executed = self.execute(by, tenant_id, subject_id, action).await?;
        let rights = self.store.rights(tenant_id, subject_id).await?;
        if let Some((erasure_id, erasure)) = rights.state.erasure_of(subject_id) {
            let subject_id = erasure.subject_id;
            self.decide(ErasureRef { tenant_id, subject_id, erasure_id }).await?;
        }
        tracing::info!(%subject_id, %hold_id, "legal_hold.released");
        Ok(executed.position)
    }

    /// Restricts the processing of a contact's data: they are stored, and nothing new is sealed.
    ///
    /// # Errors
    /// [`ErasureError::Rejected`] after the fence of an erasure of the person.
    pub async fn restrict(
        &self,
        by: &Attribution,
        (tenant_id, subject_id): (TenantId, SubjectId),
        reason: RestrictionReason,
    ) -> Result<Option<Position>, ErasureError> {
        self.check_contact(tenant_id, subject_id).await?;
        let action = (ErasureAction::Restrict(reason), None);
        let executed = self.execute(by, tenant_id, subject_id, action).await?;
        self.apply_restriction(tenant_id, subject_id).await?;
        Ok(executed.position)
    }

    /// Lifts the restriction of a contact.
    ///
    /// # Errors
    /// [`ErasureError::Rejected`] while an erasure of the contact is deferred.
    pub async fn lift_restriction(
        &self,
        by: &Attribution,
        (tenant_id, subject_id): (TenantId, SubjectId),
    ) -> Result<Option<Position>, ErasureError> {
        self.check_contact(tenant_id, subject_id).await?;
        let action = (ErasureAction::LiftRestriction, None);
        let executed = self.execute(by, tenant_id, subject_id, action).await?;
        self.apply_restriction(tenant_id, subject_id).await?;
        Ok(executed.position)
    }

    /// Makes the keys of a contact and its parts restricted or usable, as the log says. Fenced and
    /// destroyed keys stay as they are.
    pub(super) async fn apply_restriction(
        &self,
        tenant_id: TenantId,
        subject_id: SubjectId,
    ) -> Result<(), ErasureError> {
        let rights = self.store.rights(tenant_id, subject_id).await?;
        let survivor = rights.state.merged_into(subject_id);
        let persons = [subject_id].into_iter().chain(survivor);
        for person in persons.chain(rights.state.parts_of(subject_id)) {
            // A restriction of the survivor covers its parts, which have no stream of their own for it.
            let of = rights.state.merged_into(person).unwrap_or(person);
            let is_restricted =
                rights.state.is_restricted(person) || rights.state.is_restricted(of);
            self.store.vault().restrict(tenant_id, &[person], is_restricted).await?;
        }
        Ok(())
    }

    async fn check_contact(
        &self,
        tenant_id: TenantId,
        subject_id: SubjectId,
    ) -> Result<(), ErasureError> {
        let known = self.store.vault().contact(tenant_id, subject_id).await?;
        known.map(|_| ()).ok_or(ErasureError::NotFound)
    }
}
