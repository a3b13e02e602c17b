//! Fair shares: a tenant that uses up its share affects only itself.

use std::time::Duration;

use ledger_core::clock::Clock;
use ledger_tests::{TestLedger, TestTenant, messages, run};
use serde_json::json;
use server::limits::Limits;
use server::system::SystemClock;

use super::{Raw, post_report, refused, until};

/// Announced length of a slow webhook that sends almost nothing.
const ANNOUNCED_LENGTH: usize = 400_000;

/// A webhook too large for the reserve.
fn large(call: &str) -> String {
    messages::message(call, "hang", &json!({ "x": "x".repeat(600_000) })).to_string()
}

/// A server that refuses a large body early, because a slow body holds its memory for four seconds.
async fn impatient() -> TestLedger {
    let body_budget_timeout = Duration::from_millis(500);
    TestLedger::start_with_limits(Limits { body_budget_timeout, ..Limits::default() }).await
}

/// Begins webhooks until the tenant itself is refused.
async fn use_up(tenant: &TestTenant) -> Vec<Raw> {
    let mut held = Vec::new();
    for _ in 0..112 {
        held.push(Raw::begin(tenant, &tenant.secret, ANNOUNCED_LENGTH).await);
    }
    until(async || tenant.post(large("own")).await.0 == 503).await;
    held
}

#[test]
fn slow_connections_of_one_tenant_use_up_its_own_share_alone() {
    run(async {
        let ledger = impatient().await;
        let (hostile, other) = (ledger.tenant().await, ledger.tenant().await);
        let held = use_up(&hostile).await;
        for nth in 0..20 {
            let answer = post_report(&other, &format!("other-{nth}")).await;
            assert_eq!(answer.status(), 200, "another tenant, beside slow connections");
        }
        drop(held);
        until(async || post_report(&hostile, "later").await.status() == 200).await;
        ledger.stop().await;
    });
}

#[test]
fn unauthenticated_senders_use_up_only_the_share_of_their_source() {
    run(async {
        let ledger = impatient().await;
        let (named, other) = (ledger.tenant().await, ledger.tenant().await);
        let now = SystemClock.now().timestamp();
        let signed = |tenant: &TestTenant, length: usize| {
            format!(
                "POST /ingest/{} HTTP/1.1\r\nhost: example.com\r\nx-signature: 00\r\n\
                 x-timestamp: {now}\r\ncontent-length: {length}\r\n\r\n{{",
                tenant.source_id
            )
        };
        let mut held = Vec::new();
        for _ in 0..83 {
            let mut raw = Raw::open(&ledger).await;
            raw.write_text(&signed(&named, ANNOUNCED_LENGTH)).await;
            held.push(raw);
        }
        // A wrong signature: the body is read and the signature checked.
        let send_signed = async |tenant: &TestTenant, body: String| {
            let request = reqwest::Client::new()
                .post(tenant.url(&format!("/ingest/{}", tenant.source_id)))
                .header("x-signature", "00")
                .header("x-timestamp", now.to_string())
                .body(body);
            request.send().await.expect("an answer")
        };
        until(async || send_signed(&named, large("own")).await.status() == 503).await;
        assert_eq!(refused(send_signed(&named, large("own")).await).await, "overloaded");
        for body in [large("other"), messages::report("other").to_string()] {
            assert_eq!(
                send_signed(&other, body).await.status(),
                401,
                "there is room for its signatures"
            );
        }
        // A sender with the secret itself is served from the other share.
        assert_eq!(post_report(&named, "known").await.status(), 200);
        drop(held);
        ledger.stop().await;
    });
}
