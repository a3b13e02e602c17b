//! The profile of a tenant and its settings over HTTP.

use ledger_store::tenants::TenantState;
use ledger_tests::{TestLedger, TestTenant, run};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::bad_input::problem;

async fn send(tenant: &TestTenant, key: &str, method: Method, path: &str, body: &str) -> Response {
    let request = Client::new().request(method, tenant.url(path)).bearer_auth(key);
    request.body(body.to_owned()).send().await.expect("an answer")
}

async fn change(tenant: &TestTenant, key: &str, path: &str, body: &Value) -> (u16, Value) {
    let method = if path == "/v1/tenant" { Method::PATCH } else { Method::PUT };
    let sent = send(tenant, key, method, path, &body.to_string()).await;
    ledger_tests::ledger::status_and_json(sent).await
}

#[test]
fn a_profile_is_changed_and_the_change_is_in_the_log_without_the_name() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let body = json!({ "name": "Harbour Dental", "country": "gb" });
        let sent = send(&tenant, &admin, Method::PATCH, "/v1/tenant", &body.to_string()).await;
        assert!(sent.headers().contains_key("ledger-position"));
        let (status, changed) = ledger_tests::ledger::status_and_json(sent).await;
        assert_eq!(status, 200, "{changed}");
        assert_eq!(changed["name"], "Harbour Dental");
        assert_eq!(changed["country"], "GB");
        assert_eq!(tenant.get_with(&admin, "/v1/tenant").await, (200, changed));
        assert_eq!(
            tenant.facts_of("tenant.updated").await,
            [json!({ "changed": ["name", "country"], "country": "GB" })]
        );
        assert_eq!(change(&tenant, &admin, "/v1/tenant", &body).await.0, 200);
        assert_eq!(tenant.facts_of("tenant.updated").await.len(), 1, "equal values are no change");
        let (_, none) = change(&tenant, &admin, "/v1/tenant", &json!({ "country": null })).await;
        assert_eq!(none["country"], Value::Null);

        let theirs = ledger.key(other.tenant_id, &["admin"]).await;
        let (_, theirs) = other.get_with(&theirs, "/v1/tenant").await;
        assert_eq!(theirs["name"], "Test", "another tenant is untouched");
        assert_eq!(other.facts_of("tenant.updated").await.len(), 0);
    });
}

#[test]
fn hostile_values_of_a_profile_are_refused_by_field_and_quoted_nowhere() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        for body in [
            json!({ "name": "" }),
            json!({ "name": "a\u{0}b" }),
            json!({ "name": "x".repeat(201) }),
            json!({ "name": 7 }),
            json!({ "country": "Atlantis" }),
            json!({ "country": ["GB"] }),
            json!({ "timezone": "Mars/Olympus" }),
            json!({ "timezone": 1 }),
            json!({ "slug": "other" }),
            json!({ "state": "closed" }),
        ] {
            let (status, refused) = change(&tenant, &admin, "/v1/tenant", &body).await;
            assert_eq!(status, 422, "{body}: {refused}");
            assert!(!refused.to_string().contains("Atlantis"));
        }
        let refused = send(&tenant, &admin, Method::PATCH, "/v1/tenant", "[]").await;
        problem(refused, 400, "body-not-json").await;
        assert_eq!(tenant.facts_of("tenant.updated").await.len(), 0);
    });
}

#[test]
fn a_setting_is_set_as_a_whole_and_unknown_names_are_refused_with_the_known_ones() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let nothing = json!({ "calls": null, "minutes": null, "cost_nanos": null, "events": null });
        assert_eq!(tenant.get_with(&admin, "/v1/settings/plan").await, (200, nothing.clone()));
        let (status, set) =
            change(&tenant, &admin, "/v1/settings/plan", &json!({ "calls": 5, "events": 9 })).await;
        assert_eq!((status, &set["calls"], &set["events"]), (200, &json!(5), &json!(9)));
        assert_eq!(tenant.get_with(&admin, "/v1/settings/plan").await, (200, set));
        assert_eq!(tenant.get("/v1/usage").await["limits"]["calls"], 5);
        assert_eq!(change(&tenant, &admin, "/v1/settings/plan", &json!({})).await, (200, nothing));
        assert_eq!(tenant.facts_of("tenant.plan_limits_set").await.len(), 2);

        for value in [json!(0), json!(-5), json!(1.5), json!("5"), json!(1e300)] {
            let body = json!({ "calls": value });
            let (status, refused) = change(&tenant, &admin, "/v1/settings/plan", &body).await;
            assert_eq!((status, &refused["code"]), (422, &json!("invalid-field")), "{body}");
        }
        let (_, unknown) =
            change(&tenant, &admin, "/v1/settings/plan", &json!({ "kalls": 1 })).await;
        assert_eq!(unknown["code"], "unknown-field");
        for name in ["hour", "PLAN", "%00", "plan%2F..", "x"] {
            let (status, refused) = tenant.get_with(&admin, &format!("/v1/settings/{name}")).await;
            assert_eq!((status, &refused["code"]), (404, &json!("setting-not-found")), "{name}");
            let detail = refused["detail"].as_str().expect("a sentence");
            assert!(detail.contains("plan"), "{detail}");
        }
    });
}

#[test]
fn a_setting_of_bookings_is_shown_as_it_is_set_and_refused_by_its_pointer() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let opening = json!([{ "from": "18:00", "to": "02:00" }]);
        let resource = json!({ "id": "chair", "name": "Room 1", "capacity": 2, "hours": null });
        for (name, event, body) in [
            ("hours", "hours", json!({ "weekdays": { "saturday": opening } })),
            ("resources", "resources", json!({ "resources": [resource] })),
            ("services", "services", json!({ "services": [{ "id": "cut", "minutes": 45 }] })),
            ("bookings", "booking_rules", json!({ "daily_limit": 8 })),
        ] {
            let path = format!("/v1/settings/{name}");
            let (status, default) = tenant.get_with(&admin, &path).await;
            assert_eq!(status, 200, "{default}");
            let (status, set) = change(&tenant, &admin, &path, &body).await;
            assert_eq!(status, 200, "{set}");
            assert_eq!(tenant.get_with(&admin, &path).await, (200, set.clone()));
            assert_eq!(change(&tenant, &admin, &path, &set).await, (200, set));
            assert_eq!(tenant.facts_of(&format!("tenant.{event}_set")).await.len(), 1, "{name}");
            let others = ledger.key(other.tenant_id, &["admin"]).await;
            assert_eq!(other.get_with(&others, &path).await, (200, default));
        }
        for (name, body, code, pointer) in [
            (
                "hours",
                json!({ "weekdays": { "monday": [{ "from": "25:00", "to": "26:00" }] } }),
                "invalid-field",
                "/weekdays/monday/0/from",
            ),
            ("resources", json!({ "resources": [] }), "invalid-field", "/resources"),
            ("services", json!({ "list": [] }), "unknown-field", "/list"),
            ("bookings", json!({ "step_minutes": 0 }), "invalid-field", "/step_minutes"),
        ] {
            let path = format!("/v1/settings/{name}");
            let (status, refused) = change(&tenant, &admin, &path, &body).await;
            assert_eq!((status, &refused["code"]), (422, &json!(code)), "{refused}");
            assert_eq!(refused["errors"][0]["pointer"], pointer);
        }
    });
}

#[test]
fn a_frozen_tenant_is_read_and_not_changed() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let author = ledger.store.operator();
        let frozen = ledger.store.set_tenant_state(&author, tenant.tenant_id, TenantState::Frozen);
        frozen.await.expect("the database answers");
        assert_eq!(tenant.get_with(&admin, "/v1/tenant").await.1["state"], "frozen");
        for (path, body) in [
            ("/v1/tenant", json!({ "name": "Other" })),
            ("/v1/settings/plan", json!({ "calls": 1 })),
            ("/v1/settings/bookings", json!({ "default_minutes": 1 })),
        ] {
            let (status, refused) = change(&tenant, &admin, path, &body).await;
            assert_eq!((status, &refused["code"]), (403, &json!("tenant-not-active")), "{path}");
        }
    });
}
