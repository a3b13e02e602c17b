//! The memory budget for bodies: its reserve for tool calls and its separate share for
//! unauthenticated senders.

use std::time::Duration;

use ledger_tests::{TestLedger, TestTenant, messages, run};
use serde_json::json;
use server::limits::Limits;

use super::{Raw, post_report, refused, until, voice};

const ROOM: usize = 1_500;
const SHORT: Duration = Duration::from_millis(500);

/// A server with a small budget, and a tenant on it.
async fn little_room() -> (TestLedger, TestTenant) {
    let ledger =
        TestLedger::start_within(Limits { room: ROOM, room_patience: SHORT, ..Limits::default() })
            .await;
    let tenant = ledger.tenant().await;
    (ledger, tenant)
}

/// Content length that uses a budget completely.
fn all_of(kilobytes: usize) -> usize {
    kilobytes * 1024 - 1
}

#[test]
fn a_voice_is_heard_while_the_room_is_full_of_reports() {
    run(async {
        let (ledger, tenant) = little_room().await;
        let held = Raw::begin(&tenant, &tenant.secret, all_of(ROOM)).await;
        // The budget is free until the head of the held request is read.
        until(async || post_report(&tenant, "early").await.status() == 503).await;
        assert_eq!(refused(post_report(&tenant, "refused").await).await, "overloaded");
        let large = messages::message("l", "hang", &json!({ "x": "x".repeat(600_000) }));
        let large = tenant.webhook(large.to_string()).send().await.expect("an answer");
        assert_eq!(refused(large).await, "overloaded");
        let said = voice(&tenant, "heard").await;
        assert!(said.contains("not configured"), "it is taken as always: {said}");
        let told = ("call".to_owned(), "call.tool_called".to_owned());
        assert!(tenant.recorded().await.contains(&told));

        drop(held);
        until(async || post_report(&tenant, "refused").await.status() == 200).await;
        ledger.stop().await;
    });
}

#[test]
fn strangers_take_no_room_from_those_who_know_the_secret() {
    run(async {
        let (ledger, tenant) = little_room().await;
        let held = Raw::begin(&tenant, "guessed", all_of(ROOM / 3)).await;
        let stranger = async || {
            let url = tenant.url(&format!("/ingest/{}", tenant.source_id));
            let body = messages::report("stranger").to_string();
            let request = reqwest::Client::new().post(url).header("x-vapi-secret", "guessed");
            request.body(body).send().await.expect("an answer").status().as_u16()
        };
        // The body is read into the reserve, and the wrong secret is refused.
        assert_eq!(stranger().await, 401);
        assert_eq!(post_report(&tenant, "known").await.status(), 200);
        drop(held);
        ledger.stop().await;
    });
}
