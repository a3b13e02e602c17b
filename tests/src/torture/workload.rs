//! The traffic: months of calls as a voice platform reports them, out of order and with
//! repetitions, to several tenants and through a shared source, plus requests that must be refused.
//! A function of the seed.

use std::collections::VecDeque;
use std::sync::Mutex;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use ledger_core::envelope::Draft;
use ledger_core::event::CallEvent;
use ledger_core::ids::TenantId;
use ledger_core::provider::Provider;
use ledger_core::tools::Tool;
use serde_json::{Value, json};
use webhook_traffic::{TrafficPlan, traffic};

use super::history::{Acknowledgement, Name};
use super::world::{Source, World};
use crate::fixtures::{self, Message};
use crate::messages;

/// Calls generated at once.
const CALLS: u32 = 30;
/// JSON pointer of the call id in a message.
const CALL_ID: &str = "/message/call/id";
/// Maximum distance in places by which a delivery is moved.
const DISORDER: usize = 12;

/// Planted personal data, which must be in no file.
pub(super) const CANARIES: [&str; 5] = [
    "Leopoldine Marchbanks-Østergård",
    "5550100163",
    "leopoldine.marchbanks@torture.example",
    "the lighthouse keeper counts \"seven\" herring gulls",
    "asked about the bridge fitted in nineteen-ninety-four",
];

/// The required final result of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequiredResult {
    Stored,
    Ignored,
    Quarantined,
    /// Refused with this status.
    Refused(u16),
}

impl RequiredResult {
    pub(super) fn is_met_by(self, answer: Acknowledgement) -> bool {
        match answer {
            Acknowledgement::Stored { .. } => self == Self::Stored,
            Acknowledgement::Ignored => self == Self::Ignored,
            Acknowledgement::Quarantined => self == Self::Quarantined,
        }
    }

    pub(super) fn allows_refusal(self, status: u16) -> bool {
        self == Self::Refused(status)
    }
}

/// One webhook to send, with its expectation.
pub(super) struct Webhook {
    pub(super) name: Name,
    pub(super) source: Source,
    pub(super) body: Vec<u8>,
    pub(super) kind: &'static str,
    /// Number of events the webhook becomes.
    pub(super) events: usize,
    /// Whether all events are one append. The ledger answers the tool calls of a message one after
    /// the other, with an append each, so an unanswered message may be stored in part.
    pub(super) is_one_append: bool,
    pub(super) required: RequiredResult,
    /// SHA-256 of the required content of its `raw` section.
    pub(super) kept: Option<[u8; 32]>,
}

/// The destination of a webhook.
#[derive(Clone, Copy)]
enum Destination {
    /// The own source of a tenant, by index.
    Own(usize),
    /// The shared source, with the index of the tenant if a route determines it.
    Shared(Option<usize>),
    /// The own source of a tenant, with a wrong secret.
    Forged(usize),
}

struct Request {
    to: Destination,
    body: Vec<u8>,
    kind: &'static str,
    is_broken: bool,
}

/// An endless generator of webhooks.
pub(super) struct Workload {
    seed: u64,
    tenants: usize,
    /// Real messages, to be sent with other call ids.
    samples: Vec<Value>,
    state: Mutex<State>,
}

struct State {
    dice: fastrand::Rng,
    chunk: u64,
    extras: u64,
    ready: VecDeque<Request>,
}

impl Workload {
    pub(super) fn new(seed: u64, tenants: usize) -> Self {
        let dice = fastrand::Rng::with_seed(seed);
        let state = State { dice, chunk: 0, extras: 0, ready: VecDeque::new() };
        let samples = fixtures::names("vapi").into_iter().map(|name| fixtures::json(&name));
        let samples = samples.filter(|sample| sample.pointer(CALL_ID).is_some()).collect();
        Self { seed, tenants, samples, state: Mutex::new(state) }
    }

    /// Returns the next webhook.
    ///
    /// # Errors
    /// If the keys for the content digests cannot be read.
    pub(super) async fn next(&self, world: &World) -> anyhow::Result<Webhook> {
        let request = self.take();
        prepare(world, request).await
    }

    /// Returns a report of a new call of one tenant.
    ///
    /// # Errors
    /// As [`Workload::next`].
    pub(super) async fn report(&self, world: &World, tenant: usize) -> anyhow::Result<Webhook> {
        let body = messages::report(&self.fresh_call()).to_string().into_bytes();
        let request =
            Request { to: Destination::Own(tenant), body, kind: "probe", is_broken: false };
        prepare(world, request).await
    }

    /// Returns a report of times, durations and amounts that are impossible for a call.
    ///
    /// # Errors
    /// As [`Workload::next`].
    pub(super) async fn absurd(&self, world: &World, tenant: usize) -> anyhow::Result<Webhook> {
        let (call, mut body) = (self.fresh_call(), Value::Null);
        let pick = |values: &[Value]| {
            let mut state = self.state.lock().expect("nothing panics while holding it");
            values[state.dice.usize(..values.len())].clone()
        };
        body["message"] = messages::report(&call)["message"].clone();
        body["message"]["startedAt"] = pick(&[
            json!("0001-01-01T00:00:00Z"),
            json!("9999-12-31T23:59:59.999Z"),
            json!(0),
            json!(-1e300),
        ]);
        body["message"]["endedAt"] =
            pick(&[json!("1970-01-01T00:00:00Z"), json!(1e300), json!("")]);
        body["message"]["cost"] =
            pick(&[json!(1e300), json!(-5), json!(9_223_372_036.8), json!("9".repeat(400))]);
        body["message"]["durationMs"] =
            pick(&[json!(-1), json!(i64::MAX), json!(1e300), json!("")]);
        let body = body.to_string().into_bytes();
        prepare(
            world,
            Request { to: Destination::Own(tenant), body, kind: "absurd", is_broken: false },
        )
        .await
    }

    fn fresh_call(&self) -> String {
        let mut state = self.state.lock().expect("nothing panics while holding it");
        state.extras += 1;
        format!("torture-{}-fresh-{}", self.seed, state.extras)
    }

    fn take(&self) -> Request {
        let mut state = self.state.lock().expect("nothing panics while holding it");
        loop {
            if let Some(request) = state.ready.pop_front() {
                return request;
            }
            self.refill(&mut state);
        }
    }

    /// Generates some calls of two clinics and other messages, and shuffles them.
    fn refill(&self, state: &mut State) {
        let until = DateTime::<Utc>::from_timestamp_millis(1_793_610_000_123).expect("a date");
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(state.chunk);
        let first = usize::try_from(state.chunk).unwrap_or(0) * 2;
        state.chunk += 1;
        let mut parcels = Vec::new();
        for delivery in traffic(&TrafficPlan { calls: CALLS, days: 2, seed, until }).deliveries {
            let to = Destination::Own((first + delivery.clinic) % self.tenants);
            let (body, kind) = (delivery.body, delivery.kind);
            parcels.push(Request { to, body, kind, is_broken: false });
            if state.dice.u8(..6) == 0 {
                parcels.extend(self.extras(state));
            }
        }
        for nth in 0..parcels.len() {
            let other = (nth + state.dice.usize(..DISORDER)).min(parcels.len() - 1);
            parcels.swap(nth, other);
        }
        state.ready.extend(parcels);
    }

    /// Returns the messages that the demo traffic lacks: one call each.
    fn extras(&self, state: &mut State) -> Vec<Request> {
        state.extras += 1;
        let nth = state.extras;
        let call = format!("torture-{}-{nth}", self.seed);
        let tenant = state.dice.usize(..self.tenants);
        let request = |to, body: String, kind| {
            vec![Request { to, body: body.into_bytes(), kind, is_broken: false }]
        };
        match nth % 8 {
            0 => request(Destination::Own(tenant), planted(&call).to_string(), "planted"),
            1 => {
                let tools: Vec<String> = (0..5).map(|nth| format!("tool-{nth}")).collect();
                let tools: Vec<(&str, &str)> =
                    tools.iter().map(|id| (id.as_str(), "lookUp")).collect();
                request(
                    Destination::Own(tenant),
                    Message::tools(&call, &tools).body(),
                    "tool-calls",
                )
            }
            2 => {
                let assistant = json!(format!("assistant-{tenant}"));
                let messages_to_share = [
                    Message::status(&call, "in-progress", 1_793_610_000_000),
                    Message::report(&call).field("cost", "0.07"),
                ];
                let bodies = messages_to_share
                    .map(|message| message.call_field("assistantId", &assistant).body());
                let to = Destination::Shared(Some(tenant));
                bodies.into_iter().flat_map(|body| request(to, body, "shared")).collect()
            }
            3 => {
                let lost =
                    Message::report(&call).call_field("assistantId", json!("assistant-of-none"));
                request(Destination::Shared(None), lost.body(), "nobody's")
            }
            4 => request(Destination::Forged(tenant), Message::report(&call).body(), "forged"),
            5 => {
                let body = Message::report(&call).body();
                let body = body.as_bytes()[..body.len() - 2].to_vec();
                let to = Destination::Own(tenant);
                vec![Request { to, body, kind: "broken", is_broken: true }]
            }
            _ => {
                let mut sample = self.samples[state.dice.usize(..self.samples.len())].clone();
                *sample.pointer_mut(CALL_ID).expect("the samples have one") = json!(call);
                request(Destination::Own(tenant), sample.to_string(), "sample")
            }
        }
    }
}

/// Returns a report with personal data in every possible field.
fn planted(call: &str) -> Value {
    let [name, phone, email, said, summary] = CANARIES;
    let customer = json!({ "name": name, "number": format!("+1{phone}"), "email": email });
    let mut body = messages::from(messages::report(call), &customer);
    body["message"]["analysis"]["summary"] = json!(summary);
    body["message"]["artifact"]["transcript"] = json!(format!("User: {said}"));
    body
}

/// Derives the expected result from the adapter and the keys alone.
async fn prepare(world: &World, request: Request) -> anyhow::Result<Webhook> {
    let (tenant, source) = match request.to {
        Destination::Own(tenant) => (Some(tenant), world.tenants[tenant].source.clone()),
        Destination::Shared(tenant) => (tenant, world.shared.clone()),
        Destination::Forged(tenant) => {
            let source_id = world.tenants[tenant].source.source_id;
            (Some(tenant), Source { source_id, secret: "not-the-secret".into() })
        }
    };
    let tenant_id = tenant.map_or(TenantId::INSTALLATION, |nth| world.tenants[nth].tenant_id);
    let key = world.keyring.digest_key(tenant_id).await?;
    let Request { to, body, kind, is_broken } = request;
    let translated = Provider::Vapi.adapter().translate(&body, Some("US"));
    let Ok(translation) = translated else {
        anyhow::ensure!(is_broken, "a {kind} webhook of the workload cannot be read");
        let (name, required) = ((tenant, key.digest(&body)), RequiredResult::Refused(400));
        let (events, is_one_append, kept) = (0, true, None);
        return Ok(Webhook { name, source, body, kind, events, is_one_append, required, kept });
    };
    let required = match to {
        Destination::Forged(_) => RequiredResult::Refused(401),
        Destination::Shared(None) => RequiredResult::Quarantined,
        _ if translation.is_telemetry => RequiredResult::Ignored,
        _ => RequiredResult::Stored,
    };
    let raw = translation.drafts.iter().find_map(|draft| draft.sections.raw.as_deref());
    let kept = raw.map(|raw| digest(&SHA256, raw).as_ref().try_into().expect("32 bytes"));
    let events = if required == RequiredResult::Stored { translation.drafts.len() } else { 0 };
    let is_one_append = !translation.drafts.iter().any(is_answered_tool);
    let content = digest(&SHA256, &translation.canonical);
    let name = (tenant, key.digest(content.as_ref()));
    Ok(Webhook { name, source, body, kind, events, is_one_append, required, kept })
}

/// Whether a draft is a call of a tool that the ledger answers itself.
fn is_answered_tool(draft: &Draft) -> bool {
    matches!(&draft.event, CallEvent::ToolCalled(called) if Tool::of(&called.tool.tool).is_some())
}
