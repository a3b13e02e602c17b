//! Queries by time of recording, with clock skew between two servers and slow large bodies: a
//! script that polls by `updatedAt` misses nothing, and the state as of a time is a prefix of the
//! log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ledger_core::clock::Clock;
use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};
use server::system::SystemClock;
use tokio::task::JoinSet;

/// A system clock with a constant error.
struct WrongClock(TimeDelta);

impl Clock for WrongClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.0
    }
}

/// Starts a server with a clock five seconds ahead.
async fn ahead() -> TestLedger {
    TestLedger::start_with_clock(WrongClock(TimeDelta::seconds(5))).await
}

/// Polls for calls updated after the newest time seen. Returns each call with the newest time it
/// had, and stops after two empty responses once `done` is set.
async fn poll(tenant: TestTenant, done: Arc<AtomicBool>) -> (BTreeMap<String, String>, usize) {
    let (mut seen, mut newest, mut answers) = (BTreeMap::new(), String::new(), 0);
    let mut idle = 0;
    while idle < 2 {
        let was_done = done.load(Ordering::SeqCst);
        let after =
            if newest.is_empty() { String::new() } else { format!("&updatedAtGt={newest}") };
        let page = tenant.get(&format!("/call?limit=1000{after}")).await;
        let calls = page.as_array().expect("a list");
        answers += calls.len();
        idle = if calls.is_empty() && was_done { idle + 1 } else { 0 };
        for call in calls {
            let text = |key: &str| call[key].as_str().expect("a text").to_owned();
            newest = newest.max(text("updatedAt"));
            seen.insert(text("id"), text("updatedAt"));
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    (seen, answers)
}

/// A report of a call of about `bytes` bytes.
fn report(call: &str, bytes: usize) -> String {
    Message::report(call).field("transcript", json!("x".repeat(bytes))).body()
}

#[test]
fn polling_by_the_newest_updated_time_misses_no_call_and_ends() {
    run(async {
        let shared = TestLedger::shared().await;
        let other = ahead().await;
        let tenant = shared.tenant().await;
        let there = tenant.through(&other);
        let done = Arc::new(AtomicBool::new(false));
        let scripts: Vec<_> = [&tenant, &there]
            .map(|server| tokio::spawn(poll(server.through(shared), Arc::clone(&done))))
            .into_iter()
            .collect();
        let sizes = [1_000, 1_000, 300_000, 1_000, 50_000, 2_000_000, 1_000];
        let mut posts = JoinSet::new();
        for worker in 0..6_usize {
            let server = if worker % 2 == 0 { &tenant } else { &there }
                .through(if worker % 2 == 0 { shared } else { &other });
            posts.spawn(async move {
                for nth in 0..21 {
                    let call = format!("c-{worker}-{nth}");
                    server.post_ok(Message::status(&call, "in-progress", 1).body()).await;
                    server.post_ok(report(&call, sizes[(worker + nth) % sizes.len()])).await;
                }
            });
        }
        while let Some(posted) = posts.join_next().await {
            posted.expect("all were taken");
        }
        tenant.settle().await;
        done.store(true, Ordering::SeqCst);
        let shown = tenant.get("/call?limit=1000").await;
        let text = |call: &Value, key: &str| call[key].as_str().expect("a text").to_owned();
        let calls = shown.as_array().expect("a list");
        assert_eq!(calls.len(), 6 * 21);
        let wanted: BTreeMap<String, String> =
            calls.iter().map(|call| (text(call, "id"), text(call, "updatedAt"))).collect();
        let times: BTreeSet<&String> = wanted.values().collect();
        assert_eq!(times.len(), wanted.len(), "no two calls have one time");
        for script in scripts {
            let (seen, answers) = script.await.expect("it ends");
            let missed: Vec<_> =
                wanted.iter().filter(|(id, at)| seen.get(*id) != Some(at)).collect();
            assert!(missed.is_empty(), "not seen as they are: {missed:?}");
            assert!(answers <= 2 * wanted.len(), "{answers} answers: each change at most once");
        }
        other.stop().await;
    });
}

#[test]
fn a_call_is_not_newer_than_its_updated_time() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        tenant.post_ok(report("g", 1)).await;
        tenant.settle().await;
        let call = tenant.get("/call").await[0].clone();
        for key in ["updatedAt", "createdAt"] {
            let at = call[key].as_str().expect("a time");
            let ask = async |end: &str| {
                let list = tenant.get(&format!("/call?{key}{end}={at}")).await;
                list.as_array().expect("a list").len()
            };
            assert_eq!((ask("Gt").await, ask("Ge").await), (0, 1), "{key}");
            assert_eq!((ask("Lt").await, ask("Le").await), (0, 1), "{key}");
        }
    });
}

#[test]
fn as_of_a_time_is_a_prefix_of_the_log_though_clocks_differ() {
    run(async {
        let shared = TestLedger::shared().await;
        let other = ahead().await;
        let tenant = shared.tenant().await;
        let there = tenant.through(&other);
        let tag = |nth: i64| {
            Message::status("c-1", "in-progress", 1_750_000_000_000 + nth)
                .call_field("assistantId", json!(format!("a-{nth}")))
        };
        for nth in 0..8 {
            let server = if nth % 2 == 0 { &there } else { &tenant };
            server.post_ok(tag(nth).body()).await;
        }
        let call = tenant.only_call().await;
        let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
        let events = tenant.get(&format!("{path}/events")).await;
        let events: Vec<(i64, DateTime<Utc>)> = events["data"]
            .as_array()
            .expect("a page")
            .iter()
            .map(|event| {
                let at = event["recorded_at"].as_str().expect("a time");
                (event["position"].as_i64().expect("one"), at.parse().expect("a time"))
            })
            .collect();
        assert!(events.windows(2).any(|two| two[0].1 > two[1].1), "clocks differ: {events:?}");
        for (_, time) in &events {
            let text = time.to_rfc3339_opts(SecondsFormat::Micros, true);
            let (status, then) =
                tenant.get_with(&tenant.key, &format!("{path}?as_of={text}")).await;
            // Each state includes everything before it and nothing recorded later.
            let known = events.iter().take_while(|(_, at)| at <= time).last();
            match known {
                Some((position, _)) => assert_eq!(then["position"], *position, "{text}"),
                None => assert_eq!(status, 404, "{text}"),
            }
        }
        let later = events.iter().map(|(_, at)| *at).max().expect("some");
        let text = later.to_rfc3339_opts(SecondsFormat::Micros, true);
        assert_eq!(tenant.get(&format!("{path}?as_of={text}")).await, tenant.get(&path).await);
        other.stop().await;
    });
}

#[test]
fn as_of_a_time_uses_the_marks_of_a_long_log() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for nth in 0..300 {
            tenant
                .post_ok(Message::status(&format!("c-{}", nth % 3), "in-progress", nth).body())
                .await;
        }
        tenant.settle().await;
        let calls = tenant.calls().await;
        assert_eq!(calls.len(), 3);
        for call in calls {
            let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
            let events = tenant.get(&format!("{path}/events?limit=200")).await;
            for event in events["data"].as_array().expect("a page").iter().step_by(9) {
                let at = event["recorded_at"].as_str().expect("a time");
                let then = tenant.get(&format!("{path}?as_of={at}")).await;
                assert_eq!(then["position"], event["position"]);
            }
        }
    });
}
