//! Every captured body over HTTP: the response, the recorded events and the resulting call. The
//! snapshots were reviewed against the fixtures.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};
use insta::{assert_json_snapshot, with_settings};
use ledger_core::clock::Clock;
use ledger_core::json::Json;
use ledger_tests::ledger::StoppedClock;
use ledger_tests::{TestLedger, TestTenant, fixtures, run};
use serde_json::{Value, json};
use server::system::SystemClock;
use tokio::sync::OnceCell;

const FOLDERS: [&str; 2] = ["vapi", "vapi-legacy"];

/// Fixtures that are no message.
const REFUSED: [&str; 2] = [
    "vapi-legacy/chattyai-09_webhook_flat_legacy.json",
    "vapi-legacy/voxanne-15_vapi_calls_api_list.json",
];

/// Streaming telemetry: acknowledged, and recorded only at a source with `record_all`.
const TELEMETRY: [&str; 5] = [
    "vapi/conversation-update.webcall.json",
    "vapi/model-output.token.composed.json",
    "vapi/speech-update.started.webcall.json",
    "vapi/transcript.partial.user.docs.json",
    "vapi/voice-input.docs.json",
];

#[test]
fn each_captured_message_gives_its_expected_call() {
    review("vapi");
}

#[test]
fn each_message_of_older_integrations_gives_its_expected_call() {
    review("vapi-legacy");
}

#[test]
fn every_snapshot_has_a_fixture() {
    let snapshots = fixtures::dir().with_file_name("it").join("snapshots/samples");
    let wanted: Vec<String> = all().iter().map(|name| format!("{}.snap", title(name))).collect();
    for entry in std::fs::read_dir(snapshots).expect("the snapshots") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let is_pending = path.extension().is_some_and(|end| end == "new");
        assert!(
            is_pending || wanted.iter().any(|one| *one == name),
            "{name} belongs to no fixture"
        );
    }
}

#[test]
fn each_message_is_answered_in_the_format_of_its_type() {
    run(async {
        let ledger = TestLedger::shared().await;
        for name in all().iter().filter(|name| !REFUSED.contains(&name.as_str())) {
            let tenant = ledger.tenant().await;
            let sent = fixtures::json(name);
            let response = tenant.webhook(fixtures::bytes(name)).send().await.expect("an answer");
            assert_eq!(response.status(), 200, "{name}");
            let position = response.headers().get("ledger-position").cloned();
            let answer: Value = response.json().await.expect("JSON");
            check_shape(name, &sent, &answer);
            let is_telemetry = TELEMETRY.contains(&name.as_str());
            assert_eq!(position.is_none(), is_telemetry, "{name}");
            assert_eq!(tenant.recorded().await.is_empty(), is_telemetry, "{name}");
        }
    });
}

fn check_shape(name: &str, sent: &Value, answer: &Value) {
    let message = if sent["message"].is_object() { &sent["message"] } else { sent };
    let is_said =
        |value: &Value| value.as_str().is_some_and(|text| !text.is_empty() && !text.contains('\n'));
    let tools = ["toolCallList", "toolCalls"].iter().find_map(|key| message[*key].as_array());
    match message["type"].as_str().unwrap_or_default() {
        _ if TELEMETRY.contains(&name) => assert_eq!(*answer, json!({ "status": "ignored" })),
        _ if tools.is_some() => {
            let results = answer["results"].as_array().expect("results");
            let asked: Vec<&Value> = tools.into_iter().flatten().map(|tool| &tool["id"]).collect();
            let snapshot: Vec<&Value> =
                results.iter().map(|result| &result["toolCallId"]).collect();
            assert_eq!(snapshot, asked, "{name}");
            let is_told = |result: &Value| is_said(&result["error"]) != is_said(&result["result"]);
            assert!(results.iter().all(is_told), "{name}: {answer}");
        }
        _ if sent["toolCall"].is_object() => assert!(is_said(&answer["results"][0]["error"])),
        "function-call" => assert!(is_said(&answer["result"]), "{name}: {answer}"),
        _ if sent["function"].is_string() => assert!(is_said(&answer["result"]), "{name}"),
        "assistant-request" | "transfer-destination-request" | "handoff-destination-request" => {
            assert!(is_said(&answer["error"]), "{name}: {answer}");
        }
        "knowledge-base-request" => assert_eq!(*answer, json!({ "documents": [] })),
        _ => {
            assert_eq!(answer["status"], "recorded", "{name}");
            assert!(answer["position"].is_i64(), "{name}");
        }
    }
}

#[test]
fn a_message_spelled_again_is_the_same_message() {
    run(async {
        let ledger = TestLedger::shared().await;
        for name in all().iter().filter(|name| !REFUSED.contains(&name.as_str())) {
            let tenant = ledger.tenant().await;
            let all_in = ledger.source(tenant.tenant_id, "example-secret", true).await;
            let bytes = fixtures::bytes(name);
            let respelled = respell(&Json::parse(&bytes).expect("JSON"));
            assert_ne!(respelled.as_bytes(), bytes);
            let post = async |body: Vec<u8>| {
                let request = tenant.webhook_at(all_in, "example-secret", body);
                let response = request.send().await.expect("an answer");
                let position = response.headers().get("ledger-position").cloned();
                (position, response.json::<Value>().await.expect("JSON"))
            };
            let (first, answer) = post(bytes).await;
            let recorded = tenant.recorded().await;
            let (second, mut again) = post(respelled.into_bytes()).await;
            if again["status"] == "duplicate" {
                again["status"] = json!("recorded");
            }
            assert_eq!((first, answer), (second, again), "{name}");
            assert_eq!(tenant.recorded().await, recorded, "{name}");
        }
    });
}

#[test]
fn a_message_means_the_same_wrapped_and_flat() {
    run(async {
        let ledger = TestLedger::shared().await;
        for name in all() {
            let sent = fixtures::json(&name);
            let Some(message) =
                sent.get("message").filter(|_| sent.as_object().unwrap().len() == 1)
            else {
                continue;
            };
            let (wrapped, flat) = (ledger.tenant().await, ledger.tenant().await);
            let answers =
                (wrapped.post(sent.to_string()).await, flat.post(message.to_string()).await);
            assert_eq!(answers.0, answers.1, "{name}");
            assert_eq!(wrapped.recorded().await, flat.recorded().await, "{name}");
            if TELEMETRY.contains(&name.as_str()) {
                continue;
            }
            let begun = SystemClock.now();
            let (mut one, mut two) = (calls(&wrapped).await, calls(&flat).await);
            let since = begun - chrono::Duration::seconds(60);
            let is_own = |time| (since..=SystemClock.now()).contains(&time);
            scrub(&mut one, &is_own, &[]);
            scrub(&mut two, &is_own, &[]);
            assert_eq!(one, two, "{name}");
        }
    });
}

fn all() -> Vec<String> {
    FOLDERS.into_iter().flat_map(fixtures::names).collect()
}

/// Returns the name of a fixture's snapshot.
fn title(name: &str) -> String {
    name.trim_end_matches(".json").replace('/', "__")
}

/// Compares every fixture of a folder with its snapshot; reports all differences.
fn review(folder: &str) {
    let mut differ = Vec::new();
    for name in fixtures::names(folder) {
        let snapshot = run(post_and_read(&name));
        let compare = || {
            with_settings!({
                snapshot_path => "snapshots/samples",
                prepend_module_to_snapshot => false,
                omit_expression => true,
                description => name.clone(),
            }, { assert_json_snapshot!(title(&name), snapshot) });
        };
        if catch_unwind(AssertUnwindSafe(compare)).is_err() {
            differ.push(name);
        }
    }
    assert!(differ.is_empty(), "not as reviewed: {differ:#?}");
}

/// Posts one body to a new tenant; returns everything the API then has of it.
async fn post_and_read(name: &str) -> Value {
    // Words of tools depend on the date, so the clock of this server is stopped.
    static STOPPED: OnceCell<TestLedger> = OnceCell::const_new();
    let now: DateTime<Utc> = "2026-11-30T15:00:00Z".parse().expect("a time");
    let ledger = STOPPED.get_or_init(|| TestLedger::start_with_clock(StoppedClock(now))).await;
    let tenant = ledger.tenant().await;
    let (status, body) = tenant.post(fixtures::bytes(name)).await;
    if body["status"] == "ignored" {
        let all_in = ledger.source(tenant.tenant_id, "example-secret", true).await;
        let request = tenant.webhook_at(all_in, "example-secret", fixtures::bytes(name));
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    }
    let mut snapshot = json!({
        "answer": { "status": status, "body": body },
        "recorded": tenant.recorded().await,
        "calls": calls(&tenant).await,
    });
    let source_id = tenant.source_id.to_string();
    scrub(&mut snapshot, &|time| time == now, &[(&source_id, "[source]")]);
    snapshot
}

/// Returns the calls of a tenant in detail, with a `read` key and with a `personal` key.
async fn calls(tenant: &TestTenant) -> Value {
    tenant.settle().await;
    let (_, page) = tenant.get_with(&tenant.read_key, "/v1/calls").await;
    let mut calls = Vec::new();
    for row in page["data"].as_array().expect("a page") {
        let path = format!("/v1/calls/{}", row["call_id"].as_str().expect("an id"));
        let (_, facts) = tenant.get_with(&tenant.read_key, &path).await;
        for (field, value) in row.as_object().expect("a row") {
            assert_eq!(facts[field], *value, "list and detail differ in {field}");
        }
        calls.push(json!({ "read": facts, "personal": tenant.get(&path).await }));
    }
    Value::from(calls)
}

/// Replaces values that differ in each run, such as ids derived from the tenant and times of this
/// clock.
fn scrub(value: &mut Value, is_own: &dyn Fn(DateTime<Utc>) -> bool, words: &[(&str, &str)]) {
    match value {
        Value::String(text) => {
            for (word, name) in words {
                *text = text.replace(word, name);
            }
            let time = text.parse::<DateTime<Utc>>();
            if time.is_ok_and(is_own) {
                *text = "[recorded]".into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(item, is_own, words)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match key.as_str() {
                    "call_id" => *value = json!("[call]"),
                    "contact_id" if value.is_string() => *value = json!("[contact]"),
                    "request_id" => *value = json!("[request]"),
                    _ => scrub(value, is_own, words),
                }
            }
        }
        _ => {}
    }
}

/// Serializes the same JSON differently: reversed keys, spaces, unnecessary escapes.
fn respell(value: &Json<'_>) -> String {
    match value {
        Json::Null => "null".into(),
        Json::Bool(value) => value.to_string(),
        Json::Number(text) => (*text).into(),
        Json::String(text) => respell_text(text),
        Json::Array(items) => {
            format!("[ {}\n]", items.iter().map(respell).collect::<Vec<_>>().join(" ,"))
        }
        Json::Object(fields) => {
            let mut spelled = Vec::new();
            for (key, value) in fields.iter().rev() {
                spelled.push(format!("\t{} : {}", respell_text(key), respell(value)));
            }
            format!("{{\r\n{}\r\n}}", spelled.join(",\r\n"))
        }
    }
}

fn respell_text(text: &str) -> String {
    let mut spelled = String::new();
    for c in serde_json::to_string(text).expect("text").chars() {
        match c {
            '/' => spelled.push_str("\\/"),
            c if c.is_ascii() => spelled.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(spelled, "\\u{unit:04x}").expect("memory");
                }
            }
        }
    }
    spelled
}
