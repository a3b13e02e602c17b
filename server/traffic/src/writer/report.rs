//! The `end-of-call-report`, in the current format and in that of 2024.

use super::Writer;
use crate::decimal::{dollars, minutes, seconds};
use crate::json::{Json, object};
use crate::scenario::{Ending, Report};

const KIND: &str = "end-of-call-report";

impl Writer<'_> {
    /// Returns the report of an ended call.
    pub(crate) fn report(self, report: &Report) -> String {
        if self.scenario.older { self.older_report(report) } else { self.modern_report(report) }
    }

    /// Returns a report with times and costs at message level and a stale snapshot of the call.
    fn modern_report(self, report: &Report) -> String {
        let times = self.scenario.times;
        let talk_ms = times.talk_ms();
        let message =
            self.analysed(self.head(KIND, report.at)).with("artifact", self.full_artifact());
        // An unanswered call has an end but no start.
        let message = match (times.answered_at, times.ended_at) {
            (Some(from), Some(to)) => message
                .with("startedAt", from)
                .with("endedAt", to)
                .with("durationMs", talk_ms)
                .with("durationSeconds", seconds(talk_ms))
                .with("durationMinutes", minutes(talk_ms)),
            _ => message,
        };
        let message = self
            .ending(message)
            .with("cost", dollars(report.bill.total_nanos()))
            .with("costBreakdown", report.bill.breakdown())
            .with("costs", report.bill.costs())
            .with("assistant", self.assistant());
        self.body(message)
    }

    /// Returns a report in the format of 2024: conversation and recordings at message level, costs
    /// inside the call, no times, and empty lists in the artifact.
    fn older_report(self, report: &Report) -> String {
        let end_ms = self.scenario.dialogue.end_ms();
        let empty = object! { "messages" => Vec::new(), "messagesOpenAIFormatted" => Vec::new() };
        let message = self
            .analysed(self.ending(self.head(KIND, report.at)))
            .with("transcript", self.scenario.dialogue.transcript())
            .with("summary", self.scenario.summary.as_str())
            .with("messages", self.messages(end_ms))
            .with("artifact", empty);
        let message = self.recorded(message).with("assistant", self.assistant());
        let call = self
            .call()
            .with("cost", dollars(report.bill.total_nanos()))
            .with("costBreakdown", report.bill.breakdown())
            .with("costs", report.bill.costs());
        self.body_about(message, call)
    }

    fn ending(self, message: Json) -> Json {
        let destination = (self.scenario.ending == Ending::Forwarded).then(|| self.desk());
        message
            .with_some("endedReason", self.scenario.ending.reason())
            .with_some("destination", destination)
    }

    /// Adds the `analysis`; empty if there was no conversation.
    fn analysed(self, message: Json) -> Json {
        let scenario = self.scenario;
        if scenario.summary.is_empty() {
            return message.with("analysis", Json::Object(Vec::new()));
        }
        // The specification says text; the platform also sends booleans.
        let is_success = scenario.ending.is_complete() && scenario.topic.code != "wrong_number";
        let verdict = if scenario.arguments_as_text && !scenario.older {
            Json::from(is_success)
        } else {
            Json::from(if is_success { "true" } else { "false" })
        };
        message.with(
            "analysis",
            object! {
                "summary" => scenario.summary.as_str(),
                "successEvaluation" => verdict,
                "structuredData" => self.structured_data(),
            },
        )
    }

    fn structured_data(self) -> Json {
        let (scenario, context) = (self.scenario, &self.scenario.context);
        let appointment = scenario.change().map(|change| {
            let slot = if change == "cancelled" { &context.other } else { &context.slot };
            object! {
                "change" => change,
                "date" => slot.date.as_str(),
                "time" => slot.clock.as_str(),
                "staff" => context.staff,
            }
        });
        object! {
            "intent" => scenario.topic.code,
            "patientName" => context.name.as_str(),
            "service" => context.service.code,
            "followUpNeeded" => !scenario.ending.is_complete(),
        }
        .with_some("appointment", appointment)
    }

    fn full_artifact(self) -> Json {
        let end_ms = self.scenario.dialogue.end_ms();
        if self.scenario.dialogue.turns.is_empty() {
            return object! { "messages" => Vec::new(), "messagesOpenAIFormatted" => Vec::new() };
        }
        let mono = self.recording("mono");
        let recording = object! {
            "stereoUrl" => self.recording("stereo"),
            "mono" => object! { "combinedUrl" => mono.as_str() },
        };
        // The model's copy of a long conversation is omitted, because it would double the size of
        // the body.
        let artifact = if self.scenario.dialogue.turns.len() > 14 {
            object! { "messages" => self.messages(end_ms) }
        } else {
            self.artifact(end_ms)
        };
        self.recorded(artifact)
            .with("transcript", self.scenario.dialogue.transcript())
            .with("recording", recording)
            .with("nodes", Vec::new())
            .with("variableValues", Json::Object(Vec::new()))
    }

    fn recorded(self, holder: Json) -> Json {
        if self.scenario.dialogue.turns.is_empty() {
            return holder;
        }
        holder
            .with("recordingUrl", self.recording("mono"))
            .with("stereoRecordingUrl", self.recording("stereo"))
    }

    fn recording(self, channels: &str) -> String {
        format!("https://recordings.example.com/{}-{channels}.wav", self.scenario.id)
    }
}
