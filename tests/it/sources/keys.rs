//! `/v1/keys`: issue, list and revoke API keys.

use std::time::{Duration, Instant};

use ledger_core::ids::TenantId;
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, run};
use reqwest::Method;
use serde_json::{Value, json};

use super::{command, send};
use crate::bad_input::problem;

async fn issue(tenant: &TestTenant, key: &str, scopes: &Value) -> (u16, Value) {
    let body = json!({ "scopes": scopes, "name": "From a test" }).to_string();
    command(tenant, key, Method::POST, "/v1/keys", &body).await
}

async fn revoke(tenant: &TestTenant, key: &str, key_id: &str) -> u16 {
    let path = format!("/v1/keys/{key_id}");
    send(tenant, key, Method::DELETE, &path, "").await.status().as_u16()
}

async fn keys(tenant: &TestTenant, key: &str) -> Vec<Value> {
    let (status, page) = tenant.get_with(key, "/v1/keys?limit=200").await;
    assert_eq!(status, 200, "{page}");
    page["data"].as_array().expect("a page has data").clone()
}

#[test]
fn a_key_is_returned_once_and_is_refused_after_its_revocation() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["personal", "admin"]).await;
        let (status, made) = issue(&tenant, &admin, &json!(["read", "personal"])).await;
        assert_eq!(status, 201, "{made}");
        let (key, key_id) = (made["api_key"].as_str(), made["key_id"].as_str());
        let (key, key_id) = (key.expect("a key"), key_id.expect("an id"));
        assert_eq!(tenant.get_with(key, "/v1/calls").await.0, 200);
        assert_eq!(tenant.get_with(key, "/v1/keys").await.0, 403);

        let listed = keys(&tenant, &admin).await;
        assert_eq!(listed[0]["key_id"], key_id, "newest first");
        assert_eq!(listed[0]["scopes"], json!(["read", "personal"]));
        assert_eq!(listed[0]["revoked_at"], Value::Null);
        assert!(!listed.iter().any(|one| one.to_string().contains(key)), "never again");

        let revoked =
            send(&tenant, &admin, Method::DELETE, &format!("/v1/keys/{key_id}"), "").await;
        assert_eq!(revoked.status(), 204);
        assert!(revoked.headers().contains_key("ledger-position"));
        assert_eq!(tenant.get_with(key, "/v1/calls").await.0, 401, "at once, where it was revoked");
        assert!(keys(&tenant, &admin).await[0]["revoked_at"].is_string());
        assert_eq!(revoke(&tenant, &admin, key_id).await, 204, "again is no fault");

        let facts = tenant.facts_of("tenant.key_revoked").await;
        assert_eq!(facts, [json!({ "key_id": key_id })], "once, whoever asks again");
        let created = tenant.facts_of("tenant.key_created").await;
        assert!(created.contains(&json!({ "key_id": key_id, "scopes": ["read", "personal"] })));
    });
}

#[test]
fn another_server_refuses_a_revoked_key_within_seconds() {
    run(async {
        let own = OwnDatabase::create().await;
        let (ledger, other) = (own.server().await, own.server().await);
        let tenant = ledger.tenant().await;
        let beside = tenant.through(&other);
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        assert_eq!(beside.get_with(&tenant.read_key, "/v1/calls").await.0, 200);
        for key in keys(&tenant, &admin).await {
            let key_id = key["key_id"].as_str().expect("an id");
            assert_eq!(revoke(&tenant, &admin, key_id).await, 204, "the last one and itself, too");
            if key["scopes"] == json!(["admin"]) {
                break;
            }
        }
        assert_eq!(tenant.get_with(&admin, "/v1/keys").await.0, 401);
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        for key in keys(&tenant, &admin).await.iter().filter(|key| key["scopes"] == json!(["read"]))
        {
            assert_eq!(revoke(&tenant, &admin, key["key_id"].as_str().expect("an id")).await, 204);
        }
        let begun = Instant::now();
        while beside.get_with(&tenant.read_key, "/v1/calls").await.0 != 401 {
            assert!(begun.elapsed() < Duration::from_mins(1), "it is still remembered");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        ledger.stop().await;
        other.stop().await;
    });
}

#[test]
fn another_tenants_key_cannot_be_revoked_and_answers_like_an_unknown_one() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (one, two) = (ledger.tenant().await, ledger.tenant().await);
        let (ours, theirs) = (
            ledger.key(one.tenant_id, &["admin"]).await,
            ledger.key(two.tenant_id, &["admin"]).await,
        );
        let key_id = keys(&two, &theirs).await[0]["key_id"].as_str().expect("an id").to_owned();
        let nobodys = "00000000-0000-4000-8000-000000000001";
        for id in [key_id.as_str(), nobodys, "not-an-id"] {
            let refused = send(&one, &ours, Method::DELETE, &format!("/v1/keys/{id}"), "").await;
            problem(refused, 404, "key-not-found").await;
        }
        assert_eq!(two.get_with(&theirs, "/v1/keys").await.0, 200);
        assert!(two.facts_of("tenant.key_revoked").await.is_empty());
    });
}

#[test]
fn only_known_scopes_are_allowed_and_the_installation_has_only_admin() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin =
            ledger.key(tenant.tenant_id, &["personal", "write", "compliance", "admin"]).await;
        let installation = ledger.key(TenantId::INSTALLATION, &["admin"]).await;
        for scopes in [
            json!([]),
            json!(null),
            json!(["root"]),
            json!("read"),
            json!([7]),
            json!(["read", "read"]),
        ] {
            let (status, answer) = issue(&tenant, &admin, &scopes).await;
            assert_eq!(
                (status, &answer["errors"][0]["pointer"]),
                (422, &json!("/scopes")),
                "{scopes}"
            );
        }
        let all = json!(["read", "personal", "write", "compliance", "admin"]);
        assert_eq!(issue(&tenant, &admin, &all).await.0, 201);
        assert_eq!(issue(&tenant, &installation, &all).await.0, 422);
        let (status, made) = issue(&tenant, &installation, &json!(["admin"])).await;
        assert_eq!(status, 201, "{made}");
        let key = made["api_key"].as_str().expect("a key");
        assert_eq!(tenant.get_with(key, "/v1/quarantine").await.0, 200);
        assert_eq!(
            revoke(&tenant, &installation, made["key_id"].as_str().expect("an id")).await,
            204
        );
        assert_eq!(tenant.get_with(key, "/v1/quarantine").await.0, 401);
    });
}

#[test]
fn an_inactive_tenant_issues_no_key_and_can_revoke_with_an_event() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let key_id = keys(&tenant, &admin).await[1]["key_id"].as_str().expect("an id").to_owned();
        let freeze = "update ledger.tenants set state = 'frozen'";
        sqlx::query(freeze).execute(&mut own.superuser().await).await.expect("frozen");
        let before = keys(&tenant, &admin).await.len();
        let path = format!("/v1/keys/{key_id}");
        let revoked = send(&tenant, &admin, Method::DELETE, &path, "").await;
        assert_eq!(revoked.status(), 204);
        assert!(revoked.headers().contains_key("ledger-position"), "in the frozen log");
        let refused =
            send(&tenant, &admin, Method::POST, "/v1/keys", r#"{"scopes":["admin"]}"#).await;
        problem(refused, 403, "tenant-not-active").await;
        let after = keys(&tenant, &admin).await;
        assert_eq!(after.len(), before);
        assert!(after.iter().any(|key| key["key_id"] == *key_id && key["revoked_at"].is_string()));
        ledger.stop().await;
    });
}
