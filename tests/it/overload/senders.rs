//! Slow senders and large numbers of senders.

use std::time::Duration;

use ledger_tests::{TestLedger, run};
use server::limits::Limits;
use tokio::io::AsyncWriteExt;

use super::{Raw, get, refused, until};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn a_head_that_does_not_come_to_its_end_is_cut_off() {
    run(async {
        let limits = Limits { head_patience: SHORT, ..Limits::default() };
        let ledger = TestLedger::start_within(limits).await;
        let mut raw = Raw::open(&ledger).await;
        raw.say("GET /healthz HTTP/1.1\r\nhost: example.com\r\nx-slow: ").await;
        assert!(!raw.rest().await.contains("200 OK"));

        let mut usual = Raw::open(TestLedger::shared().await).await;
        usual.say("GET /healthz HTTP/1.1\r\nhost: example.com\r\n\r\n").await;
        let heard = usual.some().await;
        assert!(heard.contains("200 OK"), "{heard}");
        ledger.stop().await;
    });
}

#[test]
fn a_head_larger_than_any_is_refused_before_it_fills_the_memory() {
    run(async {
        let ledger = TestLedger::shared().await;
        let mut raw = Raw::open(ledger).await;
        raw.say("GET /healthz HTTP/1.1\r\nhost: example.com\r\n").await;
        for nth in 0..60 {
            let line = format!("x-{nth}: {}\r\n", "x".repeat(4_000));
            if raw.0.write_all(line.as_bytes()).await.is_err() {
                break; // The server has closed the connection.
            }
        }
        assert!(!raw.rest().await.contains("200 OK"));
    });
}

#[test]
fn a_body_that_does_not_arrive_is_given_up() {
    run(async {
        let limits = Limits { body_patience: SHORT, ..Limits::default() };
        let ledger = TestLedger::start_within(limits).await;
        let tenant = ledger.tenant().await;
        let mut raw = Raw::begin(&tenant, &tenant.secret, 100).await;
        let heard = raw.rest().await;
        assert!(heard.starts_with("HTTP/1.1 408 ") && heard.contains("body-too-slow"), "{heard}");
        ledger.stop().await;
    });
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_cut_off() {
    run(async {
        let limits = Limits { connections: 1, answer_patience: SHORT, ..Limits::default() };
        let ledger = TestLedger::start_within(limits).await;
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
fn whoever_finds_every_connection_taken_is_told_to_come_again_and_probes_are_answered() {
    run(async {
        let ledger = TestLedger::start_within(Limits { connections: 2, ..Limits::default() }).await;
        let tenant = ledger.tenant().await;
        let slow = || Raw::begin(&tenant, &tenant.secret, 400_000);
        let held = (slow().await, slow().await);
        // Until its head is read a connection is silent, and makes way.
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
