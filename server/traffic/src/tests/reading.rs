//! Reads the bodies independently of their generator; numbers are read as text.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{DemoDelivery, Truth};

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The `message` of a body.
pub(super) struct ParsedMessage<'a>(Members<'a>);

impl<'a> ParsedMessage<'a> {
    pub(super) fn read(body: &'a [u8]) -> Self {
        let body: BTreeMap<String, &RawValue> = serde_json::from_slice(body).unwrap();
        assert_eq!(body.len(), 1);
        Self(members(body["message"]))
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    pub(super) fn object(&self, name: &str) -> Members<'a> {
        self.get(name).map(members).unwrap_or_default()
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(text)
    }

    pub(super) fn kind(&self) -> String {
        self.text("type").unwrap()
    }

    pub(super) fn call_id(&self) -> String {
        text(self.object("call")["id"])
    }

    pub(super) fn timestamp(&self) -> DateTime<Utc> {
        let value: Value = serde_json::from_str(self.get("timestamp").unwrap().get()).unwrap();
        moment(&value).unwrap()
    }

    /// Returns the stated total in nano-dollars: at message level, otherwise inside the call.
    pub(super) fn cost_nanos(&self) -> i64 {
        let call = self.object("call");
        nanos(self.get("cost").unwrap_or_else(|| call["cost"]))
    }

    pub(super) fn is_telemetry(&self) -> bool {
        match self.kind().as_str() {
            "conversation-update" | "speech-update" | "model-output" | "voice-input" => true,
            "transcript" => self.text("transcriptType").unwrap() == "partial",
            _ => false,
        }
    }
}

pub(super) fn members(object: &RawValue) -> Members<'_> {
    serde_json::from_str(object.get()).unwrap()
}

pub(super) fn list(array: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(array.get()).unwrap()
}

pub(super) fn text(string: &RawValue) -> String {
    serde_json::from_str(string.get()).unwrap()
}

/// Parses a decimal as nano-dollars. Panics on more than nine decimals, an exponent or a sign.
pub(super) fn nanos(number: &RawValue) -> i64 {
    let (whole, rest) = number.get().split_once('.').unwrap_or((number.get(), ""));
    assert!(rest.len() <= 9, "{number} is finer than a nano-dollar");
    format!("{whole}{rest:0<9}").parse().unwrap()
}

/// Parses a time in either of the platform's formats.
pub(super) fn moment(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Number(ms) => DateTime::from_timestamp_millis(ms.as_i64()?),
        Value::String(iso) => Some(DateTime::parse_from_rfc3339(iso).ok()?.to_utc()),
        _ => None,
    }
}

/// Visits every value of a body, with the name of its member.
pub(super) fn walk<'v>(name: &'v str, value: &'v Value, visit: &mut impl FnMut(&str, &'v Value)) {
    visit(name, value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(name, item, visit)),
        Value::Object(map) => map.iter().for_each(|(name, value)| walk(name, value, visit)),
        _ => {}
    }
}

/// Computes the expected figures of one clinic from the bodies alone.
pub(super) fn truth(deliveries: &[DemoDelivery], clinic: usize) -> Truth {
    let mut truth = Truth::default();
    let (mut calls, mut ended) = (BTreeSet::new(), BTreeSet::new());
    let (mut tools, mut bodies) = (BTreeSet::new(), BTreeSet::new());
    let mut last_reports = BTreeMap::new();
    for delivery in deliveries.iter().filter(|delivery| delivery.clinic == clinic) {
        let message = ParsedMessage::read(&delivery.body);
        let call = message.call_id();
        calls.insert(call.clone());
        truth.duplicates += u64::from(!bodies.insert(&delivery.body));
        truth.telemetry += u64::from(message.is_telemetry());
        if message.text("status").as_deref() == Some("ended") {
            ended.insert(call.clone());
        }
        if let Some(asked) = message.get("toolCallList") {
            tools.extend(
                list(asked).into_iter().map(|each| (call.clone(), text(members(each)["id"]))),
            );
        }
        if message.kind() == "end-of-call-report" {
            ended.insert(call.clone());
            let latest = last_reports.entry(call).or_insert((message.timestamp(), 0));
            if message.timestamp() >= latest.0 {
                *latest = (message.timestamp(), message.cost_nanos());
            }
        }
    }
    truth.calls = u64::try_from(calls.len()).unwrap();
    truth.ended = u64::try_from(ended.len()).unwrap();
    truth.tool_calls = u64::try_from(tools.len()).unwrap();
    truth.cost_nanos = last_reports.values().map(|(_, nanos)| nanos).sum();
    truth
}
