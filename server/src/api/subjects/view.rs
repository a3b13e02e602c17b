//! JSON view of what is held about a person.

use chrono::{DateTime, Utc};
use ledger_app::erasures::{HeldData, HeldUnder};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::{
    ErasureStateName, HoldReasonName, RestrictionReasonName, SubjectStateName,
};

/// A person, with what is held about it. No field is personal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SubjectView {
    /// Id of the contact.
    subject_id: Uuid,
    /// State of its key.
    #[schema(value_type = SubjectStateName)]
    state: String,
    /// The contact that it was merged into.
    merged_into: Option<Uuid>,
    /// Contacts that were merged into it.
    parts: Vec<Uuid>,
    /// Number of its calls.
    calls: usize,
    /// Number of its appointments and tasks.
    appointments_and_tasks: usize,
    /// Number of calls from its numbers or addresses whose person is not known.
    ambiguous_calls: u32,
    /// Number of subjects of the person: the contact, its parts, and own subjects of its calls.
    subjects: u32,
    /// Number of their keys.
    keys: u32,
    /// Number of events with sections of these subjects.
    events: u64,
    /// Legal holds that were not released.
    holds: Vec<HoldView>,
    /// The restriction in force.
    restriction: Option<RestrictionView>,
    /// The erasure that was not refused.
    erasure: Option<OpenErasureView>,
}

/// A legal hold.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HoldView {
    /// Id of the hold.
    pub(super) hold_id: Uuid,
    /// The contact that it was placed on.
    pub(super) subject_id: Uuid,
    /// Its reason.
    #[schema(value_type = HoldReasonName)]
    pub(super) reason: &'static str,
    /// Time at which it was placed.
    pub(super) placed_at: DateTime<Utc>,
}

/// A restriction of the processing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RestrictionView {
    /// Its reason.
    #[schema(value_type = RestrictionReasonName)]
    reason: &'static str,
    /// Time from which it is in force.
    restricted_at: DateTime<Utc>,
}

/// The erasure of a person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OpenErasureView {
    /// Id of the erasure.
    pub(super) erasure_id: Uuid,
    /// State.
    #[schema(value_type = ErasureStateName)]
    pub(super) state: &'static str,
    /// End of the term.
    pub(super) due_at: DateTime<Utc>,
}

impl SubjectView {
    pub(super) fn of(held: &HeldData) -> Self {
        let view = |hold: &HeldUnder| HoldView {
            hold_id: hold.hold_id.0,
            subject_id: hold.subject_id.0,
            reason: hold.reason.as_str(),
            placed_at: hold.placed_at,
        };
        Self {
            subject_id: held.subject_id.0,
            state: held.state.clone(),
            merged_into: held.merged_into.map(|into| into.0),
            parts: held.parts.iter().map(|part| part.0).collect(),
            calls: held.calls,
            appointments_and_tasks: held.others,
            ambiguous_calls: held.ambiguous_calls,
            subjects: held.subjects,
            keys: held.keys,
            events: held.events,
            holds: held.holds.iter().map(view).collect(),
            restriction: held.restriction.map(|(reason, restricted_at)| RestrictionView {
                reason: reason.as_str(),
                restricted_at,
            }),
            erasure: held.erasure.map(|(erasure_id, state, due_at)| OpenErasureView {
                erasure_id: erasure_id.0,
                state: state.as_str(),
                due_at,
            }),
        }
    }
}
