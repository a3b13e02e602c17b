//! Each action in each phase.

use super::*;

fn then(events: Vec<ErasureEvent>, action: ErasureAction) -> Result<usize, ErasureRejection> {
    let given = given::<Erasures>(events);
    Erasures::decide(given.state(), &command(action)).map(|decided| decided.len())
}

fn retained() -> DateTime<Utc> {
    now() + TimeDelta::days(100)
}

#[test]
fn each_decision_in_each_phase() {
    use ErasureRejection as R;
    let fenced = Err(R::Fenced(ERASURE));
    let extend = ErasureAction::Extend(ERASURE, ExtensionReason::Complexity);
    let refuse = ErasureAction::Refuse(ERASURE, RefusalReason::Withdrawn);
    let defer = ErasureAction::Defer(ERASURE, Some(retained()));
    let allow = ErasureAction::Allow(ERASURE);
    let hold = ErasureAction::PlaceHold(HOLD, HoldReason::Audit);
    let restrict = ErasureAction::Restrict(RestrictionReason::Accuracy);
    let waits = || {
        let reason = RestrictionReason::Deferral;
        vec![requested(), deferred(None, Some(retained())), restricted(reason)]
    };
    let before = [
        (vec![requested()], [Ok(1), Ok(1), Ok(2), Ok(1), Ok(1), Ok(1)]),
        (
            vec![requested(), refused()],
            [Err(R::Refused), Ok(0), Err(R::Refused), Err(R::Refused), Ok(1), Ok(1)],
        ),
        (waits(), [Ok(1), Ok(1), Ok(0), Err(R::Retained(retained())), Ok(1), Ok(0)]),
        (up_to(None), [Ok(1), Ok(1), Ok(2), Ok(0), Ok(3), Ok(1)]),
        (up_to(Some(Step::Planned)), [Ok(1), Ok(1), Ok(2), Ok(0), Ok(3), Ok(1)]),
    ];
    let after = Step::ALL.into_iter().filter(|step| *step >= Step::Fenced);
    let after =
        after.map(|step| (up_to(Some(step)), [fenced, fenced, fenced, Ok(0), fenced, fenced]));
    for (events, expected) in before.into_iter().chain(after) {
        let actions = [&extend, &refuse, &defer, &allow, &hold, &restrict];
        let actual = actions.map(|action| then(events.clone(), action.clone()));
        assert_eq!(actual, expected, "{:?}", events.last());
    }
}

#[test]
fn each_step_in_each_phase() {
    let first: Option<Step> = None;
    for done in std::iter::once(first).chain(Step::ALL.into_iter().map(Some)) {
        for step in Step::ALL {
            let next = Step::after(done);
            let expected = match next {
                Some(next) if step == next => Ok(1),
                Some(next) if step > next => Err(ErasureRejection::Missing(next)),
                _ => Ok(0),
            };
            assert_eq!(then(up_to(done), record(step)), expected, "{step:?} after {done:?}");
        }
    }
    for step in Step::ALL {
        let undecided = Err(ErasureRejection::Undecided);
        assert_eq!(then(vec![requested()], record(step)), undecided);
        let is_refused = Err(ErasureRejection::Refused);
        assert_eq!(then(vec![requested(), refused()], record(step)), is_refused);
        let waits = vec![requested(), deferred(None, Some(retained()))];
        assert_eq!(then(waits, record(step)), Err(ErasureRejection::Deferred(ERASURE)));
        assert_eq!(then(vec![], record(step)), Err(ErasureRejection::NoSuchErasure));
    }
}

#[test]
fn a_step_records_its_facts() {
    for step in Step::ALL {
        let done = Step::ALL.into_iter().rfind(|before| *before < step);
        given::<Erasures>(up_to(done))
            .when(command(record(step)))
            .then(Ok(vec![facts(step).to_event().into()]));
        assert_eq!((facts(step).step(), facts(step).erasure_id()), (step, ERASURE));
    }
}

#[test]
fn the_phases_have_the_states_of_the_api() {
    use ErasureState::*;
    let state = |events: Vec<ErasureEvent>| {
        let folded = crate::aggregate::fold::<Erasures>(&events);
        folded.erasures().map(|(_, erasure)| erasure.phase.state()).collect::<Vec<_>>()
    };
    assert_eq!(state(vec![requested()]), [Requested]);
    assert_eq!(state(vec![requested(), refused()]), [Refused]);
    assert_eq!(state(vec![requested(), deferred(Some(HOLD), None)]), [Deferred]);
    assert_eq!(state(up_to(None)), [Requested]);
    let expected = [
        Requested, Fenced, Fenced, Destroyed, Destroyed, Destroyed, Destroyed, Destroyed, Final,
        Final,
    ];
    for (step, expected) in Step::ALL.into_iter().zip(expected) {
        assert_eq!(state(up_to(Some(step))), [expected], "{step:?}");
    }
    let words = ErasureState::ALL.map(ErasureState::as_str);
    assert_eq!(words, ["requested", "refused", "deferred", "fenced", "destroyed", "final"]);
}

#[test]
fn a_subject_has_one_open_erasure_and_is_erased_once() {
    let other = ErasureId(Uuid::from_u128(0xF));
    let request = |erasure_id| ErasureAction::Request(new_erasure(erasure_id));
    given::<Erasures>([]).when(command(request(ERASURE))).then(Ok(vec![requested()]));
    let open = Err(ErasureRejection::Open(ERASURE));
    assert_eq!(then(vec![requested()], request(other)), open);
    assert_eq!(then(vec![requested()], request(ERASURE)), Err(ErasureRejection::Exists));
    assert_eq!(then(vec![requested(), refused()], request(other)), Ok(1));
    for step in Step::ALL {
        let erased = Err(ErasureRejection::AlreadyErased(ERASURE));
        let expected = if step < Step::Erased { open } else { erased };
        assert_eq!(then(up_to(Some(step)), request(other)), expected, "{step:?}");
    }
}

#[test]
fn an_erasure_is_named_with_its_own_subject() {
    let allow = at(PART, now(), ErasureAction::Allow(ERASURE));
    given::<Erasures>([requested()]).when(allow).then(Err(ErasureRejection::NoSuchErasure));
}

#[test]
fn a_deferral_restricts_and_names_the_rule_that_decided() {
    let defer = |until| command(ErasureAction::Defer(ERASURE, until));
    let restriction = restricted(RestrictionReason::Deferral);
    given::<Erasures>([requested()])
        .when(defer(Some(retained())))
        .then(Ok(vec![deferred(None, Some(retained())), restriction.clone()]));
    given::<Erasures>([requested(), held(SUBJECT)])
        .when(defer(Some(retained())))
        .then(Ok(vec![deferred(Some(HOLD), Some(retained())), restriction.clone()]));
    given::<Erasures>([requested(), held(SUBJECT)])
        .when(defer(None))
        .then(Ok(vec![deferred(Some(HOLD), None), restriction]));
    given::<Erasures>([requested(), restricted(RestrictionReason::Accuracy)])
        .when(defer(Some(retained())))
        .then(Ok(vec![deferred(None, Some(retained()))]));
    given::<Erasures>([requested()])
        .when(defer(None))
        .then(Err(ErasureRejection::NothingToWaitFor));
    given::<Erasures>([requested()])
        .when(defer(Some(now())))
        .then(Err(ErasureRejection::RetentionEnded));
}

#[test]
fn a_deferred_erasure_is_allowed_after_the_hold_and_the_retention_duty() {
    let allow = |now| at(SUBJECT, now, ErasureAction::Allow(ERASURE));
    let waits = [requested(), held(SUBJECT), deferred(Some(HOLD), Some(retained()))];
    given::<Erasures>(waits.clone())
        .when(allow(retained()))
        .then(Err(ErasureRejection::Held(HOLD)));
    let freed = || waits.clone().into_iter().chain([released(SUBJECT)]);
    given::<Erasures>(freed())
        .when(allow(retained() - TimeDelta::microseconds(1)))
        .then(Err(ErasureRejection::Retained(retained())));
    given::<Erasures>(freed()).when(allow(retained())).then(Ok(vec![allowed()]));
}

#[test]
fn a_hold_stops_an_erasure_that_was_allowed() {
    let hold = || command(ErasureAction::PlaceHold(HOLD, HoldReason::Litigation));
    for done in [None, Some(Step::Planned)] {
        given::<Erasures>(up_to(done)).when(hold()).then(Ok(vec![
            held(SUBJECT),
            deferred(Some(HOLD), None),
            restricted(RestrictionReason::Deferral),
        ]));
    }
    given::<Erasures>([requested()]).when(hold()).then(Ok(vec![held(SUBJECT)]));
    given::<Erasures>([held(SUBJECT)]).when(hold()).then(Ok(vec![]));
    given::<Erasures>([held(SUBJECT), released(SUBJECT)])
        .when(hold())
        .then(Err(ErasureRejection::Exists));
}

#[test]
fn a_hold_of_another_subject_is_not_released() {
    let release = |subject_id| at(subject_id, now(), ErasureAction::ReleaseHold(HOLD));
    let merge = merged(PART, SUBJECT);
    given::<Erasures>([merge.clone(), held(PART)])
        .when(release(SUBJECT))
        .then(Err(ErasureRejection::NoSuchHold));
    given::<Erasures>([merge, held(PART)]).when(release(PART)).then(Ok(vec![released(PART)]));
    given::<Erasures>([held(SUBJECT), released(SUBJECT)]).when(release(SUBJECT)).then(Ok(vec![]));
}

#[test]
fn a_restriction_is_lifted_unless_an_erasure_is_deferred() {
    let lift = || command(ErasureAction::LiftRestriction);
    let lifted: ErasureEvent =
        SubjectEvent::RestrictionLifted(RestrictionLifted { subject_id: SUBJECT }).into();
    given::<Erasures>([]).when(lift()).then(Ok(vec![]));
    given::<Erasures>([restricted(RestrictionReason::Objection)])
        .when(lift())
        .then(Ok(vec![lifted.clone()]));
    let waits = [requested(), deferred(Some(HOLD), None), restricted(RestrictionReason::Deferral)];
    given::<Erasures>(waits.clone()).when(lift()).then(Err(ErasureRejection::Deferred(ERASURE)));
    given::<Erasures>(waits.into_iter().chain([refused()])).when(lift()).then(Ok(vec![lifted]));
}

#[test]
fn a_verification_with_findings_is_recorded_and_repeated() {
    let failed = || {
        let digest = HexDigest([1; 32]);
        ErasureVerified { erasure_id: ERASURE, findings: 2, digest }
    };
    let event: ErasureEvent = SubjectEvent::ErasureVerified(failed()).into();
    let rolled = up_to(Some(Step::Rolled));
    given::<Erasures>(rolled.clone())
        .when(command(ErasureAction::Record(StepFacts::Verified(failed()))))
        .then(Ok(vec![event.clone()]));
    let after: Vec<_> = rolled.into_iter().chain([event]).collect();
    let missing = Err(ErasureRejection::Missing(Step::Verified));
    assert_eq!(then(after.clone(), record(Step::Erased)), missing);
    assert_eq!(then(after, record(Step::Verified)), Ok(1));
}

#[test]
fn a_merged_contact_is_erased_with_its_survivor() {
    let merge = merged(SUBJECT, PART);
    let is_merged = Err(ErasureRejection::Merged { into: PART });
    let request = ErasureAction::Request(new_erasure(ERASURE));
    assert_eq!(then(vec![merge.clone()], request), is_merged);
    assert_eq!(then(vec![requested(), merge.clone()], ErasureAction::Allow(ERASURE)), is_merged);
    let planned = up_to(Some(Step::Planned)).into_iter().chain([merge]).collect::<Vec<_>>();
    assert_eq!(then(planned, record(Step::Fenced)), is_merged);
}

#[test]
fn a_merge_after_the_manifest_needs_another_one() {
    let planned: Vec<_> =
        up_to(Some(Step::Planned)).into_iter().chain([merged(PART, SUBJECT)]).collect();
    let outdated = Err(ErasureRejection::ManifestOutdated);
    assert_eq!(then(planned.clone(), record(Step::Fenced)), outdated);
    let again = || StepFacts::Planned(plan(&[PART]));
    assert_eq!(then(planned.clone(), ErasureAction::Record(again())), Ok(1));
    let anew: Vec<_> = planned.into_iter().chain([again().to_event().into()]).collect();
    assert_eq!(then(anew.clone(), ErasureAction::Record(again())), Ok(0));
    assert_eq!(then(anew, record(Step::Fenced)), Ok(1));
}

#[test]
fn a_hold_on_a_part_protects_the_survivor() {
    let merge = merged(PART, SUBJECT);
    let events = vec![merge.clone(), requested(), held(PART)];
    assert_eq!(then(events, ErasureAction::Allow(ERASURE)), Err(ErasureRejection::Held(HOLD)));
    let hold = || at(PART, now(), ErasureAction::PlaceHold(HOLD, HoldReason::Litigation));
    given::<Erasures>([merge.clone(), requested(), allowed()]).when(hold()).then_in_streams(Ok(
        vec![
            (0, held(PART)),
            (2, deferred(Some(HOLD), None)),
            (2, restricted(RestrictionReason::Deferral)),
        ],
    ));
    let fenced = up_to(Some(Step::Fenced)).into_iter().chain([merge]);
    given::<Erasures>(fenced).when(hold()).then(Err(ErasureRejection::Fenced(ERASURE)));
}

#[test]
fn a_hold_that_a_merge_brings_stops_the_fence() {
    let planned: ErasureEvent = StepFacts::Planned(plan(&[PART])).to_event().into();
    let events = vec![requested(), allowed(), merged(PART, SUBJECT), held(PART), planned];
    assert_eq!(then(events.clone(), record(Step::Fenced)), Err(ErasureRejection::Held(HOLD)));
    let freed = events.into_iter().chain([released(PART)]).collect();
    assert_eq!(then(freed, record(Step::Fenced)), Ok(1));
}

#[test]
fn a_decision_depends_on_all_subjects_of_the_person() {
    let tenant = TenantId(Uuid::from_u128(1));
    let action = ErasureAction::Allow(ERASURE);
    let streams = |subject_id, events: &[ErasureEvent]| {
        let state = crate::aggregate::fold::<Erasures>(events);
        let command = at(subject_id, now(), action.clone());
        let first = Erasures::streams(tenant, &command);
        let further = Erasures::further_streams(tenant, &state, &command);
        first.into_iter().chain(further).map(|stream| stream.stream_id).collect::<Vec<_>>()
    };
    let of = |subject_id| tenant.subject_stream(subject_id);
    let merge = [merged(PART, SUBJECT)];
    assert_eq!(streams(SUBJECT, &[]), [of(SUBJECT), StreamId(SUBJECT.0)]);
    assert_eq!(streams(SUBJECT, &merge), [of(SUBJECT), StreamId(SUBJECT.0), of(PART)]);
    assert_eq!(streams(PART, &merge), [of(PART), StreamId(PART.0), of(SUBJECT)]);
    let other = TenantId(Uuid::from_u128(2));
    assert_ne!(of(SUBJECT), other.subject_stream(SUBJECT));
}
