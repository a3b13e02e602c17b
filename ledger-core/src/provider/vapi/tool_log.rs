//! The tools a finished call used, put together from its message log: calls here, results there,
//! in any order, with ids or without.

use std::collections::HashMap;

use serde_json::Value;

use super::message::{Message, list};
use super::tools::{ToolCall, filled_text};
use crate::event::ToolFact;
use crate::json::{Json, fact_text};
use crate::personal::ToolIo;

/// Facts stay small; what a runaway call did beyond this is still in its `raw` section.
const MAX_TOOLS: usize = 1000;

/// The tools of a finished call: what each was, and what went in and came out.
pub(super) fn tools(message: &Message<'_>) -> (Vec<ToolFact>, Vec<ToolIo>) {
    let logs = message.logs().map(ToolLog::read);
    let mut log = logs.into_iter().find(|log| !log.uses.is_empty()).unwrap_or_default();
    if let Some(calls) = message.told("toolCalls", list) {
        log.merge(calls);
    }
    log.uses.into_iter().zip(0..).map(|(tool_use, nth)| tool_use.split(nth)).unzip()
}

/// One tool, called or answered.
struct Use<'m> {
    call: ToolCall<'m>,
    at_ms: Option<i64>,
    result: Option<Value>,
}

impl Use<'_> {
    fn split(self, nth: u16) -> (ToolFact, ToolIo) {
        let fact = self.call.fact(self.at_ms);
        (fact, ToolIo { nth, arguments: self.call.arguments, result: self.result })
    }
}

#[derive(Default)]
struct ToolLog<'m> {
    uses: Vec<Use<'m>>,
    by_id: HashMap<&'m str, usize>,
}

impl<'m> ToolLog<'m> {
    fn read(messages: &'m [Json<'m>]) -> Self {
        let mut log = Self::default();
        for message in messages {
            let at_ms = message.get("time").and_then(Json::as_millis);
            match filled_text(message, &["role", "type"]) {
                Some("function_call") => log.call(ToolCall::read(message), at_ms),
                Some("tool_call_result" | "function_result" | "tool" | "function") => {
                    log.answer(message, at_ms);
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

    /// Ids are unique within a call, so an id that comes again is the same tool call.
    fn call(&mut self, call: Option<ToolCall<'m>>, at_ms: Option<i64>) {
        let Some(call) = call else { return };
        match call.id.and_then(|id| self.by_id(id)) {
            // Its result came first.
            Some(known) if known.call.arguments.is_none() => {
                known.call = call;
                known.at_ms = at_ms.or(known.at_ms);
            }
            Some(_) => {}
            None => self.add(Use { call, at_ms, result: None }),
        }
    }

    fn by_id(&mut self, id: &str) -> Option<&mut Use<'m>> {
        self.by_id.get(id).map(|at| &mut self.uses[*at])
    }

    /// What comes behind the last that is told is not looked for either: a log of nothing but tool
    /// calls would be read once for each of them.
    fn add(&mut self, tool_use: Use<'m>) {
        if self.uses.len() < MAX_TOOLS {
            self.by_id.extend(tool_use.call.id.map(|id| (id, self.uses.len())));
            self.uses.push(tool_use);
        }
    }

    fn answer(&mut self, message: &'m Json<'m>, at_ms: Option<i64>) {
        let id = filled_text(message, &["toolCallId", "tool_call_id"]);
        let name = filled_text(message, &["name"]).map(fact_text);
        let result = ["result", "content", "message"].iter().find_map(|key| message.get(key));
        let result = result.filter(|result| **result != Json::Null).map(Json::to_value);
        let known = match (id, &name) {
            (Some(id), _) => self.by_id(id),
            (None, name) => self.uses.iter_mut().find(|known| {
                known.result.is_none() && name.as_ref().is_none_or(|name| known.call.name == *name)
            }),
        };
        match known {
            Some(known) => known.result = known.result.take().or(result),
            // A result nobody asked for in this log: the tool ran all the same.
            None if id.is_some() || name.is_some() => {
                let call = ToolCall { id, name: name.unwrap_or_default(), arguments: None };
                self.add(Use { call, at_ms, result });
            }
            None => {}
        }
    }

    /// Adds a second list of the same calls: what it repeats, by id or by name, is known already.
    fn merge(&mut self, calls: &'m [Json<'m>]) {
        let mut unclaimed: Vec<usize> = (0..self.uses.len()).collect();
        for call in calls.iter().filter_map(ToolCall::read) {
            let repeats = |nth: &usize| call.id.is_none() && self.uses[*nth].call.name == call.name;
            match unclaimed.iter().position(repeats) {
                Some(at) => {
                    let known = &mut self.uses[unclaimed.remove(at)].call;
                    known.arguments = known.arguments.take().or(call.arguments);
                }
                None => self.call(Some(call), None),
            }
        }
    }
}
