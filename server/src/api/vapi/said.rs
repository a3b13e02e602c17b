//! What was said and done in a call, in Vapi's words: `messages`, `artifact` and `analysis`.

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

/// A call and what was opened of it.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) call: &'a Call,
    pub(super) opened: &'a BTreeMap<i64, OpenedEvent>,
    pub(super) retold: &'a BTreeMap<i64, Retold>,
}

/// One thing that was said or done, in order.
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
    /// What the reports tell in Vapi's own words, the weightiest first.
    fn reports(&self) -> impl Iterator<Item = &'a Retold> + use<'a> {
        let retold = self.retold;
        self.call.reports().into_iter().filter_map(move |Position(at)| retold.get(&at))
    }

    /// Each field as the weightiest report with it told it.
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

    /// The conversation as the weightiest report with this part of it tells it.
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

    /// Where a recording of a kind lies.
    pub(super) fn recording(&self, kind: &str) -> Option<String> {
        let recordings = &self.part("recordings")?.recordings;
        recordings.iter().find(|one| one.kind == kind).map(|one| one.url.clone())
    }

    /// What was extracted: one of Vapi's three forms of it was kept, and its form tells which.
    fn extracted(&self) -> Option<&'a Value> {
        self.part("structured_data")?.structured_data.as_ref()
    }

    /// The verdict as text, which it is in Vapi's schema and not always in what Vapi sends.
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

    /// The arguments or the result of a tool call, as the weightiest message told it.
    fn told<T>(&self, tool: &ToolCall, read: impl Fn(&'a ToolIo) -> Option<T>) -> Option<T> {
        tool.io.iter().find_map(|io| {
            let entries = &self.opened.get(&io.position.0)?.tool_io;
            entries.iter().find(|entry| entry.nth == io.nth).and_then(&read)
        })
    }
}

/// Fields of Vapi's as a report told them.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub(super) struct ToldFields(BTreeMap<&'static str, Box<RawValue>>);

impl ToldFields {
    /// Whether nothing was told.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field was told.
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Messages as JSON, shared by the places that show them.
pub(super) type Messages = Arc<[Box<RawValue>]>;

/// One message of the conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
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
    seconds_from_start: Number,
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

/// What the call left behind.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Artifact {
    /// What was said and which tools were called. Left out unless the time of every turn is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Message>>)]
    pub(super) messages: Option<Messages>,
    /// The same, as language models read it.
    #[serde(rename = "messagesOpenAIFormatted", skip_serializing_if = "Vec::is_empty")]
    messages_open_ai_formatted: Vec<ModelMessage>,
    /// The transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transcript: Option<String>,
    /// Both sides in one channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recording_url: Option<String>,
    /// A channel for each side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stereo_recording_url: Option<String>,
    /// With pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    video_recording_url: Option<String>,
    /// The same recordings, by channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<Recording>,
    /// What was extracted, by the id of its definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    structured_outputs: Option<Value>,
    /// Everything else Vapi told of it, in its place: `variableValues`, `nodes`, `transfers`,
    /// `performanceMetrics`, `logUrl` and others.
    #[serde(flatten)]
    #[schema(value_type = HashMap<String, Value>)]
    told: ToldFields,
}

/// Recordings by channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recording {
    /// A channel for each side.
    #[serde(skip_serializing_if = "Option::is_none")]
    stereo_url: Option<String>,
    /// With pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    video_url: Option<String>,
    /// In one channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    mono: Option<Mono>,
}

/// Recordings in one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mono {
    /// Both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    combined_url: Option<String>,
    /// The assistant alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant_url: Option<String>,
    /// The person alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_url: Option<String>,
}

/// What somebody's model made of the call: claims, never evidence.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Analysis {
    /// A summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<String>,
    /// What was extracted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    structured_data: Option<Value>,
    /// What was extracted, by several definitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    structured_data_multi: Option<Value>,
    /// The verdict; without scope `personal` only a plain one, `true` or `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    success_evaluation: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    told: ToldFields,
}

impl Analysis {
    /// What is known of it; `None` when nothing is.
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
    /// What is known of it; `None` when nothing is.
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

/// Vapi's structured outputs are objects with a name and a result, by id.
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

/// Turns with the tool calls between them. Where the time of something is not known, nobody can say
/// what was between what: then the turns alone, in their order.
fn moments<'a>(said: &Said<'a>, tools: &'a [ToolCall]) -> Vec<Moment<'a>> {
    let turns = said.turns().into_iter().map(Moment::Turn);
    let mut all: Vec<_> = turns.clone().chain(tools.iter().map(Moment::Tool)).collect();
    if all.iter().any(|moment| moment.at_ms().is_none()) {
        return turns.collect();
    }
    all.sort_by_key(Moment::at_ms);
    all
}

/// As Vapi told them, in its order: those of the report whose messages count.
fn told_messages(said: &Said<'_>) -> Option<Messages> {
    let Position(at) = *said.call.conversation().get("messages")?;
    let texts = said.retold.get(&at)?.messages.as_ref()?;
    texts.iter().map(|text| RawValue::from_string(text.clone()).ok()).collect()
}

/// As Vapi would tell them, as far as they can be told: a message of Vapi's has a time.
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
    /// One tool call as language models write it: its arguments are JSON inside a string.
    fn tool_calls(&self, tool: &ToolCall) -> Value {
        let arguments = self.told(tool, |io| io.arguments.as_ref()).map(text);
        let function = json!({ "name": tool.tool, "arguments": arguments.unwrap_or_default() });
        match &tool.tool_call_id {
            Some(id) => json!([{ "id": id, "type": "function", "function": function }]),
            None => json!([{ "type": "function", "function": function }]),
        }
    }
}

/// Text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
