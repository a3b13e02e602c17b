//! `/v1/contacts`: persons with handles, fields, tags and merges, and their read model.

mod changes;
mod clear_fields;
mod external_ids;
mod field_errors;
mod figures;
mod merges;
mod named_by_id;
mod races;
pub(crate) mod rebuild;
mod repeat_callers;
mod search;
mod timeline;

use ledger_tests::fixtures::Message;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, run};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::bad_input::problem;

const PHONE: &str = "+15550100123";
const OTHER_PHONE: &str = "+15550100124";

/// A tenant with a key that may read and write persons.
struct People {
    tenant: TestTenant,
    key: String,
}

impl People {
    async fn new(ledger: &TestLedger) -> Self {
        let tenant = ledger.tenant().await;
        let key = ledger.key(tenant.tenant_id, &["read", "personal", "write", "admin"]).await;
        Self { tenant, key }
    }

    async fn shared() -> Self {
        Self::new(TestLedger::shared().await).await
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> reqwest::Response {
        let request = Client::new().request(method, self.tenant.url(path)).bearer_auth(&self.key);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        request.send().await.expect("an answer")
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        status_and_json(self.send(method, path, body).await).await
    }

    /// Describes a person, and returns the new contact.
    async fn create(&self, body: &Value) -> Value {
        let (status, answer) = self.ask(Method::POST, "/v1/contacts", body).await;
        assert_eq!(status, 201, "{answer}");
        answer
    }

    async fn change(&self, id: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(Method::PATCH, &format!("/v1/contacts/{id}"), body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Merges a contact, and returns the survivor.
    async fn merge(&self, id: &str, into: &str) -> Value {
        let path = format!("/v1/contacts/{id}/merge");
        let (status, answer) = self.ask(Method::POST, &path, &json!({ "into": into })).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.tenant.get_with(&self.key, path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn show(&self, id: &str) -> Value {
        self.get(&format!("/v1/contacts/{id}")).await
    }

    /// Ids of the contacts that a query lists.
    async fn found(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/v1/contacts?{query}")).await;
        page["data"].as_array().expect("a list").iter().map(id).collect()
    }

    /// Posts the report of a call of a minute and seven cents, and returns its contact.
    async fn call(&self, call: &str, customer: &Value) -> String {
        self.report(call, customer).await;
        self.tenant.settle().await;
        self.contact_of(call).await
    }

    async fn report(&self, call: &str, customer: &Value) {
        let report = Message::report(call)
            .field("timestamp", 1_750_000_060_000_i64)
            .field("startedAt", json!("2025-06-15T15:06:40Z"))
            .field("endedAt", json!("2025-06-15T15:07:40Z"))
            .field("cost", "0.07")
            .field("customer", customer.clone());
        self.tenant.post_ok(report.body()).await;
    }

    async fn contact_of(&self, call: &str) -> String {
        let page = self.get(&format!("/v1/calls?provider_call_id={call}")).await;
        let id = page["data"][0]["customer"]["contact_id"].as_str();
        id.unwrap_or_else(|| panic!("no contact: {page}")).to_owned()
    }
}

fn id(contact: &Value) -> String {
    contact["contact_id"].as_str().expect("an id").to_owned()
}

fn person(name: &str, phone: &str) -> Value {
    json!({ "name": name, "number": phone })
}
