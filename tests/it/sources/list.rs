//! `/v1/sources`: permissions to create and list sources.

use ledger_core::ids::{SourceId, TenantId};
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, cluster, messages, run};
use reqwest::Method;
use serde_json::{Value, json};

use super::{command, listed, send};
use crate::bad_input::problem;

async fn create(tenant: &TestTenant, key: &str, body: &Value) -> (u16, Value) {
    command(tenant, key, Method::POST, "/v1/sources", &body.to_string()).await
}

#[test]
fn a_source_created_over_the_api_accepts_webhooks_with_the_returned_secret() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let asked = json!({ "provider": "vapi", "name": "Front desk", "record_all": true });
        let made = send(&tenant, &admin, Method::POST, "/v1/sources", &asked.to_string()).await;
        assert_eq!(made.status(), 201);
        let position = made.headers()["ledger-position"].to_str().expect("a text").to_owned();
        let made: Value = made.json().await.expect("JSON");
        let source_id = made["source_id"].as_str().expect("an id");
        assert_eq!(made["path"], format!("/ingest/{source_id}"));

        let secret = made["secret"].as_str().expect("a secret");
        let source = SourceId(source_id.parse().expect("an id"));
        let body = messages::report("made").to_string();
        let taken = tenant.webhook_at(source, secret, body).send().await.expect("an answer");
        assert_eq!(taken.status(), 200);

        let sources = listed(&tenant, &admin, "").await;
        assert_eq!(sources[0]["source_id"], made["source_id"], "newest first: {sources:?}");
        assert_eq!(
            (&sources[0]["name"], &sources[0]["record_all"]),
            (&json!("Front desk"), &json!(true))
        );
        assert_eq!((&sources[0]["received"], &sources[0]["recorded"]), (&json!(1), &json!(1)));
        assert!(sources[0]["last_received_at"].is_string());
        assert!(!sources.iter().any(|source| source.to_string().contains(secret)));

        let (actor, facts): (String, String) = sqlx::query_as(
            "select meta ->> 'actor', facts::text from ledger.events
              where tenant_id = $1 and position = $2 and event_type = 'tenant.source_created'",
        )
        .bind(tenant.tenant_id.0)
        .bind(position.parse::<i64>().expect("a position"))
        .fetch_one(&mut cluster::superuser().await)
        .await
        .expect("the event");
        assert!(actor.starts_with("key:"), "{actor}");
        assert!(facts.contains(source_id), "{facts}");
    });
}

#[test]
fn each_invalid_field_is_refused_with_its_name_and_creates_nothing() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        for (body, field) in [
            (json!({}), "/provider"),
            (json!({ "provider": "carrier-pigeon" }), "/provider"),
            (json!({ "provider": 7 }), "/provider"),
            (json!({ "provider": "vapi", "secret": "short" }), "/secret"),
            (json!({ "provider": "vapi", "secret": "with a space, and long" }), "/secret"),
            (json!({ "provider": "vapi", "secret": "aaaaaaaa" }), "/secret"),
            (json!({ "provider": "vapi", "secret": "aaaaaaaaaaaaaaaaaaaaaaaa" }), "/secret"),
            (json!({ "provider": "vapi", "secret": "123456789012345678901234" }), "/secret"),
            (json!({ "provider": "vapi", "secret": "é".repeat(20) }), "/secret"),
            (json!({ "provider": "vapi", "name": "" }), "/name"),
            (json!({ "provider": "vapi", "name": "a\u{0}b" }), "/name"),
            (json!({ "provider": "vapi", "name": "x".repeat(201) }), "/name"),
            (json!({ "provider": "vapi", "record_all": "yes" }), "/record_all"),
            (json!({ "provider": "vapi", "assistant_id": [] }), "/assistant_id"),
        ] {
            let (status, answer) = create(&tenant, &admin, &body).await;
            assert_eq!((status, &answer["code"]), (422, &json!("invalid-field")), "{body}");
            assert_eq!(answer["errors"][0]["pointer"], field, "{body}: {answer}");
        }
        let (status, answer) =
            create(&tenant, &admin, &json!({ "provider": "vapi", "nmae": "x" })).await;
        assert_eq!((status, &answer["code"]), (422, &json!("unknown-field")), "{answer}");
        for body in
            ["", "[]", "{\"provider\":\"vapi\"", "{\"provider\":\"vapi\",\"provider\":\"vapi\"}"]
        {
            let refused = send(&tenant, &admin, Method::POST, "/v1/sources", body).await;
            problem(refused, 400, "body-not-json").await;
        }
        let large = format!("{{\"provider\":\"{}\"}}", "x".repeat(100_000));
        let refused = send(&tenant, &admin, Method::POST, "/v1/sources", &large).await;
        problem(refused, 413, "body-too-large").await;
        assert_eq!(listed(&tenant, &admin, "").await.len(), 1);
    });
}

#[test]
fn a_tenant_lists_its_own_sources_and_the_installation_the_shared_ones() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let (one, two) = (ledger.tenant().await, ledger.tenant().await);
        let key_one = ledger.key(one.tenant_id, &["admin"]).await;
        let key_two = ledger.key(two.tenant_id, &["admin"]).await;
        let installation = ledger.key(TenantId::INSTALLATION, &["admin"]).await;
        one.post_ok(messages::report("own").to_string()).await;
        let (status, shared) = create(&one, &installation, &json!({ "provider": "vapi" })).await;
        assert_eq!(status, 201, "{shared}");
        let ids = async |key: &str| -> Vec<(String, i64)> {
            let sources = listed(&one, key, "").await;
            let id = |source: &Value| {
                let id = source["source_id"].as_str().expect("an id").to_owned();
                (id, source["received"].as_i64().expect("a number"))
            };
            sources.iter().map(id).collect()
        };
        assert_eq!(ids(&key_one).await, [(one.source_id.to_string(), 1)]);
        assert_eq!(ids(&key_two).await, [(two.source_id.to_string(), 0)]);
        let shared = shared["source_id"].as_str().expect("an id").to_owned();
        assert_eq!(ids(&installation).await, [(shared, 0)]);
        ledger.stop().await;
    });
}

#[test]
fn sources_are_paged_and_hours_are_whole() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        for _ in 0..4 {
            ledger.source(tenant.tenant_id, "another-secret", false).await;
        }
        let (mut seen, mut path) = (Vec::new(), "/v1/sources?limit=2".to_owned());
        loop {
            let (status, page) = tenant.get_with(&admin, &path).await;
            assert_eq!(status, 200, "{page}");
            let data = page["data"].as_array().expect("a page has data");
            seen.extend(data.iter().map(|source| source["created_at"].to_string()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/sources?limit=2&cursor={cursor}");
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted_by(|a, b| a >= b), "{seen:?}");
        for query in [
            "from=2026-11-02T09:30:00Z",
            "to=2026-11-02T09:00:00.5Z",
            "from=yesterday",
            "from=2026-11-02T09:00:00Z&to=2026-11-02T09:00:00Z",
            "cursor=eyJjIjoxfQ",
        ] {
            for path in ["/v1/sources", "/v1/webhook-metrics/delivery-stats"] {
                if query.starts_with("cursor") && path != "/v1/sources" {
                    continue;
                }
                let refused = tenant.request(&admin, &format!("{path}?{query}")).send().await;
                problem(refused.expect("an answer"), 400, "invalid-parameter").await;
            }
        }
        let unknown = tenant.request(&admin, "/v1/sources?since=2026").send().await;
        problem(unknown.expect("an answer"), 400, "unknown-parameter").await;
    });
}
