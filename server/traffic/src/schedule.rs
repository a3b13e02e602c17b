//! Schedules the webhooks of a call: which messages are sent, when, and which are repeated or out
//! of order.

use chrono::{DateTime, TimeDelta, Utc};

use crate::dialogue::{Act, Turn};
use crate::rng::SeededRng;
use crate::scenario::{Channel, Ending, Scenario};
use crate::seeded_clinic::SeededClinic;
use crate::writer::{Writer, utterance};

/// One webhook message about a call.
#[derive(Debug, Clone)]
pub(crate) struct WebhookMessage {
    pub(crate) kind: &'static str,
    /// Time of sending, never before the message's own time.
    pub(crate) sent_at: DateTime<Utc>,
    pub(crate) body: String,
    /// Whether the ledger acknowledges the message without storing it.
    pub(crate) is_telemetry: bool,
    /// Whether it repeats an earlier message byte for byte.
    pub(crate) is_repeat: bool,
}

/// Returns all messages about a call up to `until`, unsorted.
pub(crate) fn webhooks(
    seeded_clinic: &SeededClinic,
    scenario: &Scenario,
    until: DateTime<Utc>,
    rng: &mut SeededRng,
) -> Vec<WebhookMessage> {
    let mut schedule = Schedule {
        writer: Writer { seeded_clinic, scenario },
        scenario,
        rng,
        webhooks: Vec::new(),
    };
    schedule.beginning();
    schedule.conversation();
    schedule.ending();
    schedule.disorder();
    schedule.repeat(until);
    schedule.webhooks
}

/// Collects the messages of one call.
struct Schedule<'a> {
    writer: Writer<'a>,
    scenario: &'a Scenario,
    rng: &'a mut SeededRng,
    webhooks: Vec<WebhookMessage>,
}

impl Schedule<'_> {
    fn beginning(&mut self) {
        let created_at = self.scenario.times.created_at;
        if matches!(self.scenario.ending, Ending::NeverStarted(_)) {
            return;
        }
        if self.scenario.route == Channel::Outbound {
            if self.rng.chance(45) {
                let at = created_at + TimeDelta::milliseconds(40);
                self.add_message("status-update", at, self.writer.status("queued", at));
            }
            let at = created_at + TimeDelta::milliseconds(self.rng.between(700..=2_400));
            self.add_message("status-update", at, self.writer.status("ringing", at));
        }
        if let Some(at) = self.scenario.times.answered_at {
            self.add_message("status-update", at, self.writer.status("in-progress", at));
        }
    }

    fn conversation(&mut self) {
        let scenario = self.scenario;
        let records_speech = self.rng.chance(35);
        let mut telemetry_samples = TelemetrySamples::draw(self.rng);
        for (nth, turn) in (0..).zip(&scenario.dialogue.turns) {
            if let Act::Tools(uses) = &turn.act {
                let at = scenario.at(turn.from_ms);
                self.add_message("tool-calls", at, self.writer.tools(turn, uses, at));
                continue;
            }
            let Some((role, line)) = utterance(turn) else { continue };
            let at = scenario.at(turn.to_ms);
            if records_speech && self.rng.chance(38) {
                let body = self.writer.transcript(role, "final", line, at);
                self.add_message("transcript", at, body);
            }
            self.telemetry_samples(nth, turn, (role, line), &mut telemetry_samples);
        }
    }

    /// Adds samples of the telemetry that accompanies a turn.
    fn telemetry_samples(
        &mut self,
        nth: i64,
        turn: &Turn,
        (role, line): (&str, &str),
        left: &mut TelemetrySamples,
    ) {
        let middle = self.scenario.at(i64::midpoint(turn.from_ms, turn.to_ms));
        let over = self.scenario.at(turn.to_ms);
        if role == "user" && left.partials.take(self.rng) {
            let body = self.writer.transcript(role, "partial", first_half(line), middle);
            self.telemetry("transcript", middle, body);
        }
        if left.speech.take(self.rng) {
            let began = self.scenario.at(turn.from_ms);
            self.telemetry("speech-update", began, self.writer.speech(role, "started", nth, began));
            self.telemetry("speech-update", over, self.writer.speech(role, "stopped", nth, over));
        }
        if left.conversations.take(self.rng) {
            self.telemetry("conversation-update", over, self.writer.conversation(turn.to_ms, over));
        }
        if role == "assistant" && left.outputs.take(self.rng) {
            let began = self.scenario.at(turn.from_ms);
            let tokens = self.writer.model_output(first_half(line), began);
            self.telemetry("model-output", began, tokens);
            self.telemetry("voice-input", began, self.writer.voice_input(line, began));
        }
    }

    fn ending(&mut self) {
        let scenario = self.scenario;
        let (Some(ended_at), Some(reason)) = (scenario.times.ended_at, scenario.ending.reason())
        else {
            return;
        };
        if scenario.ending == Ending::Forwarded {
            let end_ms = scenario.dialogue.end_ms();
            let at = scenario.at(end_ms + 60);
            self.add_message("status-update", at, self.writer.forwarding(at));
            let at = scenario.at(end_ms + 190);
            self.add_message("transfer-update", at, self.writer.transferred(at));
        }
        // A report without an `ended` status occurs in reality; an ended call with neither does
        // not.
        if scenario.report.is_none() || self.rng.chance(95) {
            let at = ended_at + TimeDelta::milliseconds(self.rng.between(20..=400));
            self.add_message("status-update", at, self.writer.ended(reason, at));
        }
        for report in [&scenario.report, &scenario.correction].into_iter().flatten() {
            self.add_message("end-of-call-report", report.at, self.writer.report(report));
        }
    }

    /// Reorders messages in about one of ten calls: an early message arrives after the report, or
    /// the report after its own correction.
    fn disorder(&mut self) {
        let Some(report) = self.webhooks.iter().position(|l| l.kind == "end-of-call-report") else {
            return;
        };
        if self.scenario.correction.is_some() && self.rng.chance(25) {
            let corrected = self.webhooks[self.webhooks.len() - 1].sent_at;
            self.webhooks[report].sent_at = corrected + self.delay(300..=20_000);
        }
        let earlier: Vec<usize> =
            (0..report).filter(|nth| !self.webhooks[*nth].is_telemetry).collect();
        if !earlier.is_empty() && self.rng.chance(11) {
            let late = self.rng.one(&earlier);
            let reported = self.webhooks[report].sent_at;
            self.webhooks[late].sent_at = reported + self.delay(200..=25_000);
        }
    }

    /// Repeats some messages, as a platform does after a slow response.
    fn repeat(&mut self, until: DateTime<Utc>) {
        for nth in 0..self.webhooks.len() {
            let webhook = &self.webhooks[nth];
            if webhook.is_telemetry || !self.rng.chance(7) {
                continue;
            }
            let again = WebhookMessage { is_repeat: true, ..webhook.clone() };
            let sent_at = again.sent_at + self.delay(1_000..=480_000);
            if sent_at <= until {
                self.webhooks.push(WebhookMessage { sent_at, ..again });
            }
        }
    }

    fn add_message(&mut self, kind: &'static str, at: DateTime<Utc>, body: String) {
        let sent_at = at + self.delay(40..=900);
        let webhook = WebhookMessage { kind, sent_at, body, is_telemetry: false, is_repeat: false };
        self.webhooks.push(webhook);
    }

    fn telemetry(&mut self, kind: &'static str, at: DateTime<Utc>, body: String) {
        self.add_message(kind, at, body);
        if let Some(webhook) = self.webhooks.last_mut() {
            webhook.is_telemetry = true;
        }
    }

    fn delay(&mut self, ms: std::ops::RangeInclusive<i64>) -> TimeDelta {
        TimeDelta::milliseconds(self.rng.between(ms))
    }
}

/// Remaining telemetry samples of a call by type. The platform sends far more.
struct TelemetrySamples {
    partials: SampleBudget,
    speech: SampleBudget,
    conversations: SampleBudget,
    outputs: SampleBudget,
}

impl TelemetrySamples {
    fn draw(rng: &mut SeededRng) -> Self {
        let mut few = |percent, most| SampleBudget(if rng.chance(percent) { most } else { 0 });
        Self {
            partials: few(42, 2),
            speech: few(38, 1),
            conversations: few(30, 1),
            outputs: few(5, 1),
        }
    }
}

/// Number of samples that may still be drawn.
struct SampleBudget(u32);

impl SampleBudget {
    fn take(&mut self, rng: &mut SeededRng) -> bool {
        let taken = self.0 > 0 && rng.chance(35);
        self.0 -= u32::from(taken);
        taken
    }
}

/// Returns the first half of a line, as a partial transcript.
fn first_half(line: &str) -> &str {
    let middle = line.char_indices().nth(line.chars().count() / 2).map_or(0, |(at, _)| at);
    line[..middle].trim_end()
}
