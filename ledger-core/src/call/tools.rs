//! The tool calls of a call, reported live and again by the end-of-call report.
//!
//! A tool call is identified by its id *and* its arguments. The same id with the same arguments in
//! another message is a repetition; with other arguments it is another call, because some models
//! use the name of the tool as the id of all its calls. `tools/matching.rs` matches live entries
//! with entries of the report that are written differently.

mod matching;

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::bounds::{MAX_REPORTS, MAX_TOOL_CALLS};
use super::reported::{Authority, Precedence, Reported};
use crate::envelope::Recorded;
use crate::event::ToolFact;
use crate::ids::{EventId, Position};

/// All known tool calls, by identity.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCalls {
    /// Entries in ascending order of their keys, without duplicates.
    #[serde(rename = "told", skip_serializing_if = "Vec::is_empty")]
    entries: Vec<ReportedToolCall>,
    /// The report with the highest precedence that lists tool calls. Its list defines the tool
    /// calls of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    reported: Option<Precedence>,
}

/// Identity of a tool call. Entries with equal keys in two messages are the same tool call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct ToolCallKey {
    #[serde(default, rename = "tool_call_id", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    tool: String,
    /// Keyed digest of the arguments.
    #[serde(default, rename = "args", skip_serializing_if = "Option::is_none")]
    arguments: Option<String>,
    /// Number of equal tool calls before this one in the same message; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nth: Option<u16>,
    /// Event id of a live tool call with neither an id nor a digest; nothing else distinguishes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
}

/// All reports of a tool call with the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ReportedToolCall {
    #[serde(flatten)]
    key: ToolCallKey,
    /// Time and index within the message: of the report with the highest precedence, else the
    /// earliest of the live ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Reported<Reverse<(i64, u16)>>>,
    /// References to sealed entries, highest precedence first. Of the live messages only one is
    /// kept, because the others have the same content.
    io: Vec<IoRef>,
}

/// A tool call, with references to its sealed arguments and results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The provider's id of the tool call; `None` in the old message shape.
    pub tool_call_id: Option<String>,
    /// Name of the function; empty if only a result was reported.
    pub tool: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: Option<i64>,
    /// References to sealed arguments and results, highest precedence first.
    pub io: Vec<IoRef>,
}

/// Reference to a sealed `tool_io` entry: the event and the index within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IoRef {
    /// Precedence of the entry's message.
    #[serde(rename = "w")]
    pub precedence: Precedence,
    /// Position of the event.
    #[serde(rename = "p")]
    pub position: Position,
    /// Index of the entry in the event's `tool_io` section.
    #[serde(rename = "n")]
    pub nth: u16,
}

impl IoRef {
    /// Returns the sort key. Position and index order equal precedences, so the result does not
    /// depend on the order of folding.
    fn order(&self) -> (Reverse<Precedence>, Position, u16) {
        (Reverse(self.precedence), self.position, self.nth)
    }

    fn is_live(&self) -> bool {
        self.precedence.authority != Authority::Report
    }
}

impl ReportedToolCall {
    fn add(&mut self, at: Option<(i64, u16)>, io: IoRef) {
        if self.io.iter().any(|known| (known.position, known.nth) == (io.position, io.nth)) {
            return;
        }
        // A live repetition has a later message time; the earliest time of the tool call must win.
        let reported_at = io.precedence.reported_at.filter(|_| !io.is_live());
        Reported::merge(&mut self.at, at.map(Reverse), Precedence { reported_at, ..io.precedence });
        self.io.push(io);
        self.io.sort_by_key(IoRef::order);
        let (mut reports, mut has_live) = (0, false);
        self.io.retain(|io| {
            if io.is_live() {
                return !std::mem::replace(&mut has_live, true);
            }
            reports += 1;
            reports <= MAX_REPORTS
        });
    }
}

impl ToolCalls {
    /// Returns true if no tool call is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_TOOL_CALLS
    }

    pub(super) fn apply_live<E>(
        &mut self,
        fact: &ToolFact,
        precedence: Precedence,
        recorded: &Recorded<E>,
    ) {
        let io = IoRef { precedence, position: recorded.position, nth: 0 };
        let mut key = ToolCallKey::of(fact, fact.nth);
        let is_named = key.id.is_some() || key.arguments.is_some();
        key.event_id = (!is_named).then_some(recorded.event_id);
        self.add(key, fact, io);
    }

    pub(super) fn apply_report<E>(
        &mut self,
        facts: &[ToolFact],
        precedence: Precedence,
        recorded: &Recorded<E>,
    ) {
        if facts.is_empty() {
            return;
        }
        self.reported = self.reported.max(Some(precedence));
        let mut listed: HashMap<ToolCallKey, u16> = HashMap::new();
        for (nth, fact) in (0..).zip(facts) {
            let count = listed.entry(ToolCallKey::of(fact, 0)).or_default();
            let key = ToolCallKey::of(fact, *count);
            *count += 1;
            self.add(key, fact, IoRef { precedence, position: recorded.position, nth });
        }
    }

    fn add(&mut self, key: ToolCallKey, fact: &ToolFact, io: IoRef) {
        let nth = match self.entries.binary_search_by(|entry| entry.key.cmp(&key)) {
            Ok(nth) => nth,
            Err(nth) => {
                self.entries.insert(nth, ReportedToolCall { key, at: None, io: Vec::new() });
                nth
            }
        };
        let place = if io.is_live() { fact.place } else { io.nth };
        self.entries[nth].add(fact.at_ms.map(|at_ms| (at_ms, place)), io);
        self.entries.truncate(MAX_TOOL_CALLS);
    }

    /// Returns all tool calls by time; those without a time are last, in the order of their
    /// messages.
    pub(super) fn in_order(&self) -> Vec<ToolCall> {
        let groups = matching::groups(&self.entries, self.reported);
        let mut all: Vec<(u16, ToolCall)> = groups.iter().map(|group| merged(group)).collect();
        all.sort_by_cached_key(|(place, call)| {
            (call.at_ms.unwrap_or(i64::MAX), *place, call.tool_call_id.clone())
        });
        all.into_iter().map(|(_, call)| call).collect()
    }
}

impl ToolCallKey {
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

/// Merges the entries of one tool call, the report's entry first. Returns the tool call and its
/// index within its message.
fn merged(group: &[&ReportedToolCall]) -> (u16, ToolCall) {
    let mut io: Vec<IoRef> = group.iter().flat_map(|entry| entry.io.iter().copied()).collect();
    io.sort_by_key(IoRef::order);
    let tools = group.iter().map(|entry| &entry.key.tool);
    let mut at = None;
    for reported in group.iter().filter_map(|entry| entry.at.as_ref()) {
        Reported::merge(&mut at, Some(reported.value), reported.precedence);
    }
    let at = at.map(|reported| reported.value.0);
    let call = ToolCall {
        tool_call_id: group.iter().find_map(|entry| entry.key.id.clone()),
        tool: tools.clone().find(|tool| !tool.is_empty()).cloned().unwrap_or_default(),
        at_ms: at.map(|(at_ms, _)| at_ms),
        io,
    };
    (at.map_or(0, |(_, place)| place), call)
}

#[cfg(test)]
mod tests;
