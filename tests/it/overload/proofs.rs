//! The cost that an unauthenticated sender can cause is bounded.

use std::time::{Duration, Instant};

use ledger_core::clock::Clock;
use ledger_tests::{TestLedger, messages, run};
use server::system::SystemClock;
use tokio::io::AsyncWriteExt;

use super::{Raw, get};

#[test]
fn repeated_signature_headers_are_refused_before_the_body_is_read_and_delay_no_request() {
    run(async {
        let ledger = TestLedger::start().await;
        let tenant = ledger.tenant().await;
        let now = SystemClock.now().timestamp();
        let attack = async || {
            let mut request = tenant.webhook_at(tenant.source_id, "guessed", vec![b' '; 4_900_000]);
            for nth in 0..45 {
                request = request
                    .header("x-signature", format!("{nth:064x}"))
                    .header("x-timestamp", now.to_string());
            }
            request.send().await.expect("an answer")
        };
        let others = async || {
            let mut longest = Duration::ZERO;
            for _ in 0..20 {
                let since = Instant::now();
                assert_eq!(get(&ledger, "/healthz").await.status(), 200);
                longest = longest.max(since.elapsed());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            longest
        };
        let since = Instant::now();
        let (one, two, longest) = tokio::join!(attack(), attack(), others());
        for answer in [one, two] {
            assert_eq!(answer.status(), 401);
            let problem: serde_json::Value = answer.json().await.expect("a problem document");
            assert_eq!(problem["code"], "signature-repeated");
        }
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        assert!(longest < Duration::from_secs(1), "{longest:?} for a probe");
        let denied = tenant.facts_of("access.denied").await;
        assert_eq!(denied[0]["reason"], "signature-repeated");
        ledger.stop().await;
    });
}

#[test]
fn a_request_no_body_can_authenticate_is_refused_without_memory_for_the_body() {
    run(async {
        let limits =
            server::limits::Limits { body_budget_kib: 0, ..server::limits::Limits::default() };
        let ledger = TestLedger::start_with_limits(limits).await;
        let tenant = ledger.tenant().await;
        let large =
            messages::message("l", "hang", &serde_json::json!({ "x": "x".repeat(600_000) }));
        let send = async |request: reqwest::RequestBuilder| {
            request.send().await.expect("an answer").status().as_u16()
        };
        let guessed = || tenant.webhook_at(tenant.source_id, "guessed", large.to_string());
        assert_eq!(send(guessed()).await, 401);
        // A signature may be valid, but there is no memory for the body it needs.
        let now = SystemClock.now().timestamp().to_string();
        let signed = guessed().header("x-signature", "00").header("x-timestamp", now);
        assert_eq!(send(signed).await, 503);
        ledger.stop().await;
    });
}

#[test]
fn a_trickling_body_is_cut_off_before_its_deadline() {
    run(async {
        let ledger = TestLedger::start().await;
        let tenant = ledger.tenant().await;
        let mut raw = Raw::begin(&tenant, &tenant.secret, 400_000).await;
        let since = Instant::now();
        let received = loop {
            raw.write_text("     ").await;
            if let Some(received) = raw.read_within(Duration::from_millis(100)).await {
                break received;
            }
            assert!(since.elapsed() < Duration::from_secs(15), "it may go on like this");
        };
        assert!(
            received.starts_with("HTTP/1.1 408 ") && received.contains("body-too-slow"),
            "{received}"
        );
        ledger.stop().await;
    });
}

#[test]
fn a_signature_that_is_no_text_is_counted_and_refused_before_the_body_is_read() {
    run(async {
        let ledger = TestLedger::start().await;
        let tenant = ledger.tenant().await;
        let now = SystemClock.now().timestamp();
        for (signatures, code) in [
            (&b"x-signature: \xe4\r\nx-signature: 00\r\n"[..], "signature-repeated"),
            (&b"x-signature: \xe4\r\n"[..], "signature-invalid"),
        ] {
            let mut raw = Raw::open(&ledger).await;
            raw.write_text(&format!(
                "POST /ingest/{} HTTP/1.1\r\nhost: example.com\r\n",
                tenant.source_id
            ))
            .await;
            raw.0.write_all(signatures).await.expect("it is open");
            raw.write_text(&format!("x-timestamp: {now}\r\ncontent-length: 2\r\n\r\n{{}}")).await;
            let received = raw.first_bytes().await;
            assert!(received.starts_with("HTTP/1.1 401 ") && received.contains(code), "{received}");
        }
        ledger.stop().await;
    });
}
