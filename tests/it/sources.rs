//! Webhook sources: exact counts, and permissions to create, list and revoke.

mod batches;
mod counts;
mod deliveries;
mod failures;
mod keys;
mod list;

use std::collections::BTreeMap;

use ledger_core::ids::{SourceId, TenantId};
use ledger_tests::ledger::status_and_json;
use ledger_tests::{OwnDatabase, TestLedger, TestTenant};
use reqwest::{Client, Method, Response};
use serde_json::Value;

/// The outcomes, which add up to the received webhooks.
const OUTCOMES: [&str; 6] =
    ["recorded", "duplicate", "ignored", "refused", "quarantined", "failed"];

/// Counts by source, message type and outcome.
type Figures = BTreeMap<(SourceId, String, &'static str), i64>;

/// A separate database with a tenant, a shared source, and an `admin` key for each.
struct SourceSetup {
    own: OwnDatabase,
    tenant: TestTenant,
    shared: SourceId,
    admin: String,
    installation: String,
}

const SHARED_SECRET: &str = "example-shared-secret";

impl SourceSetup {
    async fn build(own: OwnDatabase, ledger: &TestLedger) -> Self {
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let installation = ledger.key(TenantId::INSTALLATION, &["admin"]).await;
        let shared = ledger.source(TenantId::INSTALLATION, SHARED_SECRET, false).await;
        Self { own, tenant, shared, admin, installation }
    }

    /// Returns the counts that both keys get for their sources.
    async fn figures(&self, query: &str) -> Figures {
        let mut figures = Figures::new();
        for key in [&self.admin, &self.installation] {
            for source in listed(&self.tenant, key, query).await {
                figures.extend(figures_of(&source));
            }
        }
        figures
    }
}

/// Returns the sources a key can list.
async fn listed(tenant: &TestTenant, key: &str, query: &str) -> Vec<Value> {
    let (status, page) = tenant.get_with(key, &format!("/v1/sources{query}")).await;
    assert_eq!(status, 200, "{page}");
    page["data"].as_array().expect("a page has data").clone()
}

/// Returns the non-zero counts of a source, which must add up by type and by outcome.
fn figures_of(source: &Value) -> Figures {
    let source_id = source["source_id"].as_str().and_then(|id| id.parse().ok()).map(SourceId);
    let number = |of: &Value, name: &str| of[name].as_i64().expect("a number");
    let types = source["by_type"].as_array().expect("types");
    let mut figures = Figures::new();
    for one in types.iter().chain([source]) {
        let sum: i64 = OUTCOMES.iter().map(|outcome| number(one, outcome)).sum();
        assert_eq!(number(one, "received"), sum, "{one}");
    }
    for outcome in OUTCOMES {
        let sum: i64 = types.iter().map(|one| number(one, outcome)).sum();
        assert_eq!(number(source, outcome), sum, "{source}");
        for one in types.iter().filter(|one| number(one, outcome) > 0) {
            let kind = one["type"].as_str().expect("a type").to_owned();
            figures.insert((source_id.expect("an id"), kind, outcome), number(one, outcome));
        }
    }
    figures
}

/// Sends a command; returns status and response.
async fn command(
    tenant: &TestTenant,
    key: &str,
    method: Method,
    path: &str,
    body: &str,
) -> (u16, Value) {
    status_and_json(send(tenant, key, method, path, body).await).await
}

async fn send(tenant: &TestTenant, key: &str, method: Method, path: &str, body: &str) -> Response {
    let request = Client::new().request(method, tenant.url(path)).bearer_auth(key);
    request.body(body.to_owned()).send().await.expect("an answer")
}
