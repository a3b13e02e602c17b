//! Personal data and secrets in every kind of traffic are in no database file, write-ahead log, log
//! line or metric. A control value, which may be stored in the clear, is found in these places.

use std::path::Path;

use ledger_core::ids::TenantId;
use ledger_tests::scan::Scanner;
use ledger_tests::{TestLedger, TestTenant, cluster, logs, messages, run};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Executor, PgConnection};

const NAME: &str = "Zebulon Quicksilver-Ærøskøbing";
const OTHER_NAME: &str = "Ottoline Featherstonehaugh";
const PHONE: &str = "+15550100177";
const OTHER_PHONE: &str = "+15550100178";
const EMAIL: &str = "zebulon.quicksilver@canary.example";
const SIP: &str = "sip:zebulon-canary@203.0.113.77";
const EXTERNAL_ID: &str = "crm-canary-8842-zebulon";
const SPOKEN_TEXT: &str = "the heron sleeps beneath the \"copper\" bridge";
const SUMMARY: &str = "wants the amalgam from nineteen-eighty-seven removed";
const ADDRESS: &str = "17 Larkspur Crescent, Upper Canary";
const TASK_TEXT: &str = "return the theremin to zebulon before vespers";
const RECORDING: &str = "recording-of-zebulon-5c1f";
const SERVER_SECRET: &str = "server-secret-canary-9d2e7b";
const CONTROL: &str = "control-token-canary-41c7aa";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.Y2FuYXJ5LXNpZ25hdHVyZS1ieXRlcw";
const WRONG_SECRET: &str = "wrong-secret-canary-77aa01";
const FORGED_KEY: &str = "forged-key-canary-00ff42-forged";
const QUERIED: &str = "queried-canary-in-a-path-or-query";
const SOURCE_SECRET: &str = "source-secret-canary-e4b1c9";
const SHARED_SECRET: &str = "shared-secret-canary-5a77d0";

/// A provider's reason: a fact, stored in the clear. A positive control for the search.
const CONTROL_REASON: &str = "planted-control-reason-3f9c";

/// A message with personal or secret data in every field.
fn planted(call: &str, kind: &str) -> Value {
    let customer = json!({
        "name": NAME, "number": PHONE, "email": EMAIL, "sipUri": SIP, "externalId": EXTERNAL_ID,
    });
    let tool = json!({
        "id": "tool-1", "type": "function",
        "function": { "name": "bookAppointment", "arguments": { "name": OTHER_NAME, "address": ADDRESS } },
    });
    let said = json!([
        { "role": "user", "message": SPOKEN_TEXT, "time": 1_793_610_000_000_i64 },
        { "role": "tool_call_result", "name": "bookAppointment", "toolCallId": "tool-1",
          "result": format!("booked for {OTHER_NAME}"), "time": 1_793_610_001_000_i64 },
    ]);
    let fields = json!({
        "endedReason": CONTROL_REASON,
        "status": "in-progress",
        "customer": customer,
        "toolCallList": [tool],
        "toolWithToolCallList": [{ "type": "function", "name": "bookAppointment", "toolCall": tool,
                                   "server": { "url": "https://x.example", "secret": SERVER_SECRET } }],
        "analysis": { "summary": SUMMARY, "structuredData": { "address": ADDRESS, "callback": OTHER_PHONE } },
        "artifact": { "transcript": format!("User: {SPOKEN_TEXT}"), "messages": said,
                      "recordingUrl": format!("https://files.example/{RECORDING}.wav") },
        "transcript": SPOKEN_TEXT,
        "summary": SUMMARY,
        "assistant": { "id": "assistant-canary", "name": NAME,
                       "server": { "url": "https://x.example", "secret": SERVER_SECRET },
                       "headers": { "Authorization": format!("Bearer {JWT}") } },
        "call": { "id": call, "type": "inboundPhoneCall", "customer": customer,
                  "monitor": { "controlUrl": format!("https://{CONTROL}.example/control") },
                  "metadata": { "note": OTHER_NAME, "token": JWT } },
        "destination": { "type": "number", "number": OTHER_PHONE, "message": SPOKEN_TEXT },
        "unheardOf": { NAME: [ADDRESS, { "deep": SPOKEN_TEXT }] },
    });
    messages::message(call, kind, &fields)
}

async fn status_of(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

/// Posts accepted messages of every shape.
async fn send_good(tenant: &TestTenant) {
    for (nth, kind) in [
        "end-of-call-report",
        "status-update",
        "tool-calls",
        "function-call",
        "assistant-request",
        "transcript",
        "hang",
        "transfer-update",
        "call.unheard-of",
        "chat.created",
    ]
    .iter()
    .enumerate()
    {
        let body = planted(&format!("canary-{nth}"), kind);
        let (status, answer) = tenant.post(body.to_string()).await;
        assert_eq!(status, 200, "{kind}: {answer}");
        let flat = body["message"].to_string();
        assert_eq!(tenant.post(flat).await.0, 200, "{kind}, not wrapped");
    }
}

/// Posts messages that are refused.
async fn send_bad(tenant: &TestTenant) {
    let good = planted("canary-bad", "end-of-call-report").to_string();
    let broken = format!("{}, \"{NAME}\": ", &good[..good.len() - 1]);
    assert_eq!(tenant.post(broken).await.0, 400);
    let list = json!([NAME, PHONE, SPOKEN_TEXT, EMAIL]).to_string();
    assert_eq!(tenant.post(list).await.0, 400);
    let deep = format!("{}\"{SPOKEN_TEXT}\"{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(tenant.post(deep).await.0, 400);
    let not_utf8 = [good.as_bytes(), &[0xff, 0xfe]].concat();
    assert_eq!(tenant.post(not_utf8).await.0, 400);
    let large = good.replace(SUMMARY, &SUMMARY.repeat(100_000));
    assert_eq!(tenant.post(large).await.0, 413);

    let wrong = Client::new()
        .post(tenant.url(&format!("/ingest/{}", tenant.source_id)))
        .header("x-vapi-secret", WRONG_SECRET)
        .body(good.clone());
    assert_eq!(status_of(wrong).await, 401);
    let nowhere = Client::new().post(tenant.url(&format!("/ingest/{QUERIED}"))).body(good);
    assert_eq!(status_of(nowhere).await, 404);
}

/// Makes a task with a text, and one that is refused.
async fn send_tasks(ledger: &TestLedger, tenant: &TestTenant) {
    let key = ledger.key(tenant.tenant_id, &["read", "personal", "write"]).await;
    let due_at = ledger.store.clock().now_micros();
    for (kind, expected) in [("review", 201), (NAME, 422)] {
        let body = json!({ "kind": kind, "due_at": due_at, "text": TASK_TEXT });
        let request = Client::new().post(tenant.url("/v1/tasks")).bearer_auth(&key);
        assert_eq!(status_of(request.body(body.to_string())).await, expected, "{kind}");
    }
    tenant.settle().await;
    let (_, page) = tenant.get_with(&key, "/v1/tasks").await;
    assert_eq!(page["data"][0]["text"], TASK_TEXT);
}

/// Posts to a shared source a message that matches no tenant.
async fn send_unroutable(ledger: &TestLedger, tenant: &TestTenant) {
    let mut lost = tenant.through(ledger);
    lost.source_id = ledger.source(TenantId::INSTALLATION, SHARED_SECRET, true).await;
    lost.secret = SHARED_SECRET.into();
    assert_eq!(lost.post(planted("nobody's", "end-of-call-report").to_string()).await.0, 202);
}

/// Describes, changes and merges contacts with personal data in every field.
async fn send_contacts(tenant: &TestTenant, key: &str) {
    let send = |method: reqwest::Method, path: String, body: Value| async move {
        let request = Client::new().request(method, tenant.url(&path)).bearer_auth(key);
        let answer = request.body(body.to_string()).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.expect("JSON"))
    };
    for (names, expected) in [(json!(["plan"]), 200), (json!([NAME]), 422)] {
        let setting = json!({ "clear_custom_fields": names });
        let path = "/v1/settings/contacts".into();
        let (status, answer) = send(reqwest::Method::PUT, path, setting).await;
        assert_eq!(status, expected, "{answer}");
    }
    let described = json!({
        "name": OTHER_NAME, "phone": OTHER_PHONE, "email": EMAIL, "external_id": EXTERNAL_ID,
        "custom_fields": { "plan": "gold", "address": ADDRESS, "note": SUMMARY },
    });
    let (status, made) = send(reqwest::Method::POST, "/v1/contacts".into(), described).await;
    assert!(status == 201 || status == 409, "{made}");
    let other = json!({ "name": OTHER_NAME, "phone": OTHER_PHONE });
    let (status, other) = send(reqwest::Method::POST, "/v1/contacts".into(), other).await;
    assert!(status == 200 || status == 201, "{other}");
    let path = format!("/v1/contacts/{}", other["contact_id"].as_str().expect("an id"));
    let change = json!({ "name": NAME, "custom_fields": { "address": ADDRESS } });
    let (status, answer) = send(reqwest::Method::PATCH, path.clone(), change).await;
    assert_eq!(status, 200, "{answer}");
    let plan = |value: &str| json!({ "custom_fields": { "plan": value } });
    let unnamed = json!({ "name": format!("<b>{NAME}</b>") });
    for refused in [unnamed, json!({ "phone": SPOKEN_TEXT }), plan(PHONE), plan(EMAIL), plan(NAME)]
    {
        let (status, answer) = send(reqwest::Method::PATCH, path.clone(), refused).await;
        assert_eq!(status, 422, "{answer}");
    }
    let handle = json!({ "kind": "email", "value": EMAIL });
    let (status, answer) = send(reqwest::Method::POST, format!("{path}/handles"), handle).await;
    assert_eq!(status, 201, "{answer}");
    let last = json!({ "name": SUMMARY });
    let (_, last) = send(reqwest::Method::POST, "/v1/contacts".into(), last).await;
    let into = json!({ "into": other["contact_id"] });
    let merge = format!("/v1/contacts/{}/merge", last["contact_id"].as_str().expect("an id"));
    let (status, answer) = send(reqwest::Method::POST, merge, into).await;
    assert_eq!(status, 200, "{answer}");
    tenant.settle().await;
    let name = NAME.split(' ').next().expect("a word");
    for query in [format!("email={EMAIL}"), format!("name={name}")] {
        let (status, found) = tenant.get_with(key, &format!("/v1/contacts?{query}")).await;
        assert_eq!(status, 200, "{found}");
        assert!(found.to_string().contains(NAME), "{found}");
    }
}

/// Reads everything with valid and invalid requests; returns the request id of the last one.
async fn read(tenant: &TestTenant) -> String {
    let calls = tenant.calls().await;
    assert!(calls.iter().any(|call| call["customer"]["name"] == NAME), "it is there, sealed");
    for call in &calls {
        let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
        let detail = tenant.get(&path).await.to_string();
        assert!(detail.contains(PHONE) || call["direction"].is_null(), "{detail}");
        tenant.get(&format!("{path}/events")).await;
        tenant.get_with(&tenant.read_key, &path).await;
    }
    for (path, expected) in [
        (format!("/v1/calls?phone=%2B{}", &PHONE[1..]), 200),
        (format!("/v1/calls?email={EMAIL}"), 200),
        (format!("/v1/calls?phone={QUERIED}"), 400),
        (format!("/v1/calls?{QUERIED}=1"), 400),
        (format!("/v1/calls?cursor={QUERIED}"), 400),
        (format!("/v1/calls/{QUERIED}"), 404),
        (format!("/v2/{QUERIED}"), 404),
    ] {
        assert_eq!(tenant.get_with(&tenant.key, &path).await.0, expected, "{path}");
    }
    assert_eq!(tenant.get_with(FORGED_KEY, "/v1/calls").await.0, 401);
    let odd = Client::new().get(tenant.url("/v1/calls")).header("user-agent", QUERIED);
    let odd = odd.header("x-request-id", QUERIED).bearer_auth(&tenant.key);
    let answer = odd.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.headers()["x-request-id"].to_str().expect("an id").to_owned()
}

fn secret_part(key: &str) -> String {
    key.splitn(3, '_').nth(2).expect("a key has three parts").to_owned()
}

fn canaries(tenant: &TestTenant) -> Vec<String> {
    let fixed = [
        NAME,
        OTHER_NAME,
        EMAIL,
        SIP,
        EXTERNAL_ID,
        SPOKEN_TEXT,
        SUMMARY,
        ADDRESS,
        RECORDING,
        TASK_TEXT,
        SERVER_SECRET,
        CONTROL,
        JWT,
        WRONG_SECRET,
        FORGED_KEY,
        QUERIED,
        SOURCE_SECRET,
        SHARED_SECRET,
    ];
    let mut canaries: Vec<String> = fixed.iter().map(ToString::to_string).collect();
    // The numbers also without their country code.
    canaries.extend([PHONE, OTHER_PHONE].map(|phone| phone[2..].to_owned()));
    canaries.extend([NAME, EMAIL].map(str::to_uppercase));
    canaries.extend([&tenant.key, &tenant.read_key].map(|key| secret_part(key)));
    canaries
}

/// Returns a filter for the directories of databases that other tests use.
async fn other_databases(superuser: &mut PgConnection) -> impl Fn(&Path) -> bool + use<> {
    let ours: String = sqlx::query_scalar("select pg_relation_filepath('ledger.events')")
        .fetch_one(superuser)
        .await
        .expect("where it lies");
    let ours = ours.split('/').nth(1).expect("base/<database>/<file>").to_owned();
    let base = cluster::shared().await.dir.join("pg/base");
    move |path| path.parent() == Some(base.as_path()) && !path.ends_with(&ours)
}

#[test]
fn no_planted_text_is_found_unsealed() {
    run(async {
        let ledger = TestLedger::shared().await;
        let mut tenant = ledger.tenant().await;
        tenant.source_id = ledger.source(tenant.tenant_id, SOURCE_SECRET, true).await;
        tenant.secret = SOURCE_SECRET.into();
        send_good(&tenant).await;
        send_bad(&tenant).await;
        send_tasks(ledger, &tenant).await;
        send_unroutable(ledger, &tenant).await;
        let writer = ledger.key(tenant.tenant_id, &["read", "personal", "write", "admin"]).await;
        send_contacts(&tenant, &writer).await;
        let request_id = read(&tenant).await;

        let shared = cluster::shared().await;
        let mut superuser = cluster::superuser().await;
        superuser.execute("checkpoint").await.expect("everything is on disk");
        let others = other_databases(&mut superuser).await;
        let scanner = Scanner::new(&canaries(&tenant));
        assert_eq!(scanner.found_below(&shared.dir, &others), Vec::<String>::new());
        let logged = logs::logged();
        assert!(
            scanner.found_in(logged.as_bytes()).is_empty(),
            "{:?}",
            scanner.found_in(logged.as_bytes())
        );
        let metrics = Client::new().get(tenant.url("/metrics")).send().await.expect("an answer");
        let metrics = metrics.text().await.expect("a text");
        assert!(scanner.found_in(metrics.as_bytes()).is_empty(), "{metrics}");

        // The same search finds the control value in each of these places.
        let control = Scanner::new(&[CONTROL_REASON.to_owned()]);
        let found = control.found_below(&shared.dir, &others).join("\n");
        for place in ["pg/base", "pg/pg_wal"] {
            let place = format!("{CONTROL_REASON} in {}", shared.dir.join(place).display());
            assert!(found.contains(&place), "{place} not in {found}");
        }
        assert!(!Scanner::new(&[request_id]).found_in(logs::logged().as_bytes()).is_empty());
        assert!(metrics.contains("end-of-call-report"), "{metrics}");
    });
}

#[test]
fn no_key_is_stored_with_the_data_it_opens() {
    run(async {
        TestLedger::shared().await.tenant().await;
        let shared = cluster::shared().await;
        let mut superuser = cluster::superuser().await;
        superuser.execute("checkpoint").await.expect("everything is on disk");
        let root = std::fs::read_to_string(shared.dir.join("root.key")).expect("the root key");
        let root = root.trim();
        let bytes = hex::decode(root).expect("hexadecimal");
        let scanner = Scanner::new(&[root.to_owned()]).and("its bytes", bytes);
        let others = other_databases(&mut superuser).await;
        let found = scanner.found_below(&shared.dir, &others);
        let kept = format!("{root} in {}", shared.dir.join("root.key").display());
        assert_eq!(found, [kept], "where it is kept, and nowhere else");
        assert!(scanner.found_in(logs::logged().as_bytes()).is_empty());
    });
}
