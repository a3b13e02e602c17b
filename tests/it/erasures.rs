//! Erasures of persons, from outside: requests, decisions, the process and its certificate, and what is
//! refused afterwards.

mod converge;
mod holds;
mod process;
mod races;
mod refused;

use std::time::{Duration, Instant};

use ledger_tests::fixtures::Message;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, run};
use reqwest::{Client, Method};
use serde_json::{Value, json};

const PHONE: &str = "+15550100123";

/// A tenant with a key that may do everything.
struct Officer {
    tenant: TestTenant,
    key: String,
}

impl Officer {
    async fn new(ledger: &TestLedger) -> Self {
        let tenant = ledger.tenant().await;
        let scopes = ["read", "personal", "write", "compliance", "admin"];
        let key = ledger.key(tenant.tenant_id, &scopes).await;
        Self { tenant, key }
    }

    async fn shared() -> Self {
        Self::new(TestLedger::shared().await).await
    }

    /// The same tenant through another server.
    fn through(&self, ledger: &TestLedger) -> Self {
        Self { tenant: self.tenant.through(ledger), key: self.key.clone() }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> reqwest::Response {
        let request = Client::new().request(method, self.tenant.url(path)).bearer_auth(&self.key);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        request.send().await.expect("an answer")
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let response = self.send(method, path, body).await;
        if response.status() == 204 {
            return (204, Value::Null);
        }
        status_and_json(response).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.tenant.get_with(&self.key, path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Records the report of a call, and returns its contact.
    async fn call(&self, call: &str, name: &str, phone: &str) -> String {
        self.report(call, &json!({ "name": name, "number": phone })).await;
        self.tenant.settle().await;
        let page = self.get(&format!("/v1/calls?provider_call_id={call}")).await;
        let id = page["data"][0]["customer"]["contact_id"].as_str();
        id.unwrap_or_else(|| panic!("no contact: {page}")).to_owned()
    }

    async fn report(&self, call: &str, customer: &Value) -> Value {
        let report = Message::report(call)
            .field("timestamp", 1_750_000_060_000_i64)
            .field("cost", "0.07")
            .field("customer", customer.clone());
        self.tenant.post_ok(report.body()).await
    }

    /// Requests an erasure, and returns its id.
    async fn erase(&self, subject_id: &str) -> String {
        let path = format!("/v1/subjects/{subject_id}/erasure");
        let (status, answer) = self.ask(Method::POST, &path, &json!({ "ground": "17.1.b" })).await;
        assert_eq!(status, 202, "{answer}");
        answer["erasure_id"].as_str().expect("an id").to_owned()
    }

    /// Waits until an erasure has an expected state or step, and returns it.
    async fn until(&self, erasure_id: &str, expected: &str) -> Value {
        let begun = Instant::now();
        loop {
            let path = format!("/v1/erasures/{erasure_id}");
            let (status, erasure) = self.tenant.get_with(&self.key, &path).await;
            // A tenant has a share of concurrent reads.
            assert!(matches!(status, 200 | 503), "{erasure}");
            if erasure["state"] == expected || erasure["step"] == expected {
                return erasure;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "not {expected}: {erasure}");
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    }

    async fn hold(&self, subject_id: &str) -> (u16, Value) {
        let path = format!("/v1/subjects/{subject_id}/holds");
        self.ask(Method::POST, &path, &json!({ "reason": "litigation" })).await
    }
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}
