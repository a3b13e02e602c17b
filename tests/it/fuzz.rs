//! The whole service under generated input: accepted input is recorded and readable, other input is
//! refused with a code, and the server stays healthy.

mod fields;
mod queries;
mod sections;
mod unusual_bodies;
mod wire;

use std::path::PathBuf;

use ledger_tests::{TestLedger, TestTenant};
use proptest::test_runner::{Config, FileFailurePersistence};
use serde_json::Value;

/// Configuration with a number of cases; failing ones are stored beside the tests and tried first
/// in later runs.
fn cases(cases: u32) -> Config {
    let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("it/fuzz/regressions.txt");
    let kept = String::leak(kept.to_string_lossy().into_owned());
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(kept)) as _);
    Config { cases, failure_persistence, ..Config::default() }
}

/// Checks that the server responds, accepts a webhook, returns its call, and has halted no tenant.
async fn assert_healthy(ledger: &TestLedger, tenant: &TestTenant) {
    let message = ledger_tests::fixtures::Message::report("and then").body();
    let answer = tenant.post_ok(message).await;
    assert!(answer["position"].is_i64(), "{answer}");
    tenant.settle().await;
    let page = tenant.get("/v1/calls?provider_call_id=and%20then").await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{page}");
    let url = format!("http://{}/readyz", ledger.address);
    let ready: Value = reqwest::get(url).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(ready["status"], "ready", "{ready}");
    assert_eq!(halted(tenant).await, None);
}

/// Returns why the tenant's read model is halted, if it is.
async fn halted(tenant: &TestTenant) -> Option<String> {
    sqlx::query_scalar("select halted::text from projection.checkpoints where tenant_id = $1")
        .bind(tenant.tenant_id.0)
        .fetch_one(&mut ledger_tests::cluster::superuser().await)
        .await
        .expect("the checkpoint of a tenant that was read")
}
