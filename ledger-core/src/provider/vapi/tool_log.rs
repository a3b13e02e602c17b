//! Tool calls of a finished call, collected from its message log. Calls and results may be listed
//! in any order, with ids or without.

use std::collections::HashMap;

use serde_json::Value;

use super::message::{Message, list};
use super::tools::{ToolCall, filled_text};
use crate::event::ToolFact;
use crate::json::{Json, fact_text};
use crate::personal::ToolIo;

/// Maximum number of tool calls in the facts. Further ones are in the `raw` section only.
const MAX_TOOLS: usize = 1000;

/// Maximum number of tool calls with the same id that are compared. Bounds the cost of a hostile
/// log.
const MAX_SAME_ID: usize = 200;

/// Returns the tool calls of a finished call: the facts, and the sealed arguments and results.
pub(super) fn tools(message: &Message<'_>) -> (Vec<ToolFact>, Vec<ToolIo>) {
    let logs = message.logs().map(ToolLog::read);
    let mut log = logs.into_iter().find(|log| !log.uses.is_empty()).unwrap_or_default();
    if let Some(calls) = message.lookup("toolCalls", list) {
        log.merge(calls);
    }
    log.uses.into_iter().zip(0..).map(|(tool_use, nth)| tool_use.split(nth)).unzip()
}

/// A tool call in the log, with or without its result.
struct ToolUse<'m> {
    call: ToolCall<'m>,
    at_ms: Option<i64>,
    result: Option<Value>,
    /// Index of the list with the call; `None` while only its result is known.
    listed: Option<usize>,
}

impl ToolUse<'_> {
    fn split(self, nth: u16) -> (ToolFact, ToolIo) {
        let fact = self.call.fact(self.at_ms);
        (fact, ToolIo { nth, arguments: self.call.arguments, result: self.result })
    }

    /// Returns true if an entry of a later list with the same id repeats this one. Some models use
    /// the name of the tool as the id of all its calls; with them, an entry after the result is a
    /// new call.
    fn is_repeated_by(&self, call: &ToolCall<'_>) -> bool {
        let is_own_id = call.id.is_some_and(|id| id != call.name);
        let same = self.call.arguments == call.arguments;
        // Missing arguments do not make a difference.
        let same = same || self.call.arguments.is_none() || call.arguments.is_none();
        same && (is_own_id || self.result.is_none())
    }
}

#[derive(Default)]
struct ToolLog<'m> {
    uses: Vec<ToolUse<'m>>,
    by_id: HashMap<&'m str, Vec<usize>>,
    lists: usize,
}

impl<'m> ToolLog<'m> {
    fn read(messages: &'m [Json<'m>]) -> Self {
        let mut log = Self::default();
        for message in messages {
            log.lists += 1;
            let at_ms = message.get("time").and_then(Json::as_millis);
            match filled_text(message, &["role", "type"]) {
                Some("function_call") => log.call(ToolCall::read(message), at_ms),
                Some("tool_call_result" | "function_result" | "tool" | "function") => {
                    log.add_result(message, at_ms);
                }
                _ => {
                    let calls =
                        ["toolCalls", "tool_calls"].iter().find_map(|key| list(message.get(key)?));
                    for call in calls.unwrap_or_default() {
                        log.call(ToolCall::read(call), at_ms);
                    }
                }
            }
        }
        log
    }

    /// Adds a call. An id that occurs again in a later list is a repetition, unless the arguments
    /// differ. Two entries of a single list are two calls.
    fn call(&mut self, call: Option<ToolCall<'m>>, at_ms: Option<i64>) {
        let Some(call) = call else { return };
        let here = self.lists;
        let known = call.id.and_then(|id| {
            self.find(id, |known| match known.listed {
                None => true,
                Some(list) => list != here && known.is_repeated_by(&call),
            })
        });
        match known {
            // The result was listed first, or the arguments only now.
            Some(known) if known.listed.is_none() || known.call.arguments.is_none() => {
                known.call = call;
                known.at_ms = at_ms.or(known.at_ms);
                known.listed = Some(here);
            }
            Some(_) => {}
            None => self.add(ToolUse { call, at_ms, result: None, listed: Some(here) }),
        }
    }

    /// Returns the first tool call with this id that `is_match` accepts.
    fn find(
        &mut self,
        id: &str,
        is_match: impl Fn(&ToolUse<'m>) -> bool,
    ) -> Option<&mut ToolUse<'m>> {
        let nth = self.by_id.get(id)?.iter().copied().find(|nth| is_match(&self.uses[*nth]))?;
        self.uses.get_mut(nth)
    }

    /// Adds a tool call up to the maximum. Further ones are not indexed either: otherwise a log of
    /// tool calls only would be searched once for each of them.
    fn add(&mut self, tool_use: ToolUse<'m>) {
        if self.uses.len() < MAX_TOOLS {
            if let Some(id) = tool_use.call.id {
                let same_id = self.by_id.entry(id).or_default();
                if same_id.len() < MAX_SAME_ID {
                    same_id.push(self.uses.len());
                }
            }
            self.uses.push(tool_use);
        }
    }

    fn add_result(&mut self, message: &'m Json<'m>, at_ms: Option<i64>) {
        let id = filled_text(message, &["toolCallId", "tool_call_id"]);
        let name = filled_text(message, &["name"]).map(fact_text);
        let result = ["result", "content", "message"].iter().find_map(|key| message.get(key));
        let result = result.filter(|result| **result != Json::Null).map(Json::to_value);
        let known = match (id, &name) {
            (Some(id), _) => self.call_for_result(id),
            (None, name) => self.uses.iter_mut().find(|known| {
                known.result.is_none() && name.as_ref().is_none_or(|name| known.call.name == *name)
            }),
        };
        match known {
            Some(known) => known.result = known.result.take().or(result),
            // A result without a call in this log: the tool was called all the same.
            None if id.is_some() || name.is_some() => {
                let name = name.unwrap_or_default();
                let (arguments, is_async) = (None, false);
                let call = ToolCall { id, raw_id: id, name, arguments, nth: 0, place: 0, is_async };
                self.add(ToolUse { call, at_ms, result, listed: None });
            }
            None => {}
        }
    }

    /// Returns the tool call for a result with this id: the first without a result, else the last.
    fn call_for_result(&mut self, id: &str) -> Option<&mut ToolUse<'m>> {
        let all = self.by_id.get(id)?;
        let open = all.iter().find(|nth| self.uses[**nth].result.is_none());
        let nth = *open.or(all.last())?;
        self.uses.get_mut(nth)
    }

    /// Merges a second list of the calls. Entries that repeat a known call, by id or by name, add
    /// nothing.
    fn merge(&mut self, calls: &'m [Json<'m>]) {
        let mut unclaimed: Vec<usize> = (0..self.uses.len()).collect();
        for call in calls.iter().filter_map(ToolCall::read).take(MAX_TOOLS) {
            let arguments = |nth: &usize| &self.uses[*nth].call.arguments;
            let is_same = |nth: &usize| match call.id {
                Some(_) => self.uses[*nth].call.id == call.id,
                None => self.uses[*nth].call.name == call.name,
            };
            let equal = |nth: &usize| is_same(nth) && *arguments(nth) == call.arguments;
            // With an id, different arguments mean a different call; with a name only, they do not.
            let other = |nth: &usize| {
                let left_out = arguments(nth).is_none() || call.arguments.is_none();
                is_same(nth) && (call.id.is_none() || left_out)
            };
            let found =
                unclaimed.iter().position(equal).or_else(|| unclaimed.iter().position(other));
            if let Some(at) = found {
                let known = &mut self.uses[unclaimed.remove(at)].call;
                known.arguments = known.arguments.take().or(call.arguments);
                continue;
            }
            let is_own_id = call.id.is_some_and(|id| id != call.name);
            let is_known = (0..self.uses.len()).any(|nth| equal(&nth));
            if call.id.is_none() || !is_own_id || !is_known {
                self.add(ToolUse { call, at_ms: None, result: None, listed: Some(self.lists + 1) });
            }
        }
    }
}
