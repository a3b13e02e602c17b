//! `Idempotency-Key`: a repeated POST gets its first answer, also from another server and while the first runs.

use ledger_tests::{OwnDatabase, TestLedger, TestTenant, cluster, run};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bad_input::problem;

async fn post(tenant: &TestTenant, key: &str, path: &str, body: &Value, idem: &str) -> Response {
    let request = Client::new().post(tenant.url(path)).bearer_auth(key);
    let request = request.header("idempotency-key", idem).body(body.to_string());
    request.send().await.expect("an answer")
}

/// Status, whether it is a replay, position and body.
async fn parts(response: Response) -> (u16, bool, Option<String>, Value) {
    let header = |name: &str| {
        response.headers().get(name).map(|value| value.to_str().expect("a text").to_owned())
    };
    let (replayed, position) = (header("idempotent-replayed"), header("ledger-position"));
    let (status, body) = ledger_tests::ledger::status_and_json(response).await;
    (status, replayed.as_deref() == Some("true"), position, body)
}

#[test]
fn a_repeated_post_gets_its_first_answer_and_acts_once() {
    run(async {
        let own = OwnDatabase::create().await;
        let (ledger, other) = (own.server().await, own.server().await);
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin", "read"]).await;
        let rotate = format!("/v1/sources/{}/rotate-secret", tenant.source_id);
        for (path, body) in [
            ("/v1/keys", json!({ "scopes": ["read"], "name": "dashboard" })),
            ("/v1/sources", json!({ "provider": "vapi" })),
            (rotate.as_str(), json!({ "overlap_seconds": 60 })),
        ] {
            let first = parts(post(&tenant, &admin, path, &body, path).await).await;
            assert!(first.0 < 300 && !first.1, "{first:?}");
            let beside = tenant.through(&other);
            let again = parts(post(&beside, &admin, path, &body, path).await).await;
            assert_eq!(again, (first.0, true, first.2, first.3), "{path}");
        }
        for event in ["tenant.source_created", "tenant.source_secret_rotated"] {
            let expected = if event == "tenant.source_created" { 2 } else { 1 };
            assert_eq!(tenant_events(&own, &tenant, event).await, expected, "{event}");
        }
        ledger.stop().await;
        other.stop().await;
    });
}

#[test]
fn concurrent_repetitions_act_once_and_get_the_same_answer() {
    run(async {
        let own = OwnDatabase::create().await;
        let (ledger, other) = (own.server().await, own.server().await);
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let before = tenant_events(&own, &tenant, "tenant.source_created").await;
        let mut tasks = JoinSet::new();
        for nth in 0..8 {
            let tenant = tenant.through(if nth % 2 == 0 { &ledger } else { &other });
            let admin = admin.clone();
            tasks.spawn(async move {
                let body = json!({ "provider": "vapi", "name": "one of eight" });
                parts(post(&tenant, &admin, "/v1/sources", &body, "same-key").await).await
            });
        }
        let mut answers = Vec::new();
        while let Some(done) = tasks.join_next().await {
            answers.push(done.expect("no panic"));
        }
        for (status, _, _, body) in &answers {
            assert_eq!((*status, body), (201, &answers[0].3));
        }
        assert_eq!(answers.iter().filter(|(_, replayed, ..)| !replayed).count(), 1);
        let after = tenant_events(&own, &tenant, "tenant.source_created").await;
        assert_eq!(after, before + 1);
        ledger.stop().await;
        other.stop().await;
    });
}

async fn tenant_events(own: &OwnDatabase, tenant: &TestTenant, event_type: &str) -> i64 {
    sqlx::query_scalar(
        "select count(*) from ledger.events where tenant_id = $1 and event_type = $2",
    )
    .bind(tenant.tenant_id.0)
    .bind(event_type)
    .fetch_one(&mut own.superuser().await)
    .await
    .expect("a count")
}

#[test]
fn a_request_interrupted_before_its_answer_was_kept_runs_again_with_the_same_result() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin", "read"]).await;
        let rotate = format!("/v1/sources/{}/rotate-secret", tenant.source_id);
        for (path, body, event_type) in [
            ("/v1/keys", json!({ "scopes": ["read"] }), "tenant.key_created"),
            ("/v1/sources", json!({ "provider": "vapi" }), "tenant.source_created"),
            (rotate.as_str(), json!({ "overlap_seconds": 600 }), "tenant.source_secret_rotated"),
        ] {
            let first = parts(post(&tenant, &admin, path, &body, path).await).await;
            assert!(first.0 < 300, "{first:?}");
            let recorded = tenant_events(&own, &tenant, event_type).await;
            sqlx::query("update ledger.command_answers set answer_sealed = null, claimed_until = now() - interval '1 second'")
                .execute(&mut own.superuser().await)
                .await
                .expect("an update");
            let again = parts(post(&tenant, &admin, path, &body, path).await).await;
            assert_eq!(again, first, "{path}");
            assert_eq!(tenant_events(&own, &tenant, event_type).await, recorded, "{path}");
        }
        ledger.stop().await;
    });
}

#[test]
fn a_key_is_bound_to_its_request_and_to_its_api_key() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let body = json!({ "provider": "vapi", "name": "first" });
        let first = parts(post(&tenant, &admin, "/v1/sources", &body, "key-1").await).await;
        assert_eq!(first.0, 201, "{first:?}");
        let changed = json!({ "provider": "vapi", "name": "second" });
        let reused = post(&tenant, &admin, "/v1/sources", &changed, "key-1").await;
        problem(reused, 422, "idempotency-key-reused").await;
        let path = format!("/v1/sources/{}/disable", tenant.source_id);
        problem(
            post(&tenant, &admin, &path, &json!({}), "key-1").await,
            422,
            "idempotency-key-reused",
        )
        .await;

        let second = ledger.key(tenant.tenant_id, &["admin"]).await;
        let theirs = ledger.key(other.tenant_id, &["admin"]).await;
        let reader = &tenant.read_key;
        problem(post(&tenant, reader, "/v1/sources", &body, "key-1").await, 403, "scope-missing")
            .await;
        problem(post(&tenant, "clg_x", "/v1/sources", &body, "key-1").await, 401, "unauthorized")
            .await;
        for (tenant, key) in [(&tenant, &second), (&other, &theirs)] {
            let made = parts(post(tenant, key, "/v1/sources", &body, "key-1").await).await;
            assert_eq!((made.0, made.1), (201, false));
            assert_ne!(made.3["source_id"], first.3["source_id"]);
            assert_ne!(made.3["secret"], first.3["secret"]);
        }
    });
}

#[test]
fn a_refused_request_is_evaluated_again() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let wrong = json!({ "provider": "nobody" });
        problem(post(&tenant, &admin, "/v1/sources", &wrong, "k").await, 422, "invalid-field")
            .await;
        let right = json!({ "provider": "vapi" });
        assert_eq!(post(&tenant, &admin, "/v1/sources", &right, "k").await.status(), 201);
    });
}

#[test]
fn a_malformed_key_is_refused_and_stored_nowhere() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let body = json!({ "provider": "vapi" });
        for key in ["", " ", "two words", "caf\u{e9}", &"x".repeat(256)] {
            let refused = post(&tenant, &admin, "/v1/sources", &body, key).await;
            problem(refused, 400, "idempotency-key-invalid").await;
        }
        let longest = "patient@example.com".repeat(20)[..255].to_owned();
        assert_eq!(post(&tenant, &admin, "/v1/sources", &body, &longest).await.status(), 201);
        let stored: i64 = sqlx::query_scalar(
            "select count(*) from ledger.command_answers c
              where tenant_id = $1 and c::text like '%' || encode($2, 'hex') || '%'",
        )
        .bind(tenant.tenant_id.0)
        .bind(b"patient".as_slice())
        .fetch_one(&mut cluster::superuser().await)
        .await
        .expect("a count");
        assert_eq!(stored, 0);
    });
}
