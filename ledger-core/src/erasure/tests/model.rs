//! Any sequence of commands, against rules that hold for the events.

use proptest::prelude::*;

use super::*;

/// Every action, of the subject or of its part.
fn actions() -> Vec<(SubjectId, ErasureAction)> {
    let until = now() + TimeDelta::days(40);
    let mut actions = vec![
        ErasureAction::Request(new_erasure(ERASURE)),
        ErasureAction::Request(new_erasure(ErasureId(Uuid::from_u128(0xF)))),
        ErasureAction::Extend(ERASURE, ExtensionReason::Complexity),
        ErasureAction::Refuse(ERASURE, RefusalReason::Withdrawn),
        ErasureAction::Defer(ERASURE, None),
        ErasureAction::Defer(ERASURE, Some(until)),
        ErasureAction::Allow(ERASURE),
        ErasureAction::PlaceHold(HOLD, HoldReason::Audit),
        ErasureAction::ReleaseHold(HOLD),
        ErasureAction::Restrict(RestrictionReason::Accuracy),
        ErasureAction::LiftRestriction,
        ErasureAction::Record(StepFacts::Planned(plan(&[PART]))),
    ];
    actions.extend(Step::ALL.map(record));
    let of_part = [
        ErasureAction::PlaceHold(LegalHoldId(Uuid::from_u128(0xB)), HoldReason::Audit),
        ErasureAction::ReleaseHold(LegalHoldId(Uuid::from_u128(0xB))),
    ];
    let of_subject = actions.into_iter().map(|action| (SUBJECT, action));
    of_subject.chain(of_part.map(|action| (PART, action))).collect()
}

/// The action that an erasure needs to go on.
fn next(state: &SubjectState) -> ErasureAction {
    let erasure = state.erasures().find(|(id, _)| *id == ERASURE).map(|(_, erasure)| erasure);
    match erasure.map(|erasure| erasure.phase) {
        None => ErasureAction::Request(new_erasure(ERASURE)),
        Some(Phase::Allowed(done)) => match Step::after(done) {
            Some(Step::Planned) => {
                ErasureAction::Record(StepFacts::Planned(plan(&state.parts_of(SUBJECT))))
            }
            step => record(step.unwrap_or(Step::Purged)),
        },
        Some(_) => ErasureAction::Allow(ERASURE),
    }
}

/// Actions by index and the days before each; `None` for the one that the erasure needs.
fn walk() -> impl Strategy<Value = Vec<(Option<usize>, i64)>> {
    let action = proptest::option::weighted(0.4, 0..actions().len());
    proptest::collection::vec((action, 0i64..60), 0..60)
}

proptest! {
    #[test]
    fn any_commands_keep_the_rules(walk in walk(), merge_at in 0usize..10) {
        let actions = actions();
        let mut state = SubjectState::default();
        let mut fenced = false;
        let mut reached = None;
        let mut days = 0;
        for (nth, (action, later)) in walk.into_iter().enumerate() {
            // A merge is refused by contacts once the survivor is fenced.
            if nth == merge_at && !fenced {
                Erasures::evolve(&mut state, &merged(PART, SUBJECT));
            }
            days += later / 50;
            let chosen = action.map(|action| actions[action].clone());
            let (subject_id, action) = chosen.unwrap_or_else(|| (SUBJECT, next(&state)));
            let command = at(subject_id, now() + TimeDelta::days(days), action);
            let decided = Erasures::decide(&state, &command).unwrap_or_default();
            for event in &decided {
                Erasures::evolve(&mut state, &event.event);
            }
            // A command that was accepted changes nothing when it is decided again, except a
            // request, which is found by its command id.
            if !matches!(command.action, ErasureAction::Request(_)) && !decided.is_empty() {
                prop_assert_eq!(Erasures::decide(&state, &command).map(|events| events.len()), Ok(0));
            }
            if let Some((_, erasure)) = state.erasures().find(|(id, _)| *id == ERASURE) {
                let done = match erasure.phase { Phase::Allowed(done) => done, _ => None };
                prop_assert!(!fenced || done >= reached, "a fenced erasure only goes on");
                if done >= Some(Step::Fenced) && !fenced {
                    prop_assert_eq!(state.hold_on(SUBJECT), None);
                    let parts = erasure.plan.as_ref().map(|plan| plan.parts.clone());
                    prop_assert_eq!(parts, Some(state.parts_of(SUBJECT)));
                }
                fenced |= done >= Some(Step::Fenced);
                reached = done;
                prop_assert!(!fenced || state.hold_on(SUBJECT).is_none());
                let is_deferred = erasure.phase.state() == ErasureState::Deferred;
                prop_assert!(!is_deferred || state.is_restricted(SUBJECT));
            }
            let open = state.erasures().filter(|(_, erasure)| {
                ![ErasureState::Refused, ErasureState::Final].contains(&erasure.phase.state())
            });
            prop_assert!(open.count() <= 1);
        }
    }
}
