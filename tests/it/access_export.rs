//! Access exports: complete against the log, without other persons, and readable by an independent
//! program with the passphrase only.

mod complete;
mod others;
mod states;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::sleep;

const PASSPHRASE: &str = "seven heron bridge 41";

/// A tenant with a key for each use.
struct Desk {
    tenant: TestTenant,
    /// A key with the scope `compliance` alone.
    officer: String,
    /// A key that may read and write persons.
    staff: String,
}

impl Desk {
    async fn new(ledger: &TestLedger) -> Self {
        let tenant = ledger.tenant().await;
        let officer = ledger.key(tenant.tenant_id, &["compliance"]).await;
        let staff = ledger.key(tenant.tenant_id, &["read", "personal", "write"]).await;
        Self { tenant, officer, staff }
    }

    async fn shared() -> Self {
        Self::new(TestLedger::shared().await).await
    }

    async fn send(&self, key: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = Client::new().request(method, self.tenant.url(path)).bearer_auth(key);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        status_and_json(request.send().await.expect("an answer")).await
    }

    /// Sends a request of the staff that must succeed.
    async fn staff(&self, method: Method, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(&self.staff, method, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Posts the report of a call, and returns its contact.
    async fn call(&self, call: &str, customer: &Value, said: &str) -> String {
        let mut report = ledger_tests::messages::report(call);
        report["message"]["artifact"]["transcript"] = json!(said);
        let report = ledger_tests::messages::from(report, customer);
        self.tenant.post_ok(report.to_string()).await;
        self.tenant.settle().await;
        let path = format!("/v1/calls?provider_call_id={call}");
        let page = self.staff(Method::GET, &path, &Value::Null).await;
        let id = page["data"][0]["customer"]["contact_id"].as_str();
        id.unwrap_or_else(|| panic!("no contact: {page}")).to_owned()
    }

    /// A time of a day in some days, for a booking.
    fn in_days(&self, days: i64) -> String {
        let day = self.tenant.store.clock().now().date_naive() + chrono::TimeDelta::days(days);
        format!("{day}T09:00:00Z")
    }

    async fn request(&self, subject: &str, body: &Value) -> (u16, Value) {
        let path = format!("/v1/subjects/{subject}/export");
        self.send(&self.officer, Method::POST, &path, body).await
    }

    /// Returns an export once it is no longer being made.
    async fn made(&self, export_id: &str) -> Value {
        let path = format!("/v1/exports/{export_id}");
        for _ in 0..600 {
            let (status, export) = self.send(&self.officer, Method::GET, &path, &Value::Null).await;
            assert_eq!(status, 200, "{export}");
            if export["state"] != "requested" {
                return export;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("the export is not made");
    }

    /// Requests an export, waits for it and returns it with the bytes of its file.
    async fn export(&self, subject: &str) -> (Value, Vec<u8>) {
        let (status, requested) = self.request(subject, &json!({ "passphrase": PASSPHRASE })).await;
        assert_eq!(status, 202, "{requested}");
        let export = self.made(&id(&requested)).await;
        assert_eq!(export["state"], "ready", "{export}");
        let (status, file) = self.file(&id(&requested)).await;
        assert_eq!(status, 200);
        (export, file)
    }

    async fn file(&self, export_id: &str) -> (u16, Vec<u8>) {
        let url = self.tenant.url(&format!("/v1/exports/{export_id}/file"));
        let response = Client::new().get(url).bearer_auth(&self.officer).send().await;
        let response = response.expect("an answer");
        let status = response.status().as_u16();
        (status, response.bytes().await.expect("a body").to_vec())
    }
}

fn id(export: &Value) -> String {
    export["export_id"].as_str().expect("an id").to_owned()
}

/// The files of an export, read by an independent program; `None` if it does not open.
fn opened(file: &[u8], passphrase: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("export.age");
    std::fs::write(&path, file).expect("a file");
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/age.py");
    let output = Command::new("python3")
        .env("AGE_PASSPHRASE", passphrase)
        .arg("-B")
        .args([&reader, &path])
        .output()
        .expect("python3 runs");
    match output.status.code() {
        Some(0) => {}
        Some(4) => return None,
        _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
    let files: BTreeMap<String, String> =
        serde_json::from_slice(&output.stdout).expect("the reader prints JSON");
    let decode = |(name, text)| (name, STANDARD.decode::<String>(text).expect("base64"));
    Some(files.into_iter().map(decode).collect())
}

fn json_of(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).expect("JSON")
}

/// The lines of `events.ndjson`.
fn events(files: &BTreeMap<String, Vec<u8>>) -> Vec<Value> {
    let text = String::from_utf8(files["events.ndjson"].clone()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// Which of some texts occur in an export, with the file.
fn found(files: &BTreeMap<String, Vec<u8>>, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, bytes) in files {
        let content = String::from_utf8_lossy(bytes);
        let hits = texts.iter().filter(|text| content.contains(**text));
        found.extend(hits.map(|text| format!("{text} in {name}")));
    }
    found
}
