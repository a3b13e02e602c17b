//! Refusals in Vapi's format, with the status and the wording of Vapi.

use ledger_tests::cluster::superuser;
use ledger_tests::{TestLedger, TestTenant, run};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::post;

const ROUTES: [(Method, &str); 3] =
    [(Method::GET, "/call"), (Method::GET, "/call/c-1"), (Method::POST, "/analytics")];

/// Checks that a response is a refusal in Vapi's format; returns its message.
async fn refused(response: Response, status: u16) -> Value {
    assert_eq!(response.status(), status, "{}", response.url());
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("x-request-id"));
    let mut body: Value = response.json().await.expect("JSON");
    let reason = reqwest::StatusCode::from_u16(status).expect("a status").canonical_reason();
    assert_eq!((&body["error"], &body["statusCode"]), (&json!(reason), &json!(status)), "{body}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(3), "{body}");
    body["message"].take()
}

async fn ask(tenant: &TestTenant, method: &Method, path: &str, authorization: &str) -> Response {
    let request = Client::new().request(method.clone(), tenant.url(path));
    let request = request.header("authorization", authorization);
    let request = request.json(&json!({ "queries": [] }));
    request.send().await.expect("an answer")
}

#[test]
fn an_invalid_key_is_refused() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for (method, path) in &ROUTES {
            for authorization in ["", "Bearer nonsense", &tenant.key, "Basic dXNlcjpwYXNz"] {
                let response = ask(&tenant, method, path, authorization).await;
                assert_eq!(response.headers()["www-authenticate"], "Bearer");
                let message = refused(response, 401).await;
                assert!(message.as_str().is_some_and(|text| text.contains("API key")), "{message}");
            }
        }
    });
}

#[test]
fn a_key_without_the_scope_is_refused_and_that_is_recorded() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        for (nth, (method, path)) in (1_i64..).zip(&ROUTES) {
            let key = ledger.key(tenant.tenant_id, &["write", "compliance", "admin"]).await;
            let response = ask(&tenant, method, path, &format!("Bearer {key}")).await;
            let message = refused(response, 403).await;
            assert!(message.as_str().is_some_and(|text| text.contains("read")), "{message}");
            let denied: i64 = sqlx::query_scalar(
                "select count(*) from ledger.events
                  where tenant_id = $1 and event_type = 'access.denied'",
            )
            .bind(tenant.tenant_id.0)
            .fetch_one(&mut superuser().await)
            .await
            .expect("the log answers");
            assert_eq!(denied, nth, "{path}");
        }
    });
}

#[test]
fn all_misspelt_parameters_are_refused_with_their_names_at_once() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for (path, wanted) in [
            ("/call?limit=1001", json!(["limit must not be greater than 1000"])),
            ("/call?limit=many", json!(["limit must be a whole number"])),
            ("/call?updatedAtLe=soon", json!(["updatedAtLe must be a valid ISO 8601 date string"])),
            ("/call?min_position=last", json!(["min_position must be a whole number"])),
            (
                "/call?createdAtGe=2026-13-01&page=2&sortOrder=ASC",
                json!([
                    "createdAtGe must be a valid ISO 8601 date string",
                    "property page should not exist",
                    "property sortOrder should not exist",
                ]),
            ),
            ("/call?limit=1&limit=2", json!(["limit must be given once"])),
            ("/call/c-1?as_of=3", json!(["property as_of should not exist"])),
        ] {
            let response = tenant.request(&tenant.read_key, path).send().await.expect("an answer");
            assert_eq!(refused(response, 400).await, wanted, "{path}");
        }
    });
}

#[test]
fn unsupported_figures_are_refused_with_their_names() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let query = |fields: Value| {
            let mut query = json!({ "table": "call", "name": "it", "operations": [] });
            query
                .as_object_mut()
                .expect("a query")
                .extend(fields.as_object().cloned().expect("fields"));
            json!({ "queries": [query] })
        };
        for (body, wanted) in [
            (json!([]), json!(["the body must be an object"])),
            (json!({}), json!(["queries must be an array"])),
            (
                query(json!({ "table": "subscription" })),
                json!(["queries.0.table subscription is not kept by this ledger"]),
            ),
            (
                query(
                    json!({ "operations": [{ "operation": "sum", "column": "costBreakdown.llmPromptTokens" }] }),
                ),
                json!([
                    "queries.0.operations.0.column costBreakdown.llmPromptTokens is not kept by this ledger"
                ]),
            ),
            (
                query(
                    json!({ "timeRange": { "start": "1926-01-01", "timezone": "Mars/Olympus" } }),
                ),
                json!([
                    "queries.0.timeRange.start must be less than a century before end",
                    "queries.0.timeRange.timezone must be the name of a time zone, as America/New_York is",
                ]),
            ),
        ] {
            let response = post(&tenant, &tenant.read_key, &body).await;
            assert_eq!(refused(response, 400).await, wanted, "{body}");
        }
        let request = Client::new().post(tenant.url("/analytics")).bearer_auth(&tenant.read_key);
        let response = request.body("planted-5550100").send().await.expect("an answer");
        let message = refused(response, 400).await.to_string();
        assert!(message.contains("line 1") && !message.contains("planted"), "{message}");
    });
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let request = Client::new().post(tenant.url("/analytics")).bearer_auth(&tenant.read_key);
        let response = request.body(" ".repeat(300_000)).send().await.expect("an answer");
        refused(response, 413).await;
    });
}

#[test]
fn placing_a_call_is_refused() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for (method, path, allowed) in [
            (Method::POST, "/call", "GET,HEAD"),
            (Method::DELETE, "/call/c-1", "GET,HEAD"),
            (Method::GET, "/analytics", "POST"),
        ] {
            let response = ask(&tenant, &method, path, &format!("Bearer {}", tenant.key)).await;
            assert_eq!(response.headers()["allow"], allowed);
            refused(response, 405).await;
        }
    });
}
