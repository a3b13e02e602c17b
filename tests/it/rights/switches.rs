//! Sources that are disabled, enabled and changed.

use std::time::{Duration, Instant};

use ledger_core::ids::TenantId;
use ledger_store::tenants::TenantState;
use ledger_tests::{OwnDatabase, TestLedger, messages, run};
use reqwest::Method;
use serde_json::{Value, json};

use super::{command, send, set_state};
use crate::bad_input::problem;

#[test]
fn a_disabled_source_answers_like_an_unknown_one_until_it_is_enabled() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let body = messages::report("switched").to_string();
        let recorded = tenant.post_ok(body.clone()).await;
        let path = format!("/v1/sources/{}", tenant.source_id);

        let disabled = send(&tenant, &admin, Method::POST, &format!("{path}/disable"), "").await;
        assert!(disabled.headers().contains_key("ledger-position"));
        let disabled: Value = disabled.json().await.expect("JSON");
        assert!(disabled["disabled_at"].is_string(), "{disabled}");
        let refused = tenant.webhook(body.clone()).send().await.expect("an answer");
        problem(refused, 404, "source-not-found").await;
        let again = send(&tenant, &admin, Method::POST, &format!("{path}/disable"), "").await;
        assert!(!again.headers().contains_key("ledger-position"), "it was disabled before");
        assert_eq!(again.json::<Value>().await.expect("JSON"), disabled);

        let (status, enabled) =
            command(&tenant, &admin, Method::POST, &format!("{path}/enable")).await;
        assert_eq!((status, &enabled["disabled_at"]), (200, &Value::Null));
        assert_eq!(tenant.post_ok(body).await["position"], recorded["position"]);
        let id = json!({ "source_id": tenant.source_id.to_string() });
        assert_eq!(tenant.facts_of("tenant.source_disabled").await, std::slice::from_ref(&id));
        assert_eq!(tenant.facts_of("tenant.source_enabled").await, [id]);
    });
}

#[test]
fn a_source_of_a_frozen_tenant_is_disabled_and_not_enabled() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        set_state(&ledger.store, tenant.tenant_id, TenantState::Frozen).await;
        let path = format!("/v1/sources/{}", tenant.source_id);
        assert_eq!(command(&tenant, &admin, Method::POST, &format!("{path}/disable")).await.0, 200);
        let refused = send(&tenant, &admin, Method::POST, &format!("{path}/enable"), "").await;
        problem(refused, 403, "tenant-not-active").await;
        let name = send(&tenant, &admin, Method::PATCH, &path, "{\"name\":\"x\"}").await;
        problem(name, 403, "tenant-not-active").await;
        assert_eq!(tenant.facts_of("tenant.source_disabled").await.len(), 1);
    });
}

#[test]
fn another_server_refuses_a_disabled_source_within_seconds() {
    run(async {
        let own = OwnDatabase::create().await;
        let (ledger, other) = (own.server().await, own.server().await);
        let tenant = ledger.tenant().await;
        let beside = tenant.through(&other);
        let body = messages::report("elsewhere").to_string();
        beside.post_ok(body.clone()).await;
        let author = ledger.store.operator();
        let disabled = ledger.store.switch_source(&author, None, tenant.source_id, false).await;
        disabled.expect("the source exists");
        let begun = Instant::now();
        while beside.post(body.clone()).await.0 != 404 {
            assert!(begun.elapsed() < Duration::from_secs(6), "the documented lifetime is 5 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ledger.stop().await;
        other.stop().await;
    });
}

#[test]
fn only_the_given_settings_of_a_source_change() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let path = format!("/v1/sources/{}", tenant.source_id);
        let set = async |body: Value| -> (u16, Value) {
            let sent = send(&tenant, &admin, Method::PATCH, &path, &body.to_string()).await;
            ledger_tests::ledger::status_and_json(sent).await
        };
        let telemetry = json!({ "message": { "type": "speech-update", "status": "started",
            "role": "user", "call": { "id": "telemetry" } } })
        .to_string();
        assert_eq!(tenant.post_ok(telemetry.clone()).await["status"], "ignored");
        let (status, source) =
            set(json!({ "name": "Front desk", "record_all": true, "assistant_id": "asst-1" }))
                .await;
        assert_eq!(status, 200, "{source}");
        assert_eq!(
            (&source["name"], &source["record_all"], &source["assistant_id"]),
            (&json!("Front desk"), &json!(true), &json!("asst-1"))
        );
        assert_eq!(tenant.post_ok(telemetry).await["status"], "recorded", "from now on");
        let (_, source) = set(json!({ "assistant_id": null })).await;
        assert_eq!(
            (&source["assistant_id"], &source["name"]),
            (&Value::Null, &json!("Front desk"))
        );
        assert_eq!(set(json!({ "name": "Front desk", "record_all": true })).await.0, 200);
        assert_eq!(set(json!({})).await.0, 200);
        let facts = tenant.facts_of("tenant.source_changed").await;
        let changed: Vec<_> = facts.iter().map(|fact| fact["changed"].clone()).collect();
        assert_eq!(
            changed,
            [json!(["name", "record_all", "assistant_id"]), json!(["assistant_id"])]
        );
        for (body, field) in [
            (json!({ "name": "" }), "/name"),
            (json!({ "record_all": "yes" }), "/record_all"),
            (json!({ "provider": "vapi" }), "/provider"),
            (json!({ "secret": "a-secret-of-our-own" }), "/secret"),
        ] {
            let (status, answer) = set(body.clone()).await;
            assert_eq!((status, &answer["errors"][0]["pointer"]), (422, &json!(field)), "{body}");
        }
    });
}

#[test]
fn another_tenants_source_is_not_found_and_the_installation_can_only_disable_it() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        let theirs = ledger.key(other.tenant_id, &["admin"]).await;
        let installation = ledger.key(TenantId::INSTALLATION, &["admin"]).await;
        let path = format!("/v1/sources/{}", tenant.source_id);
        let acts = [
            (Method::PATCH, path.clone(), "{}"),
            (Method::POST, format!("{path}/enable"), ""),
            (Method::POST, format!("{path}/disable"), ""),
        ];
        for (method, path, body) in &acts {
            let refused = send(&tenant, &theirs, method.clone(), path, body).await;
            problem(refused, 404, "source-not-found").await;
            let missing = path.replace(&tenant.source_id.to_string(), "not-an-id");
            let missing = send(&tenant, &theirs, method.clone(), &missing, body).await;
            problem(missing, 404, "source-not-found").await;
        }
        for (method, path, body) in &acts[..2] {
            let refused = send(&tenant, &installation, method.clone(), path, body).await;
            problem(refused, 404, "source-not-found").await;
        }
        assert_eq!(tenant.post(messages::report("still").to_string()).await.0, 200);
        let (status, _) = command(&tenant, &installation, Method::POST, &acts[2].1).await;
        assert_eq!(status, 200);
        assert_eq!(tenant.post(messages::report("no more").to_string()).await.0, 404);
        assert_eq!(tenant.facts_of("tenant.source_disabled").await.len(), 1, "in the tenant's log");
    });
}
