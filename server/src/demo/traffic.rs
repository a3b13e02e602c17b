//! Demo traffic: a month of two invented clinics' calls as the webhook bodies a voice platform (Vapi) would
//! send about them.
//!
//! It is a function of its [`Plan`]: no clock, no network, and no randomness but the plan's seed. What it
//! gets wrong it gets wrong on purpose, because the platform does: messages come twice or out of order,
//! snapshots are stale, reports are corrected, some calls never start. Nobody in it exists; numbers and
//! addresses are from the ranges kept for fiction.

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

/// What the traffic is made from. The same plan gives the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many calls, over both clinics; three of five are the first one's.
    pub calls: u32,
    /// How many days before `until` the first call may begin: 1 to 3,650; other values count as the nearest.
    pub days: u32,
    /// Chooses among the months that could have been.
    pub seed: u64,
    /// When the traffic ends, to the millisecond. Nothing is sent or stamped later.
    pub until: DateTime<Utc>,
}

/// A clinic that receives calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clinic {
    /// Its name in addresses: lower case, with hyphens.
    pub slug: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// IANA time zone.
    pub timezone: &'static str,
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
}

/// One webhook request to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Whose webhook: an index into [`clinics`].
    pub clinic: usize,
    /// When the platform sent it; never before the message's own time.
    pub sent_at: DateTime<Utc>,
    /// The message type, as in the body.
    pub kind: &'static str,
    /// The request body, JSON.
    pub body: Vec<u8>,
}

/// A month of webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// In the order to send, which is that of `sent_at`.
    pub deliveries: Vec<Delivery>,
    /// What the ledger must show afterwards, for each of [`clinics`].
    pub truth: [Truth; 2],
}

/// What the ledger must show once everything has arrived, known without asking it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truth {
    /// Distinct calls.
    pub calls: u64,
    /// Calls that are over; the others are going on at the end of the plan.
    pub ended: u64,
    /// The stated totals of all calls, in nano-dollars. A corrected call counts with its latest report, a
    /// call without a report with nothing.
    pub cost_nanos: i64,
    /// Distinct tool calls, told apart by call and tool call id.
    pub tool_calls: u64,
    /// Deliveries that repeat an earlier body byte for byte; never telemetry.
    pub duplicates: u64,
    /// Deliveries of types the ledger acknowledges but does not store: partial transcripts,
    /// `conversation-update`, `speech-update`, `model-output`, `voice-input`.
    pub telemetry: u64,
}

/// The two clinics, in the order deliveries refer to them.
#[must_use]
pub fn clinics() -> [Clinic; 2] {
    practice::clinics()
}

/// Makes the traffic. It is all in memory at once: about 25 KB a call.
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

/// One clinic's calls. They begin an hour before the end at the latest, so that even a late correction
/// arrives in time; in a busy clinic a few more are going on at the end.
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
