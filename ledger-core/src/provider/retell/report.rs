//! Translation of the end of a call: times, reason, duration, cost, tools, and the conversation.

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde_json::Value;

use super::events::fact_id_of;
use crate::envelope::Sections;
use crate::event::{CallEnded, CallFacts, ToolFact};
use crate::json::{Json, fact_text};
use crate::money::{Cost, CostParts};
use crate::personal::{Analysis, Conversation, Recording, ToolIo, Turn};
use crate::plausible::{self, FieldValue, add_implausible};
use crate::provider::field::text;

/// Maximum number of tool calls in the facts. Further ones are in the `raw` section only.
const MAX_TOOLS: usize = 1000;

/// Translates `call_ended`, or `call_analyzed` as the report of the call.
pub(super) fn ended<'m>(
    call: &'m Json<'m>,
    mut facts: CallFacts,
    is_report: bool,
) -> (CallEnded, Sections) {
    let mut implausible = std::mem::take(&mut facts.implausible);
    let started_at = read(call, "start_timestamp", "started_at", &mut implausible, Json::time);
    let ended_at = read(call, "end_timestamp", "ended_at", &mut implausible, Json::time);
    let stated_ms = read(call, "duration_ms", "duration_ms", &mut implausible, |value| {
        value.as_decimal().map_or(FieldValue::Absent, plausible::duration_ms)
    });
    let between = || plausible::between(started_at?, ended_at?);
    let cost = cost(call, &mut implausible);
    let (tools, tool_io) = tools(call);
    let conversation = conversation(call);
    let parts = conversation.parts();
    let analysis = call.get("call_analysis");
    let ended = CallEnded {
        call: CallFacts { implausible, ..facts },
        report: is_report,
        ended_reason: text(call, "disconnection_reason").map(fact_text),
        started_at,
        ended_at,
        duration_ms: stated_ms.or_else(between),
        zero_cost_stated: cost.as_ref().is_some_and(|cost| cost.total_nanos.0 == 0),
        cost,
        tools,
        success: analysis.and_then(|it| it.get("call_successful")).and_then(Json::as_bool),
        conversation: parts,
        ..CallEnded::default()
    };
    let conversation = Some(conversation).filter(|_| !ended.conversation.is_empty());
    (ended, Sections { tool_io, conversation, ..Sections::default() })
}

/// Reads a field. The facts list the name of an implausible one.
fn read<'m, T>(
    call: &'m Json<'m>,
    key: &str,
    name: &str,
    implausible: &mut Vec<String>,
    read: impl Fn(&'m Json<'m>) -> FieldValue<T>,
) -> Option<T> {
    match call.get(key).map_or(FieldValue::Absent, read) {
        FieldValue::Plausible(value) => Some(value),
        FieldValue::Implausible => {
            add_implausible(implausible, name);
            None
        }
        FieldValue::Absent => None,
    }
}

/// Returns the cost. Amounts are in cents of a US dollar. Products are the provider's own names, of
/// which only speech synthesis is recognised; all others are in the rest.
fn cost<'m>(call: &'m Json<'m>, implausible: &mut Vec<String>) -> Option<Cost> {
    let cost = call.get("call_cost")?;
    let dollars = |value: &Json<'_>| value.as_decimal()?.checked_div(Decimal::ONE_HUNDRED);
    let total = |value| dollars(value).map_or(FieldValue::Absent, plausible::total);
    let total_nanos = read(cost, "combined_cost", "cost", implausible, total)?;
    let products = cost.get("product_costs").map_or(&[][..], Json::items);
    let speech = products
        .iter()
        .filter(|entry| text(entry, "product").is_some_and(|name| name.ends_with("_tts")))
        .filter_map(|entry| dollars(entry.get("cost")?))
        .try_fold(Decimal::ZERO, Decimal::checked_add);
    let tts_nanos = speech.and_then(|sum| plausible::amount(sum).plausible()).unwrap_or_default();
    let parts = CostParts { tts_nanos, ..CostParts::default() }.balanced_to(total_nanos);
    Some(Cost { total_nanos, currency: "USD".to_owned(), parts })
}

/// Returns the tool calls in the transcript, in order: the facts, and the sealed arguments and
/// results. An invocation and its result share an id.
fn tools(call: &Json<'_>) -> (Vec<ToolFact>, Vec<ToolIo>) {
    let log = call.get("transcript_with_tool_calls").map_or(&[][..], Json::items);
    let of_role =
        |role: &'static str| log.iter().filter(move |entry| text(entry, "role") == Some(role));
    let results: HashMap<&str, Value> = of_role("tool_call_result")
        .filter_map(|entry| Some((text(entry, "tool_call_id")?, entry.get("content")?.to_value())))
        .collect();
    let invocations = of_role("tool_call_invocation").take(MAX_TOOLS).zip(0..);
    invocations
        .map(|(entry, nth)| {
            let fact = ToolFact {
                tool_call_id: fact_id_of(entry, "tool_call_id"),
                tool: fact_text(text(entry, "name").unwrap_or_default()),
                ..ToolFact::default()
            };
            let result = text(entry, "tool_call_id").and_then(|id| results.get(id)).cloned();
            (fact, ToolIo { nth, arguments: entry.get("arguments").map(unquoted), result })
        })
        .unzip()
}

/// Converts a value; JSON inside a string is parsed.
fn unquoted(value: &Json<'_>) -> Value {
    let inner = value.as_str().and_then(|text| Json::parse(text.as_bytes()).ok());
    inner.map_or_else(|| value.to_value(), |inner| inner.to_value())
}

fn conversation(call: &Json<'_>) -> Conversation {
    let null = Json::Null;
    let analysis = call.get("call_analysis").unwrap_or(&null);
    let owned = |place, key| text(place, key).map(str::to_owned);
    let sentiment = owned(analysis, "user_sentiment");
    let filled = |key: &str| analysis.get(key).filter(|value| value.is_filled());
    Conversation {
        transcript: owned(call, "transcript"),
        summary: owned(analysis, "call_summary"),
        messages: turns(call),
        structured_data: filled("custom_analysis_data").map(Json::to_value),
        evaluation: filled("call_successful").map(Json::to_value),
        recordings: recordings(call),
        analysis: sentiment
            .map(|sentiment| Analysis { sentiment: Some(sentiment), ..Analysis::default() }),
    }
}

/// Returns the turns. A word's time is in seconds from the start of the call.
fn turns(call: &Json<'_>) -> Vec<Turn> {
    let start_ms = call.get("start_timestamp").and_then(Json::as_millis);
    let turn = |entry: &Json<'_>| {
        let role = match text(entry, "role")? {
            "agent" => "assistant",
            "user" => "user",
            _ => return None,
        };
        let first = entry.get("words").and_then(|words| words.items().first()?.get("start"));
        let offset = first.and_then(Json::as_decimal).and_then(|seconds| {
            plausible::duration_ms(seconds.checked_mul(Decimal::ONE_THOUSAND)?).plausible()
        });
        Some(Turn {
            role: role.to_owned(),
            text: text(entry, "content")?.to_owned(),
            at_ms: start_ms.zip(offset).map(|(start, offset)| start + offset),
        })
    };
    let log = call.get("transcript_object").map_or(&[][..], Json::items);
    log.iter().filter_map(turn).collect()
}

fn recordings(call: &Json<'_>) -> Vec<Recording> {
    let links = [("mono", "recording_url"), ("stereo", "recording_multi_channel_url")];
    let recording = |(kind, key): (&str, &str)| {
        Some(Recording { kind: kind.to_owned(), url: text(call, key)?.to_owned() })
    };
    links.into_iter().filter_map(recording).collect()
}
