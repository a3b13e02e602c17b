//! Slow senders and large numbers of senders.

use std::time::Duration;

use ledger_tests::{TestLedger, run};
use server::limits::Limits;
use tokio::io::AsyncWriteExt;

use super::{Raw, get, refused, until};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn an_incomplete_head_is_cut_off() {
    run(async {
        let limits = Limits { head_timeout: SHORT, ..Limits::default() };
        let ledger = TestLedger::start_with_limits(limits).await;
        let mut raw = Raw::open(&ledger).await;
        raw.write_text("GET /healthz HTTP/1.1\r\nhost: example.com\r\nx-slow: ").await;
        assert!(!raw.read_to_end().await.contains("200 OK"));

        let mut usual = Raw::open(TestLedger::shared().await).await;
        usual.write_text("GET /healthz HTTP/1.1\r\nhost: example.com\r\n\r\n").await;
        let received = usual.first_bytes().await;
        assert!(received.contains("200 OK"), "{received}");
        ledger.stop().await;
    });
}

#[test]
fn a_too_large_head_is_refused_before_it_fills_the_memory() {
    run(async {
        let ledger = TestLedger::shared().await;
        let mut raw = Raw::open(ledger).await;
        raw.write_text("GET /healthz HTTP/1.1\r\nhost: example.com\r\n").await;
        for nth in 0..60 {
            let line = format!("x-{nth}: {}\r\n", "x".repeat(4_000));
            if raw.0.write_all(line.as_bytes()).await.is_err() {
                break; // The server has closed the connection.
            }
        }
        assert!(!raw.read_to_end().await.contains("200 OK"));
    });
}

#[test]
fn a_body_that_does_not_arrive_times_out() {
    run(async {
        let limits = Limits { body_timeout: SHORT, ..Limits::default() };
        let ledger = TestLedger::start_with_limits(limits).await;
        let tenant = ledger.tenant().await;
        let mut raw = Raw::begin(&tenant, &tenant.secret, 100).await;
        let received = raw.read_to_end().await;
        assert!(
            received.starts_with("HTTP/1.1 408 ") && received.contains("body-too-slow"),
            "{received}"
        );
        ledger.stop().await;
    });
}

#[test]
fn a_client_that_does_not_read_its_response_is_cut_off() {
    run(async {
        let limits = Limits { connections: 1, write_timeout: SHORT, ..Limits::default() };
        let ledger = TestLedger::start_with_limits(limits).await;
        let mut raw = Raw::open(&ledger).await;
        // More responses than the kernel buffers for a client that does not read.
        let asked = "GET /openapi.json HTTP/1.1\r\nhost: example.com\r\n\r\n".repeat(2_000);
        let asked = tokio::time::timeout(SHORT, raw.0.write_all(asked.as_bytes())).await;
        // Some requests may not be sent.
        drop(asked);
        // The slot of the connection is free again.
        until(async || get(&ledger, "/v1/calls").await.status() == 401).await;
        ledger.stop().await;
    });
}

#[test]
fn beyond_the_connection_limit_requests_get_retry_after_and_probes_are_answered() {
    run(async {
        let ledger =
            TestLedger::start_with_limits(Limits { connections: 2, ..Limits::default() }).await;
        let tenant = ledger.tenant().await;
        let slow = || Raw::begin(&tenant, &tenant.secret, 400_000);
        let held = (slow().await, slow().await);
        // A connection is silent, and may be closed, until its head is read.
        tokio::time::sleep(SHORT).await;
        assert_eq!(refused(get(&ledger, "/v1/calls").await).await, "too-many-connections");
        assert_eq!(get(&ledger, "/healthz").await.status(), 200, "the process lives");
        assert_eq!(
            get(&ledger, "/metrics").await.status(),
            200,
            "and is looked at when it matters"
        );
        drop(held);
        until(async || get(&ledger, "/v1/calls").await.status() == 401).await;
        ledger.stop().await;
    });
}
