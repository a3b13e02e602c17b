//! Requests in flight during a shutdown.

use std::time::Duration;

use ledger_tests::{OwnDatabase, TestLedger, messages, run};
use server::limits::Limits;

use super::{Raw, TIMEOUT, hold_tenants, refused, until};

#[test]
fn requests_unfinished_at_a_stop_are_answered() {
    run(async {
        let own = OwnDatabase::create().await;
        let limits = Limits { drain: Duration::from_millis(200), ..Limits::default() };
        let ledger = own.server_with_limits(limits).await;
        let tenant = ledger.tenant().await;
        let mut conn = own.superuser().await;
        let held = hold_tenants(&mut conn).await;
        let posted = tenant.webhook(messages::report("waits").to_string()).send();
        let posted = tokio::spawn(posted);
        own.until_lock_wait().await;

        let stopped = tokio::spawn(ledger.stop());
        let answer = posted.await.expect("a task").expect("an answer");
        assert_eq!(refused(answer).await, "shutting-down");
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
fn an_idle_connection_does_not_delay_the_stop() {
    run(async {
        let limits = Limits { drain: 10 * TIMEOUT, ..Limits::default() };
        let ledger = TestLedger::start_with_limits(limits).await;
        let mut silent = Raw::open(&ledger).await;
        let mut slow = Raw::open(&ledger).await;
        slow.write_text("GET /healthz HTTP/1.1\r\nx-slow: ").await;
        let mut idle = Raw::open(&ledger).await;
        idle.write_text("GET /healthz HTTP/1.1\r\nhost: example.com\r\n\r\n").await;
        assert!(idle.first_bytes().await.contains("200 OK"));
        tokio::time::timeout(TIMEOUT, ledger.stop()).await.expect("it ends");
        assert_eq!(
            (silent.read_to_end().await, slow.read_to_end().await),
            (String::new(), String::new())
        );
    });
}

#[test]
fn refusals_are_in_the_log_with_their_number_after_a_flood_and_a_stop() {
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
