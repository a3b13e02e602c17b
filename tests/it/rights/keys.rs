//! API keys: delegation of scopes, expiry, and last use.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::ids::TenantId;
use ledger_core::scope::Scope;
use ledger_store::api_keys::NewKey;
use ledger_store::tenants::TenantState;
use ledger_tests::{TestLedger, TestTenant, cluster, run};
use reqwest::Method;
use serde_json::{Value, json};
use server::auth::new_key;

use super::{send, set_state};

const SCOPES: [&str; 5] = ["read", "personal", "write", "compliance", "admin"];

async fn issue(tenant: &TestTenant, key: &str, body: &Value) -> (u16, Value) {
    let sent = send(tenant, key, Method::POST, "/v1/keys", &body.to_string()).await;
    ledger_tests::ledger::status_and_json(sent).await
}

async fn key_until(
    ledger: &TestLedger,
    tenant: &TestTenant,
    scopes: &[&str],
    end: DateTime<Utc>,
) -> String {
    let key = new_key(tenant.tenant_id);
    let scopes: Vec<Scope> =
        scopes.iter().map(|name| Scope::parse(name).expect("a scope")).collect();
    let new = NewKey { scopes: &scopes, name: None, expires_at: Some(end) };
    let author = ledger.store.operator();
    ledger.store.create_api_key_by(&author, tenant.tenant_id, &key, &new).await.expect("a key");
    key
}

#[test]
fn a_key_grants_no_scope_that_it_lacks() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        for own in [
            &["admin"][..],
            &["admin", "read"],
            &["admin", "personal"],
            &["admin", "write", "compliance"],
        ] {
            let key = ledger.key(tenant.tenant_id, own).await;
            for wanted in SCOPES {
                let has = own.contains(&wanted) || (wanted == "read" && own.contains(&"personal"));
                for scopes in [json!([wanted]), json!(["admin", wanted])] {
                    if wanted == "admin" && scopes == json!(["admin", "admin"]) {
                        continue;
                    }
                    let (status, answer) = issue(&tenant, &key, &json!({ "scopes": scopes })).await;
                    if has {
                        assert_eq!(status, 201, "{own:?} {scopes}: {answer}");
                    } else {
                        assert_eq!(
                            (status, &answer["code"]),
                            (403, &json!("scope-missing")),
                            "{own:?} {scopes}: {answer}"
                        );
                    }
                }
            }
        }
        let denied = tenant.facts_of("access.denied").await;
        assert!(denied.iter().any(|fact| fact["action"] == "keys.create"), "{denied:?}");
    });
}

#[test]
fn the_accesses_of_each_key_are_a_stream_apart_from_the_settings() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        for _ in 0..2 {
            let key = ledger.key(tenant.tenant_id, &["read"]).await;
            for path in ["/v1/keys", "/v1/sources"] {
                assert_eq!(tenant.get_with(&key, path).await.0, 403, "{path}");
            }
        }
        let streams: Vec<(String, bool, i64)> = sqlx::query_as(
            "select stream_kind, event_type like 'access.%', count(*) from ledger.events
              where tenant_id = $1 group by stream_kind, stream_id, 2 order by 1, 2",
        )
        .bind(tenant.tenant_id.0)
        .fetch_all(&mut cluster::superuser().await)
        .await
        .expect("the log answers");
        let accesses: Vec<_> = streams.iter().filter(|(kind, ..)| kind == "access").collect();
        // A day may end between the requests of a key.
        assert!(accesses.len() >= 2, "{streams:?}");
        assert_eq!(accesses.iter().map(|(.., events)| events).sum::<i64>(), 4, "{streams:?}");
        for (kind, is_access, _) in &streams {
            assert_eq!(*is_access, kind == "access", "{streams:?}");
        }
    });
}

#[test]
fn an_expired_key_is_refused_and_no_key_outlives_its_issuer() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let now = ledger.store.clock().now_micros();
        let brief = key_until(ledger, &tenant, &["read"], now + TimeDelta::seconds(2)).await;
        assert_eq!(tenant.get_with(&brief, "/v1/calls").await.0, 200, "it is remembered from here");

        let end = now + TimeDelta::hours(1);
        let admin = key_until(ledger, &tenant, &["admin", "read"], end).await;
        let (status, made) = issue(&tenant, &admin, &json!({ "scopes": ["read"] })).await;
        assert_eq!(status, 201, "{made}");
        let shown = made["expires_at"].as_str().and_then(|text| text.parse().ok());
        assert_eq!(shown, Some(end), "as the key that issued it");
        for expires_at in [
            json!(end + TimeDelta::seconds(1)),
            json!(now - TimeDelta::seconds(1)),
            json!("tomorrow"),
            json!(7),
        ] {
            let body = json!({ "scopes": ["read"], "expires_at": expires_at });
            let (status, answer) = issue(&tenant, &admin, &body).await;
            let pointer = &answer["errors"][0]["pointer"];
            assert_eq!((status, pointer), (422, &json!("/expires_at")), "{body}");
        }
        let sooner = json!({ "scopes": ["read"], "expires_at": end - TimeDelta::minutes(1) });
        assert_eq!(issue(&tenant, &admin, &sooner).await.0, 201);
        let facts = tenant.facts_of("tenant.key_created").await;
        assert!(facts.iter().any(|fact| fact["expires_at"] == json!(end)), "{facts:?}");

        tokio::time::sleep(Duration::from_millis(2_100)).await;
        assert_eq!(tenant.get_with(&brief, "/v1/calls").await.0, 401);
    });
}

#[test]
fn the_last_use_of_a_key_is_listed_and_not_written_at_each_request() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let last_used = async || -> Vec<Value> {
            let (_, page) = tenant.get_with(&admin, "/v1/keys").await;
            let keys = page["data"].as_array().expect("a page has data");
            keys.iter().map(|key| key["last_used_at"].clone()).collect()
        };
        let before = last_used().await;
        assert!(before[0].is_string(), "the key that asks is used");
        assert_eq!(before[1..], [Value::Null, Value::Null], "the others were not");
        for _ in 0..20 {
            assert_eq!(tenant.get_with(&tenant.read_key, "/v1/calls").await.0, 200);
        }
        let used = last_used().await;
        assert!(used[1].is_string());
        set_state(&ledger.store, tenant.tenant_id, TenantState::Frozen).await;
        assert_eq!(tenant.get_with(&tenant.read_key, "/v1/calls").await.0, 200, "read again");
        assert_eq!(last_used().await, used, "once a minute");
    });
}

#[test]
fn the_installation_revokes_the_key_of_any_tenant_in_any_state() {
    run(async {
        let ledger = TestLedger::shared().await;
        let installation = ledger.key(TenantId::INSTALLATION, &["admin"]).await;
        for state in [TenantState::Active, TenantState::Frozen, TenantState::Closed] {
            let tenant = ledger.tenant().await;
            let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
            let (_, page) = tenant.get_with(&admin, "/v1/keys").await;
            let key_id = page["data"][1]["key_id"].as_str().expect("an id").to_owned();
            assert_eq!(tenant.get_with(&tenant.read_key, "/v1/calls").await.0, 200);
            set_state(&ledger.store, tenant.tenant_id, state).await;
            let path = format!("/v1/keys/{key_id}");
            let revoked = send(&tenant, &installation, Method::DELETE, &path, "").await;
            assert_eq!(revoked.status(), 204, "{state:?}");
            assert_eq!(tenant.get_with(&tenant.read_key, "/v1/calls").await.0, 401, "{state:?}");
            let facts = tenant.facts_of("tenant.key_revoked").await;
            assert_eq!(facts, [json!({ "key_id": key_id })], "in the tenant's log: {state:?}");
        }
    });
}
