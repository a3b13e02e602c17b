//! The decisions on erasures, legal holds and restrictions.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::command::{
    ErasureAction, ErasureCommand, ErasureRejection, MAX_DAYS_RECEIVED, NewErasure,
};
use super::event::ErasureEvent;
use super::repeat;
use super::state::{Erasure, ErasureState, Phase, SubjectState};
use super::steps::{Step, StepFacts};
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{
    DeferralRule, ErasureAllowed, ErasureDeferred, ErasureExtended, ErasureRefused,
    ErasureRequested, ExtensionReason, HoldReason, LegalHoldPlaced, LegalHoldReleased,
    RefusalReason, RestrictionLifted, RestrictionReason, SubjectEvent, SubjectRestricted,
};
use crate::ids::{ErasureId, LegalHoldId, StreamId, SubjectId, TenantId};
use crate::section::Sections;

/// The aggregate of the rights over a subject's data.
#[derive(Debug, Clone, Copy)]
pub struct Erasures;

type Decision = Result<Vec<Decided<ErasureEvent>>, ErasureRejection>;

/// Number of streams of a command before those of merged subjects.
const FIRST_STREAMS: usize = 2;

impl Aggregate for Erasures {
    type State = SubjectState;
    type Command = ErasureCommand;
    type Event = ErasureEvent;
    type Rejection = ErasureRejection;

    fn streams(tenant_id: TenantId, command: &ErasureCommand) -> Vec<Stream> {
        let subject_id = command.subject_id;
        vec![
            Stream::new(tenant_id.subject_stream(subject_id), StreamKind::Subject),
            Stream::new(StreamId(subject_id.0), StreamKind::Contact),
        ]
    }

    /// The streams of the survivor of the subject, then of its parts.
    fn further_streams(
        tenant_id: TenantId,
        state: &SubjectState,
        command: &ErasureCommand,
    ) -> Vec<Stream> {
        let stream =
            |subject_id| Stream::new(tenant_id.subject_stream(subject_id), StreamKind::Subject);
        one_person_with(state, command.subject_id).map(stream).collect()
    }

    fn decide(state: &SubjectState, command: &ErasureCommand) -> Decision {
        let rules = Rules { state, subject_id: command.subject_id, now: command.now };
        match &command.action {
            ErasureAction::Request(new) => rules.request(new),
            ErasureAction::Extend(erasure_id, reason) => rules.extend(*erasure_id, *reason),
            ErasureAction::Refuse(erasure_id, reason) => rules.refuse(*erasure_id, *reason),
            ErasureAction::Defer(erasure_id, until) => rules.defer(*erasure_id, *until),
            ErasureAction::Allow(erasure_id) => rules.allow(*erasure_id),
            ErasureAction::Record(facts) => rules.record(facts),
            ErasureAction::Repeat(repeated) => Ok(repeat::missing(state, repeated)),
            ErasureAction::PlaceHold(hold_id, reason) => rules.place_hold(*hold_id, *reason),
            ErasureAction::ReleaseHold(hold_id) => rules.release_hold(*hold_id),
            ErasureAction::Restrict(reason) => rules.restrict(*reason),
            ErasureAction::LiftRestriction => rules.lift_restriction(),
        }
    }

    fn evolve(state: &mut SubjectState, event: &ErasureEvent) {
        state.evolve(event);
    }
}

/// The subjects of the further streams.
fn one_person_with(state: &SubjectState, subject_id: SubjectId) -> impl Iterator<Item = SubjectId> {
    let survivor = state.merged.get(&subject_id).copied();
    survivor.into_iter().chain(state.parts_of(subject_id))
}

fn only(event: SubjectEvent) -> Vec<Decided<ErasureEvent>> {
    vec![Decided::first(event.into())]
}

/// The rules, with what a decision depends on.
struct Rules<'a> {
    state: &'a SubjectState,
    subject_id: SubjectId,
    now: DateTime<Utc>,
}

impl Rules<'_> {
    fn request(&self, new: &NewErasure) -> Decision {
        self.check_not_merged()?;
        if self.state.erasures.contains_key(&new.erasure_id) {
            return Err(ErasureRejection::Exists);
        }
        for (erasure_id, erasure) in self.state.erasures() {
            match erasure.phase.state() {
                ErasureState::Refused => {}
                ErasureState::Final => return Err(ErasureRejection::AlreadyErased(erasure_id)),
                _ => return Err(ErasureRejection::Open(erasure_id)),
            }
        }
        let ago = self.now.signed_duration_since(new.received_at);
        if ago < TimeDelta::zero() {
            return Err(ErasureRejection::ReceivedInFuture);
        }
        if ago > TimeDelta::days(MAX_DAYS_RECEIVED) {
            return Err(ErasureRejection::ReceivedTooEarly);
        }
        let received_at = new.received_at.trunc_subsecs(6);
        let event = SubjectEvent::ErasureRequested(ErasureRequested {
            erasure_id: new.erasure_id,
            subject_id: self.subject_id,
            ground: new.ground,
            requester: new.requester,
            identity: new.identity,
            received_at,
            due_at: new.ground.term().end(received_at),
        });
        let sections = Sections { request: new.text.clone(), ..Sections::default() };
        Ok(vec![Decided { stream: 0, event: event.into(), sections }])
    }

    fn extend(&self, erasure_id: ErasureId, reason: ExtensionReason) -> Decision {
        let erasure = self.unfenced(erasure_id)?;
        if erasure.phase == Phase::Refused {
            return Err(ErasureRejection::Refused);
        }
        if erasure.is_extended {
            return Ok(Vec::new());
        }
        let extended_end = erasure.ground.term().extended_end(erasure.received_at);
        let due_at = extended_end.ok_or(ErasureRejection::NotExtendable)?;
        if self.now > erasure.due_at {
            return Err(ErasureRejection::ExtendedTooLate(erasure.due_at));
        }
        Ok(only(SubjectEvent::ErasureExtended(ErasureExtended { erasure_id, reason, due_at })))
    }

    fn refuse(&self, erasure_id: ErasureId, reason: RefusalReason) -> Decision {
        if self.unfenced(erasure_id)?.phase == Phase::Refused {
            return Ok(Vec::new());
        }
        Ok(only(SubjectEvent::ErasureRefused(ErasureRefused { erasure_id, reason })))
    }

    fn defer(&self, erasure_id: ErasureId, until: Option<DateTime<Utc>>) -> Decision {
        let erasure = self.unfenced(erasure_id)?;
        if erasure.phase == Phase::Refused {
            return Err(ErasureRejection::Refused);
        }
        if until.is_some_and(|until| until <= self.now) {
            return Err(ErasureRejection::RetentionEnded);
        }
        let hold_id = self.state.hold_on(self.subject_id);
        let until = until.map(|until| until.trunc_subsecs(6));
        let rule = match (hold_id, until) {
            (Some(_), _) => DeferralRule::LegalHold,
            (None, Some(_)) => DeferralRule::RetentionDuty,
            (None, None) => return Err(ErasureRejection::NothingToWaitFor),
        };
        let deferred = ErasureDeferred { erasure_id, rule, hold_id, until };
        if matches!(erasure.phase, Phase::Deferred(_)) && erasure.deferral == Some(deferred) {
            return Ok(Vec::new());
        }
        Ok(self.deferred(erasure.subject_id, deferred))
    }

    /// The events of a deferral, in the stream of the subject of the erasure.
    fn deferred(
        &self,
        subject_id: SubjectId,
        deferred: ErasureDeferred,
    ) -> Vec<Decided<ErasureEvent>> {
        let mut events = vec![SubjectEvent::ErasureDeferred(deferred)];
        if !self.state.is_restricted(subject_id) {
            let reason = RestrictionReason::Deferral;
            events.push(SubjectEvent::Restricted(SubjectRestricted { subject_id, reason }));
        }
        let stream = self.stream_of(subject_id);
        events.into_iter().map(|event| Decided::new(stream, event.into())).collect()
    }

    /// The index of a subject's stream.
    fn stream_of(&self, subject_id: SubjectId) -> usize {
        let mut further = one_person_with(self.state, self.subject_id);
        let nth = further.position(|other| other == subject_id);
        nth.map_or(0, |nth| FIRST_STREAMS + nth)
    }

    fn allow(&self, erasure_id: ErasureId) -> Decision {
        let until = match self.erasure(erasure_id)?.phase {
            Phase::Refused => return Err(ErasureRejection::Refused),
            Phase::Allowed(_) => return Ok(Vec::new()),
            Phase::Requested => None,
            Phase::Deferred(until) => until,
        };
        self.check_not_merged()?;
        self.check_not_held()?;
        match until.filter(|until| *until > self.now) {
            Some(until) => Err(ErasureRejection::Retained(until)),
            None => Ok(only(SubjectEvent::ErasureAllowed(ErasureAllowed { erasure_id }))),
        }
    }

    fn record(&self, facts: &StepFacts) -> Decision {
        let erasure_id = facts.erasure_id();
        let erasure = self.erasure(erasure_id)?;
        let done = match erasure.phase {
            Phase::Requested => return Err(ErasureRejection::Undecided),
            Phase::Refused => return Err(ErasureRejection::Refused),
            Phase::Deferred(_) => return Err(ErasureRejection::Deferred(erasure_id)),
            Phase::Allowed(done) => done,
        };
        let is_same = |plan| erasure.plan.as_ref().is_none_or(|known| known == plan);
        let is_done = match facts {
            // Until the fence, a manifest is replaced by a newer one.
            StepFacts::Planned(plan) => {
                done > Some(Step::Planned) || done == Some(Step::Planned) && is_same(plan)
            }
            _ => done >= Some(facts.step()),
        };
        if is_done {
            return Ok(Vec::new());
        }
        match Step::after(done) {
            Some(next) if next < facts.step() => return Err(ErasureRejection::Missing(next)),
            _ => {}
        }
        match facts {
            StepFacts::Planned(plan) => self.check_manifest(&plan.parts)?,
            StepFacts::Fenced(_) => {
                self.check_not_held()?;
                let plan = erasure.plan.as_ref().ok_or(ErasureRejection::ManifestOutdated)?;
                self.check_manifest(&plan.parts)?;
            }
            _ => {}
        }
        Ok(only(facts.to_event()))
    }

    fn place_hold(&self, hold_id: LegalHoldId, reason: HoldReason) -> Decision {
        let subject_id = self.subject_id;
        match self.state.holds.get(&hold_id) {
            Some(hold) if hold.subject_id == subject_id && !hold.is_released => {
                return Ok(Vec::new());
            }
            Some(_) => return Err(ErasureRejection::Exists),
            None => self.check_unfenced()?,
        }
        let placed = SubjectEvent::HoldPlaced(LegalHoldPlaced { hold_id, subject_id, reason });
        let mut decided = vec![Decided::first(placed.into())];
        let survivor = self.state.merged.get(&subject_id).copied().unwrap_or(subject_id);
        for (erasure_id, erasure) in self.state.erasures() {
            let is_on = [subject_id, survivor].contains(&erasure.subject_id);
            if is_on && matches!(erasure.phase, Phase::Allowed(_)) {
                let rule = DeferralRule::LegalHold;
                let hold_id = Some(hold_id);
                let deferred = ErasureDeferred { erasure_id, rule, hold_id, until: None };
                decided.extend(self.deferred(erasure.subject_id, deferred));
            }
        }
        Ok(decided)
    }

    fn release_hold(&self, hold_id: LegalHoldId) -> Decision {
        let subject_id = self.subject_id;
        let hold = self.state.holds.get(&hold_id).filter(|hold| hold.subject_id == subject_id);
        if hold.ok_or(ErasureRejection::NoSuchHold)?.is_released {
            return Ok(Vec::new());
        }
        Ok(only(SubjectEvent::HoldReleased(LegalHoldReleased { hold_id, subject_id })))
    }

    fn restrict(&self, reason: RestrictionReason) -> Decision {
        let subject_id = self.subject_id;
        self.check_unfenced()?;
        if self.state.is_restricted(subject_id) {
            return Ok(Vec::new());
        }
        Ok(only(SubjectEvent::Restricted(SubjectRestricted { subject_id, reason })))
    }

    fn lift_restriction(&self) -> Decision {
        let subject_id = self.subject_id;
        self.check_unfenced()?;
        if !self.state.is_restricted(subject_id) {
            return Ok(Vec::new());
        }
        for (erasure_id, erasure) in self.state.erasures() {
            let is_deferred = matches!(erasure.phase, Phase::Deferred(_));
            if is_deferred && erasure.subject_id == subject_id {
                return Err(ErasureRejection::Deferred(erasure_id));
            }
        }
        Ok(only(SubjectEvent::RestrictionLifted(RestrictionLifted { subject_id })))
    }

    fn erasure(&self, erasure_id: ErasureId) -> Result<&Erasure, ErasureRejection> {
        let erasure = self.state.erasures.get(&erasure_id);
        let of_subject = erasure.filter(|erasure| erasure.subject_id == self.subject_id);
        of_subject.ok_or(ErasureRejection::NoSuchErasure)
    }

    fn unfenced(&self, erasure_id: ErasureId) -> Result<&Erasure, ErasureRejection> {
        let erasure = self.erasure(erasure_id)?;
        if erasure.phase.is_fenced() {
            return Err(ErasureRejection::Fenced(erasure_id));
        }
        Ok(erasure)
    }

    fn check_unfenced(&self) -> Result<(), ErasureRejection> {
        self.state.fence_on(self.subject_id).map_or(Ok(()), |id| Err(ErasureRejection::Fenced(id)))
    }

    fn check_not_held(&self) -> Result<(), ErasureRejection> {
        self.state.hold_on(self.subject_id).map_or(Ok(()), |id| Err(ErasureRejection::Held(id)))
    }

    fn check_not_merged(&self) -> Result<(), ErasureRejection> {
        match self.state.merged.get(&self.subject_id) {
            Some(into) => Err(ErasureRejection::Merged { into: *into }),
            None => Ok(()),
        }
    }

    /// Checks that the manifest has exactly the parts that the subject has now.
    fn check_manifest(&self, parts: &[SubjectId]) -> Result<(), ErasureRejection> {
        self.check_not_merged()?;
        if parts == self.state.parts_of(self.subject_id) {
            return Ok(());
        }
        Err(ErasureRejection::ManifestOutdated)
    }
}
