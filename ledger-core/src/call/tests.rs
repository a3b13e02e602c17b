//! Tests that the same facts, in any order, give the same call.

use uuid::Uuid;

use super::*;
use crate::event::{CallMessageReceived, CallStarted, CallStatusChanged, CallTransferred};
use crate::ids::{StreamId, StreamVersion};
use crate::money::{CostParts, Nanos};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000 + second, 0).expect("a time")
}

fn facts() -> CallFacts {
    CallFacts {
        provider: "vapi".into(),
        provider_call_id: Some("c-1".into()),
        snapshot_status: Some(Status::Queued),
        created_at: Some(at(0)),
        ..CallFacts::default()
    }
}

fn started(second: i64) -> (i64, CallEvent) {
    (second, CallEvent::Started(CallStarted { call: facts(), started_at: Some(at(second)) }))
}

fn status(second: i64, status: Status) -> (i64, CallEvent) {
    let changed =
        CallStatusChanged { call: facts(), status: Some(status), provider_status: "other".into() };
    (second, CallEvent::StatusChanged(changed))
}

fn hung_up(second: i64) -> (i64, CallEvent) {
    let ended = CallEnded {
        call: facts(),
        ended_reason: Some("customer-ended-call".into()),
        ended_at: Some(at(second)),
        ..CallEnded::default()
    };
    (second, CallEvent::Ended(ended))
}

fn report(second: i64, nanos: i64) -> (i64, CallEvent) {
    let total = Nanos(nanos);
    let ended = CallEnded {
        call: facts(),
        report: true,
        ended_reason: Some("silence-timed-out".into()),
        started_at: Some(at(2)),
        ended_at: Some(at(60)),
        duration_ms: Some(58_000),
        cost: Some(Cost {
            total_nanos: total,
            currency: "USD".into(),
            parts: CostParts::default().balanced_to(total),
        }),
        ..CallEnded::default()
    };
    (second, CallEvent::Ended(ended))
}

/// Folds the messages in the given order; each is recorded at the position of its arrival.
fn fold(messages: &[(i64, CallEvent)]) -> Call {
    let mut call = Call::default();
    for (position, (second, event)) in (1..).zip(messages) {
        let recorded = Recorded {
            position: Position(position),
            stream_id: StreamId(Uuid::nil()),
            stream_version: StreamVersion(position),
            event_id: EventId(Uuid::from_u128(u128::try_from(*second).expect("positive"))),
            occurred_at: at(*second),
            recorded_at: at(1_000),
            event,
        };
        call.evolve(
            &recorded,
            SealedSections { subject: Some(SubjectId(Uuid::nil())), has_party: true },
        );
    }
    call
}

/// The fields of a call that must not depend on the order of arrival.
fn comparable(call: &Call) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        (call.status(), call.outcome(), call.ended_reason().map(str::to_owned)),
        (call.started_at(), call.ended_at(), call.duration_ms()),
        call.cost().cloned(),
        call.position,
    )
}

#[test]
fn every_order_of_a_calls_messages_is_the_same_call() {
    let messages =
        [started(3), status(4, Status::Forwarding), hung_up(61), report(65, 5), report(70, 7)];
    let expected = comparable(&fold(&messages));
    for order in permutations(messages.len()) {
        let reordered: Vec<_> = order.iter().map(|&nth| messages[nth].clone()).collect();
        assert_eq!(comparable(&fold(&reordered)), expected, "{order:?}");
    }
}

#[test]
fn a_correction_replaces_what_it_corrects_and_counts_once() {
    let call = fold(&[report(70, 7), report(65, 5)]);
    assert_eq!(call.cost().map(|cost| cost.total_nanos), Some(Nanos(7)));
}

#[test]
fn of_two_reports_of_one_time_the_later_recorded_is_the_correction() {
    let call = fold(&[report(65, 7), report(65, 5)]);
    assert_eq!(call.cost().map(|cost| cost.total_nanos), Some(Nanos(5)));
}

#[test]
fn a_status_after_the_report_does_not_reopen_the_call() {
    let call = fold(&[report(65, 5), started(3), status(4, Status::Ringing)]);
    assert_eq!(call.status(), Some(Status::Ended));
    assert_eq!(call.ended_reason(), Some("silence-timed-out"));
}

#[test]
fn the_status_of_the_snapshot_counts_only_without_a_reported_one() {
    let hang = CallMessageReceived { call: facts(), kind: "hang".into(), status: None };
    let silent = fold(&[(5, CallEvent::MessageReceived(hang))]);
    assert_eq!(silent.status(), Some(Status::Queued));
    assert_eq!(fold(&[started(3)]).status(), Some(Status::InProgress));
}

#[test]
fn a_call_without_a_reported_start_began_at_the_earliest_known_time() {
    let call = fold(&[hung_up(61)]);
    assert_eq!(call.started_at(), Some(at(0)));
    assert_eq!(call.duration_ms(), None, "an invented start gives no duration");
}

/// A report with measurements of its turns.
fn measured(second: i64, latency_ms: Option<i64>, interrupted: Option<u32>) -> (i64, CallEvent) {
    let ended = CallEnded {
        call: facts(),
        report: true,
        turn_latency_ms: latency_ms,
        user_interruptions: interrupted,
        assistant_interruptions: interrupted.map(|count| count + 1),
        ..CallEnded::default()
    };
    (second, CallEvent::Ended(ended))
}

#[test]
fn a_correction_replaces_only_the_measurements_it_has() {
    let reports = [measured(65, Some(900), Some(2)), measured(70, Some(800), None)];
    for order in [[0, 1], [1, 0]] {
        let call = fold(&order.map(|nth: usize| reports[nth].clone()));
        assert_eq!(call.turn_latency_ms(), Some(800), "{order:?}");
        assert_eq!((call.user_interruptions(), call.assistant_interruptions()), (Some(2), Some(3)));
    }
    assert_eq!(fold(&[report(65, 5)]).turn_latency_ms(), None, "not told is not zero");
}

#[test]
fn a_call_is_transferred_if_a_transfer_or_its_reason_reports_it() {
    let transferred =
        (4, CallEvent::Transferred(CallTransferred { call: facts(), destination_kind: None }));
    assert!(fold(std::slice::from_ref(&transferred)).is_transferred());
    // Whatever the reason: here the person hangs up on the other party.
    assert!(fold(&[hung_up(61), transferred]).is_transferred());
    let forwarded = CallEnded {
        call: facts(),
        ended_reason: Some("assistant-forwarded-call".into()),
        ..CallEnded::default()
    };
    assert!(fold(&[(61, CallEvent::Ended(forwarded))]).is_transferred());
    assert!(!fold(&[started(3), hung_up(61)]).is_transferred());
}

fn transferred(kind: &str) -> (i64, CallEvent) {
    let destination_kind = Some(kind.to_owned());
    (4, CallEvent::Transferred(CallTransferred { call: facts(), destination_kind }))
}

fn ended_by(reason: &str) -> (i64, CallEvent) {
    let ended =
        CallEnded { call: facts(), ended_reason: Some(reason.into()), ..CallEnded::default() };
    (400, CallEvent::Ended(ended))
}

fn ended_after(reason: &str, duration_ms: i64) -> (i64, CallEvent) {
    let ended = CallEnded {
        call: facts(),
        report: true,
        ended_reason: Some(reason.into()),
        duration_ms: Some(duration_ms),
        ..CallEnded::default()
    };
    (400, CallEvent::Ended(ended))
}

#[test]
fn a_call_that_another_assistant_takes_over_is_in_progress_and_no_transfer() {
    for kind in ["assistant", "squad", "step"] {
        for call in [fold(&[transferred(kind)]), fold(&[transferred(kind), started(3)])] {
            assert_eq!(call.status(), Some(Status::InProgress), "{kind}");
            assert!(!call.is_transferred(), "{kind}");
        }
    }
    for kind in ["number", "sip", "somewhere"] {
        let call = fold(&[started(3), transferred(kind)]);
        assert_eq!(call.status(), Some(Status::Forwarding), "{kind}");
        assert!(call.is_transferred(), "{kind}");
    }
}

#[test]
fn forwarding_that_fails_leaves_the_call_as_it_was() {
    for (reason, unanswered) in [
        ("call.forwarding.no-answer", Outcome::NoAnswer),
        ("call.forwarding.operator-busy", Outcome::Busy),
        ("call.forwarding.some-new-word", Outcome::NoAnswer),
        ("manually-canceled", Outcome::NoAnswer),
    ] {
        // A ringing call, or a call that was forwarded before it was answered.
        for before in [status(3, Status::Ringing), status(3, Status::Forwarding)] {
            let call = fold(&[before.clone(), transferred("number"), ended_by(reason)]);
            assert_eq!(call.outcome(), Some(unanswered), "{reason}");
            let call = fold(&[before, ended_after(reason, 0)]);
            assert_eq!(call.outcome(), Some(unanswered), "{reason}");
        }
        for talked in [
            fold(&[started(3), transferred("number"), ended_by(reason)]),
            fold(&[ended_by(reason), transferred("number"), started(3)]),
            fold(&[transferred("number"), ended_after(reason, 300_000)]),
        ] {
            assert_eq!(talked.outcome(), Some(Outcome::Completed), "{reason}");
        }
    }
}

#[test]
fn a_transfer_that_failed_by_the_ended_reason_is_none() {
    for reason in [
        "call.forwarding.no-answer",
        "call.forwarding.operator-busy",
        "call.in-progress.error-transfer-failed",
        "call.in-progress.error-warm-transfer-silence-timeout",
        "customer-ended-call-during-transfer",
    ] {
        let call = fold(&[started(3), transferred("number"), ended_by(reason)]);
        assert!(!call.is_transferred(), "{reason}");
        assert_ne!(call.outcome(), Some(Outcome::Transferred), "{reason}");
    }
}

#[test]
fn a_call_was_last_recorded_when_the_last_of_its_events_was() {
    let recorded = |position, event: CallEvent, at| Recorded {
        position: Position(position),
        stream_id: StreamId(Uuid::nil()),
        stream_version: StreamVersion(position),
        event_id: EventId(Uuid::from_u128(u128::try_from(position).expect("positive"))),
        occurred_at: self::at(0),
        recorded_at: at,
        event,
    };
    let events = [recorded(1, started(3).1, at(500)), recorded(2, hung_up(61).1, at(400))];
    assert_eq!(Call::default().last_recorded(), None);
    for order in [[0_usize, 1], [1, 0]] {
        let mut call = Call::default();
        for nth in order {
            call.evolve(&events[nth].by_ref(), SealedSections::default());
        }
        assert_eq!(call.last_recorded(), Some(at(500)), "clocks may go back: {order:?}");
    }
}

#[test]
fn absent_values_take_no_space_in_the_state() {
    let state = serde_json::to_string(&fold(&[started(3)])).expect("plain data");
    for absent in ["turn_latency", "interruptions", "transfer"] {
        assert!(!state.contains(absent), "{state}");
    }
}

#[test]
fn a_state_stored_before_these_facts_were_known_is_still_read() {
    let old = r#"{"provider":"vapi","provider_call_id":"c-1","told_status":"ended","position":4}"#;
    let call: Call = serde_json::from_str(old).expect("an older state");
    assert_eq!((call.turn_latency_ms(), call.last_recorded()), (None, None));
    assert!(!call.is_transferred());
}

#[test]
fn the_state_survives_being_stored() {
    let call = fold(&[started(3), report(65, 5)]);
    let text = serde_json::to_string(&call).expect("plain data");
    assert_eq!(serde_json::from_str::<Call>(&text).expect("what was written"), call);
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    let insert = |order: &Vec<usize>, place: usize| {
        let mut order = order.clone();
        order.insert(place, n - 1);
        order
    };
    shorter.iter().flat_map(|order| (0..n).map(move |place| insert(order, place))).collect()
}
