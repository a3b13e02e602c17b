//! Tenant isolation: over HTTP with any key, and in the database with any query.

mod pool;
mod routes;
mod rows;

use aws_lc_rs::digest::{SHA256, digest};
use ledger_tests::{TestLedger, TestTenant, cluster, messages, run};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Client, Method};
use routes::{Route, v1_routes};
use serde_json::Value;
use sqlx::PgConnection;

/// A response, unparsed.
struct Raw {
    status: u16,
    headers: HeaderMap,
    body: String,
}

async fn ask(ledger: &TestLedger, method: &Method, path: &str, authorization: &str) -> Raw {
    let mut request =
        Client::new().request(method.clone(), format!("http://{}{path}", ledger.address));
    if !authorization.is_empty() {
        request = request.header(AUTHORIZATION, authorization);
    }
    let response = request.send().await.expect("an answer");
    Raw {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.expect("a text"),
    }
}

async fn ask_with(ledger: &TestLedger, route: &Route, path: &str, key: &str) -> Raw {
    ask(ledger, &route.method, path, &format!("Bearer {key}")).await
}

fn code(raw: &Raw) -> String {
    let problem: Value = serde_json::from_str(&raw.body).expect("a problem document");
    problem["code"].as_str().expect("problems have codes").to_owned()
}

/// Returns the body without the values that identify this request.
fn same_for_all(raw: &Raw) -> String {
    let problem: Value = serde_json::from_str(&raw.body).expect("a problem document");
    let mut body = raw.body.clone();
    for field in ["instance", "request_id"] {
        let value = problem[field].as_str().expect("problems name their request");
        assert!(body.contains(value));
        body = body.replace(value, field);
    }
    body
}

fn same_headers_for_all(raw: &Raw) -> HeaderMap {
    let mut headers = raw.headers.clone();
    headers.remove("date");
    headers.remove("x-request-id").expect("every answer names its request");
    headers
}

async fn a_call(tenant: &TestTenant) -> String {
    let body = messages::from(
        messages::report("tenancy-call"),
        &serde_json::json!({ "number": "+15550100140", "name": "Tenancy Person" }),
    );
    tenant.post_ok(body.to_string()).await;
    tenant.only_call().await["call_id"].as_str().expect("calls have ids").to_owned()
}

/// Returns the number of events of a type in a tenant's log.
async fn count(conn: &mut PgConnection, tenant: &TestTenant, event_type: &str) -> i64 {
    sqlx::query_scalar(
        "select count(*) from ledger.events where tenant_id = $1 and event_type = $2",
    )
    .bind(tenant.tenant_id.0)
    .bind(event_type)
    .fetch_one(conn)
    .await
    .expect("the log can be counted")
}

#[test]
fn every_route_refuses_an_invalid_key() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        let call_id = a_call(&tenant).await;
        for route in v1_routes() {
            let path = route.path(&call_id);
            for authorization in invalid_keys(&tenant, &other).await {
                let answer = ask(ledger, &route.method, &path, &authorization).await;
                assert_eq!(answer.status, 401, "{path} with {authorization:?}: {}", answer.body);
                assert_eq!(code(&answer), "unauthorized");
                assert_eq!(answer.headers["content-type"], "application/problem+json");
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
        }
    });
}

/// Returns invalid keys: empty, malformed, forged, combined from two real ones, revoked.
async fn invalid_keys(tenant: &TestTenant, other: &TestTenant) -> Vec<String> {
    let (ours, theirs) = (&tenant.key, &other.key);
    let secret_at = ours.len() - 43;
    let last = if ours.ends_with('A') { 'B' } else { 'A' };
    let forged = format!("{}{last}", &ours[..ours.len() - 1]);
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.";
    let keys = [
        "nonsense".to_owned(),
        "clg_".to_owned(),
        unsigned.to_owned(),
        forged,
        format!("{}{}", &ours[..secret_at], &theirs[secret_at..]),
        format!("{}{}", &ours[..secret_at], "x".repeat(43)),
        ours.to_uppercase(),
        revoked(tenant).await,
    ];
    let bearers = keys.iter().map(|key| format!("Bearer {key}"));
    let others = ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz"].map(str::to_owned);
    bearers.chain(others).chain([format!("Basic {ours}"), ours.clone()]).collect()
}

async fn revoked(tenant: &TestTenant) -> String {
    let key = TestLedger::shared().await.key(tenant.tenant_id, &["read", "personal"]).await;
    let hash = digest(&SHA256, key.as_bytes());
    let revoked = sqlx::query("update ledger.api_keys set revoked_at = now() where key_hash = $1")
        .bind(hash.as_ref())
        .execute(&mut cluster::superuser().await)
        .await
        .expect("an update");
    assert_eq!(revoked.rows_affected(), 1);
    key
}

#[test]
fn every_route_refuses_a_key_without_the_scope_and_records_it() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let call_id = a_call(&tenant).await;
        let mut conn = cluster::superuser().await;
        let looks = count(&mut conn, &tenant, "access.personal_data_read").await;
        for route in v1_routes() {
            // A separate key for each route: of equal refusals only the first is recorded.
            let key = ledger.key(tenant.tenant_id, route.other_scopes()).await;
            let before = count(&mut conn, &tenant, "access.denied").await;
            let answer = ask_with(ledger, &route, &route.path(&call_id), &key).await;
            assert_eq!(answer.status, 403, "{}: {}", route.template, answer.body);
            assert_eq!(code(&answer), "scope-missing");
            assert!(answer.body.contains(route.scope), "it names the scope: {}", answer.body);
            assert_eq!(count(&mut conn, &tenant, "access.denied").await, before + 1);
        }
        assert_eq!(count(&mut conn, &tenant, "access.personal_data_read").await, looks);
    });
}

#[test]
fn another_tenants_object_answers_like_one_that_does_not_exist() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (owner, other) = (ledger.tenant().await, ledger.tenant().await);
        let call_id = a_call(&owner).await;
        let mut conn = cluster::superuser().await;
        let looks = count(&mut conn, &owner, "access.personal_data_read").await;
        for route in v1_routes().iter().filter(|route| route.names_an_object()) {
            let there = ask_with(ledger, route, &route.path(&call_id), &owner.read_key).await;
            assert_eq!(there.status, 200, "{}: {}", route.template, there.body);

            let nobodys = "00000000-0000-4000-8000-000000000001";
            for key in [&other.key, &other.read_key] {
                let missing = ask_with(ledger, route, &route.path(nobodys), key).await;
                assert_eq!(missing.status, 404);
                for id in [call_id.as_str(), "not-an-id", &call_id.to_uppercase()] {
                    let foreign = ask_with(ledger, route, &route.path(id), key).await;
                    assert_eq!(foreign.status, 404, "{}: {}", route.template, foreign.body);
                    assert_eq!(same_for_all(&foreign), same_for_all(&missing));
                    if id.len() == nobodys.len() {
                        assert_eq!(same_headers_for_all(&foreign), same_headers_for_all(&missing));
                    }
                }
            }
        }
        assert_eq!(count(&mut conn, &owner, "access.personal_data_read").await, looks);
        assert_eq!(count(&mut conn, &other, "access.personal_data_read").await, 0);
        assert!(other.calls().await.is_empty());
    });
}

#[test]
fn the_same_body_in_two_tenants_is_two_calls() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (one, two) = (ledger.tenant().await, ledger.tenant().await);
        let body = messages::report("the-same-call").to_string();
        assert_eq!(one.post_ok(body.clone()).await["status"], "recorded");
        assert_eq!(two.post_ok(body).await["status"], "recorded");
        let ids =
            [one.only_call().await, two.only_call().await].map(|call| call["call_id"].clone());
        assert_ne!(ids[0], ids[1]);
    });
}

#[test]
fn a_secret_of_another_tenants_source_is_refused() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (one, two) = (ledger.tenant().await, ledger.tenant().await);
        let mut thief = one.through(ledger);
        thief.secret.clone_from(&two.secret);
        let (status, problem) = thief.post(messages::report("stolen").to_string()).await;
        assert_eq!((status, &problem["code"]), (401, &"signature-invalid".into()));
        assert_eq!(one.calls().await.len(), 0);
    });
}
