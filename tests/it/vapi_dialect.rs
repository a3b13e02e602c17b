//! Vapi's API dialect: scripts written for Vapi work unchanged.

mod analytics;
mod filters;
mod people;
mod refusals;
mod report_fields;
mod samples;

use ledger_tests::TestTenant;
use ledger_tests::schema::Schemas;
use reqwest::{Client, Response};
use serde_json::Value;

/// Lists calls; each must be valid under Vapi's schema.
async fn list(tenant: &TestTenant, key: &str, query: &str) -> Vec<Value> {
    let (status, calls) = tenant.get_with(key, &format!("/call?{query}")).await;
    assert_eq!(status, 200, "{query}: {calls}");
    let calls = calls.as_array().expect("a plain list").clone();
    calls.iter().for_each(check);
    calls
}

/// Returns a call, which must be valid under Vapi's schema.
async fn show(tenant: &TestTenant, key: &str, id: &str) -> Value {
    let (status, call) = tenant.get_with(key, &format!("/call/{id}")).await;
    assert_eq!(status, 200, "{id}: {call}");
    check(&call);
    call
}

/// Validates a call against the stored part of Vapi's schema; assistants reference some hundred
/// more schemas.
fn check(call: &Value) {
    let mut call = call.clone();
    for own in
        ["assistant", "assistantOverrides", "phoneNumber", "squad", "squadOverrides", "transport"]
    {
        call.as_object_mut().expect("a call").remove(own);
    }
    if let Some(artifact) = call.get_mut("artifact").and_then(Value::as_object_mut) {
        for own in ["assistantActivations", "nodes", "performanceMetrics", "transfers"] {
            artifact.remove(own);
        }
    }
    assert_eq!(Schemas::vapi().faults("Call", &call), [""; 0], "{call}");
}

/// Sends an analytics query.
async fn post(tenant: &TestTenant, key: &str, body: &Value) -> Response {
    let request = Client::new().post(tenant.url("/analytics")).bearer_auth(key);
    request.json(body).send().await.expect("an answer")
}

/// Returns the ids of calls, in the order given.
fn ids(calls: &[Value]) -> Vec<&str> {
    calls.iter().map(|call| call["id"].as_str().expect("calls have ids")).collect()
}
