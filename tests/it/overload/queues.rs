//! Append queues are bounded, and a full queue refuses requests.

use chrono::DateTime;
use ledger_core::envelope::StreamKind;
use ledger_core::ids::{EventId, StreamId, TenantId};
use ledger_store::append::AppendError;
use ledger_store::append::{AppendRequest, Expected, NewEvent, StreamAppend};
use ledger_tests::{OwnDatabase, TestLedger, run};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{
    assert_recovers, assert_tool_call_fails, hold_tenants, post_report, received, refused,
    tool_answer, tool_call,
};

/// With the other fields this is a megabyte, so that the queue is full exactly.
const BULK: usize = (1 << 20) - 1_000;

/// A request with an event of a megabyte.
fn heavy(tenant_id: TenantId, nth: u128) -> AppendRequest {
    let at = DateTime::from_timestamp(1_793_610_061, 0).expect("a time");
    let event = NewEvent {
        event_id: EventId(Uuid::from_u128(nth)),
        event_type: "call.message_received",
        schema_version: 1,
        occurred_at: at,
        recorded_at: at,
        facts: "{}".into(),
        sections: None,
        bulk: Some(vec![7; BULK]),
        subjects: Vec::new(),
        meta: "{}".into(),
    };
    let stream = StreamAppend {
        stream_id: StreamId(Uuid::from_u128(nth)),
        kind: StreamKind::Delivery,
        expected: Expected::Any,
        events: vec![event],
    };
    AppendRequest { tenant_id, streams: vec![stream] }
}

#[test]
fn a_full_queue_refuses_at_once_answers_tool_calls_and_loses_no_accepted_event() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        // Keys and source are cached, as in a running server.
        tenant.post_ok(super::messages::report("before").to_string()).await;
        let first_answer = tool_answer(&tenant, "before-tool").await;
        let mut conn = own.superuser().await;
        let held = hold_tenants(&mut conn).await;
        let mut appends = JoinSet::new();
        for nth in 0..80 {
            let (appender, request) =
                (ledger.store.appender().clone(), heavy(tenant.tenant_id, nth));
            appends.spawn(async move { appender.append(request).await });
        }
        // Requests beyond the bound are refused while the others wait.
        let first = appends.join_next().await.expect("eighty").expect("a task");
        assert!(matches!(first, Err(AppendError::Overloaded)), "{first:?}");
        assert_eq!(refused(post_report(&tenant, "during").await).await, "overloaded");
        assert_tool_call_fails(&tenant, "during-tool").await;
        let mut again: Value = serde_json::from_str(&tool_call("before-tool")).expect("JSON");
        again["message"]["timestamp"] = json!(1_793_610_099_000_i64);
        let again = received(&tenant, "before-tool", again.to_string()).await;
        assert_eq!(again, first_answer, "a known tool call in another body");
        held.rollback().await.expect("let go");

        let appended = appends.join_all().await;
        let taken = appended.iter().filter(|answer| answer.is_ok()).count();
        let stored: i64 =
            sqlx::query_scalar("select count(*) from ledger.events where octet_length(bulk) = $1")
                .bind(i32::try_from(BULK).expect("a megabyte"))
                .fetch_one(&mut own.superuser().await)
                .await
                .expect("a count");
        assert!(taken > 0, "{appended:?}");
        assert_eq!(usize::try_from(stored), Ok(taken), "what was acknowledged is there, once");
        assert_eq!(post_report(&tenant, "during").await.status(), 200);
        let said = tool_answer(&tenant, "during-tool").await;
        assert!(said.contains("not configured"), "{said}");
        ledger.stop().await;
    });
}

#[test]
fn a_locked_tenant_is_refused_in_time_and_accepted_after_the_release() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let mut conn = own.superuser().await;
        let held = hold_tenants(&mut conn).await;
        let (report, ()) =
            tokio::join!(post_report(&tenant, "during"), assert_tool_call_fails(&tenant, "tool"));
        assert_eq!(refused(report).await, "unavailable");
        held.rollback().await.expect("let go");
        assert_recovers(&ledger, &tenant, "during").await;
        ledger.stop().await;
    });
}

#[test]
fn readers_on_every_connection_delay_no_webhook() {
    run(async {
        let ledger = TestLedger::start().await;
        let tenant = ledger.tenant().await;
        let mut held = Vec::new();
        while let Some(conn) = ledger.store.app().try_acquire() {
            held.push(conn);
        }
        while held.len() < 16 {
            held.push(ledger.store.app().acquire().await.expect("a connection"));
        }
        assert_eq!(post_report(&tenant, "c-1").await.status(), 200);
        let said = tool_answer(&tenant, "c-2").await;
        assert!(said.contains("not configured"), "{said}");
        let list = tenant.request(&tenant.key, "/v1/calls").send().await.expect("an answer");
        assert_eq!(refused(list).await, "unavailable", "a reader waits, then hears so");
        drop(held);
        assert_eq!(tenant.calls().await.len(), 2);
        ledger.stop().await;
    });
}
