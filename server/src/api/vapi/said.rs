//! The conversation of a call in Vapi's form: `messages`, `artifact` and `analysis`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ledger_core::call::{Call, ToolCall};
use ledger_core::ids::Position;
use ledger_core::personal::{Conversation, ToolIo, Turn};
use ledger_core::provider::vapi::retold::{Fields, Retold};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::number::Number;
use crate::api::calls::personal::{OpenedEvent, turns_of};

/// A call with its opened events, and the fields of its reports in Vapi's form.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) call: &'a Call,
    pub(super) opened: &'a BTreeMap<i64, OpenedEvent>,
    pub(super) retold: &'a BTreeMap<i64, Retold>,
}

/// A turn or a tool call, ordered by time.
enum Moment<'a> {
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

impl<'a> Said<'a> {
    /// The call's reports in Vapi's form, highest precedence first.
    fn reports(&self) -> impl Iterator<Item = &'a Retold> + use<'a> {
        let retold = self.retold;
        self.call.reports().into_iter().filter_map(move |Position(at)| retold.get(&at))
    }

    /// Collects each field from the report of highest precedence that contains it.
    pub(super) fn fields(&self, part: impl Fn(&'a Retold) -> &'a Fields) -> ToldFields {
        let mut all = BTreeMap::new();
        for (name, text) in self.reports().flat_map(part) {
            if !all.contains_key(name)
                && let Ok(value) = RawValue::from_string(text.clone())
            {
                all.insert(*name, value);
            }
        }
        ToldFields(all)
    }

    /// The conversation section with this part, from the report of highest precedence.
    fn part(&self, name: &str) -> Option<&'a Conversation> {
        let Position(position) = *self.call.conversation().get(name)?;
        self.opened.get(&position)?.conversation.as_ref()
    }

    pub(super) fn summary(&self) -> Option<String> {
        self.part("summary")?.summary.clone()
    }

    pub(super) fn transcript(&self) -> Option<String> {
        self.part("transcript")?.transcript.clone()
    }

    /// URL of the recording of a kind.
    pub(super) fn recording(&self, kind: &str) -> Option<String> {
        let recordings = &self.part("recordings")?.recordings;
        recordings.iter().find(|one| one.kind == kind).map(|one| one.url.clone())
    }

    /// Extracted data. Only one of Vapi's three forms is stored, recognizable by its shape.
    fn extracted(&self) -> Option<&'a Value> {
        self.part("structured_data")?.structured_data.as_ref()
    }

    /// The evaluation as text: Vapi's schema requires text, but its messages also contain other types.
    fn evaluation(&self) -> Option<String> {
        match self.part("evaluation")?.evaluation.as_ref()? {
            Value::String(verdict) => Some(verdict.clone()),
            verdict => Some(verdict.to_string()),
        }
    }

    fn turns(&self) -> Vec<&'a Turn> {
        let events = turns_of(self.call).into_iter();
        let said = events.filter_map(|Position(at)| self.opened.get(&at)?.conversation.as_ref());
        said.flat_map(|said| &said.messages).collect()
    }

    /// Arguments or result of a tool call, from the message of highest precedence.
    fn told<T>(&self, tool: &ToolCall, read: impl Fn(&'a ToolIo) -> Option<T>) -> Option<T> {
        tool.io.iter().find_map(|io| {
            let entries = &self.opened.get(&io.position.0)?.tool_io;
            entries.iter().find(|entry| entry.nth == io.nth).and_then(&read)
        })
    }
}

/// Fields of Vapi's API exactly as a report contained them.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub(super) struct ToldFields(BTreeMap<&'static str, Box<RawValue>>);

impl ToldFields {
    /// True without any field.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if the report contained the field.
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Messages as JSON text, shared by the two fields that contain them.
pub(super) type Messages = Arc<[Box<RawValue>]>;

/// A message of the conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    /// `bot`, `user`, `system`, `tool_calls` or `tool_call_result`, and any other role in Vapi's report.
    #[schema(value_type = String)]
    role: &'static str,
    /// Text of the message; empty for tool calls, and absent from tool results as reported by Vapi.
    #[schema(required = false)]
    message: String,
    /// Tool calls in the form of language-model APIs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    tool_calls: Option<Value>,
    /// Time of the message, in milliseconds since the Unix epoch.
    time: i64,
    /// End of the turn; its start if no end was reported. Absent for tool calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    /// Seconds as reported by Vapi; otherwise counted from `startedAt`, or from the first message if no start
    /// was reported.
    #[schema(value_type = f64)]
    seconds_from_start: Number,
}

/// A message in the form of language-model APIs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct ModelMessage {
    /// `assistant`, `user` or `tool`.
    role: String,
    /// Text of the message, or result of the tool.
    content: Option<String>,
    /// Tool calls made by the assistant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    tool_calls: Option<Value>,
    /// Id of the tool call with this result.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

/// Conversation and recordings of a call.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Artifact {
    /// Turns and tool calls. Absent unless the time of every turn is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Message>>)]
    pub(super) messages: Option<Messages>,
    /// Turns and tool calls in the form of language-model APIs.
    #[serde(rename = "messagesOpenAIFormatted", skip_serializing_if = "Vec::is_empty")]
    messages_open_ai_formatted: Vec<ModelMessage>,
    /// Transcript as one text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transcript: Option<String>,
    /// URL of the recording with both sides in one channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recording_url: Option<String>,
    /// URL of the recording with one channel for each side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stereo_recording_url: Option<String>,
    /// URL of the video recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    video_recording_url: Option<String>,
    /// URLs of the same recordings, by channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<Recording>,
    /// Structured outputs, by the id of their definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    structured_outputs: Option<Value>,
    /// All other fields of Vapi's artifact, unchanged: `variableValues`, `nodes`, `transfers`,
    /// `performanceMetrics`, `logUrl` and others.
    #[serde(flatten)]
    #[schema(value_type = HashMap<String, Value>)]
    told: ToldFields,
}

/// Recordings by channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recording {
    /// URL of the recording with one channel for each side.
    #[serde(skip_serializing_if = "Option::is_none")]
    stereo_url: Option<String>,
    /// URL of the video recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    video_url: Option<String>,
    /// Recordings in one channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    mono: Option<Mono>,
}

/// Recordings in one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mono {
    /// Both sides of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    combined_url: Option<String>,
    /// The assistant's side only.
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant_url: Option<String>,
    /// The customer's side only.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_url: Option<String>,
}

/// Results of the platform's models about the call: claims, not evidence.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Analysis {
    /// Summary of the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<String>,
    /// Data extracted from the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    structured_data: Option<Value>,
    /// Data extracted by several definitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    structured_data_multi: Option<Value>,
    /// The evaluation; without scope `personal` only if it is `true` or `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    success_evaluation: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    told: ToldFields,
}

impl Analysis {
    /// Builds the analysis; `None` without any field.
    pub(super) fn of(call: &Call, said: Option<Said<'_>>) -> Option<Self> {
        let extracted = said.and_then(|said| said.extracted()).filter(|told| !is_outputs(told));
        let (multi, single) = match extracted.cloned() {
            Some(many @ Value::Array(_)) => (Some(many), None),
            one => (None, one),
        };
        let plain = call.success().map(|success| success.to_string());
        let told = said.map(|said| said.fields(|told| &told.analysis)).unwrap_or_default();
        let analysis = Self {
            summary: said.and_then(|said| said.summary()),
            structured_data: single.filter(|_| !told.has("structuredData")),
            structured_data_multi: multi.filter(|_| !told.has("structuredDataMulti")),
            success_evaluation: said.and_then(|said| said.evaluation()).or(plain),
            told,
        };
        let is_known = !analysis.told.is_empty()
            || analysis.summary.is_some()
            || analysis.success_evaluation.is_some()
            || analysis.structured_data.is_some()
            || analysis.structured_data_multi.is_some();
        is_known.then_some(analysis)
    }
}

impl Artifact {
    /// Builds the artifact; `None` without any field.
    pub(super) fn of(said: Said<'_>, started_at: Option<DateTime<Utc>>) -> Option<Self> {
        let tools = said.call.tool_calls();
        let moments = moments(&said, &tools);
        let recording = recording(&said);
        let told = said.fields(|told| &told.artifact);
        let formatted =
            (!told.has("messagesOpenAIFormatted")).then(|| model_messages(&said, &moments));
        let artifact = Self {
            messages: told_messages(&said).or_else(|| messages(&said, &moments, started_at)),
            messages_open_ai_formatted: formatted.unwrap_or_default(),
            transcript: said.transcript(),
            recording_url: said.recording("mono"),
            stereo_recording_url: said.recording("stereo"),
            video_recording_url: said.recording("video"),
            recording: (recording != Recording::default() && !told.has("recording"))
                .then_some(recording),
            structured_outputs: said
                .extracted()
                .filter(|extracted| is_outputs(extracted) && !told.has("structuredOutputs"))
                .cloned(),
            told,
        };
        let is_known = !moments.is_empty()
            || !artifact.told.is_empty()
            || artifact.messages.is_some()
            || artifact.transcript.is_some()
            || artifact.recording.is_some()
            || artifact.structured_outputs.is_some();
        is_known.then_some(artifact)
    }
}

/// True if the data has the form of Vapi's structured outputs: objects with a name and a result, by id.
fn is_outputs(extracted: &Value) -> bool {
    let is_output = |told: &Value| told.get("name").is_some() && told.get("result").is_some();
    extracted.as_object().is_some_and(|all| !all.is_empty() && all.values().all(is_output))
}

fn recording(said: &Said<'_>) -> Recording {
    let mono = Mono {
        combined_url: said.recording("mono"),
        assistant_url: said.recording("assistant"),
        customer_url: said.recording("customer"),
    };
    Recording {
        stereo_url: said.recording("stereo"),
        video_url: said.recording("video"),
        mono: (mono != Mono::default()).then_some(mono),
    }
}

/// Merges turns and tool calls by time. If a time is unknown their order is undefined, so only the turns are
/// returned, in their own order.
fn moments<'a>(said: &Said<'a>, tools: &'a [ToolCall]) -> Vec<Moment<'a>> {
    let turns = said.turns().into_iter().map(Moment::Turn);
    let mut all: Vec<_> = turns.clone().chain(tools.iter().map(Moment::Tool)).collect();
    if all.iter().any(|moment| moment.at_ms().is_none()) {
        return turns.collect();
    }
    all.sort_by_key(Moment::at_ms);
    all
}

/// The messages of the report that defines the conversation, unchanged and in Vapi's order.
fn told_messages(said: &Said<'_>) -> Option<Messages> {
    let Position(at) = *said.call.conversation().get("messages")?;
    let texts = said.retold.get(&at)?.messages.as_ref()?;
    texts.iter().map(|text| RawValue::from_string(text.clone()).ok()).collect()
}

/// Builds the messages in Vapi's form; `None` if a time is unknown, because a message of Vapi's always has
/// one.
fn messages(
    said: &Said<'_>,
    moments: &[Moment<'_>],
    started_at: Option<DateTime<Utc>>,
) -> Option<Messages> {
    let first = moments.first()?.at_ms()?;
    let start = started_at.map_or(first, |at| at.timestamp_millis());
    let message = |moment: &Moment<'_>| {
        let time = moment.at_ms()?;
        let (role, message, tool_calls) = match moment {
            Moment::Turn(turn) if turn.role == "assistant" => ("bot", turn.text.clone(), None),
            Moment::Turn(turn) => ("user", turn.text.clone(), None),
            Moment::Tool(tool) => ("tool_calls", String::new(), Some(said.tool_calls(tool))),
        };
        let seconds_from_start = Number::seconds(time - start);
        let end_time = tool_calls.is_none().then_some(time);
        let message = Message { role, message, tool_calls, time, end_time, seconds_from_start };
        to_raw_value(&message).ok()
    };
    moments.iter().map(message).collect()
}

fn model_messages(said: &Said<'_>, moments: &[Moment<'_>]) -> Vec<ModelMessage> {
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
                let tool_calls = Some(said.tool_calls(tool));
                all.push(ModelMessage { tool_calls, ..plain("assistant", None) });
                if let Some(result) = said.told(tool, |io| io.result.as_ref()) {
                    let tool_call_id = tool.tool_call_id.clone();
                    all.push(ModelMessage { tool_call_id, ..plain("tool", Some(text(result))) });
                }
            }
        }
    }
    all
}

impl Said<'_> {
    /// A tool call in the form of language-model APIs, with its arguments as JSON inside a string.
    fn tool_calls(&self, tool: &ToolCall) -> Value {
        let arguments = self.told(tool, |io| io.arguments.as_ref()).map(text);
        let function = json!({ "name": tool.tool, "arguments": arguments.unwrap_or_default() });
        match &tool.tool_call_id {
            Some(id) => json!([{ "id": id, "type": "function", "function": function }]),
            None => json!([{ "type": "function", "function": function }]),
        }
    }
}

/// Returns a text unchanged and any other value as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
