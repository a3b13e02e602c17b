//! Commands on the rights over a subject's data, and the reasons for which they are rejected.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::repeat::RepeatedErasure;
use super::steps::{Step, StepFacts};
use crate::event::{
    ExtensionReason, Ground, HoldReason, IdentityCheck, RefusalReason, Requester, RestrictionReason,
};
use crate::ids::{ErasureId, LegalHoldId, SubjectId};
use crate::personal::RequestText;

/// Days that the receipt of a request may be in the past.
pub const MAX_DAYS_RECEIVED: i64 = 366;

/// A command, with the time that its decision depends on.
#[derive(Debug, Clone)]
pub struct ErasureCommand {
    /// The subject. It exists.
    pub subject_id: SubjectId,
    /// The time of the command.
    pub now: DateTime<Utc>,
    /// The requested action.
    pub action: ErasureAction,
}

/// The action that a command requests.
#[derive(Debug, Clone)]
pub enum ErasureAction {
    /// Record a request to erase the subject.
    Request(NewErasure),
    /// Extend the term, within the first one.
    Extend(ErasureId, ExtensionReason),
    /// Refuse the request.
    Refuse(ErasureId, RefusalReason),
    /// Defer the erasure to the end of a retention duty if there is one, else because of a legal
    /// hold.
    Defer(ErasureId, Option<DateTime<Utc>>),
    /// Allow the erasure.
    Allow(ErasureId),
    /// Record a step that was carried out.
    Record(StepFacts),
    /// Record an erasure of the journal in a restored log: those of its events that are missing.
    Repeat(Box<RepeatedErasure>),
    /// Place a legal hold.
    PlaceHold(LegalHoldId, HoldReason),
    /// Release a legal hold.
    ReleaseHold(LegalHoldId),
    /// Restrict the processing of the data.
    Restrict(RestrictionReason),
    /// Lift the restriction.
    LiftRestriction,
}

/// A request to erase a subject.
#[derive(Debug, Clone)]
pub struct NewErasure {
    /// Id of the erasure, which is not in use.
    pub erasure_id: ErasureId,
    /// The ground, which has the term.
    pub ground: Ground,
    /// The party that requests it.
    pub requester: Requester,
    /// The check of its identity.
    pub identity: IdentityCheck,
    /// Receipt of the request. Recorded in microseconds.
    pub received_at: DateTime<Utc>,
    /// Texts, sealed for the subject; its key has to seal.
    pub text: Option<RequestText>,
}

/// The reason for which a command is rejected. Nothing is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ErasureRejection {
    /// The contact was merged; the survivor has to be named.
    #[error("the contact was merged into {into}")]
    Merged {
        /// The survivor.
        into: SubjectId,
    },
    /// The subject, or a part of it, has an erasure that has not ended.
    #[error("erasure {0} of the subject has not ended")]
    Open(ErasureId),
    /// The subject was erased.
    #[error("the subject was erased by erasure {0}")]
    AlreadyErased(ErasureId),
    /// The id of the new erasure or hold is in use.
    #[error("the id is in use")]
    Exists,
    /// The receipt of the request is in the future.
    #[error("the request would have been received in the future")]
    ReceivedInFuture,
    /// The receipt of the request is further in the past than [`MAX_DAYS_RECEIVED`].
    #[error("the request was received more than {MAX_DAYS_RECEIVED} days ago")]
    ReceivedTooEarly,
    /// The subject has no such erasure.
    #[error("the subject has no such erasure")]
    NoSuchErasure,
    /// The subject has no such hold.
    #[error("the subject has no such hold")]
    NoSuchHold,
    /// The term on this ground cannot be extended.
    #[error("the term on this ground cannot be extended")]
    NotExtendable,
    /// An extension has to be decided within the first term.
    #[error("the first term ended at {0}, and an extension has to be decided within it")]
    ExtendedTooLate(DateTime<Utc>),
    /// The erasure was refused.
    #[error("the erasure was refused")]
    Refused,
    /// The erasure was not allowed yet.
    #[error("the erasure was not allowed yet")]
    Undecided,
    /// The erasure is deferred.
    #[error("erasure {0} is deferred")]
    Deferred(ErasureId),
    /// The erasure has reached its fence, after which it can only be completed.
    #[error("erasure {0} is fenced and can only be completed")]
    Fenced(ErasureId),
    /// A legal hold is placed on the subject or a part of it.
    #[error("legal hold {0} is placed on the subject")]
    Held(LegalHoldId),
    /// The data have to be retained.
    #[error("the data have to be retained until {0}")]
    Retained(DateTime<Utc>),
    /// There is neither a retention duty nor a legal hold.
    #[error("there is neither a retention duty nor a legal hold")]
    NothingToWaitFor,
    /// The end of the retention duty is not in the future.
    #[error("the end of the retention duty is not in the future")]
    RetentionEnded,
    /// Contacts were merged since the manifest was made; it has to be made again.
    #[error("contacts were merged since the manifest was made")]
    ManifestOutdated,
    /// A step before this one is missing.
    #[error("the step {} has to come first", .0.as_str())]
    Missing(Step),
}
