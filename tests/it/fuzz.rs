//! The whole service under input nobody wrote by hand: what is taken is recorded and readable,
//! what is not is refused by name, and the server is alive and clean afterwards.

mod fields;
mod queries;
mod sections;
mod strange;
mod wire;

use std::path::PathBuf;

use ledger_tests::{TestLedger, TestTenant};
use proptest::test_runner::{Config, FileFailurePersistence};
use serde_json::Value;

/// So many cases; what fails is kept beside the tests, to be tried first from then on.
fn cases(cases: u32) -> Config {
    let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("it/fuzz/regressions.txt");
    let kept = String::leak(kept.to_string_lossy().into_owned());
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(kept)) as _);
    Config { cases, failure_persistence, ..Config::default() }
}

/// Checks that the server answers, takes a webhook, shows it, and has given up on nobody.
async fn assert_well(ledger: &TestLedger, tenant: &TestTenant) {
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

/// Why the tenant's read model stands still, when it does.
async fn halted(tenant: &TestTenant) -> Option<String> {
    sqlx::query_scalar("select halted::text from projection.checkpoints where tenant_id = $1")
        .bind(tenant.tenant_id.0)
        .fetch_one(&mut ledger_tests::cluster::superuser().await)
        .await
        .expect("the checkpoint of a tenant that was read")
}
