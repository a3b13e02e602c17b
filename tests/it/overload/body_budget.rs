//! The memory budget for bodies: its reserve for tool calls and its separate share for
//! unauthenticated senders.

use std::time::Duration;

use ledger_tests::{TestLedger, TestTenant, messages, run};
use serde_json::json;
use server::limits::Limits;

use super::{Raw, post_report, refused, tool_answer, until};

const BUDGET_KIB: usize = 1_500;
const SHORT: Duration = Duration::from_millis(500);

/// A server with a small budget, and a tenant on it.
async fn small_budget() -> (TestLedger, TestTenant) {
    let ledger = TestLedger::start_with_limits(Limits {
        body_budget_kib: BUDGET_KIB,
        body_budget_timeout: SHORT,
        ..Limits::default()
    })
    .await;
    let tenant = ledger.tenant().await;
    (ledger, tenant)
}

/// Content length that uses a budget completely.
fn whole_budget(kilobytes: usize) -> usize {
    kilobytes * 1024 - 1
}

#[test]
fn a_tool_call_is_answered_while_reports_use_up_the_body_budget() {
    run(async {
        let (ledger, tenant) = small_budget().await;
        let held = Raw::begin(&tenant, &tenant.secret, whole_budget(BUDGET_KIB)).await;
        // The budget is free until the head of the held request is read.
        until(async || post_report(&tenant, "early").await.status() == 503).await;
        assert_eq!(refused(post_report(&tenant, "refused").await).await, "overloaded");
        let large = messages::message("l", "hang", &json!({ "x": "x".repeat(600_000) }));
        let large = tenant.webhook(large.to_string()).send().await.expect("an answer");
        assert_eq!(refused(large).await, "overloaded");
        let said = tool_answer(&tenant, "heard").await;
        assert!(said.contains("not configured"), "it is taken as always: {said}");
        let expected = ("call".to_owned(), "call.tool_called".to_owned());
        assert!(tenant.recorded().await.contains(&expected));

        drop(held);
        until(async || post_report(&tenant, "refused").await.status() == 200).await;
        ledger.stop().await;
    });
}

#[test]
fn unauthenticated_bodies_use_no_budget_of_authenticated_ones() {
    run(async {
        let (ledger, tenant) = small_budget().await;
        let held = Raw::begin(&tenant, "guessed", whole_budget(BUDGET_KIB / 3)).await;
        let unauthenticated = async || {
            let url = tenant.url(&format!("/ingest/{}", tenant.source_id));
            let body = messages::report("unauthenticated").to_string();
            let request = reqwest::Client::new().post(url).header("x-vapi-secret", "guessed");
            request.body(body).send().await.expect("an answer").status().as_u16()
        };
        // The body is read into the reserve, and the wrong secret is refused.
        assert_eq!(unauthenticated().await, 401);
        assert_eq!(post_report(&tenant, "known").await.status(), 200);
        drop(held);
        ledger.stop().await;
    });
}
