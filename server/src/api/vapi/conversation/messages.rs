//! What was said and done in order: `messages`, and the same as language models read it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ledger_core::call::ToolCall;
use ledger_core::ids::Position;
use ledger_core::personal::Turn;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{VapiConversation, text};
use crate::api::vapi::number::DecimalNumber;

/// One thing that was said or done, in order.
pub(super) enum Moment<'a> {
    Turn(&'a Turn),
    Tool(&'a ToolCall),
}

impl Moment<'_> {
    fn at_ms(&self) -> Option<i64> {
        match self {
            Self::Turn(turn) => turn.at_ms,
            Self::Tool(tool) => tool.at_ms,
        }
    }
}

/// Messages as JSON, shared by the places that show them.
pub(crate) type Messages = Arc<[Box<RawValue>]>;

/// One message of the conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VapiMessage {
    /// `bot`, `user`, `system`, `tool_calls` or `tool_call_result`; others as Vapi told them.
    #[schema(value_type = String)]
    role: &'static str,
    /// What was said; empty for tool calls, and absent from results of tools as Vapi tells them.
    #[schema(required = false)]
    message: String,
    /// Tool calls, in the form language models use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    tool_calls: Option<Value>,
    /// Milliseconds since the Unix epoch.
    time: i64,
    /// When it was over; where that was not told, when it began. Of turns only.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    /// As Vapi told it; else counted from `startedAt`, or from the first message when that was not told.
    #[schema(value_type = f64)]
    seconds_from_start: DecimalNumber,
}

/// The same, as language models read it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct ModelMessage {
    /// `assistant`, `user` or `tool`.
    role: String,
    /// What was said, or what the tool gave back.
    content: Option<String>,
    /// Tool calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    tool_calls: Option<Value>,
    /// Which of them `content` is the result of.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

/// Turns with the tool calls between them. Where the time of something is not known, nobody can say
/// what was between what: then the turns alone, in their order.
pub(super) fn moments<'a>(
    conversation: &VapiConversation<'a>,
    tools: &'a [ToolCall],
) -> Vec<Moment<'a>> {
    let turns = conversation.turns().into_iter().map(Moment::Turn);
    let mut all: Vec<_> = turns.clone().chain(tools.iter().map(Moment::Tool)).collect();
    if all.iter().any(|moment| moment.at_ms().is_none()) {
        return turns.collect();
    }
    all.sort_by_key(Moment::at_ms);
    all
}

/// As Vapi told them, in its order: those of the report whose messages count. Without a report and
/// without turns of their own, those of the latest message with any.
fn reported_messages(conversation: &VapiConversation<'_>) -> Option<Messages> {
    let texts = match conversation.call.conversation().get("messages") {
        Some(Position(at)) => conversation.report_fields.get(at)?.messages.as_ref()?,
        None if conversation.turns().is_empty() => {
            conversation.report_fields().find_map(|reported| reported.messages.as_ref())?
        }
        None => return None,
    };
    texts.iter().map(|text| RawValue::from_string(text.clone()).ok()).collect()
}

/// The messages as Vapi told them, else as it would tell them, as far as they can be told: a message of
/// Vapi's has a time.
pub(super) fn messages(
    conversation: &VapiConversation<'_>,
    moments: &[Moment<'_>],
    started_at: Option<DateTime<Utc>>,
) -> Option<Messages> {
    if let Some(reported) = reported_messages(conversation) {
        return Some(reported);
    }
    let first = moments.first()?.at_ms()?;
    let start = started_at.map_or(first, |at| at.timestamp_millis());
    let message = |moment: &Moment<'_>| {
        let time = moment.at_ms()?;
        let (role, message, tool_calls) = match moment {
            Moment::Turn(turn) if turn.role == "assistant" => ("bot", turn.text.clone(), None),
            Moment::Turn(turn) => ("user", turn.text.clone(), None),
            Moment::Tool(tool) => {
                ("tool_calls", String::new(), Some(conversation.tool_calls(tool)))
            }
        };
        let seconds_from_start = DecimalNumber::seconds(time - start);
        let end_time = tool_calls.is_none().then_some(time);
        let message = VapiMessage { role, message, tool_calls, time, end_time, seconds_from_start };
        to_raw_value(&message).ok()
    };
    moments.iter().map(message).collect()
}

pub(super) fn model_messages(
    conversation: &VapiConversation<'_>,
    moments: &[Moment<'_>],
) -> Vec<ModelMessage> {
    let plain = |role: &str, content| ModelMessage {
        role: role.to_owned(),
        content,
        tool_calls: None,
        tool_call_id: None,
    };
    let mut all = Vec::with_capacity(moments.len());
    for moment in moments {
        match moment {
            Moment::Turn(turn) => all.push(plain(&turn.role, Some(turn.text.clone()))),
            Moment::Tool(tool) => {
                let tool_calls = Some(conversation.tool_calls(tool));
                all.push(ModelMessage { tool_calls, ..plain("assistant", None) });
                if let Some(result) = conversation.reported(tool, |io| io.result.as_ref()) {
                    let tool_call_id = tool.tool_call_id.clone();
                    all.push(ModelMessage { tool_call_id, ..plain("tool", Some(text(result))) });
                }
            }
        }
    }
    all
}

impl VapiConversation<'_> {
    /// One tool call as language models write it: its arguments are JSON inside a string.
    fn tool_calls(&self, tool: &ToolCall) -> Value {
        let arguments = self.reported(tool, |io| io.arguments.as_ref()).map(text);
        let function = json!({ "name": tool.tool, "arguments": arguments.unwrap_or_default() });
        match &tool.tool_call_id {
            Some(id) => json!([{ "id": id, "type": "function", "function": function }]),
            None => json!([{ "type": "function", "function": function }]),
        }
    }
}
