//! The five webhook figures that dashboards of the replaced systems request.

use ledger_store::source::RouteKind;
use ledger_tests::fixtures::Message;
use ledger_tests::{OwnDatabase, TestLedger, messages, run};
use reqwest::Method;
use serde_json::{Value, json};

use super::{SHARED_SECRET, SourceSetup, command};
use crate::bad_input::problem;

async fn ask(setup: &SourceSetup, key: &str, path: &str) -> Value {
    let (status, answer) = setup.tenant.get_with(key, &format!("/v1/webhook-metrics/{path}")).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

async fn setup() -> (TestLedger, SourceSetup) {
    let own = OwnDatabase::create().await;
    let ledger = own.server().await;
    let setup = SourceSetup::build(own, &ledger).await;
    (ledger, setup)
}

#[test]
fn every_failure_is_listed_with_its_reason() {
    run(async {
        let (ledger, setup) = setup().await;
        let tenant = &setup.tenant;
        for _ in 0..60 {
            assert_eq!(tenant.post("{").await.0, 400);
        }
        assert_eq!(tenant.post("[]").await.0, 400);
        for secret in ["wrong", "also wrong"] {
            let request = tenant.webhook_at(tenant.source_id, secret, "{}");
            assert_eq!(request.send().await.expect("an answer").status(), 401);
        }
        tenant.post_ok(messages::report("fine").to_string()).await;
        let (mut seen, mut path) = (Vec::new(), "recent-failures?limit=1".to_owned());
        loop {
            let page = ask(&setup, &setup.admin, &path).await;
            seen.extend(page["data"].as_array().expect("a page has data").clone());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("recent-failures?limit=1&cursor={cursor}");
        }
        assert!(seen.is_sorted_by(|a, b| a["last_at"].as_str() >= b["last_at"].as_str()));
        let sum = |kind: &str, outcome: &str, reason: &str| -> i64 {
            let like = seen.iter().filter(|one| {
                (&one["type"], &one["outcome"], &one["reason"])
                    == (&json!(kind), &json!(outcome), &json!(reason))
            });
            like.map(|one| one["count"].as_i64().expect("a number")).sum()
        };
        assert_eq!(sum("unparsable", "refused", "body-not-json"), 60);
        assert_eq!(sum("unparsable", "refused", "unrecognized-message"), 1);
        assert_eq!(sum("unauthenticated", "refused", "signature-invalid"), 2);
        let all: i64 = seen.iter().map(|one| one["count"].as_i64().expect("a number")).sum();
        assert_eq!(all, 63, "{seen:?}");

        let stats = ask(&setup, &setup.admin, "delivery-stats").await;
        assert_eq!((&stats["received"], &stats["refused"]), (&json!(64), &json!(63)));
        // Only authenticated ones count: one success of 62.
        let rate = stats["success_rate"].as_f64().expect("a rate");
        assert!((rate - 1.0 / 62.0).abs() < 1e-12, "{rate}");
        assert_eq!(stats["by_source"][0]["source_id"], json!(tenant.source_id));
        assert_eq!(stats["by_source"][0]["received"], 64);
        let health = ask(&setup, &setup.admin, "queue-health").await;
        assert_eq!((&health["status"], &health["failed_this_hour"]), (&json!("ok"), &json!(0)));
        ledger.stop().await;
    });
}

#[test]
fn a_range_without_webhooks_has_zeros_and_no_rate() {
    run(async {
        let (ledger, setup) = setup().await;
        setup.tenant.post_ok(messages::report("now").to_string()).await;
        let path = "delivery-stats?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z";
        let stats = ask(&setup, &setup.admin, path).await;
        assert_eq!((&stats["received"], &stats["success_rate"]), (&json!(0), &Value::Null));
        assert_eq!(stats["from"], "2020-01-01T00:00:00Z");
        assert_eq!(ask(&setup, &setup.admin, "delivery-stats").await["success_rate"], 1.0);
        ledger.stop().await;
    });
}

#[test]
fn the_installation_lists_the_quarantine_and_a_retry_removes_an_entry() {
    run(async {
        let (ledger, setup) = setup().await;
        let tenant = &setup.tenant;
        let body = Message::report("waits").call_field("assistantId", json!("assistant-1")).body();
        let request = tenant.webhook_at(setup.shared, SHARED_SECRET, body);
        assert_eq!(request.send().await.expect("an answer").status(), 202);

        let health = ask(&setup, &setup.installation, "queue-health").await;
        assert_eq!(health["status"], "attention");
        assert_eq!(health["reasons"], json!(["quarantine-waiting"]));
        assert_eq!(health["quarantine_waiting"], 1);
        assert!(health["oldest_waiting_at"].is_string() && health["waiting_appends"].is_i64());
        let health = ask(&setup, &setup.admin, "queue-health").await;
        assert_eq!(
            (&health["quarantine_waiting"], &health["waiting_appends"]),
            (&json!(0), &Value::Null)
        );

        let queue = ask(&setup, &setup.installation, "dead-letter-queue").await;
        assert_eq!(queue["data"][0]["kind"], "quarantine");
        let id = queue["data"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(ask(&setup, &setup.admin, "dead-letter-queue").await["data"], json!([]));
        let path = format!("/v1/webhook-metrics/retry-failed/{id}");
        let retry = async |key: &str| command(tenant, key, Method::POST, &path, "").await;
        let (status, answer) = retry(&setup.admin).await;
        assert_eq!((status, &answer["code"]), (404, &json!("quarantine-entry-not-found")));
        assert_eq!(retry(&setup.installation).await.0, 409);

        let (store, kind) = (&tenant.store, RouteKind::AssistantId);
        let added = store.add_route(tenant.tenant_id, setup.shared, kind, "assistant-1").await;
        added.expect("a route");
        let (status, first) = retry(&setup.installation).await;
        assert_eq!((status, &first["status"]), (200, &json!("recorded")), "{first}");
        assert_eq!(retry(&setup.installation).await.1["status"], "duplicate");
        let queue = ask(&setup, &setup.installation, "dead-letter-queue").await;
        assert_eq!(queue["data"], json!([]));
        // It was one webhook, counted by its first response.
        let figures = ask(&setup, &setup.installation, "delivery-stats").await;
        assert_eq!((&figures["received"], &figures["quarantined"]), (&json!(1), &json!(1)));
        assert_eq!(tenant.calls().await.len(), 1);
        ledger.stop().await;
    });
}

#[test]
fn one_tenants_figures_include_nothing_of_another() {
    run(async {
        let (ledger, setup) = setup().await;
        let other = ledger.tenant().await;
        other.post_ok(messages::report("theirs").to_string()).await;
        assert_eq!(other.post("{").await.0, 400);
        for key in [&setup.admin, &setup.installation] {
            assert_eq!(ask(&setup, key, "delivery-stats").await["received"], 0);
            assert_eq!(ask(&setup, key, "recent-failures").await["data"], json!([]));
            assert_eq!(ask(&setup, key, "queue-health").await["last_received_at"], Value::Null);
        }
        let key = ledger.key(other.tenant_id, &["admin"]).await;
        let health = ask(&setup, &key, "queue-health").await;
        assert!(health["last_received_at"].is_string());
        assert_eq!(health["projections"][0]["projection"], "calls");
        let wrong = setup.tenant.request(&key, "/v1/webhook-metrics/queue-health?range=24h").send();
        problem(wrong.await.expect("an answer"), 400, "unknown-parameter").await;
        ledger.stop().await;
    });
}
