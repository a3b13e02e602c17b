//! Parsing of tool calls, and the list of those that expect a response.

use std::collections::HashMap;

use serde_json::Value;

use super::message::{Message, list, object};
use crate::event::ToolFact;
use crate::json::{Json, fact_id, fact_text};
use crate::personal::ToolIo;
use crate::provider::{ToolRequest, TranslateError};

/// Maximum number of tool calls in a message. Each becomes an event and expects a response; no
/// model makes more at once.
const MAX_CALLS: usize = 1000;

/// A tool call, from any of Vapi's message shapes.
#[derive(Debug, Clone)]
pub(super) struct ToolCall<'m> {
    /// The provider's id; `None` if it is empty.
    pub(super) id: Option<&'m str>,
    /// The id as received, to be returned unchanged: some models send an empty one.
    pub(super) raw_id: Option<&'m str>,
    /// Name of the function; empty if the entry has only an id.
    pub(super) name: String,
    /// Arguments of the call.
    pub(super) arguments: Option<Value>,
    /// Number of equal tool calls before this one in the same message.
    pub(super) nth: u16,
    /// Index within the message, from 0.
    pub(super) place: u16,
    /// Whether the definition of the tool is asynchronous: the platform ignores the response.
    pub(super) is_async: bool,
}

impl<'m> ToolCall<'m> {
    /// Parses `{id, function: {name, arguments}}`, the flat `{id, name, parameters}`, and the older
    /// `{function: "name", parameters}` and `{name, args}`. `None` if the entry has neither an id
    /// nor a name.
    pub(super) fn read(entry: &'m Json<'m>) -> Option<Self> {
        let function = entry.get("function").unwrap_or(&Json::Null);
        let id = filled_text(entry, &["id", "toolCallId"]);
        let name = filled_text(function, &["name"])
            .or_else(|| filled_text(entry, &["name"]))
            .or_else(|| function.as_str());
        if id.is_none() && name.is_none() {
            return None;
        }
        let arguments = [function, entry].into_iter().flat_map(|place| {
            ["arguments", "parameters", "args"].into_iter().filter_map(|key| place.get(key))
        });
        let raw_id = || ["id", "toolCallId"].iter().find_map(|key| entry.get(key)?.as_str());
        Some(Self {
            id,
            raw_id: id.or_else(raw_id),
            nth: 0,
            place: 0,
            is_async: false,
            name: fact_text(name.unwrap_or_default()),
            arguments: arguments.filter(|value| **value != Json::Null).map(unquoted).next(),
        })
    }

    /// Returns the facts of the tool call.
    pub(super) fn fact(&self, at_ms: Option<i64>) -> ToolFact {
        let (tool_call_id, tool) = (self.id.map(fact_id), self.name.clone());
        ToolFact { tool_call_id, tool, at_ms, arguments: None, nth: self.nth, place: self.place }
    }

    /// Returns the request for a response.
    pub(super) fn request(&self) -> ToolRequest {
        ToolRequest { tool_call_id: self.raw_id.map(str::to_owned), tool: self.name.clone() }
    }

    /// Returns the sealed arguments, as the only tool call of the event.
    pub(super) fn io(&self) -> Vec<ToolIo> {
        vec![ToolIo { nth: 0, arguments: self.arguments.clone(), result: None }]
    }
}

/// Returns the tool calls that expect a response, in listed order. Each entry is a tool call of its
/// own, whatever its id. Vapi repeats the list under several names, so the first non-empty one is
/// used.
///
/// # Errors
/// [`TranslateError::UnrecognizedMessage`] if the list is longer than any model makes it.
pub(super) fn pending_calls<'m>(
    message: &Message<'m>,
) -> Result<Vec<ToolCall<'m>>, TranslateError> {
    let read_all = |value: &'m Json<'m>| {
        let calls: Vec<_> = entries(value)?.into_iter().filter_map(ToolCall::read).collect();
        (!calls.is_empty()).then_some(calls)
    };
    let read_wrapped = |value: &'m Json<'m>| {
        let tools = entries(value)?.into_iter();
        let calls: Vec<_> =
            tools.filter_map(|tool| ToolCall::read(tool.get("toolCall")?)).collect();
        (!calls.is_empty()).then_some(calls)
    };
    let calls = message
        .message_field("toolCallList", read_all)
        .or_else(|| message.message_field("toolWithToolCallList", read_wrapped))
        .or_else(|| message.message_field("toolCalls", read_all))
        .or_else(|| message.message_field("toolCall", |call| Some(vec![ToolCall::read(call)?])))
        .unwrap_or_default();
    if calls.len() > MAX_CALLS {
        return Err(TranslateError::UnrecognizedMessage(
            "expected at most 1000 tool calls in one message",
        ));
    }
    let asynchronous = message.message_field("toolWithToolCallList", asynchronous);
    let asynchronous = asynchronous.unwrap_or_default();
    let mut calls = numbered(calls);
    for call in &mut calls {
        call.is_async = asynchronous.contains(&call.name.as_str());
    }
    Ok(calls)
}

/// Returns the names of the tools whose definition has `async: true`, at its top or in its function.
fn asynchronous<'m>(definitions: &'m Json<'m>) -> Option<Vec<&'m str>> {
    let name_of_async = |tool: &'m Json<'m>| {
        let function = tool.get("function").unwrap_or(&Json::Null);
        let is_async = [tool, function]
            .iter()
            .any(|place| place.get("async").and_then(Json::as_bool).unwrap_or(false));
        let name = filled_text(function, &["name"]).or_else(|| filled_text(tool, &["name"]))?;
        is_async.then_some(name)
    };
    Some(entries(definitions)?.into_iter().filter_map(name_of_async).collect())
}

/// Sets the index of each entry, and the number of equal entries before it.
fn numbered(mut calls: Vec<ToolCall<'_>>) -> Vec<ToolCall<'_>> {
    let mut seen: HashMap<(Option<&str>, String, String), u16> = HashMap::new();
    for (call, place) in calls.iter_mut().zip(0..) {
        call.place = place;
        let arguments = call.arguments.as_ref().map(ToString::to_string).unwrap_or_default();
        let count = seen.entry((call.id, call.name.clone(), arguments)).or_default();
        call.nth = *count;
        *count += 1;
    }
    calls
}

/// Returns the entries of a list. Proxies and workflow tools turn a list of one entry into the
/// entry, and a longer list into an object with numbers as keys. Any other object is a single
/// entry.
fn entries<'m>(value: &'m Json<'m>) -> Option<Vec<&'m Json<'m>>> {
    let Json::Object(fields) = value else { return Some(list(value)?.iter().collect()) };
    let is_number = |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
    if fields.is_empty() || !fields.iter().all(|(key, entry)| is_number(key) && entry.is_object()) {
        return Some(vec![value]);
    }
    Some(fields.iter().map(|(_, entry)| entry).collect())
}

/// Keys of the lists of tool calls in a message.
const LISTS: [&str; 4] = ["toolCallList", "toolWithToolCallList", "toolCalls", "toolCall"];

/// Returns the lists of tool calls that are JSON in a text: whether they are in `message`, their
/// key, and the text.
pub(super) fn quoted_lists(body: &Json<'_>) -> Vec<(bool, &'static str, String)> {
    let places = [(false, Some(body)), (true, body.get("message"))];
    let places = places.into_iter().filter_map(|(is_inner, place)| Some((is_inner, place?)));
    let quoted = |(is_inner, place): (bool, &Json<'_>)| {
        let texts = LISTS.into_iter().filter_map(|key| Some((key, place.get(key)?.as_str()?)));
        let texts = texts.filter(|(_, text)| text.trim_start().starts_with(['{', '[']));
        texts.map(|(key, text)| (is_inner, key, text.to_owned())).collect::<Vec<_>>()
    };
    places.flat_map(quoted).collect()
}

/// Replaces the texts of [`quoted_lists`] by their parsed JSON. A text that is no JSON is
/// unchanged.
pub(super) fn unquote_lists<'q>(body: &mut Json<'q>, quoted: &'q [(bool, &'static str, String)]) {
    for (is_inner, key, text) in quoted {
        let place = if *is_inner { body.get_mut("message") } else { Some(&mut *body) };
        let slot = place.and_then(|place| place.get_mut(key));
        if let (Some(slot), Ok(list)) = (slot, Json::parse(text.as_bytes())) {
            *slot = list;
        }
    }
}

/// Returns the single function of the shapes before `tool-calls`. It has no id.
pub(super) fn function<'m>(message: &Message<'m>) -> Option<ToolCall<'m>> {
    let flat = || {
        message.message_objects().into_iter().find_map(|part| {
            part.get("function").filter(|function| function.is_filled())?;
            ToolCall::read(part)
        })
    };
    let call = message
        .message_field("functionCall", |call| object(call).and_then(ToolCall::read))
        .or_else(flat)?;
    Some(ToolCall { id: None, raw_id: None, ..call })
}

/// Converts a value; JSON inside a string is parsed.
fn unquoted(value: &Json<'_>) -> Value {
    let quoted = value.as_str().filter(|text| text.trim_start().starts_with(['{', '[']));
    let inner = quoted.and_then(|text| Json::parse(text.as_bytes()).ok());
    inner.map_or_else(|| value.to_value(), |inner| inner.to_value())
}

/// Returns the first of the fields that is a non-empty string.
pub(super) fn filled_text<'m>(place: &'m Json<'m>, keys: &[&str]) -> Option<&'m str> {
    let values = keys.iter().filter_map(|key| place.get(key));
    values.filter(|value| value.is_filled()).find_map(Json::as_str)
}
