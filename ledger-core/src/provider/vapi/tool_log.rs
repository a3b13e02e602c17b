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

/// So many calls under one id are told apart: a hostile log is not compared with itself.
const MAX_ALIKE: usize = 200;

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
    /// Which list of the log calls it; `None` while only its result is told.
    listed: Option<usize>,
}

impl Use<'_> {
    fn split(self, nth: u16) -> (ToolFact, ToolIo) {
        let fact = self.call.fact(self.at_ms);
        (fact, ToolIo { nth, arguments: self.call.arguments, result: self.result })
    }

    /// Whether another entry of a later list, with the same id, repeats it. Models that give every call
    /// of a tool the tool's name as its id call it anew once it has its result.
    fn is_repeated_by(&self, call: &ToolCall<'_>) -> bool {
        let is_own_id = call.id.is_some_and(|id| id != call.name);
        let same = self.call.arguments == call.arguments;
        // What one of them leaves out is no difference.
        let same = same || self.call.arguments.is_none() || call.arguments.is_none();
        same && (is_own_id || self.result.is_none())
    }
}

#[derive(Default)]
struct ToolLog<'m> {
    uses: Vec<Use<'m>>,
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

    /// An id that comes again in a later list is the same tool call, unless it has other arguments. Two
    /// entries of one list are two calls.
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
            // Its result came first, or its arguments come now.
            Some(known) if known.listed.is_none() || known.call.arguments.is_none() => {
                known.call = call;
                known.at_ms = at_ms.or(known.at_ms);
                known.listed = Some(here);
            }
            Some(_) => {}
            None => self.add(Use { call, at_ms, result: None, listed: Some(here) }),
        }
    }

    /// The first use with this id that is meant.
    fn find(&mut self, id: &str, is_meant: impl Fn(&Use<'m>) -> bool) -> Option<&mut Use<'m>> {
        let nth = self.by_id.get(id)?.iter().copied().find(|nth| is_meant(&self.uses[*nth]))?;
        self.uses.get_mut(nth)
    }

    /// What comes behind the last that is told is not looked for either: a log of nothing but tool
    /// calls would be read once for each of them.
    fn add(&mut self, tool_use: Use<'m>) {
        if self.uses.len() < MAX_TOOLS {
            if let Some(id) = tool_use.call.id {
                let alike = self.by_id.entry(id).or_default();
                if alike.len() < MAX_ALIKE {
                    alike.push(self.uses.len());
                }
            }
            self.uses.push(tool_use);
        }
    }

    fn answer(&mut self, message: &'m Json<'m>, at_ms: Option<i64>) {
        let id = filled_text(message, &["toolCallId", "tool_call_id"]);
        let name = filled_text(message, &["name"]).map(fact_text);
        let result = ["result", "content", "message"].iter().find_map(|key| message.get(key));
        let result = result.filter(|result| **result != Json::Null).map(Json::to_value);
        let known = match (id, &name) {
            (Some(id), _) => self.answered(id),
            (None, name) => self.uses.iter_mut().find(|known| {
                known.result.is_none() && name.as_ref().is_none_or(|name| known.call.name == *name)
            }),
        };
        match known {
            Some(known) => known.result = known.result.take().or(result),
            // A result nobody asked for in this log: the tool ran all the same.
            None if id.is_some() || name.is_some() => {
                let name = name.unwrap_or_default();
                let call = ToolCall { id, told_id: id, name, arguments: None, nth: 0, place: 0 };
                self.add(Use { call, at_ms, result, listed: None });
            }
            None => {}
        }
    }

    /// The use a result with this id belongs to: the first that has none yet, else the last.
    fn answered(&mut self, id: &str) -> Option<&mut Use<'m>> {
        let all = self.by_id.get(id)?;
        let open = all.iter().find(|nth| self.uses[**nth].result.is_none());
        let nth = *open.or(all.last())?;
        self.uses.get_mut(nth)
    }

    /// Adds a second list of the same calls: what it repeats, by id or by name, is known already.
    fn merge(&mut self, calls: &'m [Json<'m>]) {
        let mut unclaimed: Vec<usize> = (0..self.uses.len()).collect();
        for call in calls.iter().filter_map(ToolCall::read).take(MAX_TOOLS) {
            let arguments = |nth: &usize| &self.uses[*nth].call.arguments;
            let is_same = |nth: &usize| match call.id {
                Some(_) => self.uses[*nth].call.id == call.id,
                None => self.uses[*nth].call.name == call.name,
            };
            let equal = |nth: &usize| is_same(nth) && *arguments(nth) == call.arguments;
            // An id tells more than its place, a name does not.
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
                self.add(Use { call, at_ms: None, result: None, listed: Some(self.lists + 1) });
            }
        }
    }
}
