//! The conversation of a call in Vapi's form: `messages`, `artifact` and `analysis`.

mod analysis;
mod artifact;
mod messages;

use std::collections::BTreeMap;

use ledger_core::call::{Call, ToolCall};
use ledger_core::ids::Position;
use ledger_core::personal::{Conversation, ToolIo, Turn};
use ledger_core::provider::vapi::report_fields::{Fields, ReportFields};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::calls::personal::{OpenedEvent, turn_positions};

pub(super) use analysis::Analysis;
pub(super) use artifact::Artifact;
pub(super) use messages::{Messages, VapiMessage};

/// A call and what was opened of it.
#[derive(Clone, Copy)]
pub(super) struct VapiConversation<'a> {
    pub(super) call: &'a Call,
    pub(super) opened: &'a BTreeMap<i64, OpenedEvent>,
    pub(super) report_fields: &'a BTreeMap<i64, ReportFields>,
    /// Positions of the messages that report the call, in descending precedence: its reports,
    /// otherwise its latest messages.
    pub(super) told_at: &'a [i64],
}

impl<'a> VapiConversation<'a> {
    /// Returns the fields of Vapi's messages, in descending precedence of the messages.
    fn report_fields(&self) -> impl Iterator<Item = &'a ReportFields> + use<'a> {
        let report_fields = self.report_fields;
        self.told_at.iter().filter_map(move |at| report_fields.get(at))
    }

    /// Each field as the weightiest message with it reported it.
    pub(super) fn fields(&self, part: impl Fn(&'a ReportFields) -> &'a Fields) -> ReportedFields {
        let mut all = BTreeMap::new();
        for (name, text) in self.report_fields().flat_map(part) {
            if !all.contains_key(name)
                && let Ok(value) = RawValue::from_string(text.clone())
            {
                all.insert(*name, value);
            }
        }
        ReportedFields(all)
    }

    /// The conversation section with this part, from the report of highest precedence.
    fn part(&self, name: &str) -> Option<&'a Conversation> {
        let Position(position) = *self.call.conversation().get(name)?;
        self.opened.get(&position)?.conversation.as_ref()
    }

    fn summary(&self) -> Option<String> {
        self.part("summary")?.summary.clone()
    }

    fn transcript(&self) -> Option<String> {
        self.part("transcript")?.transcript.clone()
    }

    /// Returns the URL of a recording of this kind.
    fn recording(&self, kind: &str) -> Option<String> {
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
        let events = turn_positions(self.call).into_iter();
        let conversation =
            events.filter_map(|Position(at)| self.opened.get(&at)?.conversation.as_ref());
        conversation.flat_map(|conversation| &conversation.messages).collect()
    }

    /// Arguments or result of a tool call, from the message of highest precedence.
    fn reported<T>(&self, tool: &ToolCall, read: impl Fn(&'a ToolIo) -> Option<T>) -> Option<T> {
        tool.io.iter().find_map(|io| {
            let entries = &self.opened.get(&io.position.0)?.tool_io;
            entries.iter().find(|entry| entry.nth == io.nth).and_then(&read)
        })
    }
}

/// Fields of Vapi's as a message reported them.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub(super) struct ReportedFields(BTreeMap<&'static str, Box<RawValue>>);

impl ReportedFields {
    /// True without any field.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if the report contained the field.
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Returns text unchanged and any other value as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
