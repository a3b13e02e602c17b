//! Generated histories: partial, late, repeated, unordered and corrected reports of calls around
//! changes of the clock. The same seed gives the same history.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use fastrand::Rng;
use ledger_tests::fixtures::{self, Message};
use ledger_tests::{TestLedger, TestTenant};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A time zone and its changes of the clock.
struct Zone {
    name: &'static str,
    turns: [&'static str; 2],
}

/// Changes by one hour, by half an hour, at one minute past midnight, and none.
const ZONES: [Zone; 4] = [
    Zone { name: "America/New_York", turns: ["2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"] },
    Zone { name: "Australia/Lord_Howe", turns: ["2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"] },
    Zone { name: "America/St_Johns", turns: ["2010-03-14T03:31:00Z", "2010-11-07T02:31:00Z"] },
    Zone { name: "Asia/Kathmandu", turns: ["2026-01-31T18:15:00Z", "2026-02-01T18:15:00Z"] },
];
/// Agents, ended reasons, tools and other values of the calls.
const AGENTS: [&str; 3] = ["agent-a", "agent-b", "agent\t\\c\"{é}"];
const REASONS: [&str; 5] = [
    "customer-ended-call",
    "assistant-forwarded-call",
    "voicemail",
    "silence-timed-out",
    "said \\N or \"nothing\", then left",
];
const TOOLS: [&str; 4] = ["book", "cancel", "look, \"up\"", "\\N"];
const TYPES: [&str; 3] = ["inboundPhoneCall", "outboundPhoneCall", "webCall"];
const STATUSES: [&str; 5] = ["queued", "ringing", "in-progress", "forwarding", "ended"];

/// A tenant and the time zone of its sums.
pub(super) struct TenantHistory {
    pub(super) tenant: TestTenant,
    pub(super) zone: Tz,
}

/// Creates a tenant in each zone, each with its own history.
pub(super) async fn tenants_with_histories(ledger: &TestLedger, seed: u64) -> Vec<TenantHistory> {
    let mut rng = Rng::with_seed(seed);
    let mut all = Vec::new();
    for zone in &ZONES {
        let tenant = ledger.tenant_in_zone(zone.name).await;
        let bodies = history(&mut rng, zone, 8);
        post_some_concurrently(&tenant, &mut rng, bodies).await;
        all.push(TenantHistory { tenant, zone: zone.name.parse().expect("a zone") });
    }
    all
}

/// Returns messages about more calls of a tenant, some of which are already known.
pub(super) fn more(rng: &mut Rng, tenant: &TenantHistory, calls: usize) -> Vec<String> {
    let zone = ZONES.iter().find(|zone| zone.name == tenant.zone.name()).expect("one of ours");
    history(rng, zone, calls)
}

/// Posts the bodies, some of them concurrently.
pub(super) async fn post_some_concurrently(
    tenant: &TestTenant,
    rng: &mut Rng,
    bodies: Vec<String>,
) {
    let mut bodies = bodies.into_iter().peekable();
    while bodies.peek().is_some() {
        let mut posts = JoinSet::new();
        for body in bodies.by_ref().take(rng.usize(1..8)) {
            let request = tenant.webhook(body);
            posts.spawn(async move { request.send().await.expect("an answer").status() });
        }
        let statuses = posts.join_all().await;
        assert!(statuses.iter().all(|status| !status.is_server_error()), "{statuses:?}");
    }
}

/// Returns the bodies of some calls, in random order and some of them twice.
fn history(rng: &mut Rng, zone: &Zone, calls: usize) -> Vec<String> {
    let mut bodies: Vec<String> = (0..calls).flat_map(|nth| call(rng, zone, nth)).collect();
    for _ in 0..bodies.len() / 4 {
        bodies.push(rng.choice(&bodies).expect("there are some").clone());
    }
    rng.shuffle(&mut bodies);
    bodies
}

/// The messages about one call: a random subset, with or without a report and corrections.
fn call(rng: &mut Rng, zone: &Zone, nth: usize) -> Vec<String> {
    let id = format!("call-{nth}");
    let began = moment(rng, zone);
    let mut all: Vec<Message> = Vec::new();
    for (status, second) in STATUSES.into_iter().zip([0, 2, 5, 60, 90]) {
        if rng.bool() {
            all.push(Message::status(
                &id,
                status,
                (began + TimeDelta::seconds(second)).timestamp_millis(),
            ));
        }
    }
    if rng.bool() {
        let tools = [("t-1", *pick(rng, &TOOLS)), ("t-2", *pick(rng, &TOOLS))];
        all.push(
            Message::tools(&id, &tools[..rng.usize(1..=2)]).field("timestamp", millis(began, 20)),
        );
    }
    if rng.bool() {
        let said = Message::new("transcript", &id).field("role", json!("user"));
        all.push(
            said.field("transcript", json!("A time, please.")).field("timestamp", millis(began, 9)),
        );
    }
    if rng.u8(..) < 64 {
        all.push(Message::new("transfer-update", &id).field("timestamp", millis(began, 70)));
    }
    // Corrections have a later, an equal or an earlier time than what they correct.
    for second in [120, 180, 180].into_iter().take(rng.usize(0..=3)) {
        all.push(report(rng, &id, began).field("timestamp", millis(began, second)));
    }
    let mut bodies: Vec<String> =
        all.into_iter().map(|message| snapshot(rng, message).body()).collect();
    if rng.bool() {
        bodies.push(sample(rng, &id));
    }
    bodies
}

/// A random time around a change of the clock.
fn moment(rng: &mut Rng, zone: &Zone) -> DateTime<Utc> {
    let turn: DateTime<Utc> = pick(rng, &zone.turns).parse().expect("a time");
    turn + TimeDelta::milliseconds(rng.i64(-5_400_000..5_400_000))
}

fn millis(began: DateTime<Utc>, second: i64) -> i64 {
    (began + TimeDelta::seconds(second)).timestamp_millis()
}

fn pick<'t, T>(rng: &mut Rng, of: &'t [T]) -> &'t T {
    &of[rng.usize(..of.len())]
}

/// Adds the embedded call object: not always equal, and not always complete.
fn snapshot(rng: &mut Rng, message: Message) -> Message {
    let message = if rng.u8(..) < 200 {
        message.call_field("type", json!(pick(rng, &TYPES)))
    } else {
        message
    };
    let message = match rng.u8(..4) {
        0 => message,
        _ => message.call_field("assistantId", json!(pick(rng, &AGENTS))),
    };
    let message = match rng.u8(..3) {
        0 => message.field("customer", json!({ "number": format!("+1555010{:04}", rng.u8(..20)) })),
        1 => message.field("customer", json!({ "name": "Ada" })),
        _ => message,
    };
    let is_test = rng.u8(..) < 12;
    if is_test { message.call_field("metadata", json!({ "isTest": true })) } else { message }
}

fn report(rng: &mut Rng, id: &str, began: DateTime<Utc>) -> Message {
    let lasted = TimeDelta::milliseconds(rng.i64(0..900_000));
    let mut report = Message::report(id)
        .field("startedAt", json!(began.to_rfc3339()))
        .field("endedAt", json!((began + lasted).to_rfc3339()));
    if rng.u8(..) < 220 {
        report = report.field("endedReason", json!(pick(rng, &REASONS)));
    }
    if rng.u8(..) < 220 {
        // As many digits as providers have sent, and more than are stored.
        let parts = (rng.u32(..2_000_000), rng.u32(..900_000_000));
        let breakdown = format!(r#"{{"stt":0.0{},"llm":0.{:09},"vapi":0.05}}"#, parts.0, parts.1);
        report = report.field("cost", format!("{}.{:010}", rng.u8(..3), rng.u32(..)));
        report = report.field("costBreakdown", breakdown);
    }
    if rng.bool() {
        report = report.field("analysis", json!({ "successEvaluation": rng.bool().to_string() }));
    }
    if rng.bool() {
        let uses = [pick(rng, &TOOLS), pick(rng, &TOOLS)].map(|tool| {
            json!({ "role": "tool_calls",
                    "toolCalls": [{ "id": format!("t-{}", rng.u8(1..4)), "type": "function",
                                    "function": { "name": tool, "arguments": "{}" } }] })
        });
        let metrics = json!({ "turnLatencyAverage": 700 + rng.u32(..400), "numUserInterrupted": rng.u8(..4),
                              "numAssistantInterrupted": rng.u8(..4) });
        report =
            report.field("artifact", json!({ "messages": uses, "performanceMetrics": metrics }));
    }
    report
}

/// A real captured body, changed to this call if it is about one.
fn sample(rng: &mut Rng, id: &str) -> String {
    let names = [fixtures::names("vapi"), fixtures::names("vapi-legacy")].concat();
    let body = String::from_utf8(fixtures::bytes(pick::<String>(rng, &names))).expect("text");
    let tree: Value = serde_json::from_str(&body).expect("JSON");
    let own =
        [&tree["message"]["call"]["id"], &tree["call"]["id"]].into_iter().find_map(Value::as_str);
    own.map_or(body.clone(), |own| body.replace(own, id))
}
