//! Test helper: folds the messages of one call in any order.

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::Translation;
use crate::call::{Call, SealedSections};
use crate::envelope::Recorded;
use crate::ids::{EventId, Position, StreamId, StreamVersion};

/// A permutation of `count` messages, followed by repetitions of some of them.
pub(super) fn order(count: usize) -> impl Strategy<Value = Vec<usize>> {
    let all: Vec<usize> = (0..count).collect();
    let repeated = prop::collection::vec(0..count, 0..4);
    (Just(all).prop_shuffle(), repeated).prop_map(|(mut order, repeated)| {
        order.extend(repeated);
        order
    })
}

/// Records the messages in this order and folds them. A repetition is recorded once, as in the log.
pub(super) fn fold(messages: &[Translation], order: &[usize]) -> Call {
    let mut call = Call::default();
    let mut known = std::collections::BTreeSet::new();
    let new = order.iter().filter(|nth| known.insert(**nth));
    for (nth, position) in new.zip(1_i64..) {
        for draft in &messages[*nth].drafts {
            let recorded_at = DateTime::from_timestamp(1_790_000_000, 0).expect("a time");
            let recorded = Recorded {
                position: Position(position),
                stream_id: StreamId(Uuid::nil()),
                stream_version: StreamVersion(position),
                event_id: EventId(Uuid::from_u128(*nth as u128)),
                occurred_at: draft.occurred_at.unwrap_or(recorded_at),
                recorded_at,
                event: draft.event.clone(),
            };
            let has_party = draft.sections.party.is_some();
            call.evolve(&recorded.by_ref(), SealedSections { subject: None, has_party });
        }
    }
    call
}

/// Returns the facts of a call that do not name a position of the log.
pub(super) fn facts(call: &Call) -> Value {
    let cost = call.cost().cloned();
    serde_json::json!({
        "direction": call.direction(),
        "status": call.status(),
        "outcome": call.outcome(),
        "ended_reason": call.ended_reason(),
        "started_at": call.started_at(),
        "ended_at": call.ended_at(),
        "duration_ms": call.duration_ms(),
        "cost": cost,
        "agent_id": call.agent_id(),
        "success": call.success(),
        "tools": call.tools_used(),
        "tool_calls": call.tool_calls().len(),
        "parts": call.conversation().into_keys().collect::<Vec<_>>(),
        "recordings": call.recordings().len(),
        "is_transferred": call.is_transferred(),
    })
}
