//! The state that decisions on a subject depend on.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::event::ErasureEvent;
use super::steps::Step;
use crate::event::{
    ContactEvent, ErasureDeferred, ErasurePlanned, ErasureRequested, Ground, SubjectEvent,
};
use crate::ids::{ErasureId, LegalHoldId, SubjectId};

/// State of an erasure, as the API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErasureState {
    /// Not decided, or not fenced yet.
    Requested,
    /// Refused.
    Refused,
    /// Waits for the end of a legal hold or of a retention duty.
    Deferred,
    /// No process seals or opens the data.
    Fenced,
    /// The keys are destroyed.
    Destroyed,
    /// No copy of a key can be opened, which was verified and certified.
    Final,
}

impl ErasureState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Requested,
        Self::Refused,
        Self::Deferred,
        Self::Fenced,
        Self::Destroyed,
        Self::Final,
    ];

    /// Returns the word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Refused => "refused",
            Self::Deferred => "deferred",
            Self::Fenced => "fenced",
            Self::Destroyed => "destroyed",
            Self::Final => "final",
        }
    }
}

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not decided.
    Requested,
    /// Refused.
    Refused,
    /// Deferred; no earlier than the time if there is one.
    Deferred(Option<DateTime<Utc>>),
    /// Allowed, with the last step that was carried out.
    Allowed(Option<Step>),
}

impl Phase {
    /// Returns the state.
    #[must_use]
    pub fn state(self) -> ErasureState {
        match self {
            Self::Requested | Self::Allowed(None | Some(Step::Planned)) => ErasureState::Requested,
            Self::Refused => ErasureState::Refused,
            Self::Deferred(_) => ErasureState::Deferred,
            Self::Allowed(Some(Step::Fenced | Step::Journaled)) => ErasureState::Fenced,
            Self::Allowed(Some(Step::Erased | Step::Purged)) => ErasureState::Final,
            Self::Allowed(Some(_)) => ErasureState::Destroyed,
        }
    }

    /// Whether the fence was recorded, after which the erasure can only be completed.
    pub(super) fn is_fenced(self) -> bool {
        matches!(self, Self::Allowed(done) if done >= Some(Step::Fenced))
    }
}

/// An erasure of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The subject that was named by the request.
    pub subject_id: SubjectId,
    /// The ground.
    pub ground: Ground,
    /// Receipt of the request.
    pub received_at: DateTime<Utc>,
    /// End of the term.
    pub due_at: DateTime<Utc>,
    /// Whether the term was extended.
    pub is_extended: bool,
    /// The newest manifest.
    pub plan: Option<ErasurePlanned>,
    /// The newest deferral, also of an erasure that was allowed later.
    pub deferral: Option<ErasureDeferred>,
    /// How far it is.
    pub phase: Phase,
}

/// A legal hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) subject_id: SubjectId,
    pub(super) is_released: bool,
}

/// Erasures, holds and restrictions of a subject and of the subjects that it is merged with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectState {
    pub(super) erasures: BTreeMap<ErasureId, Erasure>,
    pub(super) holds: BTreeMap<LegalHoldId, Hold>,
    pub(super) restricted: BTreeSet<SubjectId>,
    /// The survivor of each merged contact.
    pub(super) merged: BTreeMap<SubjectId, SubjectId>,
}

impl SubjectState {
    /// The erasures, in the order of their ids.
    pub fn erasures(&self) -> impl Iterator<Item = (ErasureId, &Erasure)> {
        self.erasures.iter().map(|(erasure_id, erasure)| (*erasure_id, erasure))
    }

    /// Returns an erasure.
    #[must_use]
    pub fn erasure(&self, erasure_id: ErasureId) -> Option<&Erasure> {
        self.erasures.get(&erasure_id)
    }

    /// Returns the contact that a subject was merged into.
    #[must_use]
    pub fn merged_into(&self, subject_id: SubjectId) -> Option<SubjectId> {
        self.merged.get(&subject_id).copied()
    }

    /// Returns the erasure of a subject that was not refused, or of its survivor.
    #[must_use]
    pub fn erasure_of(&self, subject_id: SubjectId) -> Option<(ErasureId, &Erasure)> {
        let covers = |erasure: &Erasure| {
            erasure.subject_id == subject_id
                || self.merged_into(subject_id) == Some(erasure.subject_id)
        };
        self.erasures().find(|(_, erasure)| covers(erasure) && erasure.phase != Phase::Refused)
    }

    /// Returns the legal holds on a subject or a part of it that were not released.
    #[must_use]
    pub fn holds_on(&self, subject_id: SubjectId) -> Vec<LegalHoldId> {
        let holds = self.holds.iter().filter(|(_, hold)| self.is_on(hold, subject_id));
        holds.map(|(hold_id, _)| *hold_id).collect()
    }

    fn is_on(&self, hold: &Hold, subject_id: SubjectId) -> bool {
        let survivor = self.merged.get(&hold.subject_id);
        !hold.is_released && (hold.subject_id == subject_id || survivor == Some(&subject_id))
    }

    /// Whether the processing of a subject is restricted.
    #[must_use]
    pub fn is_restricted(&self, subject_id: SubjectId) -> bool {
        self.restricted.contains(&subject_id)
    }

    /// Returns the contacts that were merged into a subject, sorted.
    #[must_use]
    pub fn parts_of(&self, subject_id: SubjectId) -> Vec<SubjectId> {
        let parts = self.merged.iter().filter(|(_, into)| **into == subject_id);
        parts.map(|(part, _)| *part).collect()
    }

    /// Returns the first legal hold on a subject or a part of it.
    #[must_use]
    pub fn hold_on(&self, subject_id: SubjectId) -> Option<LegalHoldId> {
        let mut holds = self.holds.iter();
        holds.find(|(_, hold)| self.is_on(hold, subject_id)).map(|(hold_id, _)| *hold_id)
    }

    /// Returns the erasure of a subject or its survivor that was fenced.
    pub(crate) fn fence_on(&self, subject_id: SubjectId) -> Option<ErasureId> {
        let survivor = self.merged.get(&subject_id);
        let is_on = |erasure: &Erasure| {
            let covers = [Some(&subject_id), survivor].contains(&Some(&erasure.subject_id));
            covers && erasure.phase.is_fenced()
        };
        self.erasures.iter().find(|(_, erasure)| is_on(erasure)).map(|(id, _)| *id)
    }

    pub(crate) fn evolve(&mut self, event: &ErasureEvent) {
        match event {
            ErasureEvent::Contact(ContactEvent::Merged(merged)) => {
                self.merged.insert(merged.contact_id, merged.into);
            }
            ErasureEvent::Contact(_) => {}
            ErasureEvent::Subject(event) => self.evolve_subject(event),
        }
    }

    fn evolve_subject(&mut self, event: &SubjectEvent) {
        use SubjectEvent as E;
        match event {
            E::ErasureRequested(requested) => self.request(requested),
            E::ErasureExtended(extended) => self.change(extended.erasure_id, |erasure| {
                erasure.due_at = extended.due_at;
                erasure.is_extended = true;
            }),
            E::ErasureRefused(refused) => self.reach(refused.erasure_id, Phase::Refused),
            E::ErasureDeferred(deferred) => self.change(deferred.erasure_id, |erasure| {
                erasure.phase = Phase::Deferred(deferred.until);
                erasure.deferral = Some(*deferred);
            }),
            E::ErasureAllowed(allowed) => self.reach(allowed.erasure_id, Phase::Allowed(None)),
            E::ErasurePlanned(planned) => {
                self.change(planned.erasure_id, |erasure| erasure.plan = Some(planned.clone()));
                self.step(planned.erasure_id, Step::Planned);
            }
            E::Fenced(facts) => self.step(facts.erasure_id, Step::Fenced),
            E::ErasureJournaled(facts) => self.step(facts.erasure_id, Step::Journaled),
            E::KeysDestroyed(facts) => self.step(facts.erasure_id, Step::Destroyed),
            E::NoticesRecorded(facts) => self.step(facts.erasure_id, Step::Notified),
            E::ErasureCertified(facts) => self.step(facts.erasure_id, Step::Certified),
            E::EpochRolled(facts) => self.step(facts.erasure_id, Step::Rolled),
            E::ErasureVerified(facts) if facts.findings > 0 => {}
            E::ErasureVerified(facts) => self.step(facts.erasure_id, Step::Verified),
            E::Erased(facts) => self.step(facts.erasure_id, Step::Erased),
            E::SectionsPurged(facts) => self.step(facts.erasure_id, Step::Purged),
            E::HoldPlaced(placed) => {
                let hold = Hold { subject_id: placed.subject_id, is_released: false };
                self.holds.insert(placed.hold_id, hold);
            }
            E::HoldReleased(released) => {
                if let Some(hold) = self.holds.get_mut(&released.hold_id) {
                    hold.is_released = true;
                }
            }
            E::Restricted(restricted) => drop(self.restricted.insert(restricted.subject_id)),
            E::RestrictionLifted(lifted) => drop(self.restricted.remove(&lifted.subject_id)),
            E::AccessRequested(_) | E::AccessExported(_) => {}
        }
    }

    fn request(&mut self, requested: &ErasureRequested) {
        let erasure = Erasure {
            subject_id: requested.subject_id,
            ground: requested.ground,
            received_at: requested.received_at,
            due_at: requested.due_at,
            is_extended: false,
            plan: None,
            deferral: None,
            phase: Phase::Requested,
        };
        self.erasures.insert(requested.erasure_id, erasure);
    }

    fn change(&mut self, erasure_id: ErasureId, change: impl FnOnce(&mut Erasure)) {
        if let Some(erasure) = self.erasures.get_mut(&erasure_id) {
            change(erasure);
        }
    }

    fn reach(&mut self, erasure_id: ErasureId, phase: Phase) {
        self.change(erasure_id, |erasure| erasure.phase = phase);
    }

    fn step(&mut self, erasure_id: ErasureId, step: Step) {
        self.reach(erasure_id, Phase::Allowed(Some(step)));
    }
}
