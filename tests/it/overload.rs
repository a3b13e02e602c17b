//! Overload, slow peers and outages: the server stays within its limits, sends clients the time to
//! retry, answers every tool call in time, and recovers by itself.

mod body_budget;
mod outages;
mod peers;
mod proofs;
mod queues;
mod reading;
mod senders;
mod shares;
mod stop;

use std::time::{Duration, Instant};

use ledger_tests::{TestLedger, TestTenant, messages};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Default timeout of the voice platform for a tool call.
const PLATFORM_TIMEOUT: Duration = Duration::from_secs(20);
/// Time limit for an expected state.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A tool call of a call.
fn tool_call(call: &str) -> String {
    let tool = json!({ "id": format!("tool-{call}"), "type": "function",
        "function": { "name": "lookupPrice", "arguments": {} } });
    messages::message(call, "tool-calls", &json!({ "toolCallList": [tool] })).to_string()
}

/// Returns the answer to the tool call of a call, which must be in time.
async fn tool_answer(tenant: &TestTenant, call: &str) -> String {
    received(tenant, call, tool_call(call)).await
}

/// Returns the text that the platform receives as the result of the tool in this body, within its
/// timeout.
async fn received(tenant: &TestTenant, call: &str, body: String) -> String {
    let asked = Instant::now();
    let (status, answer) = tenant.post(body).await;
    assert_eq!(status, 200, "{answer}");
    assert!(asked.elapsed() < PLATFORM_TIMEOUT, "a caller waits");
    assert_eq!(answer["results"][0]["toolCallId"], format!("tool-{call}"));
    let said = answer["results"][0]["error"].as_str().expect("a sentence to be spoken");
    assert!(!said.contains('\n'), "{said}");
    said.to_owned()
}

/// Checks that a tool call is answered with a failure, and that nothing was done.
async fn assert_tool_call_fails(tenant: &TestTenant, call: &str) {
    let said = tool_answer(tenant, call).await;
    assert!(said.contains("cannot be reached") && said.contains("Nothing was done"), "{said}");
}

/// Checks that a response is a refusal with `retry-after`; returns its code.
async fn refused(answer: Response) -> String {
    assert_eq!(answer.status(), 503);
    let wait = answer.headers()["retry-after"].to_str().expect("a text").to_owned();
    assert!(wait.parse::<u32>().is_ok_and(|seconds| seconds >= 1), "{wait}");
    let kind = answer.headers()["content-type"].to_str().expect("a text").to_owned();
    assert_eq!(kind, "application/problem+json");
    let problem: Value = answer.json().await.expect("a problem document");
    problem["code"].as_str().expect("a code").to_owned()
}

async fn post_report(tenant: &TestTenant, call: &str) -> Response {
    tenant.webhook(messages::report(call).to_string()).send().await.expect("an answer")
}

async fn get(ledger: &TestLedger, path: &str) -> Response {
    Client::new().get(format!("http://{}{path}", ledger.address)).send().await.expect("an answer")
}

/// Polls until a condition holds.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, wait).await.expect("did not come about in time");
}

/// Locks every tenant of a database, so that appends wait until the rollback.
async fn hold_tenants(conn: &mut PgConnection) -> Transaction<'_, Postgres> {
    let mut held = conn.begin().await.expect("a transaction");
    let lock = sqlx::query("select from ledger.tenants for update");
    lock.execute(&mut *held).await.expect("the tenants are held");
    held
}

/// Checks that reports are accepted and readiness succeeds, on the same server process.
async fn assert_recovers(ledger: &TestLedger, tenant: &TestTenant, call: &str) {
    until(async || post_report(tenant, call).await.status() == 200).await;
    until(async || get(ledger, "/readyz").await.status() == 200).await;
    let said = tool_answer(tenant, &format!("{call}-tool")).await;
    assert!(said.contains("not configured"), "{said}");
    let calls = tenant.calls().await;
    assert!(calls.iter().any(|known| known["provider_call_id"] == call), "{calls:?}");
}

/// A connection with full control over the bytes sent.
struct Raw(TcpStream);

impl Raw {
    async fn open(ledger: &TestLedger) -> Self {
        Self(TcpStream::connect(ledger.address).await.expect("a connection"))
    }

    async fn write_text(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("it is open");
    }

    /// Begins a webhook and does not complete it.
    async fn begin(tenant: &TestTenant, secret: &str, length: usize) -> Self {
        let stream = TcpStream::connect(tenant.address).await.expect("a connection");
        let mut raw = Self(stream);
        let source = tenant.source_id;
        raw.write_text(&format!(
            "POST /ingest/{source} HTTP/1.1\r\nhost: example.com\r\nx-vapi-secret: {secret}\r\n\
             content-length: {length}\r\n\r\n{{"
        ))
        .await;
        raw
    }

    /// Reads from the server until it closes, or until nothing arrives within `time`.
    async fn read_within(&mut self, time: Duration) -> Option<String> {
        let mut received = vec![0; 4_096];
        let read = tokio::time::timeout(time, self.0.read(&mut received)).await.ok()?;
        received.truncate(read.unwrap_or(0));
        Some(String::from_utf8_lossy(&received).into_owned())
    }

    /// Reads the first bytes of the response.
    async fn first_bytes(&mut self) -> String {
        let mut received = vec![0; 4_096];
        let read = tokio::time::timeout(TIMEOUT, self.0.read(&mut received)).await;
        received.truncate(read.expect("it answers").expect("it is open"));
        String::from_utf8_lossy(&received).into_owned()
    }

    /// Reads until the server closes.
    async fn read_to_end(&mut self) -> String {
        let mut received = Vec::new();
        let read = self.0.read_to_end(&mut received);
        // A reset also counts as an end.
        let _ = tokio::time::timeout(TIMEOUT, read).await.expect("the server closes");
        String::from_utf8_lossy(&received).into_owned()
    }
}
