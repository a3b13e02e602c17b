use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::call::{Call, SealedSections};
use crate::envelope::Recorded;
use crate::event::{CallEnded, CallFacts, CallStarted, ToolFact};
use crate::ids::{EventId, Position, StreamId, StreamVersion};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

const NOW: &str = "2026-11-30T12:00:00Z";

fn settled(ended: CallEnded) -> CallEnded {
    let mut event = CallEvent::Ended(ended);
    let _ = remove_implausible(&mut event, at(NOW), at(NOW));
    let CallEvent::Ended(ended) = event else { panic!("the same event") };
    ended
}

#[test]
fn a_number_of_seconds_milliseconds_microseconds_or_nanoseconds_is_one_time() {
    let time = at("2026-03-10T15:00:02Z");
    for text in ["1773154802", "1773154802000", "1773154802000000", "1773154802000000000"] {
        assert_eq!(epoch(text.parse().expect("a number")), FieldValue::Plausible(time), "{text}");
    }
    assert_eq!(epoch(Decimal::ZERO), FieldValue::Absent);
    for text in [
        "1",
        "-1773154802",
        "60",
        "1104537599",
        "4102444800",
        "9223372036854775807",
        "79228162514264337593543950335",
    ] {
        assert_eq!(epoch(text.parse().expect("a number")), FieldValue::Implausible, "{text}");
    }
}

#[test]
fn what_an_older_build_stored_is_taken_out_and_named() {
    let absurd = CallEnded {
        started_at: Some(at("1971-01-01T00:00:00Z")),
        ended_at: Some(at("9999-12-31T00:00:00Z")),
        duration_ms: Some(i64::MAX),
        turn_latency_ms: Some(-1),
        user_interruptions: Some(u32::MAX),
        cost: Some(Cost {
            total_nanos: Nanos(i64::MAX),
            currency: "USD".into(),
            parts: CostParts::default(),
        }),
        tools: vec![ToolFact { tool: "t".into(), at_ms: Some(i64::MAX), ..ToolFact::default() }],
        ..CallEnded::default()
    };
    let settled = settled(absurd);
    assert_eq!((settled.started_at, settled.ended_at, settled.duration_ms), (None, None, None));
    assert_eq!((settled.cost, settled.turn_latency_ms, settled.tools[0].at_ms), (None, None, None));
    assert_eq!(
        settled.call.implausible,
        ["started_at", "ended_at", "duration_ms", "turn_latency_ms", "user_interruptions", "cost"]
    );
}

#[test]
fn a_duration_made_of_impossible_times_is_removed_with_them() {
    // An older build read seconds as milliseconds: sixty milliseconds in January 1970.
    let between = CallEnded {
        started_at: Some(at("1970-01-21T12:32:34.802Z")),
        ended_at: Some(at("1970-01-21T12:32:34.862Z")),
        duration_ms: Some(60),
        ..CallEnded::default()
    };
    assert_eq!(settled(between.clone()).duration_ms, None);
    let stated = CallEnded { duration_ms: Some(61), ..between };
    assert_eq!(settled(stated).duration_ms, Some(61));
}

#[test]
fn midnight_of_1970_is_nothing_and_is_not_named() {
    let zero = CallEnded { started_at: Some(DateTime::UNIX_EPOCH), ..CallEnded::default() };
    let settled = settled(zero);
    assert_eq!((settled.started_at, settled.call.implausible), (None, vec![]));
}

#[test]
fn a_time_days_after_it_was_recorded_is_implausible() {
    let ahead =
        |time: &str| settled(CallEnded { started_at: Some(at(time)), ..CallEnded::default() });
    assert!(ahead("2026-12-01T12:00:00Z").started_at.is_some());
    assert_eq!(ahead("2050-01-01T00:00:00Z").call.implausible, ["started_at"]);
}

#[test]
fn an_event_of_no_possible_time_is_untimed_and_occurred_when_it_was_recorded() {
    for (stated, named) in [
        ("1970-01-01T00:00:00Z", false),
        ("1970-01-21T12:00:00Z", true),
        ("9999-01-01T00:00:00Z", true),
    ] {
        let mut event = CallEvent::Ended(CallEnded::default());
        assert_eq!(remove_implausible(&mut event, at(stated), at(NOW)), at(NOW), "{stated}");
        let CallEvent::Ended(ended) = event else { panic!("the same event") };
        assert!(ended.call.untimed);
        assert_eq!(ended.call.implausible.contains(&"occurred_at".to_owned()), named, "{stated}");
    }
}

#[test]
fn parts_that_no_call_can_cost_are_no_account_of_the_total() {
    let parts = CostParts { llm_nanos: Nanos(i64::MAX), ..CostParts::default() };
    let cost = Cost { total_nanos: Nanos(5), currency: "USD".into(), parts };
    let settled = settled(CallEnded { cost: Some(cost), ..CallEnded::default() });
    let cost = settled.cost.expect("a cost");
    assert_eq!((cost.parts.llm_nanos, cost.parts.other_nanos), (Nanos(0), Nanos(5)));
    assert_eq!(settled.call.implausible, ["cost_breakdown"]);
}

#[test]
fn a_day_and_the_limit_itself_are_plausible() {
    assert_eq!(duration_ms(Decimal::from(MAX_CALL_MS)), FieldValue::Plausible(MAX_CALL_MS));
    assert_eq!(duration_ms(Decimal::from(MAX_CALL_MS + 1)), FieldValue::Implausible);
    assert_eq!(duration_ms(Decimal::from(-1)), FieldValue::Implausible);
    assert_eq!(between(at("2009-01-01T00:00:00Z"), at(NOW)), None);
}

fn any_time() -> impl Strategy<Value = Option<DateTime<Utc>>> {
    let edges =
        [0, 1, EARLIEST - 1, EARLIEST, LATEST - 1, LATEST, 253_402_300_799, -62_167_219_200];
    let seconds = prop_oneof![
        prop::sample::select(edges.to_vec()),
        -1_000_000_000_000..1_000_000_000_000_i64
    ];
    prop::option::of(
        seconds.prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default()),
    )
}

proptest! {
    #[test]
    fn whatever_is_stored_a_folded_call_has_possible_figures_and_settling_again_changes_nothing(
        times in (any_time(), any_time(), any_time(), any_time()),
        duration_ms in prop::option::of(any::<i64>()),
        amounts in prop::option::of((any::<i64>(), any::<i64>(), any::<i64>())),
    ) {
        let cost = amounts.map(|(total, llm, other)| Cost {
            total_nanos: Nanos(total),
            currency: "USD".into(),
            parts: CostParts { llm_nanos: Nanos(llm), other_nanos: Nanos(other), ..CostParts::default() },
        });
        let call = CallFacts { created_at: times.0, ..CallFacts::default() };
        let started = CallStarted { call: call.clone(), started_at: times.3 };
        let ended = CallEnded { call, report: true, started_at: times.1, ended_at: times.2, duration_ms, cost, ..CallEnded::default() };
        let now = at(NOW);
        let mut fold = Call::default();
        for (nth, event) in (1..).zip([CallEvent::Started(started), CallEvent::Ended(ended)]) {
            let mut event = event;
            let occurred_at = remove_implausible(&mut event, times.3.unwrap_or(now), now);
            let once = event.clone();
            prop_assert_eq!(remove_implausible(&mut event, occurred_at, now), occurred_at);
            prop_assert_eq!(&event, &once);
            let recorded = Recorded {
                position: Position(nth),
                stream_id: StreamId(Uuid::nil()),
                stream_version: StreamVersion(nth),
                event_id: EventId(Uuid::from_u128(u128::try_from(nth).expect("positive"))),
                occurred_at,
                recorded_at: now,
                event,
            };
            fold.evolve(&recorded.by_ref(), SealedSections::default());
        }
        let possible = |at: DateTime<Utc>| at >= at_second(EARLIEST) && at <= now + TimeDelta::days(60);
        prop_assert!(fold.started_at().is_none_or(possible));
        prop_assert!(fold.ended_at().is_none_or(possible));
        prop_assert!(fold.duration_ms().is_none_or(|lasted| (0..=MAX_CALL_MS).contains(&lasted)));
        prop_assert!(fold.cost().is_none_or(|cost| is_total(cost.total_nanos)));
    }
}

fn at_second(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).expect("a time")
}
