//! Tests that no history makes a call large, and that the bounds keep the fold a merge.

use uuid::Uuid;

use super::*;
use crate::event::{
    CallMessageReceived, CallRecordingAvailable, CallToolCalled, PersonFacts, ToolAnswer,
};
use crate::ids::{HandleId, StreamId, StreamVersion};

/// More messages than each collection keeps entries.
const MESSAGES: u32 = 2_600;

fn facts(nth: u32) -> CallFacts {
    let phone = Some(HandleId(Uuid::from_u128(nth.into())));
    CallFacts {
        provider: "vapi".into(),
        provider_call_id: Some("c-1".into()),
        person: Some(PersonFacts { phone, ..PersonFacts::default() }),
        ..CallFacts::default()
    }
}

fn tool(nth: u32) -> ToolFact {
    ToolFact {
        tool_call_id: Some(format!("{nth:0>200}")),
        tool: format!("{:0>200}", nth % 400),
        arguments: Some(format!("{nth:064x}")),
        ..ToolFact::default()
    }
}

fn message(nth: u32) -> CallEvent {
    let call = facts(nth);
    match nth % 4 {
        0 | 1 => CallEvent::ToolCalled(CallToolCalled {
            call,
            tool: tool(nth / 2),
            answer: ToolAnswer::NotConfigured,
            offered: false,
            is_async: false,
        }),
        2 => CallEvent::Ended(CallEnded {
            call,
            report: true,
            tools: (nth..nth + 8).map(tool).collect(),
            ..CallEnded::default()
        }),
        _ => CallEvent::RecordingAvailable(CallRecordingAvailable {
            call,
            has_link: true,
            artifacts: Vec::new(),
        }),
    }
}

/// An event with one turn of a conversation.
fn turn(nth: u32) -> CallEvent {
    CallEvent::MessageReceived(CallMessageReceived {
        call: facts(nth),
        kind: "transcript".into(),
        status: None,
    })
}

fn fold(order: impl Iterator<Item = u32>, event: fn(u32) -> CallEvent) -> Call {
    let mut call = Call::default();
    for nth in order {
        let at = DateTime::from_timestamp(1_750_000_000 + i64::from(nth), 0).expect("a time");
        let event = event(nth);
        let recorded = Recorded {
            position: Position(i64::from(nth) + 1),
            stream_id: StreamId(Uuid::nil()),
            stream_version: StreamVersion(i64::from(nth) + 1),
            event_id: EventId(Uuid::from_u128(u128::from(nth))),
            occurred_at: at,
            recorded_at: at,
            event: &event,
        };
        let subject = Some(SubjectId(Uuid::from_u128(u128::from(nth))));
        call.evolve(&recorded, SealedSections { subject, has_party: true });
    }
    call
}

#[test]
fn a_call_with_thousands_of_messages_is_the_same_in_any_order_and_stays_small() {
    let call = fold(0..MESSAGES, message);
    let backwards = fold((0..MESSAGES).rev(), message);
    let twice = fold((0..MESSAGES).step_by(3).chain(0..MESSAGES).chain(0..MESSAGES), message);
    assert!(call == backwards, "the order changes the call");
    assert!(call == twice, "repetitions change the call");
    assert!(call.is_truncated());
    let bytes = serde_json::to_vec(&call).expect("a call is JSON").len();
    assert!(bytes < 2 << 20, "{bytes} bytes");
    assert!(call.tool_calls().len() <= bounds::MAX_TOOL_CALLS);
}

#[test]
fn a_chat_keeps_its_first_turns_in_any_order() {
    let call = fold(0..MESSAGES, turn);
    assert_eq!(call.turns.len(), bounds::MAX_TURNS);
    assert!(call == fold((0..MESSAGES).rev(), turn), "the order changes the call");
}

#[test]
fn a_call_of_usual_size_leaves_nothing_out() {
    assert!(!fold(0..90, message).is_truncated());
}
