//! Fields of a report in Vapi's own names and places, for the Vapi-compatible API.
//!
//! Numbers keep their text. A field without the type in Vapi's schema is omitted, so that clients
//! of Vapi can parse the response.

use std::collections::{BTreeMap, HashMap};

use super::conversation::message_text;
use super::message::{Message, filled, list, object};
use super::tools::ToolCall;
use crate::json::Json;

/// Fields by name, each as JSON text.
pub type Fields = BTreeMap<&'static str, String>;

/// Fields of a call in one body that are not part of the fold.
#[derive(Clone, Default)]
pub struct ReportFields {
    /// Fields of the call object.
    pub call: Fields,
    /// Fields of its `artifact`.
    pub artifact: Fields,
    /// Fields of its `analysis`.
    pub analysis: Fields,
    /// Fields of its `costBreakdown` that are not parts of the sum.
    pub cost_breakdown: Fields,
    /// Messages in listed order, each as JSON text; `None` if a message lacks a required field.
    pub messages: Option<Vec<String>>,
}

/// JSON type of a field in Vapi's schema.
#[derive(Clone, Copy)]
enum FieldType {
    Text,
    Number,
    Object,
    Objects,
    Costs,
}

use FieldType::{Costs, Number, Object, Objects, Text};

/// Fields read from the call object only. Elsewhere in a message the same names have other
/// meanings.
const OF_CALL: [(&str, FieldType); 14] = [
    ("assistantVersion", Text),
    ("campaignId", Text),
    ("customerId", Text),
    ("metadata", Object),
    ("name", Text),
    ("phoneCallProvider", Text),
    ("phoneCallProviderDetails", Object),
    ("phoneCallProviderId", Text),
    ("phoneCallTransport", Text),
    ("schedulePlan", Object),
    ("squadId", Text),
    ("transport", Object),
    ("workflowId", Text),
    ("workflowOverrides", Object),
];

/// Fields of the message or its call. `assistant` and `squad` are omitted: they define the
/// assistant rather than the call, and Vapi's SDK needs a second to parse one.
const OF_EITHER: [(&str, FieldType); 8] = [
    ("artifactPlan", Object),
    ("assistantOverrides", Object),
    ("compliance", Object),
    ("costs", Costs),
    ("destination", Object),
    ("endedMessage", Text),
    ("phoneNumber", Object),
    ("squadOverrides", Object),
];

const OF_ARTIFACT: [(&str, FieldType); 22] = [
    ("assistantActivations", Objects),
    ("logUrl", Text),
    ("messagesOpenAIFormatted", Objects),
    ("nodes", Objects),
    ("pcapUrl", Text),
    ("performanceMetrics", Object),
    ("presignedAssistantUrl", Text),
    ("presignedCustomerUrl", Text),
    ("presignedLogUrl", Text),
    ("presignedMonoUrl", Text),
    ("presignedPcapUrl", Text),
    ("presignedStereoUrl", Text),
    ("presignedUrlsExpiresAt", Text),
    ("presignedVideoUrl", Text),
    ("recording", Object),
    ("scorecards", Object),
    ("skippedStructuredOutputs", Object),
    ("structuredOutputs", Object),
    ("structuredOutputsLastUpdatedAt", Text),
    ("transfers", Objects),
    ("variableValues", Object),
    ("videoRecordingStartDelaySeconds", Number),
];

const OF_ANALYSIS: [(&str, FieldType); 2] =
    [("structuredData", Object), ("structuredDataMulti", Objects)];

const OF_COST_BREAKDOWN: [(&str, FieldType); 6] = [
    ("analysisCostBreakdown", Object),
    ("chat", Number),
    ("llmCachedPromptTokens", Number),
    ("llmCompletionTokens", Number),
    ("llmPromptTokens", Number),
    ("ttsCharacters", Number),
];

impl FieldType {
    fn read<'m>(self, value: &'m Json<'m>) -> Option<&'m Json<'m>> {
        let is_of_kind = match self {
            Text => value.as_str().is_some(),
            Number => matches!(value, Json::Number(_)),
            Object => value.is_object(),
            Costs => list(value).is_some_and(|items| items.iter().all(is_cost)),
            Objects => list(value).is_some_and(|items| items.iter().all(Json::is_object)),
        };
        is_of_kind.then_some(value)
    }
}

/// Returns true if an entry of `costs` has the required fields of its type. A list with any other
/// entry is omitted, because its sum would be wrong.
fn is_cost(entry: &Json<'_>) -> bool {
    let needed: &[(&str, FieldType)] = match entry.get("type").and_then(Json::as_str) {
        Some("transport") => &[("minutes", Number)],
        Some("transcriber") => &[("transcriber", Object), ("minutes", Number)],
        Some("model" | "knowledge-base") => {
            &[("model", Object), ("promptTokens", Number), ("completionTokens", Number)]
        }
        Some("voice") => &[("voice", Object), ("characters", Number)],
        Some("vapi") => &[("subType", Text), ("minutes", Number)],
        Some("analysis") => &[
            ("analysisType", Text),
            ("model", Object),
            ("promptTokens", Number),
            ("completionTokens", Number),
        ],
        Some("voicemail-detection") => &[("model", Object), ("provider", Text)],
        _ => return false,
    };
    let has =
        |(key, kind): &(&str, FieldType)| entry.get(key).is_some_and(|it| kind.read(it).is_some());
    has(&("cost", Number)) && needed.iter().all(has)
}

/// Returns the fields of a recorded body; `None` if it is not a message.
#[must_use]
pub fn parse_report_fields(body: &[u8]) -> Option<ReportFields> {
    let tree = Json::parse(body).ok()?;
    let message = Message::parse(&tree).ok()?;
    let looked_up = |(key, kind): (&'static str, FieldType)| {
        Some((key, message.lookup(key, |value| kind.read(value))?))
    };
    let call_field = |(key, kind): (&'static str, FieldType)| {
        Some((key, message.call_field(key, |value| kind.read(value))?))
    };
    let breakdown = message.lookup("costBreakdown", object);
    let of_cost =
        |(key, kind): (&'static str, FieldType)| Some((key, kind.read(breakdown?.get(key)?)?));
    let text = |(key, value): (&'static str, &Json<'_>)| (key, compact(value));
    let call = OF_CALL
        .into_iter()
        .filter_map(call_field)
        .chain(OF_EITHER.into_iter().filter_map(looked_up));
    Some(ReportFields {
        call: call.map(text).collect(),
        artifact: OF_ARTIFACT.into_iter().filter_map(looked_up).map(text).collect(),
        analysis: OF_ANALYSIS.into_iter().filter_map(looked_up).map(text).collect(),
        cost_breakdown: OF_COST_BREAKDOWN.into_iter().filter_map(of_cost).map(text).collect(),
        messages: messages(&message),
    })
}

/// Returns the messages of Vapi's own log; `None` if one of them lacks a required field that cannot
/// be derived.
fn messages(message: &Message<'_>) -> Option<Vec<String>> {
    let log = message.lookup("messages", list)?;
    let start = message.lookup("startedAt", Json::as_time).map(|at| at.timestamp_millis());
    let first = log.iter().find_map(|one| one.get("time")?.as_millis());
    let mut reader = LogReader { start: start.or(first), before: None, tools: HashMap::new() };
    log.iter().map(|one| reader.entry(one)).collect()
}

/// State of reading a log.
struct LogReader<'m> {
    /// Start of the call, in milliseconds since the Unix epoch.
    start: Option<i64>,
    /// Time of the previous message.
    before: Option<i64>,
    /// Names of the tools called so far, by tool call id.
    tools: HashMap<&'m str, String>,
}

impl<'m> LogReader<'m> {
    fn entry(&mut self, entry: &'m Json<'m>) -> Option<String> {
        let Json::Object(fields) = entry else { return None };
        let calls = ["toolCalls", "tool_calls"].iter().find_map(|key| list(entry.get(key)?));
        let role = match entry.get("role")?.as_str()? {
            _ if calls.is_some() => "tool_calls",
            "bot" | "assistant" => "bot",
            "user" | "customer" => "user",
            "tool_call_result" | "tool" => "tool_call_result",
            other => other,
        };
        let time = self.time(entry, role)?;
        self.before = Some(time);
        let mut needed: Vec<(&str, String)> = vec![("role", quoted(role))];
        let message = entry.get("message").and_then(Json::as_str).map(str::to_owned);
        let message = message.or_else(|| message_text(entry)).unwrap_or_default();
        needed.push(("time", number_or(entry, "time", || time.to_string())));
        needed.push((
            "secondsFromStart",
            number_or(entry, "secondsFromStart", || self.seconds(time)),
        ));
        match role {
            "bot" | "user" => {
                needed.push(("endTime", number_or(entry, "endTime", || ended(entry, time))));
            }
            "tool_calls" => self.name_tools(calls.unwrap_or_default(), &mut needed),
            "tool_call_result" => self.result(entry, &mut needed),
            _ => {}
        }
        if role != "tool_call_result" || entry.get("message").is_some() {
            needed.push(("message", quoted(&message)));
        }
        Some(written(fields, &needed))
    }

    /// Returns the time of a message in milliseconds. A result without a time takes that of the
    /// message before it.
    fn time(&self, entry: &Json<'_>, role: &str) -> Option<i64> {
        let from_start = || {
            let seconds = entry.get("secondsFromStart")?.as_decimal()?;
            let millis = seconds.checked_mul(rust_decimal::Decimal::ONE_THOUSAND)?.round();
            self.start?.checked_add(rust_decimal::prelude::ToPrimitive::to_i64(&millis)?)
        };
        let before = || self.before.or(self.start).filter(|_| role == "tool_call_result");
        entry.get("time").and_then(Json::as_millis).or_else(from_start).or_else(before)
    }

    fn seconds(&self, time: i64) -> String {
        let millis = time.saturating_sub(self.start.unwrap_or(time));
        rust_decimal::Decimal::new(millis, 3).normalize().to_string()
    }

    fn name_tools(&mut self, calls: &'m [Json<'m>], needed: &mut Vec<(&str, String)>) {
        for call in calls.iter().filter_map(ToolCall::read) {
            self.tools.extend(call.id.map(|id| (id, call.name)));
        }
        let calls: Vec<_> = calls.iter().filter(|call| call.is_object()).map(compact).collect();
        needed.push(("toolCalls", format!("[{}]", calls.join(","))));
    }

    fn result(&self, entry: &'m Json<'m>, needed: &mut Vec<(&str, String)>) {
        let text = |keys: [&str; 2]| keys.iter().find_map(|key| entry.get(key)?.as_str());
        let id = text(["toolCallId", "tool_call_id"]).unwrap_or_default();
        let name = text(["name", "toolName"]).map(str::to_owned);
        let name = name.or_else(|| self.tools.get(id).cloned()).unwrap_or_default();
        let result =
            ["result", "content", "message"].iter().find_map(|key| entry.get(key).and_then(filled));
        let result = match result {
            None | Some(Json::Null) => String::new(),
            Some(Json::String(text)) => text.to_string(),
            Some(other) => compact(other),
        };
        needed.extend([
            ("toolCallId", quoted(id)),
            ("name", quoted(&name)),
            ("result", quoted(&result)),
        ]);
    }
}

/// Returns the end of a message; equal to its start if the duration is unknown.
fn ended(entry: &Json<'_>, time: i64) -> String {
    let duration = entry.get("duration").and_then(Json::as_decimal);
    let millis =
        duration.and_then(|duration| rust_decimal::prelude::ToPrimitive::to_i64(&duration.round()));
    time.saturating_add(millis.filter(|millis| (0..=86_400_000).contains(millis)).unwrap_or(0))
        .to_string()
}

fn number_or(entry: &Json<'_>, key: &str, other: impl Fn() -> String) -> String {
    match entry.get(key) {
        Some(Json::Number(text)) => (*text).to_owned(),
        _ => other(),
    }
}

/// Writes the required fields and all other fields of the message as JSON.
fn written(fields: &[(std::borrow::Cow<'_, str>, Json<'_>)], needed: &[(&str, String)]) -> String {
    let is_needed = |key: &str| needed.iter().any(|(known, _)| *known == key);
    let mut others: BTreeMap<&str, String> = BTreeMap::new();
    for (key, value) in fields.iter().filter(|(key, value)| !is_needed(key) && *value != Json::Null)
    {
        others.insert(key, compact(value));
    }
    let needed = needed.iter().map(|(key, value)| (*key, value));
    let others = others.iter().map(|(key, value)| (*key, value));
    let all: Vec<_> =
        needed.chain(others).map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
    format!("{{{}}}", all.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn compact(value: &Json<'_>) -> String {
    String::from_utf8_lossy(&value.to_compact()).into_owned()
}
