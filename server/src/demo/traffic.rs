//! Demo traffic: a month of calls of two invented clinics, as the webhook bodies a voice platform
//! (Vapi) sends.
//!
//! The traffic is a pure function of its [`Plan`]: no clock, no network, and no randomness but the
//! plan's seed. Irregularities are intended, because the platform has them: repeated and reordered
//! messages, stale snapshots, corrected reports, calls that never start. All people are invented;
//! numbers and addresses are from ranges reserved for fiction.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use author::Author;
use dice::Dice;
use post::Letter;
use practice::Practice;
use story::Story;

mod author;
mod bill;
mod calendar;
mod decimal;
mod dialogue;
mod dice;
mod json;
mod lines;
mod people;
mod post;
mod practice;
mod scene;
mod story;
#[cfg(test)]
mod tests;
mod tools;
mod writer;

/// Parameters of the traffic. The same plan gives the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Number of calls of both clinics; three of five are the first one's.
    pub calls: u32,
    /// Number of days before `until` in which calls may begin: 1 to 3,650; other values are
    /// clamped.
    pub days: u32,
    /// Seed of the random choices.
    pub seed: u64,
    /// End of the traffic, to the millisecond. No message is sent or stamped later.
    pub until: DateTime<Utc>,
}

/// A clinic that receives calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clinic {
    /// Name in URLs: lower case, with hyphens.
    pub slug: &'static str,
    /// Display name of the clinic.
    pub name: &'static str,
    /// Name of its IANA time zone.
    pub timezone: &'static str,
    /// ISO 3166-1 alpha-2 country code.
    pub country: &'static str,
}

/// One webhook request to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Index into [`clinics`] of the receiving clinic.
    pub clinic: usize,
    /// Time of sending by the platform, never before the message's own time.
    pub sent_at: DateTime<Utc>,
    /// The message type, as in the body.
    pub kind: &'static str,
    /// The request body, in JSON.
    pub body: Vec<u8>,
}

/// A month of webhooks, with the expected result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// Deliveries in the order of `sent_at`.
    pub deliveries: Vec<Delivery>,
    /// Expected figures for each of [`clinics`].
    pub truth: [Truth; 2],
}

/// Figures the ledger must show after all deliveries, computed independently of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truth {
    /// Number of distinct calls.
    pub calls: u64,
    /// Number of ended calls; the others are in progress at the end of the plan.
    pub ended: u64,
    /// Sum of the stated totals of all calls, in nano-dollars. A corrected call counts with its
    /// latest report, a call without a report with zero.
    pub cost_nanos: i64,
    /// Number of distinct tool calls, by call and tool call id.
    pub tool_calls: u64,
    /// Number of deliveries that repeat an earlier body byte for byte; never telemetry.
    pub duplicates: u64,
    /// Number of deliveries the ledger acknowledges but does not store: partial transcripts,
    /// `conversation-update`, `speech-update`, `model-output`, `voice-input`.
    pub telemetry: u64,
}

/// Returns the two clinics, in the order of [`Delivery::clinic`].
#[must_use]
pub fn clinics() -> [Clinic; 2] {
    practice::clinics()
}

/// Generates the traffic in memory: about 25 KB per call.
#[must_use]
pub fn traffic(plan: &Plan) -> Traffic {
    let until = plan.until.trunc_subsecs(3);
    let hours = plan.days.clamp(1, 3_650) * 24;
    let from = until - TimeDelta::hours(hours.into());
    let practices = practice::practices(plan.seed, from - TimeDelta::days(90));
    let first = plan.calls - plan.calls / 5 * 2;
    let mut dice = Dice::new(plan.seed);
    let mut deliveries = Vec::new();
    let mut truth = [Truth::default(); 2];
    for (clinic, calls) in [first, plan.calls - first].into_iter().enumerate() {
        let practice = &practices[clinic];
        let mut dice = dice.fork();
        for story in stories(practice, calls, (from, until, hours), &mut dice) {
            let letters = post::letters(practice, &story, until, &mut dice.fork());
            truth[clinic].count(&story, &letters);
            deliveries.extend(letters.into_iter().map(|letter| delivery(clinic, letter)));
        }
    }
    deliveries.sort_by_key(|delivery| delivery.sent_at);
    Traffic { deliveries, truth }
}

/// Generates one clinic's calls. They begin at least an hour before the end, so that late
/// corrections arrive in time; in a busy clinic a few more are in progress at the end.
fn stories(
    practice: &Practice,
    calls: u32,
    (from, until, hours): (DateTime<Utc>, DateTime<Utc>, u32),
    dice: &mut Dice,
) -> Vec<Story> {
    let live = match calls {
        0..30 => 0,
        30..150 => 1,
        _ => 2,
    };
    let mut author = Author::new(practice, from, hours - 1, dice);
    (0..calls)
        .map(|nth| {
            let mut dice = dice.fork();
            if nth < live {
                author.unfinished(until, &mut dice)
            } else {
                author.finished(&mut dice)
            }
        })
        .collect()
}

fn delivery(clinic: usize, letter: Letter) -> Delivery {
    let Letter { kind, sent_at, body, .. } = letter;
    Delivery { clinic, sent_at, kind, body: body.into_bytes() }
}

impl Truth {
    fn count(&mut self, story: &Story, letters: &[Letter]) {
        let count = |wanted: fn(&Letter) -> bool| {
            letters.iter().map(|letter| u64::from(wanted(letter))).sum::<u64>()
        };
        self.calls += 1;
        self.ended += u64::from(story.times.ended_at.is_some());
        self.cost_nanos += story.cost_nanos();
        self.tool_calls += story.dialogue.tool_uses().map(|_| 1).sum::<u64>();
        self.duplicates += count(|letter| letter.is_repeat);
        self.telemetry += count(|letter| letter.is_telemetry);
    }
}
