//! The steps of an erasure that was allowed, in their order.

use crate::event::{
    EpochRolled, ErasureCertified, ErasureJournaled, ErasurePlanned, ErasureVerified,
    KeysDestroyed, NoticesRecorded, SectionsPurged, SubjectEvent, SubjectFenced,
};
use crate::ids::ErasureId;

/// A step of an erasure. Each follows the one before it in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The manifest was made.
    Planned,
    /// No process seals or opens a section of the subject.
    Fenced,
    /// The erasure is in the journal.
    Journaled,
    /// The keys were destroyed in the vault.
    Destroyed,
    /// The notices to recipients were recorded.
    Notified,
    /// The live certificate was issued.
    Certified,
    /// The epoch key was destroyed.
    Rolled,
    /// A verification had no findings.
    Verified,
    /// The final certificate was issued.
    Erased,
    /// The bytes of the sections were removed.
    Purged,
}

impl Step {
    /// All steps, in their order.
    pub const ALL: [Self; 10] = [
        Self::Planned,
        Self::Fenced,
        Self::Journaled,
        Self::Destroyed,
        Self::Notified,
        Self::Certified,
        Self::Rolled,
        Self::Verified,
        Self::Erased,
        Self::Purged,
    ];

    /// Returns the name in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Fenced => "fenced",
            Self::Journaled => "journaled",
            Self::Destroyed => "destroyed",
            Self::Notified => "notified",
            Self::Certified => "certified",
            Self::Rolled => "rolled",
            Self::Verified => "verified",
            Self::Erased => "erased",
            Self::Purged => "purged",
        }
    }

    /// Returns the step after `done`, the first one for `None`; `None` after the last one.
    #[must_use]
    pub fn after(done: Option<Self>) -> Option<Self> {
        Self::ALL.into_iter().find(|step| Some(*step) > done)
    }
}

/// A step that was carried out, with its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepFacts {
    /// [`Step::Planned`]
    Planned(ErasurePlanned),
    /// [`Step::Fenced`]
    Fenced(SubjectFenced),
    /// [`Step::Journaled`]
    Journaled(ErasureJournaled),
    /// [`Step::Destroyed`]
    Destroyed(KeysDestroyed),
    /// [`Step::Notified`]
    Notified(NoticesRecorded),
    /// [`Step::Certified`]
    Certified(ErasureCertified),
    /// [`Step::Rolled`]
    Rolled(EpochRolled),
    /// [`Step::Verified`], or a verification with findings.
    Verified(ErasureVerified),
    /// [`Step::Erased`]
    Erased(ErasureCertified),
    /// [`Step::Purged`]
    Purged(SectionsPurged),
}

impl StepFacts {
    /// Returns the step.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::Planned(_) => Step::Planned,
            Self::Fenced(_) => Step::Fenced,
            Self::Journaled(_) => Step::Journaled,
            Self::Destroyed(_) => Step::Destroyed,
            Self::Notified(_) => Step::Notified,
            Self::Certified(_) => Step::Certified,
            Self::Rolled(_) => Step::Rolled,
            Self::Verified(_) => Step::Verified,
            Self::Erased(_) => Step::Erased,
            Self::Purged(_) => Step::Purged,
        }
    }

    /// Returns the erasure.
    #[must_use]
    pub const fn erasure_id(&self) -> ErasureId {
        match self {
            Self::Planned(facts) => facts.erasure_id,
            Self::Fenced(facts) => facts.erasure_id,
            Self::Journaled(facts) => facts.erasure_id,
            Self::Destroyed(facts) => facts.erasure_id,
            Self::Notified(facts) => facts.erasure_id,
            Self::Certified(facts) | Self::Erased(facts) => facts.erasure_id,
            Self::Rolled(facts) => facts.erasure_id,
            Self::Verified(facts) => facts.erasure_id,
            Self::Purged(facts) => facts.erasure_id,
        }
    }

    /// Returns the event that records the step.
    #[must_use]
    pub fn to_event(&self) -> SubjectEvent {
        match self.clone() {
            Self::Planned(facts) => SubjectEvent::ErasurePlanned(facts),
            Self::Fenced(facts) => SubjectEvent::Fenced(facts),
            Self::Journaled(facts) => SubjectEvent::ErasureJournaled(facts),
            Self::Destroyed(facts) => SubjectEvent::KeysDestroyed(facts),
            Self::Notified(facts) => SubjectEvent::NoticesRecorded(facts),
            Self::Certified(facts) => SubjectEvent::ErasureCertified(facts),
            Self::Rolled(facts) => SubjectEvent::EpochRolled(facts),
            Self::Verified(facts) => SubjectEvent::ErasureVerified(facts),
            Self::Erased(facts) => SubjectEvent::Erased(facts),
            Self::Purged(facts) => SubjectEvent::SectionsPurged(facts),
        }
    }
}
