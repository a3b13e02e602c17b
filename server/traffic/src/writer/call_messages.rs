//! Messages that are sent during a call.

use chrono::{DateTime, Utc};

use super::artifact::{in_text, tool_call};
use super::{PLANTED_SECRET, Writer};
use crate::dialogue::{Act, ToolUse, Turn};
use crate::json::{Json, object};

impl Writer<'_> {
    /// Returns a `status-update` before the conversation: queued, ringing or in-progress.
    pub(crate) fn status(self, status: &str, at: DateTime<Utc>) -> String {
        let message = self.head("status-update", at).with("status", status);
        let message = match status {
            "in-progress" => message.with("artifact", self.artifact(0)),
            _ => message,
        };
        self.body(message.with("assistant", self.assistant()))
    }

    /// Returns the `status-update` of the end.
    pub(crate) fn ended(self, reason: &str, at: DateTime<Utc>) -> String {
        let message = self
            .head("status-update", at)
            .with("status", "ended")
            .with("endedReason", reason)
            .with("assistant", self.assistant());
        self.body(message)
    }

    /// Returns the `status-update` of a transfer, the only status with the conversation so far.
    pub(crate) fn forwarding(self, at: DateTime<Utc>) -> String {
        let message = self
            .head("status-update", at)
            .with("status", "forwarding")
            .with("destination", self.desk())
            .with("transcript", self.scenario.dialogue.transcript())
            .with("summary", self.scenario.summary.as_str())
            .with("assistant", self.assistant());
        self.body(message)
    }

    /// Returns the `transfer-update` message.
    pub(crate) fn transferred(self, at: DateTime<Utc>) -> String {
        let message = self
            .head("transfer-update", at)
            .with("destination", self.desk())
            .with("assistant", self.assistant());
        self.body(message)
    }

    /// Returns the `tool-calls` message of a turn.
    pub(crate) fn tools(self, turn: &Turn, uses: &[ToolUse], at: DateTime<Utc>) -> String {
        let requested: Vec<Json> = uses.iter().map(|each| self.requested(each)).collect();
        let defined: Vec<Json> = uses.iter().map(|each| self.defined(each)).collect();
        let message = self
            .head("tool-calls", at)
            .with("toolCalls", requested.clone())
            .with("toolCallList", requested)
            .with("toolWithToolCallList", defined)
            .with("artifact", self.artifact(turn.from_ms))
            .with("assistant", self.assistant());
        self.body(message)
    }

    /// Returns a `transcript` message, partial or final.
    pub(crate) fn transcript(
        self,
        role: &str,
        kind: &str,
        utterance: &str,
        at: DateTime<Utc>,
    ) -> String {
        let message = self
            .head("transcript", at)
            .with("role", role)
            .with("transcriptType", kind)
            .with("transcript", utterance)
            .with("isFiltered", false)
            .with("detectedThreats", Vec::new())
            .with("originalTranscript", utterance);
        let assistant = (kind == "final").then(|| self.assistant());
        self.body(message.with_some("assistant", assistant))
    }

    /// Returns a `speech-update` message, started or stopped.
    pub(crate) fn speech(self, role: &str, status: &str, turn: i64, at: DateTime<Utc>) -> String {
        let message = self
            .head("speech-update", at)
            .with("status", status)
            .with("role", role)
            .with("turn", turn);
        self.body(message)
    }

    /// Returns the `conversation-update` with the conversation up to `upto_ms`.
    pub(crate) fn conversation(self, upto_ms: i64, at: DateTime<Utc>) -> String {
        let message = self
            .head("conversation-update", at)
            .with("conversation", self.model_messages(upto_ms))
            .with("messages", self.messages(upto_ms));
        self.body(message)
    }

    /// Returns a `model-output` message with some tokens.
    pub(crate) fn model_output(self, output: &str, at: DateTime<Utc>) -> String {
        self.body(self.head("model-output", at).with("output", output))
    }

    /// Returns a `voice-input` message with the text to be synthesized.
    pub(crate) fn voice_input(self, input: &str, at: DateTime<Utc>) -> String {
        self.body(self.head("voice-input", at).with("input", input))
    }

    /// Returns the transfer destination: the front desk.
    pub(super) fn desk(self) -> Json {
        object! {
            "type" => "number",
            "number" => self.seeded_clinic.profile.desk_number,
            "message" => "Transferring you now.",
            "description" => "Front desk",
        }
    }

    fn requested(self, each: &ToolUse) -> Json {
        if self.scenario.arguments_as_text {
            in_text(each)
        } else {
            tool_call(each, each.arguments.clone())
        }
    }

    /// Returns the tool's definition, which contains the secret of its server.
    fn defined(self, each: &ToolUse) -> Json {
        object! {
            "type" => "function",
            "function" => each.tool.definition(),
            "async" => false,
            "server" => object! {
                "url" => "https://ledger.example.com/webhooks/vapi", "secret" => PLANTED_SECRET,
            },
            "messages" => Vec::new(),
            "toolCall" => self.requested(each),
        }
    }
}

/// Returns the platform's role name and the text of an utterance.
pub(crate) fn utterance(turn: &Turn) -> Option<(&'static str, &str)> {
    match &turn.act {
        Act::Bot(utterance) => Some(("assistant", utterance)),
        Act::User(utterance) => Some(("user", utterance)),
        Act::Tools(_) => None,
    }
}
