//! Rotation of source secrets.

use std::time::{Duration, Instant};

use ledger_core::ids::TenantId;
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, messages, run};
use reqwest::Method;
use serde_json::{Value, json};

use super::send;
use crate::bad_input::problem;

async fn rotate(tenant: &TestTenant, key: &str, body: &Value) -> Value {
    let path = format!("/v1/sources/{}/rotate-secret", tenant.source_id);
    let answer = send(tenant, key, Method::POST, &path, &body.to_string()).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("ledger-position"));
    answer.json().await.expect("JSON")
}

async fn post(tenant: &TestTenant, secret: &str, body: &str) -> u16 {
    let request = tenant.webhook_at(tenant.source_id, secret, body.to_owned());
    request.send().await.expect("an answer").status().as_u16()
}

fn secret(rotated: &Value) -> &str {
    rotated["secret"].as_str().expect("a secret")
}

#[test]
fn two_secrets_are_accepted_while_a_rotation_overlaps_and_one_otherwise() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let body = messages::report("rotated").to_string();
        assert_eq!(post(&tenant, &tenant.secret, &body).await, 200, "the source is remembered");

        let first = rotate(&tenant, &admin, &json!({ "overlap_seconds": 3600 })).await;
        assert!(first["old_secret_until"].is_string(), "{first}");
        assert_eq!(first["source_id"], tenant.source_id.to_string());
        assert!(secret(&first).len() >= 32);
        assert_eq!(post(&tenant, secret(&first), &body).await, 200);
        assert_eq!(post(&tenant, &tenant.secret, &body).await, 200, "until then");
        assert_eq!(post(&tenant, "neither-of-the-two", &body).await, 401);

        let second = rotate(&tenant, &admin, &json!({ "overlap_seconds": 3600 })).await;
        assert_eq!(post(&tenant, &tenant.secret, &body).await, 401, "two, never three");
        assert_eq!(post(&tenant, secret(&first), &body).await, 200);

        let third = rotate(&tenant, &admin, &json!({ "secret": "a-secret-of-our-own" })).await;
        assert_eq!(
            (&third["secret"], &third["old_secret_until"]),
            (&json!("a-secret-of-our-own"), &Value::Null)
        );
        for old in [&first, &second] {
            assert_eq!(post(&tenant, secret(old), &body).await, 401, "it is refused at once");
        }
        assert_eq!(post(&tenant, "a-secret-of-our-own", &body).await, 200);

        let facts = tenant.facts_of("tenant.source_secret_rotated").await;
        assert_eq!(facts.len(), 3);
        assert_eq!(facts[0]["old_secret_until"], first["old_secret_until"]);
        assert_eq!(facts[2], json!({ "source_id": tenant.source_id.to_string() }));
        assert!(!facts.iter().any(|fact| fact.to_string().contains(secret(&first))));
    });
}

#[test]
fn an_overlap_ends_by_itself() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let body = messages::report("overlap").to_string();
        let rotated = rotate(&tenant, &admin, &json!({ "overlap_seconds": 1 })).await;
        assert_eq!(post(&tenant, &tenant.secret, &body).await, 200);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(post(&tenant, &tenant.secret, &body).await, 401);
        assert_eq!(post(&tenant, secret(&rotated), &body).await, 200);
        let (_, page) = tenant.get_with(&admin, "/v1/sources").await;
        assert_eq!(page["data"][0]["old_secret_until"], Value::Null, "it has passed");
    });
}

#[test]
fn another_server_refuses_an_old_secret_within_seconds() {
    run(async {
        let own = OwnDatabase::create().await;
        let (ledger, other) = (own.server().await, own.server().await);
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let beside = tenant.through(&other);
        let body = messages::report("elsewhere").to_string();
        assert_eq!(post(&beside, &tenant.secret, &body).await, 200);
        rotate(&tenant, &admin, &json!({})).await;
        let begun = Instant::now();
        while post(&beside, &tenant.secret, &body).await != 401 {
            assert!(begun.elapsed() < Duration::from_secs(6), "the documented lifetime is 5 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ledger.stop().await;
        other.stop().await;
    });
}

#[test]
fn an_invalid_or_foreign_rotation_changes_nothing() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let theirs = ledger.key(other.tenant_id, &["admin"]).await;
        let installation = ledger.key(TenantId::INSTALLATION, &["admin"]).await;
        let path = format!("/v1/sources/{}/rotate-secret", tenant.source_id);
        for (body, field) in [
            (json!({ "secret": "short" }), "/secret"),
            (json!({ "secret": "aaaaaaaaaaaaaaaaaaaaaaaa" }), "/secret"),
            (json!({ "secret": "abcdefghijklmnopqrstuvwx" }), "/secret"),
            (json!({ "overlap_seconds": -1 }), "/overlap_seconds"),
            (json!({ "overlap_seconds": 2_592_001 }), "/overlap_seconds"),
            (json!({ "overlap_seconds": 1.5 }), "/overlap_seconds"),
            (json!({ "overlap_seconds": "1" }), "/overlap_seconds"),
            (json!({ "overlap": 1 }), "/overlap"),
        ] {
            let refused = send(&tenant, &admin, Method::POST, &path, &body.to_string()).await;
            assert_eq!(refused.status(), 422, "{body}");
            let answer: Value = refused.json().await.expect("JSON");
            assert_eq!(answer["errors"][0]["pointer"], field, "{body}");
            assert!(!answer.to_string().contains("aaaa"), "a secret is never quoted");
        }
        for key in [&theirs, &installation] {
            problem(send(&tenant, key, Method::POST, &path, "").await, 404, "source-not-found")
                .await;
        }
        problem(send(&tenant, &tenant.key, Method::POST, &path, "").await, 403, "scope-missing")
            .await;
        let body = messages::report("unchanged").to_string();
        assert_eq!(post(&tenant, &tenant.secret, &body).await, 200);
        assert!(tenant.facts_of("tenant.source_secret_rotated").await.is_empty());
    });
}
