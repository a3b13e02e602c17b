//! Demo traffic: a month of calls of two invented clinics, as the webhook bodies a voice platform
//! (Vapi) sends.
//!
//! The traffic is a pure function of its [`TrafficPlan`]: no clock, no network, and no randomness but the
//! plan's seed. Irregularities are intended, because the platform has them: repeated and reordered
//! messages, stale snapshots, corrected reports, calls that never start. All people are invented;
//! numbers and addresses are from ranges reserved for fiction.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

pub use clinic::Clinic;

use call_generator::CallGenerator;
use rng::SeededRng;
use scenario::Scenario;
use schedule::WebhookMessage;
use seeded_clinic::SeededClinic;

mod bill;
mod calendar;
mod call_generator;
mod clinic;
mod context;
mod decimal;
mod dialogue;
mod json;
mod people;
mod rng;
mod scenario;
mod schedule;
mod scripts;
mod seeded_clinic;
#[cfg(test)]
mod tests;
mod tool_calls;
mod tools;
mod writer;

/// Parameters of the traffic. The same plan gives the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrafficPlan {
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

/// One webhook request to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoDelivery {
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
    pub deliveries: Vec<DemoDelivery>,
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

/// Returns the two clinics, in the order of [`DemoDelivery::clinic`].
#[must_use]
pub fn clinics() -> [Clinic; 2] {
    seeded_clinic::clinics()
}

/// Generates the traffic in memory: about 25 KB per call.
#[must_use]
pub fn traffic(plan: &TrafficPlan) -> Traffic {
    let until = plan.until.trunc_subsecs(3);
    let hours = plan.days.clamp(1, 3_650) * 24;
    let from = until - TimeDelta::hours(hours.into());
    let seeded_clinics = seeded_clinic::seeded_clinics(plan.seed, from - TimeDelta::days(90));
    let first = plan.calls - plan.calls / 5 * 2;
    let mut rng = SeededRng::new(plan.seed);
    let mut deliveries = Vec::new();
    let mut truth = [Truth::default(); 2];
    for (clinic, calls) in [first, plan.calls - first].into_iter().enumerate() {
        let seeded_clinic = &seeded_clinics[clinic];
        let mut rng = rng.fork();
        for scenario in scenarios(seeded_clinic, calls, (from, until, hours), &mut rng) {
            let webhooks = schedule::webhooks(seeded_clinic, &scenario, until, &mut rng.fork());
            truth[clinic].count(&scenario, &webhooks);
            deliveries.extend(webhooks.into_iter().map(|webhook| delivery(clinic, webhook)));
        }
    }
    deliveries.sort_by_key(|delivery| delivery.sent_at);
    Traffic { deliveries, truth }
}

/// Generates one clinic's calls. They begin at least an hour before the end, so that late
/// corrections arrive in time; in a busy clinic a few more are in progress at the end.
fn scenarios(
    seeded_clinic: &SeededClinic,
    calls: u32,
    (from, until, hours): (DateTime<Utc>, DateTime<Utc>, u32),
    rng: &mut SeededRng,
) -> Vec<Scenario> {
    let live = match calls {
        0..30 => 0,
        30..150 => 1,
        _ => 2,
    };
    let mut call_generator = CallGenerator::new(seeded_clinic, from, hours - 1, rng);
    (0..calls)
        .map(|nth| {
            let mut rng = rng.fork();
            if nth < live {
                call_generator.unfinished(until, &mut rng)
            } else {
                call_generator.finished(&mut rng)
            }
        })
        .collect()
}

fn delivery(clinic: usize, webhook: WebhookMessage) -> DemoDelivery {
    let WebhookMessage { kind, sent_at, body, .. } = webhook;
    DemoDelivery { clinic, sent_at, kind, body: body.into_bytes() }
}

impl Truth {
    fn count(&mut self, scenario: &Scenario, webhooks: &[WebhookMessage]) {
        let count = |wanted: fn(&WebhookMessage) -> bool| {
            webhooks.iter().map(|webhook| u64::from(wanted(webhook))).sum::<u64>()
        };
        self.calls += 1;
        self.ended += u64::from(scenario.times.ended_at.is_some());
        self.cost_nanos += scenario.cost_nanos();
        self.tool_calls += scenario.dialogue.tool_uses().map(|_| 1).sum::<u64>();
        self.duplicates += count(|webhook| webhook.is_repeat);
        self.telemetry += count(|webhook| webhook.is_telemetry);
    }
}
