//! Every transition of an erasure, permitted and refused; holds, restrictions, merges and terms.

mod model;
mod terms;
mod transitions;

use uuid::Uuid;

use super::*;
use crate::aggregate::Aggregate;
use crate::aggregate::testing::given;
use crate::event::*;
use crate::ids::{ErasureId, LegalHoldId, StreamId, SubjectId, TenantId};

use chrono::{DateTime, TimeDelta, Utc};

const ERASURE: ErasureId = ErasureId(Uuid::from_u128(0xE));
const SUBJECT: SubjectId = SubjectId(Uuid::from_u128(0x5));
const PART: SubjectId = SubjectId(Uuid::from_u128(0x6));
const HOLD: LegalHoldId = LegalHoldId(Uuid::from_u128(0xA));

fn now() -> DateTime<Utc> {
    "2026-01-31T09:00:00Z".parse().expect("a time")
}

fn at(subject_id: SubjectId, now: DateTime<Utc>, action: ErasureAction) -> ErasureCommand {
    ErasureCommand { subject_id, now, action }
}

fn command(action: ErasureAction) -> ErasureCommand {
    at(SUBJECT, now(), action)
}

fn new_erasure(erasure_id: ErasureId) -> NewErasure {
    NewErasure {
        erasure_id,
        ground: Ground::ConsentWithdrawn,
        requester: Requester::Person,
        identity: IdentityCheck::KnownHandle,
        received_at: now(),
        text: None,
    }
}

fn requested() -> ErasureEvent {
    let event = SubjectEvent::ErasureRequested(ErasureRequested {
        erasure_id: ERASURE,
        subject_id: SUBJECT,
        ground: Ground::ConsentWithdrawn,
        requester: Requester::Person,
        identity: IdentityCheck::KnownHandle,
        received_at: now(),
        due_at: "2026-02-28T09:00:00Z".parse().expect("a time"),
    });
    event.into()
}

fn refused() -> ErasureEvent {
    let reason = RefusalReason::LegalClaims;
    SubjectEvent::ErasureRefused(ErasureRefused { erasure_id: ERASURE, reason }).into()
}

fn allowed() -> ErasureEvent {
    SubjectEvent::ErasureAllowed(ErasureAllowed { erasure_id: ERASURE }).into()
}

fn deferred(hold_id: Option<LegalHoldId>, until: Option<DateTime<Utc>>) -> ErasureEvent {
    let rule =
        if hold_id.is_some() { DeferralRule::LegalHold } else { DeferralRule::RetentionDuty };
    let deferred = ErasureDeferred { erasure_id: ERASURE, rule, hold_id, until };
    SubjectEvent::ErasureDeferred(deferred).into()
}

fn restricted(reason: RestrictionReason) -> ErasureEvent {
    SubjectEvent::Restricted(SubjectRestricted { subject_id: SUBJECT, reason }).into()
}

fn held(subject_id: SubjectId) -> ErasureEvent {
    let reason = HoldReason::Litigation;
    SubjectEvent::HoldPlaced(LegalHoldPlaced { hold_id: HOLD, subject_id, reason }).into()
}

fn released(subject_id: SubjectId) -> ErasureEvent {
    SubjectEvent::HoldReleased(LegalHoldReleased { hold_id: HOLD, subject_id }).into()
}

fn merged(contact_id: SubjectId, into: SubjectId) -> ErasureEvent {
    ErasureEvent::Contact(ContactEvent::Merged(ContactMerged {
        contact_id,
        into,
        handles: Vec::new(),
        into_handles: Vec::new(),
        with: None,
    }))
}

fn plan(parts: &[SubjectId]) -> ErasurePlanned {
    ErasurePlanned {
        erasure_id: ERASURE,
        parts: parts.to_vec(),
        subjects: 3,
        keys: 4,
        events: 10,
        ambiguous_calls: 1,
        recipients: 0,
        digest: HexDigest([7; 32]),
    }
}

/// The facts of a step, with a manifest without parts.
fn facts(step: Step) -> StepFacts {
    let erasure_id = ERASURE;
    let digest = HexDigest([9; 32]);
    match step {
        Step::Planned => StepFacts::Planned(plan(&[])),
        Step::Fenced => StepFacts::Fenced(SubjectFenced { erasure_id, fenced_at: now() }),
        Step::Journaled => StepFacts::Journaled(ErasureJournaled { erasure_id, entry: 1, digest }),
        Step::Destroyed => {
            StepFacts::Destroyed(KeysDestroyed { erasure_id, keys: 4, destroyed_at: now() })
        }
        Step::Notified => StepFacts::Notified(NoticesRecorded { erasure_id, recipients: 0 }),
        Step::Certified => StepFacts::Certified(ErasureCertified { erasure_id, digest }),
        Step::Rolled => StepFacts::Rolled(EpochRolled { erasure_id, destroyed: 1, current: 2 }),
        Step::Verified => StepFacts::Verified(ErasureVerified { erasure_id, findings: 0, digest }),
        Step::Erased => StepFacts::Erased(ErasureCertified { erasure_id, digest }),
        Step::Purged => StepFacts::Purged(SectionsPurged { erasure_id, sections: 12 }),
    }
}

fn record(step: Step) -> ErasureAction {
    ErasureAction::Record(facts(step))
}

/// The events up to a step; `None` for an erasure that was only allowed.
fn up_to(last: Option<Step>) -> Vec<ErasureEvent> {
    let steps = Step::ALL.into_iter().filter(|step| Some(*step) <= last);
    let steps = steps.map(|step| facts(step).to_event().into());
    [requested(), allowed()].into_iter().chain(steps).collect()
}
