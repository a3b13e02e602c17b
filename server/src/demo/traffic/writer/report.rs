//! The `end-of-call-report`, in the current format and in that of 2024.

use super::super::decimal::{dollars, minutes, seconds};
use super::super::json::{Json, object};
use super::super::story::{Ending, Report};
use super::Writer;

const KIND: &str = "end-of-call-report";

impl Writer<'_> {
    /// Returns the report of an ended call.
    pub(in super::super) fn report(self, report: &Report) -> String {
        if self.story.older { self.older_report(report) } else { self.modern_report(report) }
    }

    /// Returns a report with times and costs at message level and a stale snapshot of the call.
    fn modern_report(self, report: &Report) -> String {
        let times = self.story.times;
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
        let end_ms = self.story.dialogue.end_ms();
        let empty = object! { "messages" => Vec::new(), "messagesOpenAIFormatted" => Vec::new() };
        let message = self
            .analysed(self.ending(self.head(KIND, report.at)))
            .with("transcript", self.story.dialogue.transcript())
            .with("summary", self.story.summary.as_str())
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
        let destination = (self.story.ending == Ending::Forwarded).then(|| self.desk());
        message
            .with_some("endedReason", self.story.ending.reason())
            .with_some("destination", destination)
    }

    /// Adds the `analysis`; empty if there was no conversation.
    fn analysed(self, message: Json) -> Json {
        let story = self.story;
        if story.summary.is_empty() {
            return message.with("analysis", Json::Object(Vec::new()));
        }
        // The specification says text; the platform also sends booleans.
        let is_success = story.ending.is_complete() && story.topic.code != "wrong_number";
        let verdict = if story.arguments_as_text && !story.older {
            Json::from(is_success)
        } else {
            Json::from(if is_success { "true" } else { "false" })
        };
        message.with(
            "analysis",
            object! {
                "summary" => story.summary.as_str(),
                "successEvaluation" => verdict,
                "structuredData" => self.structured_data(),
            },
        )
    }

    fn structured_data(self) -> Json {
        let (story, scene) = (self.story, &self.story.scene);
        let appointment = story.change().map(|change| {
            let slot = if change == "cancelled" { &scene.other } else { &scene.slot };
            object! {
                "change" => change,
                "date" => slot.date.as_str(),
                "time" => slot.clock.as_str(),
                "staff" => scene.staff,
            }
        });
        object! {
            "intent" => story.topic.code,
            "patientName" => scene.name.as_str(),
            "service" => scene.service.code,
            "followUpNeeded" => !story.ending.is_complete(),
        }
        .with_some("appointment", appointment)
    }

    fn full_artifact(self) -> Json {
        let end_ms = self.story.dialogue.end_ms();
        if self.story.dialogue.turns.is_empty() {
            return object! { "messages" => Vec::new(), "messagesOpenAIFormatted" => Vec::new() };
        }
        let mono = self.recording("mono");
        let recording = object! {
            "stereoUrl" => self.recording("stereo"),
            "mono" => object! { "combinedUrl" => mono.as_str() },
        };
        // The model's copy of a long conversation is omitted, because it would double the size of
        // the body.
        let artifact = if self.story.dialogue.turns.len() > 14 {
            object! { "messages" => self.messages(end_ms) }
        } else {
            self.artifact(end_ms)
        };
        self.recorded(artifact)
            .with("transcript", self.story.dialogue.transcript())
            .with("recording", recording)
            .with("nodes", Vec::new())
            .with("variableValues", Json::Object(Vec::new()))
    }

    fn recorded(self, holder: Json) -> Json {
        if self.story.dialogue.turns.is_empty() {
            return holder;
        }
        holder
            .with("recordingUrl", self.recording("mono"))
            .with("stereoRecordingUrl", self.recording("stereo"))
    }

    fn recording(self, channels: &str) -> String {
        format!("https://recordings.example.com/{}-{channels}.wav", self.story.id)
    }
}
