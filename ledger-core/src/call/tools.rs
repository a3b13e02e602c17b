//! The tool calls of a call, told live and told again by the report.
//!
//! A tool call is identified by its id *and* its arguments: the same id with the same arguments in
//! another message is a repetition, with other arguments it is another call (some models give every
//! call of a tool the tool's name as its id). `tools/matching.rs` says which calls of the report are
//! those that were told live, where the two do not spell them alike.

mod matching;

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::claim::{Claim, Rank, Weight};
use crate::envelope::Recorded;
use crate::event::ToolFact;
use crate::ids::{EventId, Position};

/// Every tool call known, by what makes it itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCalls {
    /// Ascending by their keys, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    told: Vec<Told>,
    /// The weightiest report that lists tool calls: its list is the list of the call's tool calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    reported: Option<Weight>,
}

/// What makes a tool call itself. Equal keys in two messages are one tool call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Key {
    #[serde(default, rename = "tool_call_id", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    tool: String,
    /// The digest of its arguments.
    #[serde(default, rename = "args", skip_serializing_if = "Option::is_none")]
    arguments: Option<String>,
    /// Which of the equal ones of its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nth: Option<u16>,
    /// Told live with neither an id nor a digest: only the event tells it from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
}

/// A tool call as the messages with its key tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    #[serde(flatten)]
    key: Key,
    /// The time and the place in its message: as the weightiest report tells them, else the first
    /// that were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Claim<Reverse<(i64, u16)>>>,
    /// Weightiest first. Of what was told live only the weightiest: the others tell the same.
    io: Vec<IoRef>,
}

/// One tool call, and where what it was given and gave back lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The provider's id.
    pub tool_call_id: Option<String>,
    /// The function; empty when a result alone was told.
    pub tool: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: Option<i64>,
    /// Sealed arguments and results, weightiest first.
    pub io: Vec<IoRef>,
}

/// One `tool_io` entry: the event, and which entry of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IoRef {
    /// How much it counts.
    #[serde(rename = "w")]
    pub weight: Weight,
    /// The event.
    #[serde(rename = "p")]
    pub position: Position,
    /// The entry.
    #[serde(rename = "n")]
    pub nth: u16,
}

impl IoRef {
    /// Places settle equal weights, so that the order of folding does not.
    fn order(&self) -> (Reverse<Weight>, Position, u16) {
        (Reverse(self.weight), self.position, self.nth)
    }

    fn is_live(&self) -> bool {
        self.weight.rank != Rank::Report
    }
}

impl Told {
    fn take(&mut self, at: Option<(i64, u16)>, io: IoRef) {
        if self.io.iter().any(|known| (known.position, known.nth) == (io.position, io.nth)) {
            return;
        }
        // A repetition is told later than the call was made.
        let told_at = io.weight.told_at.filter(|_| !io.is_live());
        Claim::offer(&mut self.at, at.map(Reverse), Weight { told_at, ..io.weight });
        self.io.push(io);
        self.io.sort_by_key(IoRef::order);
        let mut has_live = false;
        self.io.retain(|io| !io.is_live() || !std::mem::replace(&mut has_live, true));
    }
}

impl ToolCalls {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    pub(super) fn take_live(&mut self, fact: &ToolFact, weight: Weight, recorded: &Recorded) {
        let io = IoRef { weight, position: recorded.position, nth: 0 };
        let mut key = Key::of(fact, fact.nth);
        let is_named = key.id.is_some() || key.arguments.is_some();
        key.event_id = (!is_named).then_some(recorded.event_id);
        self.take(key, fact, io);
    }

    pub(super) fn take_report(&mut self, facts: &[ToolFact], weight: Weight, recorded: &Recorded) {
        if facts.is_empty() {
            return;
        }
        self.reported = self.reported.max(Some(weight));
        let mut listed: HashMap<Key, u16> = HashMap::new();
        for (nth, fact) in (0..).zip(facts) {
            let count = listed.entry(Key::of(fact, 0)).or_default();
            let key = Key::of(fact, *count);
            *count += 1;
            self.take(key, fact, IoRef { weight, position: recorded.position, nth });
        }
    }

    fn take(&mut self, key: Key, fact: &ToolFact, io: IoRef) {
        let nth = match self.told.binary_search_by(|told| told.key.cmp(&key)) {
            Ok(nth) => nth,
            Err(nth) => {
                self.told.insert(nth, Told { key, at: None, io: Vec::new() });
                nth
            }
        };
        let place = if io.is_live() { fact.place } else { io.nth };
        self.told[nth].take(fact.at_ms.map(|at_ms| (at_ms, place)), io);
    }

    /// All of them by time; those without a time last, in the order they were told.
    pub(super) fn in_order(&self) -> Vec<ToolCall> {
        let groups = matching::groups(&self.told, self.reported);
        let mut all: Vec<(u16, ToolCall)> = groups.iter().map(|group| shown(group)).collect();
        all.sort_by_cached_key(|(place, call)| {
            (call.at_ms.unwrap_or(i64::MAX), *place, call.tool_call_id.clone())
        });
        all.into_iter().map(|(_, call)| call).collect()
    }
}

impl Key {
    fn of(fact: &ToolFact, nth: u16) -> Self {
        Self {
            id: fact.tool_call_id.clone(),
            tool: fact.tool.clone(),
            arguments: fact.arguments.clone(),
            nth: (nth > 0).then_some(nth),
            event_id: None,
        }
    }
}

/// One tool call of all that tells of it, the report's entry first, and its place in its message.
fn shown(group: &[&Told]) -> (u16, ToolCall) {
    let mut io: Vec<IoRef> = group.iter().flat_map(|told| told.io.iter().copied()).collect();
    io.sort_by_key(IoRef::order);
    let tools = group.iter().map(|told| &told.key.tool);
    let mut at = None;
    for claim in group.iter().filter_map(|told| told.at.as_ref()) {
        Claim::offer(&mut at, Some(claim.value), claim.weight);
    }
    let at = at.map(|claim| claim.value.0);
    let call = ToolCall {
        tool_call_id: group.iter().find_map(|told| told.key.id.clone()),
        tool: tools.clone().find(|tool| !tool.is_empty()).cloned().unwrap_or_default(),
        at_ms: at.map(|(at_ms, _)| at_ms),
        io,
    };
    (at.map_or(0, |(_, place)| place), call)
}

#[cfg(test)]
mod tests;
