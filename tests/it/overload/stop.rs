//! Requests in flight during a shutdown.

use std::time::Duration;

use ledger_tests::{OwnDatabase, TestLedger, messages, run};
use server::limits::Limits;

use super::{PATIENCE, Raw, hold_tenants, refused, until};

#[test]
fn what_cannot_be_finished_when_the_server_stops_is_answered_all_the_same() {
    run(async {
        let own = OwnDatabase::create().await;
        let limits = Limits { drain: Duration::from_millis(200), ..Limits::default() };
        let ledger = own.server_within(limits).await;
        let tenant = ledger.tenant().await;
        let mut conn = own.superuser().await;
        let held = hold_tenants(&mut conn).await;
        let posted = tenant.webhook(messages::report("waits").to_string()).send();
        let posted = tokio::spawn(posted);
        own.until_somebody_waits().await;

        let stopped = tokio::spawn(ledger.stop());
        let answer = posted.await.expect("a task").expect("an answer");
        assert_eq!(refused(answer).await, "stopping");
        held.rollback().await.expect("let go");
        stopped.await.expect("it stopped");

        let again = own.server().await;
        let tenant = tenant.through(&again);
        tenant.post_ok(messages::report("waits").to_string()).await;
        assert_eq!(tenant.calls().await.len(), 1, "sent again, it is there once");
        again.stop().await;
    });
}

#[test]
fn a_connection_that_never_asked_anything_does_not_hold_up_the_end() {
    run(async {
        let limits = Limits { drain: 10 * PATIENCE, ..Limits::default() };
        let ledger = TestLedger::start_within(limits).await;
        let mut silent = Raw::open(&ledger).await;
        let mut slow = Raw::open(&ledger).await;
        slow.say("GET /healthz HTTP/1.1\r\nx-slow: ").await;
        let mut idle = Raw::open(&ledger).await;
        idle.say("GET /healthz HTTP/1.1\r\nhost: example.com\r\n\r\n").await;
        assert!(idle.some().await.contains("200 OK"));
        tokio::time::timeout(PATIENCE, ledger.stop()).await.expect("it ends");
        assert_eq!((silent.rest().await, slow.rest().await), (String::new(), String::new()));
    });
}

#[test]
fn every_refusal_is_in_the_log_by_number_after_a_flood_and_after_a_stop() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let source = own.server().await;
        let flood = async |through: &TestLedger, count: u32| {
            for _ in 0..count {
                let tenant = tenant.through(through);
                let request = tenant.webhook_at(tenant.source_id, "wrong", "{}");
                assert_eq!(request.send().await.expect("an answer").status(), 401);
            }
        };
        let counted = async || {
            let facts: Vec<i64> = sqlx::query_scalar(
                "select 1 + (facts ->> 'suppressed')::bigint from ledger.events
                  where event_type = 'access.denied'",
            )
            .fetch_all(&mut own.superuser().await)
            .await
            .expect("the log answers");
            (facts.len(), facts.iter().sum::<i64>())
        };
        flood(&ledger, 40).await;
        until(async || counted().await.1 == 40).await;
        assert!(counted().await.0 < 40, "they were counted, not stored one by one");
        flood(&source, 30).await;
        source.stop().await;
        assert_eq!(counted().await.1, 70);
        ledger.stop().await;
    });
}
