//! Turns and tool calls in order: `messages`, and the same in the format of language models.

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

/// A turn or a tool call of the conversation.
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

/// Messages as JSON; shared by `messages` and `artifact.messages`.
pub(crate) type Messages = Arc<[Box<RawValue>]>;

/// One message of the conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VapiMessage {
    /// `bot`, `user`, `system`, `tool_calls` or `tool_call_result`; other values as Vapi reported
    /// them.
    #[schema(value_type = String)]
    role: &'static str,
    /// Text of the turn; empty for tool calls, absent from results of tools as in Vapi's messages.
    #[schema(required = false)]
    message: String,
    /// Tool calls in the format of language models.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    tool_calls: Option<Value>,
    /// Start of the message in milliseconds since the Unix epoch.
    time: i64,
    /// End of a turn; its start if Vapi did not report the end. Absent from other messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    /// Seconds as reported by Vapi; otherwise counted from `startedAt`, or from the first message
    /// if that is unknown.
    #[schema(value_type = f64)]
    seconds_from_start: DecimalNumber,
}

/// One message in the format of language models.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct ModelMessage {
    /// `assistant`, `user` or `tool`.
    role: String,
    /// Text of the turn, or result of the tool.
    content: Option<String>,
    /// Tool calls of an assistant's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    tool_calls: Option<Value>,
    /// Id of the tool call with `content` as its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

/// Returns turns and tool calls by time. If any time is unknown, their order is unknown too: the
/// turns alone are returned, in recorded order.
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

/// Returns Vapi's own messages in their order: those of the report with the highest precedence.
/// Without a report and without recorded turns, those of the latest message that lists any.
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

/// Returns Vapi's own messages, otherwise messages built from the recorded turns and tool calls.
/// `None` if a time is unknown, because a message in Vapi's format requires one.
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
    /// Returns one tool call in the format of language models, with its arguments as JSON inside a
    /// string.
    fn tool_calls(&self, tool: &ToolCall) -> Value {
        let arguments = self.reported(tool, |io| io.arguments.as_ref()).map(text);
        let function = json!({ "name": tool.tool, "arguments": arguments.unwrap_or_default() });
        match &tool.tool_call_id {
            Some(id) => json!([{ "id": id, "type": "function", "function": function }]),
            None => json!([{ "type": "function", "function": function }]),
        }
    }
}
