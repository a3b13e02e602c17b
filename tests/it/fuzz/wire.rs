//! Invalid HTTP: wrong lengths, incomplete bodies, slow senders, absurd heads.

use std::time::Duration;

use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::assert_healthy;

/// Longer than every server timeout, the longest of which is twenty seconds.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Sends bytes on a new connection, closes the sending side if `is_over`, and reads until the
/// server closes or sends nothing more.
async fn exchange(tenant: &TestTenant, bytes: impl AsRef<[u8]>, is_over: bool) -> String {
    let mut stream = TcpStream::connect(tenant.address).await.expect("a connection");
    // A server that refuses early may close before all bytes are sent.
    let _ = stream.write_all(bytes.as_ref()).await;
    if is_over {
        let _ = stream.shutdown().await;
    }
    read_response(&mut stream).await
}

async fn read_response(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut chunk = vec![0; 16_384];
    loop {
        let wait_time = if answer.is_empty() { TIMEOUT } else { Duration::from_millis(500) };
        match timeout(wait_time, stream.read(&mut chunk)).await {
            Ok(Ok(0) | Err(_)) | Err(_) => break,
            Ok(Ok(len)) => answer.extend_from_slice(&chunk[..len]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Returns the statuses of all responses in the bytes read.
fn statuses(answer: &str) -> Vec<u16> {
    answer
        .match_indices("HTTP/1.")
        .filter_map(|(at, _)| answer.get(at + 9..at + 12)?.parse().ok())
        .collect()
}

/// The head of a webhook request without the lines for the length of the body.
fn head(tenant: &TestTenant) -> String {
    format!(
        "POST /ingest/{} HTTP/1.1\r\nhost: x\r\nx-vapi-secret: {}\r\n",
        tenant.source_id, tenant.secret
    )
}

fn webhook(tenant: &TestTenant, call: &str) -> String {
    let body = Message::report(call).body();
    format!("{}content-length: {}\r\n\r\n{body}", head(tenant), body.len())
}

#[test]
fn an_incomplete_body_is_refused_and_not_stored() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let door = head(&tenant);
        let body = Message::report("c-1").body();
        let len = body.len();
        for (request, is_over) in [
            (format!("{door}content-length: {}\r\n\r\n{body}", len + 10), true),
            (format!("{door}content-length: {len}\r\n\r\n"), true),
            (format!("{door}transfer-encoding: chunked\r\n\r\n{len:x}\r\n{body}\r\n"), true),
            (format!("{door}transfer-encoding: chunked\r\n\r\n{len:x}\r\n{{"), true),
            (format!("{door}transfer-encoding: chunked\r\n\r\nzz\r\n{body}\r\n0\r\n\r\n"), false),
            (format!("{door}transfer-encoding: chunked\r\n\r\n-1\r\n{body}\r\n0\r\n\r\n"), false),
            (format!("{door}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{body}"), false),
        ] {
            let answer = exchange(&tenant, &request, is_over).await;
            // A client that closed may get no response; any response must be a refusal.
            let refused = statuses(&answer);
            assert!(refused.iter().all(|status| *status == 400), "{request} {answer}");
            assert!(is_over || !refused.is_empty(), "{request} {answer}");
        }
        assert!(tenant.recorded().await.is_empty());
        assert_healthy(ledger, &tenant).await;
    });
}

#[test]
fn a_missing_body_times_out() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let door = head(&tenant);
        let never = exchange(&tenant, format!("{door}content-length: 10\r\n\r\n"), false);
        let chunked =
            exchange(&tenant, format!("{door}transfer-encoding: chunked\r\n\r\n5\r\n{{"), false);
        let trickled = async {
            let mut stream = TcpStream::connect(tenant.address).await.expect("a connection");
            let (mut reading, mut writing) = stream.split();
            let request = format!("{door}content-length: 1000\r\n\r\n");
            writing.write_all(request.as_bytes()).await.expect("it is read");
            let trickle = async {
                while writing.write_all(b" ").await.is_ok() {
                    sleep(Duration::from_millis(100)).await;
                }
                // A failed write says that the server has closed; its response is still to be read.
                std::future::pending::<()>().await;
            };
            let mut answer = vec![0; 4096];
            let read = timeout(TIMEOUT, reading.read(&mut answer));
            tokio::select! {
                len = read => answer.truncate(len.expect("an answer in time").expect("an answer")),
                () = trickle => {}
            }
            String::from_utf8_lossy(&answer).into_owned()
        };
        for answer in <[String; 3]>::from(tokio::join!(never, chunked, trickled)) {
            assert_eq!(statuses(&answer), [408], "{answer}");
            assert!(answer.contains("body-too-slow"), "{answer}");
        }
        assert!(tenant.recorded().await.is_empty());
        assert_healthy(ledger, &tenant).await;
    });
}

#[test]
fn a_body_of_another_length_than_announced_is_refused() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let door = head(&tenant);
        let body = Message::report("c-1").body();
        let len = body.len();
        for lines in [
            "content-length: -1\r\n".to_owned(),
            "content-length: +5\r\n".to_owned(),
            "content-length: 0x10\r\n".to_owned(),
            "content-length: 99999999999999999999999\r\n".to_owned(),
            "content-length: many\r\n".to_owned(),
            format!("content-length: {len}\r\ncontent-length: {}\r\n", len - 1),
            format!("content-length: {len}, {}\r\n", len + 1),
            "transfer-encoding: gzip\r\n".to_owned(),
            "transfer-encoding: chunked, gzip\r\n".to_owned(),
            format!("content-length: {len}\r\ntransfer-encoding: chunked\r\n"),
        ] {
            let answer = exchange(&tenant, format!("{door}{lines}\r\n{body}"), true).await;
            assert!(statuses(&answer).iter().all(|status| *status == 400), "{lines} {answer}");
        }
        // Longer than announced: the rest is no valid request.
        let answer =
            exchange(&tenant, format!("{door}content-length: {}\r\n\r\n{body}", len - 1), true)
                .await;
        assert!(statuses(&answer).iter().all(|status| *status == 400), "{answer}");
        // Longer than the limit, refused before it is sent.
        let answer =
            exchange(&tenant, format!("{door}content-length: 5000001\r\n\r\n"), true).await;
        assert!(statuses(&answer).iter().all(|status| *status == 413), "{answer}");
        assert!(tenant.recorded().await.is_empty());
        assert_healthy(ledger, &tenant).await;
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let requests: String = (0..5).map(|nth| webhook(&tenant, &format!("c-{nth}"))).collect();
        let answer = exchange(&tenant, requests, false).await;
        assert_eq!(statuses(&answer), [200; 5], "{answer}");
        let positions: Vec<i64> = answer
            .match_indices("\"position\":")
            .map(|(at, found)| {
                let rest = &answer[at + found.len()..];
                rest[..rest.find([',', '}']).expect("an object")].parse().expect("a number")
            })
            .collect();
        assert!(positions.is_sorted(), "{positions:?}");
        assert_eq!(tenant.calls().await.len(), 5);
    });
}

#[test]
fn http_1_0_and_expect_continue_clients_are_served() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let old = webhook(&tenant, "c-1").replace("HTTP/1.1", "HTTP/1.0");
        assert_eq!(statuses(&exchange(&tenant, old, false).await), [200]);

        let body = Message::report("c-2").body();
        let mut stream = TcpStream::connect(tenant.address).await.expect("a connection");
        let asks = format!(
            "{}content-length: {}\r\nexpect: 100-continue\r\n\r\n",
            head(&tenant),
            body.len()
        );
        stream.write_all(asks.as_bytes()).await.expect("it is read");
        assert_eq!(statuses(&read_response(&mut stream).await), [100]);
        stream.write_all(body.as_bytes()).await.expect("it is read");
        assert_eq!(statuses(&read_response(&mut stream).await), [200]);

        // An unknown source is refused before the body is sent; the secret is checked after it.
        let nowhere = "POST /ingest/nowhere HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
                       content-length: 9\r\n\r\n";
        assert_eq!(statuses(&exchange(&tenant, nowhere, false).await), [404]);
        assert_eq!(tenant.calls().await.len(), 2);
        assert_healthy(ledger, &tenant).await;
    });
}

#[test]
fn absurd_heads_are_refused() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let get = |lines: &str| format!("GET /v1/calls HTTP/1.1\r\nhost: x\r\n{lines}\r\n");
        let many = "x-many: y\r\n".repeat(1000);
        let long = "y".repeat(1_000_000);
        for (request, expected) in [
            (get(&many), &[431][..]),
            (get(&format!("x: {long}\r\n")), &[431]),
            (get(&format!("{long}: x\r\n")), &[431, 400]),
            (get("x: a\0b\r\n"), &[400]),
            (get("x y: a\r\n"), &[400]),
            (get(": a\r\n"), &[400]),
            (get("authorization: Bearer \u{e9}\r\n"), &[401]),
            (get("authorization: Bearer\r\n"), &[401]),
            (get("authorization: \r\n"), &[401]),
            (format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"), &[414, 431]),
            (format!("GET /v1/calls?tool={} HTTP/1.1\r\n\r\n", &long[..60_000]), &[401]),
            ("GET / HTTP/9.9\r\n\r\n".to_owned(), &[400, 505]),
            ("GET /\r\n\r\n".to_owned(), &[400]),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[400, 505]),
            ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".to_owned(), &[400]),
            ("\r\n\r\n\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n".to_owned(), &[200, 400]),
        ] {
            let answer = exchange(&tenant, &request, true).await;
            let shown = &request[..request.len().min(80)];
            let got = statuses(&answer);
            assert!(got.iter().all(|status| expected.contains(status)), "{shown:?} {got:?}");
        }
        assert_healthy(ledger, &tenant).await;
    });
}

#[test]
fn unusual_methods_and_paths_find_nothing() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let ask = |line: &str| {
            format!(
                "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
                tenant.key
            )
        };
        for (line, expected) in [
            ("BREW /v1/calls", 405),
            ("DELETE /v1/calls", 405),
            ("TRACE /v1/calls", 405),
            ("PUT /healthz", 405),
            ("get /healthz", 405),
            ("CONNECT example.com:80", 404),
            ("OPTIONS *", 404),
            ("OPTIONS /v1/calls", 405),
            ("HEAD /v1/calls", 200),
            ("GET http://example.com/v1/calls", 200),
            ("GET http://example.com/../v1/calls", 404),
            ("GET /v1/../v1/calls", 404),
            ("GET /v1/%2e%2e/v1/calls", 404),
            ("GET //v1/calls", 404),
            ("GET /v1//calls", 404),
            ("GET /v1/calls/", 200),
            ("GET /v1/calls%00", 404),
            ("GET /v1/calls/%00", 404),
            ("GET /v1/calls/%FF%FE", 404),
            ("GET /v1/calls/..%2f..%2fetc%2fpasswd", 404),
            ("GET /v1/calls/a%2Fb/events", 404),
            ("GET /V1/calls", 404),
            ("GET /docs/../v1/calls", 404),
            ("GET /v1/calls?%00=%00", 400),
            ("GET /v1/calls?limit=%FF", 400),
            ("GET /v1/calls?&&&=&=", 400),
            ("GET /v1/calls#fragment", 200),
        ] {
            let answer = exchange(&tenant, ask(line), false).await;
            let got = statuses(&answer);
            // A refusal by the HTTP parser itself is also correct.
            assert!(got == [expected] || got == [400], "{line}: {answer}");
            assert!(!answer.contains("internal"), "{line}: {answer}");
        }
        assert_healthy(ledger, &tenant).await;
    });
}
