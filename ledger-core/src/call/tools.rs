//! The tool calls of a call, told live and told again by the report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::claim::{Claim, Weight};
use crate::envelope::Recorded;
use crate::event::ToolFact;
use crate::ids::Position;

/// Every tool call known, by what makes it itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCalls {
    /// By the provider's id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    named: BTreeMap<String, Named>,
    /// Old shapes without ids, told live, by their event.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    nameless: BTreeMap<String, ToolCall>,
    /// Those without ids in the weightiest report: they replace the live ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    reported: Option<Claim<Vec<ToolCall>>>,
}

/// One tool call, and where what it was given and gave back lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The function.
    pub tool: String,
    /// Milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

impl ToolCall {
    fn new(fact: &ToolFact, io: IoRef) -> Self {
        Self {
            tool_call_id: fact.tool_call_id.clone(),
            tool: fact.tool.clone(),
            at_ms: fact.at_ms,
            io: vec![io],
        }
    }
}

/// A tool call that several messages may tell of: each field as the weightiest of them told it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Named {
    /// A result alone names only the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<Claim<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<Claim<i64>>,
    io: Vec<IoRef>,
}

impl Named {
    fn take(&mut self, fact: &ToolFact, io: IoRef) {
        if self.io.iter().any(|known| (known.position, known.nth) == (io.position, io.nth)) {
            return;
        }
        let tool = Some(&fact.tool).filter(|tool| !tool.is_empty());
        Claim::offer(&mut self.tool, tool.cloned(), io.weight);
        Claim::offer(&mut self.at_ms, fact.at_ms, io.weight);
        self.io.push(io);
        // Places settle equal weights, so that the order of folding does not.
        self.io.sort_by_key(|io| (std::cmp::Reverse(io.weight), io.position, io.nth));
    }

    fn shown(&self, id: &str) -> ToolCall {
        let tool = self.tool.as_ref().map(|claim| claim.value.clone());
        ToolCall {
            tool_call_id: Some(id.to_owned()),
            tool: tool.unwrap_or_default(),
            at_ms: self.at_ms.as_ref().map(|claim| claim.value),
            io: self.io.clone(),
        }
    }
}

impl ToolCalls {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn take_live(&mut self, fact: &ToolFact, weight: Weight, recorded: &Recorded) {
        let io = IoRef { weight, position: recorded.position, nth: 0 };
        if let Some(id) = &fact.tool_call_id {
            self.take_named(id, fact, io);
        } else {
            let own = recorded.event_id.to_string();
            self.nameless.entry(own).or_insert_with(|| ToolCall::new(fact, io));
        }
    }

    pub(super) fn take_report(&mut self, facts: &[ToolFact], weight: Weight, recorded: &Recorded) {
        let mut nameless = Vec::new();
        for (nth, fact) in (0..).zip(facts) {
            let io = IoRef { weight, position: recorded.position, nth };
            match &fact.tool_call_id {
                Some(id) => self.take_named(id, fact, io),
                None => nameless.push(ToolCall::new(fact, io)),
            }
        }
        let told = (!nameless.is_empty()).then_some(nameless);
        Claim::offer(&mut self.reported, told, weight);
    }

    fn take_named(&mut self, id: &str, fact: &ToolFact, io: IoRef) {
        self.named.entry(id.to_owned()).or_default().take(fact, io);
    }

    /// All of them by time; those without a time last, in the order they were told.
    pub(super) fn in_order(&self) -> Vec<ToolCall> {
        let nameless: Vec<&ToolCall> = match &self.reported {
            Some(report) => report.value.iter().collect(),
            None => self.nameless.values().collect(),
        };
        let named = self.named.iter().map(|(id, named)| named.shown(id));
        let mut all: Vec<ToolCall> = named.chain(nameless.into_iter().cloned()).collect();
        all.sort_by_key(|call| (call.at_ms.unwrap_or(i64::MAX), call.tool_call_id.clone()));
        all
    }
}
