//! The webhook counts equal what was sent.

use std::time::{Duration, Instant};

use ledger_core::ids::SourceId;
use ledger_tests::fixtures::{self, Message};
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, messages, run};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use server::limits::Limits;
use sqlx::Connection;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Figures, SHARED_SECRET, SourceSetup, listed};

/// Larger than every sample.
const MAX_BODY: usize = 100_000;
const POSTS: usize = 220;

/// Streaming telemetry: acknowledged and counted, not stored.
const TELEMETRY: [&str; 5] = [
    "vapi/conversation-update.webcall.json",
    "vapi/model-output.token.composed.json",
    "vapi/speech-update.started.webcall.json",
    "vapi/transcript.partial.user.docs.json",
    "vapi/voice-input.docs.json",
];

/// The webhooks sent and the expected counts.
#[derive(Default)]
struct Sent {
    expected: Figures,
    /// Samples that are in the tenant's log.
    known: Vec<String>,
}

impl Sent {
    fn count(&mut self, source_id: SourceId, kind: &str, outcome: &'static str) {
        *self.expected.entry((source_id, kind.to_owned(), outcome)).or_default() += 1;
    }

    /// Returns a random webhook and adds its expected count.
    fn any(
        &mut self,
        setup: &SourceSetup,
        tenant: &TestTenant,
        dice: &mut fastrand::Rng,
    ) -> RequestBuilder {
        let own = tenant.source_id;
        let samples = fixtures::names("vapi");
        let name = &samples[dice.usize(..samples.len())];
        match dice.u32(..12) {
            0 => {
                self.count(own, "unparsable", "refused");
                let broken = ["{", "", "[1]", "{\"message\":7}", "null"];
                tenant.webhook(broken[dice.usize(..broken.len())])
            }
            1 => {
                self.count(own, "unauthenticated", "refused");
                tenant.webhook_at(own, "wrong", fixtures::bytes(name))
            }
            2 => {
                self.count(own, "incomplete", "refused");
                tenant.webhook(" ".repeat(MAX_BODY + 1))
            }
            3 => {
                self.count(own, "other", "recorded");
                let kind = format!("made-up-{}", dice.u64(..));
                tenant.webhook(messages::message("c", &kind, &json!({})).to_string())
            }
            4 | 5 => {
                let is_telemetry = TELEMETRY.contains(&name.as_str());
                let outcome = if is_telemetry { "ignored" } else { "quarantined" };
                self.count(setup.shared, &kind_of(name), outcome);
                tenant.webhook_at(setup.shared, SHARED_SECRET, fixtures::bytes(name))
            }
            _ => {
                self.count(own, &kind_of(name), self.outcome(name));
                self.known.push(name.clone());
                tenant.webhook(fixtures::bytes(name))
            }
        }
    }

    fn outcome(&self, name: &String) -> &'static str {
        match () {
            () if TELEMETRY.contains(&name.as_str()) => "ignored",
            () if self.known.contains(name) => "duplicate",
            () => "recorded",
        }
    }
}

fn kind_of(name: &str) -> String {
    match fixtures::json(name)["message"]["type"].as_str() {
        Some(kind) => kind.to_owned(),
        None if name.starts_with("vapi/api-") => "call-object".to_owned(),
        None => fixtures::json(name)["type"].as_str().expect("a type").to_owned(),
    }
}

/// Sends webhooks concurrently: one of several equal ones is recorded, whichever was first.
async fn send_many(
    sent: &mut Sent,
    setup: &SourceSetup,
    ledger: &TestLedger,
    dice: &mut fastrand::Rng,
) {
    let tenant = setup.tenant.through(ledger);
    let mut posts = JoinSet::new();
    for _ in 0..POSTS {
        let request = sent.any(setup, &tenant, dice);
        posts.spawn(async move { request.send().await.expect("an answer").status().as_u16() });
        if posts.len() == 6 {
            posts.join_next().await.expect("there are some").expect("an answer");
        }
    }
    posts.join_all().await;
}

#[test]
fn every_webhook_is_counted_once_with_type_and_outcome_at_any_server() {
    run(async {
        let own = OwnDatabase::create().await;
        let limits = Limits::with_max_body(MAX_BODY);
        let ledger = own.server_with_limits(limits).await;
        let mut setup = SourceSetup::build(own, &ledger).await;
        let (mut sent, mut dice) = (Sent::default(), fastrand::Rng::with_seed(7));

        send_many(&mut sent, &setup, &ledger, &mut dice).await;
        assert_eq!(setup.figures("").await, sent.expected, "while it runs");
        send_many(&mut sent, &setup, &ledger, &mut dice).await;
        ledger.stop().await;

        let ledger = setup.own.server_with_limits(limits).await;
        setup.tenant = setup.tenant.through(&ledger);
        assert_eq!(setup.figures("").await, sent.expected, "after a stop and a start");
        let beside = setup.own.server_with_limits(limits).await;
        send_many(&mut sent, &setup, &ledger, &mut dice).await;
        send_many(&mut sent, &setup, &beside, &mut dice).await;
        beside.stop().await;
        assert_eq!(setup.figures("").await, sent.expected, "with another server beside it");

        let hours: Vec<Value> =
            listed(&setup.tenant, &setup.admin, "?to=2020-01-01T00:00:00Z").await;
        assert!(hours.iter().all(|source| source["received"] == 0), "{hours:?}");
        let since = setup.figures("?from=2020-01-01T00:00:00Z").await;
        assert_eq!(since, sent.expected);
        ledger.stop().await;
    });
}

#[test]
fn the_metric_equals_the_counts() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        let mut sent = Sent::default();
        for _ in 0..3 {
            setup.tenant.post_ok(messages::report("metric").to_string()).await;
            setup
                .tenant
                .webhook_at(setup.tenant.source_id, "no", "{}")
                .send()
                .await
                .expect("served");
        }
        sent.count(setup.tenant.source_id, "end-of-call-report", "recorded");
        sent.expected
            .insert((setup.tenant.source_id, "end-of-call-report".to_owned(), "duplicate"), 2);
        sent.expected.insert((setup.tenant.source_id, "unauthenticated".to_owned(), "refused"), 3);
        assert_eq!(setup.figures("").await, sent.expected);
        let url = setup.tenant.url("/metrics");
        let metrics = reqwest::get(url).await.expect("an answer").text().await.expect("a text");
        for ((_, kind, outcome), count) in &sent.expected {
            let series = format!(
                "ledger_webhooks_total{{provider=\"vapi\",kind=\"{kind}\",outcome=\"{outcome}\"}} "
            );
            let served = metrics.lines().find_map(|line| line.strip_prefix(&series));
            let served: i64 = served.and_then(|served| served.parse().ok()).expect("the series");
            // Other tests of the process add to these metrics, too.
            assert!(served >= *count, "{series}{served}");
        }
        ledger.stop().await;
    });
}

#[test]
fn a_tool_call_answered_with_a_failure_is_counted_as_failed() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        let tenant = &setup.tenant;
        tenant.settle().await;
        let mut conn = setup.own.superuser().await;
        let mut held = conn.begin().await.expect("a transaction");
        let lock = sqlx::query("select from ledger.tenants for update");
        lock.execute(&mut *held).await.expect("the tenant is held, so that appends wait");
        // Answered within a second, even while the ledger is blocked.
        let asked = messages::message("asked", "assistant-request", &json!({})).to_string();
        assert!(tenant.post_ok(asked.clone()).await["error"].is_string());
        held.rollback().await.expect("let go");
        let mut expected = Sent::default();
        expected.count(tenant.source_id, "assistant-request", "failed");
        assert_eq!(setup.figures("").await, expected.expected);
        ledger.stop().await;
    });
}

#[test]
fn a_disconnected_webhook_is_counted_once_and_may_be_recorded() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        let tenant = &setup.tenant;
        let unfinished = format!(
            "POST /ingest/{} HTTP/1.1\r\nhost: example.com\r\nx-vapi-secret: {}\r\n\
             content-length: 100\r\n\r\n{{",
            tenant.source_id, tenant.secret
        );
        let mut stream = TcpStream::connect(tenant.address).await.expect("a connection");
        stream.write_all(unfinished.as_bytes()).await.expect("it is open");
        drop(stream);
        let received = async || setup.figures("").await.values().sum::<i64>();
        until(async || received().await == 1).await;

        let mut conn = setup.own.superuser().await;
        let mut held = conn.begin().await.expect("a transaction");
        let lock = sqlx::query("select from ledger.tenants for update");
        lock.execute(&mut *held).await.expect("the tenant is held, so that appends wait");
        let body = messages::report("left").to_string();
        let left = tokio::spawn(tenant.webhook(body.clone()).send());
        setup.own.until_lock_wait().await;
        left.abort();
        until(async || received().await == 2).await;
        held.rollback().await.expect("let go");
        let again = tenant.post_ok(body).await["status"].as_str().expect("a word").to_owned();

        let key = |kind: &str, outcome| (tenant.source_id, kind.to_owned(), outcome);
        let figures = setup.figures("").await;
        assert_eq!(figures.values().sum::<i64>(), 3, "{figures:?}");
        let unread = ["refused", "failed"].map(|outcome| figures.get(&key("incomplete", outcome)));
        assert!(unread.contains(&Some(&1)), "{figures:?}");
        assert_eq!(figures[&key("end-of-call-report", "failed")], 1);
        assert_eq!(again, "duplicate", "it was recorded, though nobody heard so");
        assert_eq!(figures[&key("end-of-call-report", "duplicate")], 1);
        ledger.stop().await;
    });
}

/// Polls until a condition holds.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_mins(1), "it did not come about");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_webhook_beyond_the_body_budget_is_counted_as_failed() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger =
            own.server_with_limits(Limits { body_budget_kib: 0, ..Limits::default() }).await;
        let setup = SourceSetup::build(own, &ledger).await;
        let tenant = &setup.tenant;
        // The reserve of the budget accepts tool calls only.
        assert_eq!(tenant.post(messages::report("room").to_string()).await.0, 503);
        tenant.post_ok(Message::tools("room", &[("t-1", "book")]).body()).await;
        // Too large even for the reserve.
        assert_eq!(tenant.post(" ".repeat(1 << 20)).await.0, 503);
        let mut expected = Sent::default();
        expected.count(tenant.source_id, "end-of-call-report", "failed");
        expected.count(tenant.source_id, "tool-calls", "recorded");
        expected.count(tenant.source_id, "incomplete", "failed");
        assert_eq!(setup.figures("").await, expected.expected);
        ledger.stop().await;
    });
}

#[test]
fn an_inactive_tenant_refuses_and_counts() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        let freeze = "update ledger.tenants set state = 'frozen'";
        sqlx::query(freeze).execute(&mut setup.own.superuser().await).await.expect("frozen");
        assert_eq!(setup.tenant.post(messages::report("frozen").to_string()).await.0, 403);
        let mut expected = Sent::default();
        expected.count(setup.tenant.source_id, "end-of-call-report", "refused");
        assert_eq!(setup.figures("").await, expected.expected);
        ledger.stop().await;
    });
}
