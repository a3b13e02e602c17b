//! What is held about a person: counts, keys, legal holds, restriction and erasure.

use chrono::{DateTime, Utc};
use ledger_core::erasure::ErasureState;
use ledger_core::event::{HoldReason, RestrictionReason, SubjectEvent};
use ledger_core::ids::{ErasureId, LegalHoldId, SubjectId, TenantId};
use ledger_store::erasures::Rights;

use super::{ErasureError, ErasureProcess, ErasureRef};

/// What is held about a contact and its merged parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldData {
    /// The contact.
    pub subject_id: SubjectId,
    /// State of its newest key: `active`, `restricted`, `fenced` or `destroyed`.
    pub state: String,
    /// The contact that it was merged into.
    pub merged_into: Option<SubjectId>,
    /// Contacts that were merged into it.
    pub parts: Vec<SubjectId>,
    /// Number of its calls.
    pub calls: usize,
    /// Number of its appointments and tasks.
    pub others: usize,
    /// Number of calls whose person may be the contact.
    pub ambiguous_calls: u32,
    /// Number of subjects: the contact, its parts, and own subjects of its calls.
    pub subjects: u32,
    /// Number of their keys.
    pub keys: u32,
    /// Events with sections of these subjects.
    pub events: u64,
    /// Legal holds on the contact or a part that were not released.
    pub holds: Vec<HeldUnder>,
    /// The restriction in force.
    pub restriction: Option<(RestrictionReason, DateTime<Utc>)>,
    /// The erasure that was not refused.
    pub erasure: Option<(ErasureId, ErasureState, DateTime<Utc>)>,
}

/// A legal hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldUnder {
    /// The hold.
    pub hold_id: LegalHoldId,
    /// The contact that it was placed on.
    pub subject_id: SubjectId,
    /// Its reason.
    pub reason: HoldReason,
    /// Time at which it was recorded.
    pub placed_at: DateTime<Utc>,
}

impl ErasureProcess {
    /// Returns what is held about a contact; `None` if the tenant has no such contact.
    ///
    /// # Errors
    /// [`ErasureError::Behind`] if a read model does not reach the end of the log in time.
    pub async fn held(
        &self,
        tenant_id: TenantId,
        subject_id: SubjectId,
    ) -> Result<Option<HeldData>, ErasureError> {
        let vault = self.store.vault();
        let facts = vault.contact_facts(tenant_id, &[subject_id.0]).await?;
        let Some(facts) = facts.get(&subject_id.0) else { return Ok(None) };
        let rights = self.store.rights(tenant_id, subject_id).await?;
        // The manifest needs an erasure only for its id.
        let of = ErasureRef { tenant_id, subject_id, erasure_id: ErasureId(subject_id.0) };
        let manifest = self.manifest(of, &rights).await?;
        let keys = vault.key_facts(tenant_id, &[subject_id]).await?;
        let state = keys.last().map(|key| key.state.clone()).unwrap_or_default();
        let parts = rights.state.parts_of(subject_id);
        let mut holds = holds_in(&rights);
        for part in &parts {
            holds.extend(holds_in(&self.store.rights(tenant_id, *part).await?));
        }
        let erasure = rights.state.erasure_of(subject_id);
        Ok(Some(HeldData {
            subject_id,
            state,
            merged_into: facts.merged_into,
            parts,
            calls: manifest.calls,
            others: manifest.others,
            ambiguous_calls: manifest.plan.ambiguous_calls,
            subjects: manifest.plan.subjects,
            keys: manifest.plan.keys,
            events: manifest.plan.events,
            holds,
            restriction: restriction_in(&rights, subject_id),
            erasure: erasure.map(|(id, erasure)| (id, erasure.phase.state(), erasure.due_at)),
        }))
    }
}

/// The holds of the stream of a subject that were not released.
fn holds_in(rights: &Rights) -> Vec<HeldUnder> {
    let mut holds: Vec<HeldUnder> = Vec::new();
    for one in &rights.events {
        match &one.event {
            SubjectEvent::HoldPlaced(placed) => holds.push(HeldUnder {
                hold_id: placed.hold_id,
                subject_id: placed.subject_id,
                reason: placed.reason,
                placed_at: one.recorded_at,
            }),
            SubjectEvent::HoldReleased(released) => {
                holds.retain(|hold| hold.hold_id != released.hold_id);
            }
            _ => {}
        }
    }
    holds
}

/// The restriction in force, with the time at which it was recorded.
fn restriction_in(
    rights: &Rights,
    subject_id: SubjectId,
) -> Option<(RestrictionReason, DateTime<Utc>)> {
    let mut restriction = None;
    for one in &rights.events {
        match &one.event {
            SubjectEvent::Restricted(facts) if facts.subject_id == subject_id => {
                restriction = Some((facts.reason, one.recorded_at));
            }
            SubjectEvent::RestrictionLifted(facts) if facts.subject_id == subject_id => {
                restriction = None;
            }
            _ => {}
        }
    }
    restriction
}
