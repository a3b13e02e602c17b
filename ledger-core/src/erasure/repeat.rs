//! Records an erasure of the journal again in a restored log that lacks some or all of its events.

use super::event::ErasureEvent;
use super::state::{Phase, SubjectState};
use super::steps::{Step, StepFacts};
use crate::aggregate::Decided;
use crate::event::{
    ErasureAllowed, ErasureJournaled, ErasurePlanned, ErasureRequested, KeysDestroyed,
    SubjectEvent, SubjectFenced,
};

/// A completed erasure, as read from the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatedErasure {
    /// The request.
    pub request: ErasureRequested,
    /// The manifest.
    pub plan: ErasurePlanned,
    /// The fence.
    pub fence: SubjectFenced,
    /// The entry in the journal.
    pub entry: ErasureJournaled,
    /// The destruction in this database.
    pub destroyed: KeysDestroyed,
}

/// Returns the events up to the destruction that the log does not have. No rule is asked: the keys
/// do not exist any more, whatever the restored log says about holds and merges.
pub(super) fn missing(
    state: &SubjectState,
    repeated: &RepeatedErasure,
) -> Vec<Decided<ErasureEvent>> {
    let erasure_id = repeated.request.erasure_id;
    let erasure = state.erasures.get(&erasure_id);
    let mut events = Vec::new();
    if erasure.is_none() {
        events.push(SubjectEvent::ErasureRequested(repeated.request));
    }
    let done = match erasure.map(|erasure| erasure.phase) {
        Some(Phase::Allowed(done)) => done,
        _ => {
            events.push(SubjectEvent::ErasureAllowed(ErasureAllowed { erasure_id }));
            None
        }
    };
    let is_planned = erasure.is_some_and(|erasure| erasure.plan.as_ref() == Some(&repeated.plan));
    let steps = [
        StepFacts::Planned(repeated.plan.clone()),
        StepFacts::Fenced(repeated.fence),
        StepFacts::Journaled(repeated.entry),
        StepFacts::Destroyed(repeated.destroyed),
    ];
    for step in steps {
        // A manifest before the fence may be an older one.
        let is_outdated =
            step.step() == Step::Planned && done == Some(Step::Planned) && !is_planned;
        if done < Some(step.step()) || is_outdated {
            events.push(step.to_event());
        }
    }
    events.into_iter().map(|event| Decided::first(event.into())).collect()
}
