//! Tests of the identity of tool calls that are reported live, repeatedly, and by the report.

use uuid::Uuid;

use super::*;
use crate::event::{CallEvent, CallFacts, CallToolCalled, ToolAnswer};
use crate::ids::{StreamId, StreamVersion};

/// A tool call with an id, a tool and a digest of the arguments. Empty values are absent.
fn fact(id: &str, tool: &str, arguments: &str) -> ToolFact {
    let non_empty = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    ToolFact {
        tool_call_id: non_empty(id),
        tool: tool.into(),
        at_ms: None,
        arguments: non_empty(arguments),
        ..ToolFact::default()
    }
}

/// A message with tool calls: live, or a report.
enum ToolMessage {
    Live(ToolFact),
    Report(Vec<ToolFact>),
}

fn live(id: &str, tool: &str, arguments: &str) -> ToolMessage {
    ToolMessage::Live(fact(id, tool, arguments))
}

fn report(facts: &[(&str, &str, &str)]) -> ToolMessage {
    ToolMessage::Report(facts.iter().map(|(id, tool, args)| fact(id, tool, args)).collect())
}

fn apply(calls: &mut ToolCalls, message: &ToolMessage, nth: i64, position: i64) {
    let at = chrono::DateTime::from_timestamp(1_750_000_000 + nth, 0).expect("a time");
    let event = CallEvent::ToolCalled(CallToolCalled {
        call: CallFacts::default(),
        tool: ToolFact::default(),
        answer: ToolAnswer::NotConfigured,
        offered: false,
        is_async: false,
    });
    let recorded = Recorded {
        position: Position(position),
        stream_id: StreamId(Uuid::nil()),
        stream_version: StreamVersion(position),
        event_id: EventId(Uuid::from_u128(u128::try_from(nth).expect("positive"))),
        occurred_at: at,
        recorded_at: at,
        event,
    };
    match message {
        ToolMessage::Live(fact) => {
            calls.apply_live(fact, Precedence::of(Authority::Status, false, &recorded), &recorded);
        }
        ToolMessage::Report(facts) => {
            calls.apply_report(
                facts,
                Precedence::of(Authority::Report, false, &recorded),
                &recorded,
            );
        }
    }
}

/// Ids and tools after all messages; asserts that the reverse order gives the same.
fn calls_after(messages: &[ToolMessage]) -> Vec<(String, String)> {
    let fold = |order: &[usize]| {
        let mut calls = ToolCalls::default();
        for (&nth, position) in order.iter().zip(1..) {
            apply(&mut calls, &messages[nth], i64::try_from(nth).expect("few"), position);
        }
        let all = calls.in_order().into_iter();
        all.map(|call| (call.tool_call_id.unwrap_or_default(), call.tool)).collect::<Vec<_>>()
    };
    let forth: Vec<usize> = (0..messages.len()).collect();
    let back: Vec<usize> = forth.iter().rev().copied().collect();
    let there = fold(&forth);
    assert_eq!(there, fold(&back), "the order of arrival does not count");
    there
}

#[test]
fn the_same_id_with_the_same_arguments_is_a_repetition_and_with_others_another_call() {
    assert_eq!(calls_after(&[live("t", "look", "a"), live("t", "look", "a")]).len(), 1);
    assert_eq!(calls_after(&[live("t", "look", "a"), live("t", "look", "b")]).len(), 2);
    assert_eq!(calls_after(&[live("t", "look", "a"), live("u", "look", "a")]).len(), 2);
}

#[test]
fn equal_calls_of_one_message_are_as_many_as_it_lists() {
    let again = || ToolMessage::Live(ToolFact { nth: 1, ..fact("look", "look", "a") });
    assert_eq!(calls_after(&[live("look", "look", "a"), again(), again()]).len(), 2);
    let listed = [("look", "look", "a"), ("look", "look", "a")];
    assert_eq!(calls_after(&[live("look", "look", "a"), report(&listed)]).len(), 2);
    assert_eq!(calls_after(&[live("look", "look", "a"), again(), report(&listed)]).len(), 2);
}

#[test]
fn a_live_call_and_its_entry_in_the_report_are_one_call() {
    for (id, tool, arguments) in [
        ("t", "look", "a"),     // equal
        ("t", "look", "other"), // other arguments
        ("t", "look", ""),      // no arguments
        ("t", "", ""),          // the result only
        ("", "look", "a"),      // no id
        ("", "look", "other"),
    ] {
        let listed = [(id, tool, arguments)];
        let calls = calls_after(&[live("t", "look", "a"), report(&listed)]);
        assert_eq!(calls, [("t".to_owned(), "look".to_owned())], "{listed:?}");
    }
}

#[test]
fn a_function_of_the_old_shape_is_the_tool_call_the_report_lists() {
    for listed in [("t", "look", "a"), ("t", "look", "other"), ("t", "look", "")] {
        assert_eq!(calls_after(&[live("", "look", "a"), report(&[listed])]).len(), 1, "{listed:?}");
        // An old build recorded no digest.
        assert_eq!(calls_after(&[live("", "look", ""), report(&[listed])]).len(), 1, "{listed:?}");
    }
    // Both shapes in one message, and the report.
    let both = [live("", "look", "a"), live("t", "look", "a"), report(&[("t", "look", "a")])];
    assert_eq!(calls_after(&both).len(), 1);
    assert_eq!(calls_after(&both[..2]).len(), 1);
    let other = [live("", "look", "a"), report(&[("t", "book", "a")])];
    assert_eq!(calls_after(&other).len(), 2, "another tool is another call");
}

#[test]
fn each_of_several_calls_of_one_id_finds_its_own_in_the_report() {
    let listed = [("look", "look", "a"), ("look", "look", "b")];
    let messages = [live("look", "look", "b"), live("look", "look", "a"), report(&listed)];
    assert_eq!(calls_after(&messages).len(), 2);
    // A live message was lost; the report has both.
    assert_eq!(calls_after(&[live("look", "look", "b"), report(&listed)]).len(), 2);
    // The report writes the arguments of one of them differently.
    let listed = [("look", "look", "a"), ("look", "look", "c")];
    assert_eq!(
        calls_after(&[live("look", "look", "b"), live("look", "look", "a"), report(&listed)]).len(),
        2
    );
    // The report omits one; it is still a tool call.
    assert_eq!(
        calls_after(&[live("look", "look", "b"), live("look", "look", "a"), report(&listed[..1])])
            .len(),
        2
    );
}

#[test]
fn a_repeated_report_adds_no_call() {
    let listed = [("t", "look", "a"), ("", "book", ""), ("", "book", "")];
    assert_eq!(calls_after(&[report(&listed), report(&listed)]).len(), 3);
}

#[test]
fn an_entry_of_an_older_build_without_arguments_is_not_another_call() {
    assert_eq!(calls_after(&[live("t", "look", ""), live("t", "look", "a")]).len(), 1);
    assert_eq!(calls_after(&[live("t", "look", ""), report(&[("t", "look", "a")])]).len(), 1);
    // Without an id, each event is a tool call of its own.
    assert_eq!(calls_after(&[live("", "look", ""), live("", "look", "")]).len(), 2);
}

#[test]
fn many_calls_are_matched_in_little_time() {
    let mut calls = ToolCalls::default();
    for nth in 0..500 {
        let message = live("look", "look", &format!("{nth}"));
        apply(&mut calls, &message, nth, nth + 1);
    }
    let listed: Vec<ToolFact> =
        (0..500).map(|nth| fact("look", "look", &format!("other {nth}"))).collect();
    apply(&mut calls, &ToolMessage::Report(listed), 4_000, 4_000);
    let began = std::time::Instant::now();
    assert_eq!(calls.in_order().len(), 500);
    assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
}
