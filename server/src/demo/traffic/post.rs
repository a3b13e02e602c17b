//! Schedules the webhooks of a call: which messages are sent, when, and which are repeated or out
//! of order.

use chrono::{DateTime, TimeDelta, Utc};

use super::dialogue::{Act, Turn};
use super::dice::Dice;
use super::practice::Practice;
use super::story::{Ending, Route, Story};
use super::writer::{Writer, said};

/// One webhook message about a call.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) kind: &'static str,
    /// Time of sending, never before the message's own time.
    pub(super) sent_at: DateTime<Utc>,
    pub(super) body: String,
    /// Whether the ledger acknowledges the message without storing it.
    pub(super) is_telemetry: bool,
    /// Whether it repeats an earlier message byte for byte.
    pub(super) is_repeat: bool,
}

/// Returns all messages about a call up to `until`, unsorted.
pub(super) fn letters(
    practice: &Practice,
    story: &Story,
    until: DateTime<Utc>,
    dice: &mut Dice,
) -> Vec<Letter> {
    let mut bag = Bag { writer: Writer { practice, story }, story, dice, letters: Vec::new() };
    bag.beginning();
    bag.conversation();
    bag.ending();
    bag.disorder();
    bag.repeat(until);
    bag.letters
}

/// Collects the messages of one call.
struct Bag<'a> {
    writer: Writer<'a>,
    story: &'a Story,
    dice: &'a mut Dice,
    letters: Vec<Letter>,
}

impl Bag<'_> {
    fn beginning(&mut self) {
        let created_at = self.story.times.created_at;
        if matches!(self.story.ending, Ending::NeverStarted(_)) {
            return;
        }
        if self.story.route == Route::Outbound {
            if self.dice.chance(45) {
                let at = created_at + TimeDelta::milliseconds(40);
                self.post("status-update", at, self.writer.status("queued", at));
            }
            let at = created_at + TimeDelta::milliseconds(self.dice.between(700..=2_400));
            self.post("status-update", at, self.writer.status("ringing", at));
        }
        if let Some(at) = self.story.times.answered_at {
            self.post("status-update", at, self.writer.status("in-progress", at));
        }
    }

    fn conversation(&mut self) {
        let story = self.story;
        let records_speech = self.dice.chance(35);
        let mut chatter = Chatter::throw(self.dice);
        for (nth, turn) in (0..).zip(&story.dialogue.turns) {
            if let Act::Tools(uses) = &turn.act {
                let at = story.at(turn.from_ms);
                self.post("tool-calls", at, self.writer.tools(turn, uses, at));
                continue;
            }
            let Some((role, line)) = said(turn) else { continue };
            let at = story.at(turn.to_ms);
            if records_speech && self.dice.chance(38) {
                let body = self.writer.transcript(role, "final", line, at);
                self.post("transcript", at, body);
            }
            self.chatter(nth, turn, (role, line), &mut chatter);
        }
    }

    /// Adds samples of the telemetry that accompanies a turn.
    fn chatter(&mut self, nth: i64, turn: &Turn, (role, line): (&str, &str), left: &mut Chatter) {
        let middle = self.story.at(i64::midpoint(turn.from_ms, turn.to_ms));
        let over = self.story.at(turn.to_ms);
        if role == "user" && left.partials.take(self.dice) {
            let body = self.writer.transcript(role, "partial", first_half(line), middle);
            self.telemetry("transcript", middle, body);
        }
        if left.speech.take(self.dice) {
            let began = self.story.at(turn.from_ms);
            self.telemetry("speech-update", began, self.writer.speech(role, "started", nth, began));
            self.telemetry("speech-update", over, self.writer.speech(role, "stopped", nth, over));
        }
        if left.conversations.take(self.dice) {
            self.telemetry("conversation-update", over, self.writer.conversation(turn.to_ms, over));
        }
        if role == "assistant" && left.outputs.take(self.dice) {
            let began = self.story.at(turn.from_ms);
            let tokens = self.writer.model_output(first_half(line), began);
            self.telemetry("model-output", began, tokens);
            self.telemetry("voice-input", began, self.writer.voice_input(line, began));
        }
    }

    fn ending(&mut self) {
        let story = self.story;
        let (Some(ended_at), Some(reason)) = (story.times.ended_at, story.ending.reason()) else {
            return;
        };
        if story.ending == Ending::Forwarded {
            let end_ms = story.dialogue.end_ms();
            let at = story.at(end_ms + 60);
            self.post("status-update", at, self.writer.forwarding(at));
            let at = story.at(end_ms + 190);
            self.post("transfer-update", at, self.writer.transferred(at));
        }
        // A report without an `ended` status occurs in reality; an ended call with neither does
        // not.
        if story.report.is_none() || self.dice.chance(95) {
            let at = ended_at + TimeDelta::milliseconds(self.dice.between(20..=400));
            self.post("status-update", at, self.writer.ended(reason, at));
        }
        for report in [&story.report, &story.correction].into_iter().flatten() {
            self.post("end-of-call-report", report.at, self.writer.report(report));
        }
    }

    /// Reorders messages in about one of ten calls: an early message arrives after the report, or
    /// the report after its own correction.
    fn disorder(&mut self) {
        let Some(report) = self.letters.iter().position(|l| l.kind == "end-of-call-report") else {
            return;
        };
        if self.story.correction.is_some() && self.dice.chance(25) {
            let corrected = self.letters[self.letters.len() - 1].sent_at;
            self.letters[report].sent_at = corrected + self.delay(300..=20_000);
        }
        let earlier: Vec<usize> =
            (0..report).filter(|nth| !self.letters[*nth].is_telemetry).collect();
        if !earlier.is_empty() && self.dice.chance(11) {
            let late = self.dice.one(&earlier);
            let reported = self.letters[report].sent_at;
            self.letters[late].sent_at = reported + self.delay(200..=25_000);
        }
    }

    /// Repeats some messages, as a platform does after a slow response.
    fn repeat(&mut self, until: DateTime<Utc>) {
        for nth in 0..self.letters.len() {
            let letter = &self.letters[nth];
            if letter.is_telemetry || !self.dice.chance(7) {
                continue;
            }
            let again = Letter { is_repeat: true, ..letter.clone() };
            let sent_at = again.sent_at + self.delay(1_000..=480_000);
            if sent_at <= until {
                self.letters.push(Letter { sent_at, ..again });
            }
        }
    }

    fn post(&mut self, kind: &'static str, at: DateTime<Utc>, body: String) {
        let sent_at = at + self.delay(40..=900);
        let letter = Letter { kind, sent_at, body, is_telemetry: false, is_repeat: false };
        self.letters.push(letter);
    }

    fn telemetry(&mut self, kind: &'static str, at: DateTime<Utc>, body: String) {
        self.post(kind, at, body);
        if let Some(letter) = self.letters.last_mut() {
            letter.is_telemetry = true;
        }
    }

    fn delay(&mut self, ms: std::ops::RangeInclusive<i64>) -> TimeDelta {
        TimeDelta::milliseconds(self.dice.between(ms))
    }
}

/// Remaining telemetry samples of a call by type. The platform sends far more.
struct Chatter {
    partials: Few,
    speech: Few,
    conversations: Few,
    outputs: Few,
}

impl Chatter {
    fn throw(dice: &mut Dice) -> Self {
        let mut few = |percent, most| Few(if dice.chance(percent) { most } else { 0 });
        Self {
            partials: few(42, 2),
            speech: few(38, 1),
            conversations: few(30, 1),
            outputs: few(5, 1),
        }
    }
}

/// Number of samples that may still be drawn.
struct Few(u32);

impl Few {
    fn take(&mut self, dice: &mut Dice) -> bool {
        let taken = self.0 > 0 && dice.chance(35);
        self.0 -= u32::from(taken);
        taken
    }
}

/// Returns the first half of a line, as a partial transcript.
fn first_half(line: &str) -> &str {
    let middle = line.char_indices().nth(line.chars().count() / 2).map_or(0, |(at, _)| at);
    line[..middle].trim_end()
}
