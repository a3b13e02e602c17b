//! Model of a synthetic call: every property except the texts.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use uuid::{Builder, Uuid};

/// Platform ids of the assistants.
pub(crate) const ASSISTANTS: [&str; 3] = [
    "5d2c7a90-1b1e-4f53-9d2a-2b7c6d1e8f40",
    "8a41f2c6-77d3-4c1a-b0a5-91c2e4d5f601",
    "c3b90d17-2e64-4a8f-8d7e-5f60a1b2c3d4",
];
/// Platform ids of the tenant's phone numbers.
pub(crate) const NUMBERS: [&str; 2] =
    ["4a5a04dc-dcbe-45b1-8f64-fd32a253d136", "9e1b6f30-5c48-4d2b-a6f1-7c8d9e0f1a2b"];
/// Tool names, most frequent first.
pub(crate) const TOOLS: [&str; 4] =
    ["bookAppointment", "checkAvailability", "cancelAppointment", "lookupCaller"];

/// Nano-dollars a minute: transport, transcriber, model, voice, platform. Odd values reveal rounding in
/// floating-point sums.
const RATES: [i64; 5] = [8_512_347, 9_987_653, 23_456_789, 36_123_457, 50_000_003];
/// Maximum duration of a call at the platform.
const LONGEST_MS: i64 = 1_800_000;

/// An ended reason with its frequency in 1,000 calls, and its meaning.
struct Reason {
    per_mille: u32,
    code: &'static str,
    is_answered: bool,
    is_complete: bool,
}

const fn reason(per_mille: u32, code: &'static str, answered: bool, complete: bool) -> Reason {
    Reason { per_mille, code, is_answered: answered, is_complete: complete }
}

const REASONS: [Reason; 12] = [
    reason(396, "customer-ended-call", true, true),
    reason(221, "assistant-ended-call", true, true),
    reason(83, "voicemail", true, true),
    reason(72, "assistant-forwarded-call", true, true),
    reason(61, "silence-timed-out", true, false),
    reason(58, "customer-did-not-answer", false, false),
    reason(41, "assistant-said-end-call-phrase", true, true),
    reason(29, "customer-busy", false, false),
    reason(17, "exceeded-max-duration", true, false),
    reason(12, "pipeline-error-openai-llm-failed", true, false),
    reason(9, "twilio-failed-to-connect-call", false, false),
    reason(1, "call.in-progress.error-vapifault-worker-died", true, false),
];

/// Direction of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallRoute {
    Inbound,
    Outbound,
    Web,
}

/// A message about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageKind {
    Started,
    Turn(u32),
    Tool(usize),
    Ended,
    Report,
}

/// A synthetic call.
#[derive(Debug)]
pub(super) struct CallModel {
    /// Index of the tenant.
    pub(super) tenant: usize,
    pub(super) id: Uuid,
    pub(super) route: CallRoute,
    pub(super) assistant: &'static str,
    pub(super) number: &'static str,
    /// Index of the person; `None` if the platform does not know the caller.
    pub(super) caller: Option<u32>,
    pub(super) is_withheld: bool,
    pub(super) is_test: bool,
    pub(super) created_at: DateTime<Utc>,
    /// Time of the answer; `None` for an unanswered call.
    pub(super) answered_at: Option<DateTime<Utc>>,
    pub(super) ended_at: DateTime<Utc>,
    pub(super) reason: &'static str,
    pub(super) success: bool,
    /// Indexes of the tools used.
    pub(super) tools: Vec<usize>,
    /// Nano-dollars: transport, transcriber, model, voice, platform, and a part that the breakdown does not
    /// list.
    pub(super) cost: [i64; 6],
    /// Messages about the call, in order.
    pub(super) steps: Vec<MessageKind>,
    /// Seed of the texts.
    pub(super) words: u64,
}

/// Inputs of a call's model other than its time and tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallInputs {
    pub(super) seed: u64,
    pub(super) events_per_call: u32,
    pub(super) people: u32,
}

/// The part of the model that determines the messages.
struct CallOutline {
    reason: &'static Reason,
    tools: Vec<usize>,
    steps: Vec<MessageKind>,
}

impl CallInputs {
    /// Random generator of one call, independent of all other calls.
    fn rng(self, nth: u64) -> Rng {
        Rng::with_seed(self.seed ^ (nth + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Number of events the call will have, which is the number of its steps.
    pub(super) fn count(self, nth: u64) -> usize {
        self.course(&mut self.rng(nth)).steps.len()
    }

    fn course(self, rng: &mut Rng) -> CallOutline {
        let reason = one_of(&REASONS, rng);
        let tools = match rng.u32(..100) {
            _ if !reason.is_answered => Vec::new(),
            0..42 => Vec::new(),
            42..86 => vec![tool(rng)],
            _ => vec![tool(rng), tool(rng)],
        };
        let is_reported = rng.u32(..100) >= 15;
        let steps = steps(self.events_per_call, reason.is_answered, is_reported, &tools, rng);
        CallOutline { reason, tools, steps }
    }

    /// Generates the nth call.
    pub(super) fn call_model(
        self,
        nth: u64,
        tenant: usize,
        created_at: DateTime<Utc>,
    ) -> CallModel {
        let mut rng = self.rng(nth);
        let CallOutline { reason, tools, steps } = self.course(&mut rng);
        let rng = &mut rng;
        let route = match rng.u32(..100) {
            0..78 => CallRoute::Inbound,
            78..94 => CallRoute::Outbound,
            _ => CallRoute::Web,
        };
        let later = |from: DateTime<Utc>, ms: i64| from + TimeDelta::milliseconds(ms);
        let rang_ms = rng.i64(400..18_000);
        let talk_ms = if reason.is_answered { talk_ms(reason, rng) } else { 0 };
        let answered_at = reason.is_answered.then(|| later(created_at, rang_ms));
        let assistant = match route {
            CallRoute::Inbound => ASSISTANTS[0],
            CallRoute::Outbound => ASSISTANTS[1],
            CallRoute::Web => ASSISTANTS[2],
        };
        CallModel {
            tenant,
            id: call_id(created_at, rng),
            route,
            assistant,
            number: NUMBERS[usize::from(route == CallRoute::Outbound)],
            caller: (route != CallRoute::Web).then(|| self.caller(rng)),
            is_withheld: route == CallRoute::Inbound && rng.u32(..100) < 4,
            is_test: rng.u32(..100) < 2,
            created_at,
            answered_at,
            ended_at: later(created_at, rang_ms + talk_ms),
            reason: reason.code,
            success: reason.is_complete && rng.u32(..100) < 88,
            tools,
            cost: cost(talk_ms, rng),
            steps,
            words: rng.u64(..),
        }
    }

    /// Index of a person. The distribution is skewed: few persons call often, most rarely.
    fn caller(self, rng: &mut Rng) -> u32 {
        let throw = rng.u64(..1 << 20);
        let place = (throw * throw * u64::from(self.people)) >> 40;
        u32::try_from(place).unwrap_or(0)
    }
}

impl CallModel {
    /// Time at which a message is sent; increases with `place`.
    pub(super) fn sent_at(&self, place: usize) -> DateTime<Utc> {
        let from = self.answered_at.unwrap_or(self.created_at);
        let (place, len) = (i64::try_from(place).unwrap_or(0), self.steps.len());
        let ms = match self.steps[usize::try_from(place).unwrap_or(0)] {
            MessageKind::Started => 40,
            // Distributed evenly over the conversation.
            MessageKind::Turn(_) | MessageKind::Tool(_) => {
                let talked = (self.ended_at - from).num_milliseconds();
                100 + talked * place / i64::try_from(len).unwrap_or(1)
            }
            MessageKind::Ended => (self.ended_at - from).num_milliseconds() + 180,
            MessageKind::Report => (self.ended_at - from).num_milliseconds() + 6_400,
        };
        from + TimeDelta::milliseconds(ms)
    }

    /// Duration of the conversation in milliseconds.
    pub(super) fn talk_ms(&self) -> i64 {
        self.answered_at.map_or(0, |from| (self.ended_at - from).num_milliseconds())
    }

    /// Sum of the cost parts, in nano-dollars.
    pub(super) fn cost_nanos(&self) -> i64 {
        self.cost.iter().sum()
    }
}

/// Messages about a call: with few events its start and end, with more also turns and tool calls.
fn steps(
    events: u32,
    is_answered: bool,
    is_reported: bool,
    tools: &[usize],
    rng: &mut Rng,
) -> Vec<MessageKind> {
    let mut steps = Vec::new();
    if is_answered && events > 1 {
        steps.push(MessageKind::Started);
    }
    if is_answered && events > 3 {
        let tool_messages = tools.iter().map(|tool| MessageKind::Tool(*tool));
        let around = events.saturating_sub(3);
        let said = if around > 2 { rng.u32(around - 2..=around + 2) } else { around };
        steps.extend((0..said).map(MessageKind::Turn));
        let at = steps.len().div_ceil(2);
        steps.splice(at..at, tool_messages);
    }
    // A call without a report always has an end message.
    if events > 2 || !is_reported {
        steps.push(MessageKind::Ended);
    }
    if is_reported {
        steps.push(MessageKind::Report);
    }
    steps
}

fn one_of(reasons: &'static [Reason], rng: &mut Rng) -> &'static Reason {
    let mut left = rng.u32(..1_000);
    for reason in reasons {
        if left < reason.per_mille {
            return reason;
        }
        left -= reason.per_mille;
    }
    &reasons[0]
}

fn tool(rng: &mut Rng) -> usize {
    match rng.u32(..100) {
        0..55 => 0,
        55..85 => 1,
        85..97 => 2,
        _ => 3,
    }
}

/// Mostly two to three minutes, with a long tail.
fn talk_ms(reason: &Reason, rng: &mut Rng) -> i64 {
    if reason.code == "exceeded-max-duration" {
        return LONGEST_MS + rng.i64(0..2_000);
    }
    let (one, other) = (rng.i64(1..1_000), rng.i64(1..1_000));
    (9_000 + one * other * 600 / 1_000 + rng.i64(0..1_000)).min(LONGEST_MS)
}

fn cost(talk_ms: i64, rng: &mut Rng) -> [i64; 6] {
    let [transport, stt, llm, tts, platform] = RATES.map(|rate| rate * talk_ms / 60_000);
    let analysis = if talk_ms > 0 { rng.i64(900_001..2_400_003) } else { 0 };
    [transport, stt, llm, tts, platform, analysis]
}

fn call_id(created_at: DateTime<Utc>, rng: &mut Rng) -> Uuid {
    let [counter @ .., _, _, _, _, _, _] = rng.u128(..).to_be_bytes();
    let ms = u64::try_from(created_at.timestamp_millis()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(ms, &counter).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_make_a_thousand() {
        assert_eq!(REASONS.iter().map(|reason| reason.per_mille).sum::<u32>(), 1_000);
    }

    #[test]
    fn a_call_has_as_many_messages_as_was_counted_in_the_order_of_time() {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        for events_per_call in 1..12 {
            let terms = CallInputs { seed: 7, events_per_call, people: 50 };
            for nth in 0..200 {
                let call_model = terms.call_model(nth, 0, at);
                assert_eq!(call_model.steps.len(), terms.count(nth));
                let sent: Vec<_> =
                    (0..call_model.steps.len()).map(|nth| call_model.sent_at(nth)).collect();
                assert!(!sent.is_empty() && sent.is_sorted(), "{call_model:?}");
            }
        }
    }

    #[test]
    fn eight_events_a_call_are_about_eight() {
        let terms = CallInputs { seed: 7, events_per_call: 8, people: 50 };
        let events: usize = (0..2_000).map(|nth| terms.count(nth)).sum();
        assert!((14_000..18_000).contains(&events), "{events}");
    }
}
