//! Invalid input is refused with a code or stored safely; never answered with 500, never quoted.

use aws_lc_rs::hmac;
use ledger_core::clock::Clock;
use ledger_tests::fixtures::Message;
use ledger_tests::ledger::MAX_BODY;
use ledger_tests::{TestLedger, TestTenant, run};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use server::system::SystemClock;
use tokio::task::JoinSet;

/// A text that is in every refused body and must be in no response.
const PLANTED: &str = "planted-phrase-5550100";

/// Checks that a response is a complete problem document, and returns it.
pub(crate) async fn problem(response: Response, status: u16, code: &str) -> Value {
    let header = |name| {
        let value = response.headers().get(name)?;
        Some(value.to_str().expect("ASCII").to_owned())
    };
    let (kind, request_id) = (header("content-type"), header("x-request-id"));
    let path = response.url().path().to_owned();
    assert_eq!(response.status().as_u16(), status, "{code}");
    let text = response.text().await.expect("a body");
    assert_eq!(kind.as_deref(), Some("application/problem+json"), "{text}");
    assert!(!text.contains(PLANTED), "{text}");
    let problem: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(problem["type"], format!("urn:call-ledger:problem:{code}"));
    assert_eq!(problem["code"], code);
    assert_eq!(problem["status"], status);
    assert_eq!(problem["instance"], path);
    assert_eq!(problem["request_id"].as_str(), request_id.as_deref());
    for word in ["title", "detail"] {
        assert!(problem[word].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    problem
}

async fn refused(request: RequestBuilder, status: u16, code: &str) -> Value {
    problem(request.send().await.expect("an answer"), status, code).await
}

#[test]
fn a_body_that_is_no_message_is_refused_with_a_code_and_not_stored() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let accepted = Message::report("c-1").field("cost", "0.07").body();
        tenant.post_ok(accepted.clone()).await;
        let tools: Vec<_> =
            (0..1001).map(|nth| json!({ "id": nth.to_string(), "name": PLANTED })).collect();
        let deep = |open: &str, close: &str| {
            let (open, close) = (open.repeat(100_000), close.repeat(100_000));
            format!(r#"{{"message":{{"type":"hang","{PLANTED}":{open}1{close}}}}}"#)
        };
        let bodies: Vec<(Vec<u8>, u16, &str)> = vec![
            (b"".into(), 400, "body-not-json"),
            (PLANTED.into(), 400, "body-not-json"),
            (format!("{{\"message\":\"{PLANTED}").into(), 400, "body-not-json"),
            (format!("{accepted} {PLANTED}").into(), 400, "body-not-json"),
            (format!("{{\"message\":{{\"type\":{PLANTED}}}}}").into(), 400, "body-not-json"),
            (
                [b"{\"message\":\"\xff".as_slice(), PLANTED.as_bytes()].concat(),
                400,
                "body-not-utf8",
            ),
            (json!([{ "message": PLANTED }]).to_string().into(), 400, "unrecognized-message"),
            (json!({ "message": PLANTED }).to_string().into(), 400, "unrecognized-message"),
            (
                json!({ PLANTED: { "type": "hang" } }).to_string().into(),
                400,
                "unrecognized-message",
            ),
            (
                json!({ "message": { "type": 7, "call": {} } }).to_string().into(),
                400,
                "unrecognized-message",
            ),
            (json!(PLANTED).to_string().into(), 400, "unrecognized-message"),
            (b"null".into(), 400, "unrecognized-message"),
            (b"7".into(), 400, "unrecognized-message"),
            (
                json!({ "message": { "toolCalls": tools } }).to_string().into(),
                400,
                "unrecognized-message",
            ),
            (deep("[", "]").into(), 400, "body-too-deep"),
            (deep("{\"a\":", "}").into(), 400, "body-too-deep"),
            ("[".repeat(100_000).into(), 400, "body-too-deep"),
            (PLANTED.repeat(MAX_BODY / PLANTED.len() + 1).into(), 413, "body-too-large"),
            (vec![b' '; MAX_BODY + 1], 413, "body-too-large"),
            (vec![b' '; 3 * MAX_BODY], 413, "body-too-large"),
        ];
        for (body, status, code) in bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            println!("{code}: {shown}");
            refused(tenant.webhook(body), status, code).await;
        }
        assert_eq!(tenant.recorded().await.len(), 1);
        assert_eq!(tenant.post_ok(accepted).await["status"], "duplicate");
        assert_eq!(tenant.only_call().await["cost_cents"], 7);
    });
}

#[test]
fn a_body_of_the_maximum_size_is_stored_completely() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let around = Message::report("c-1").field("transcript", "\"\"").body().len();
        let transcript = "said so. ".repeat(MAX_BODY / 9 + 1)[..MAX_BODY - around].to_owned();
        let body = Message::report("c-1").field("transcript", json!(transcript)).body();
        assert_eq!(body.len(), MAX_BODY);
        tenant.post_ok(body).await;
        assert_eq!(tenant.only_call().await["transcript"].as_str(), Some(transcript.as_str()));
    });
}

#[test]
fn a_request_without_the_secret_is_refused_and_the_refusal_is_in_the_log() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let body = Message::report("c-1").field("summary", json!(PLANTED)).body();
        let stale = SystemClock.now().timestamp() - 301;
        let bare = || {
            let url = tenant.url(&format!("/ingest/{}", tenant.source_id));
            reqwest::Client::new().post(url).body(body.clone())
        };
        refused(bare(), 401, "signature-missing").await;
        refused(bare().header("x-vapi-secret", "another"), 401, "signature-invalid").await;
        let signed = signed(bare(), &tenant, stale, &body);
        refused(signed, 401, "signature-expired").await;
        let denied = tenant.facts_of("access.denied").await;
        let reasons: Vec<_> = denied.iter().map(|fact| &fact["reason"]).collect();
        assert_eq!(reasons, ["signature-missing", "signature-invalid", "signature-expired"]);
        for fact in &denied {
            assert_eq!(fact["action"], "ingest");
            assert_eq!(fact["source_id"], tenant.source_id.to_string());
        }
        assert!(tenant.recorded().await.is_empty());
    });
}

fn signed(request: RequestBuilder, tenant: &TestTenant, at: i64, body: &str) -> RequestBuilder {
    let key = hmac::Key::new(hmac::HMAC_SHA256, tenant.secret.as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    request.header("x-signature", hex::encode(tag)).header("x-timestamp", at)
}

#[test]
fn every_configurable_proof_of_the_provider_is_accepted() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let now = SystemClock.now().timestamp();
        for (nth, name) in ["x-vapi-secret", "x-vapi-signature", "authorization", "x-signature"]
            .into_iter()
            .enumerate()
        {
            let body = Message::report(&format!("c-{nth}")).body();
            let url = tenant.url(&format!("/ingest/{}", tenant.source_id));
            let bare = reqwest::Client::new().post(url).body(body.clone());
            let request = match name {
                "authorization" => bare.bearer_auth(&tenant.secret),
                "x-signature" => signed(bare, &tenant, now, &body),
                plain => bare.header(plain, &tenant.secret),
            };
            assert_eq!(request.send().await.expect("an answer").status(), 200, "{name}");
        }
        assert_eq!(tenant.recorded().await.len(), 4);
    });
}

#[test]
fn an_unknown_source_is_not_found_for_any_id() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let unknown = tenant.tenant_id.to_string();
        let long = "a".repeat(4000);
        for id in [unknown.as_str(), "garbage", "%FF", "%00", "..%2f..", "'%20or%201=1", &long] {
            let url = tenant.url(&format!("/ingest/{id}"));
            let request = reqwest::Client::new().post(url).body(Message::report("c-1").body());
            let request = request.header("x-vapi-secret", &tenant.secret);
            refused(request, 404, "source-not-found").await;
        }
    });
}

#[test]
fn a_message_of_an_unknown_type_is_stored_completely() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let message =
            Message::new("made-up-next-year", "c-1").field("news", json!({ "of": [1, "x"] }));
        assert_eq!(tenant.post_ok(message.body()).await["status"], "recorded");
        let facts = tenant.facts_of("call.message_received").await;
        assert_eq!(facts[0]["kind"], "made-up-next-year");
        let call = tenant.only_call().await;
        let path = format!("/v1/calls/{}/events", call["call_id"].as_str().expect("an id"));
        let sent: Value = serde_json::from_str(&message.body()).expect("JSON");
        assert_eq!(tenant.get(&path).await["data"][0]["personal"]["raw"], sent);
    });
}

#[test]
fn an_invalid_number_address_or_date_is_stored_unchanged_and_marked_invalid() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let customer =
            json!({ "number": "ask at desk 12", "email": "person at example.com", "name": "P" });
        let report = Message::report("c-1")
            .field("customer", &customer)
            .field("startedAt", json!("the day before"))
            .field("endedAt", json!("2026-02-30T25:61:00Z"));
        tenant.post_ok(report.body()).await;
        let facts = &tenant.facts_of("call.ended").await[0];
        let party = json!({ "phone": "invalid", "email": "invalid", "name": true });
        assert_eq!(facts["party"], party);
        assert!(!facts.to_string().contains("desk"), "{facts}");
        let call = tenant.only_call().await;
        assert_eq!(call["customer"]["phone"], customer["number"]);
        assert_eq!(call["customer"]["email"], customer["email"]);
        assert_eq!((&call["ended_at"], &call["duration_ms"]), (&Value::Null, &Value::Null));
        let (_, page) = tenant.get_with(&tenant.read_key, "/v1/calls").await;
        assert_eq!(page["data"][0]["customer"]["phone"], "•••12");
    });
}

#[test]
fn a_sentence_with_digits_in_it_is_no_number() {
    run(async {
        for said in ["use e-mail 20261121", "room 5550100, ask for Robin", "ref-12345678-x"] {
            let tenant = TestLedger::shared().await.tenant().await;
            let report = Message::report("c-1").field("customer", json!({ "number": said }));
            tenant.post_ok(report.body()).await;
            assert_eq!(
                tenant.facts_of("call.ended").await[0]["party"]["phone"],
                "invalid",
                "{said}"
            );
            assert_eq!(tenant.only_call().await["customer"]["phone"], said);
        }
    });
}

#[test]
fn values_outside_the_range_of_columns_are_stored_safely() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let strange = [
            r#""a\u0000b\ud800c\udfff""#,
            "1e400",
            "-1e400",
            "9223372036854775808",
            "-99999999999999999999999999999999",
            "0.00000000000000000000000000000000001",
            r#""0000-01-01T00:00:00Z""#,
            r#""0000-00-00""#,
            r#""+262144-01-01T00:00:00Z""#,
            r#""-0001-12-31T23:59:59Z""#,
            r#""294277-01-01T00:00:00Z""#,
            "-62167219200001",
            "true",
            "[[]]",
            r#"{"$gt":""}"#,
        ];
        let keys = [
            "timestamp",
            "startedAt",
            "endedAt",
            "endedReason",
            "durationMs",
            "cost",
            "summary",
            "transcript",
            "recordingUrl",
            "status",
            "destination",
            "toolCallList",
            "structuredData",
            "customer",
            "structuredData",
        ];
        let mut posted = 0;
        for kind in ["end-of-call-report", "status-update", "tool-calls", "transfer-update"] {
            for value in strange {
                let call = format!("c-{posted}");
                let fill = |message: Message, key: &&str| message.field(key, value);
                let message = keys.iter().fold(Message::new(kind, &call), fill);
                let message = message
                    .call_field("createdAt", value)
                    .call_field("assistantId", value)
                    .call_field("metadata", format!(r#"{{"test":{value}}}"#))
                    .call_field(
                        "customer",
                        format!(r#"{{"number":{value},"name":{value},"email":{value}}}"#),
                    );
                let (status, answer) = tenant.post(message.body()).await;
                assert_eq!(status, 200, "{kind} {value}: {answer}");
                posted += 1;
            }
        }
        assert_eq!(tenant.recorded().await.len(), posted);
        let calls = tenant.calls().await;
        assert_eq!(calls.len(), posted);
        for call in calls {
            let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
            assert_eq!(tenant.get_with(&tenant.key, &path).await.0, 200, "{call}");
            // Compared as text: a float cannot represent its numbers.
            let request = tenant.request(&tenant.key, &format!("{path}/events"));
            let events = request.send().await.expect("an answer").text().await.expect("a body");
            assert!(events.contains(r#""raw":{"message":{"#), "{events}");
        }
    });
}

#[test]
fn an_invalid_call_id_creates_no_call_and_loses_no_message() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for id in [r#""a\u0000b""#, r#"" ""#, "7", "null", "{}"] {
            let body = format!(r#"{{"message":{{"type":"hang","call":{{"id":{id}}}}}}}"#);
            assert_eq!(tenant.post_ok(body).await["status"], "recorded", "{id:.20}");
        }
        assert!(tenant.recorded().await.iter().all(|(stream, _)| stream == "delivery"));
        assert!(tenant.calls().await.is_empty());
    });
}

#[test]
fn a_body_is_read_with_any_content_type() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for (nth, kind) in
            ["text/plain", "application/json; charset=latin1", "x"].iter().enumerate()
        {
            let url = tenant.url(&format!("/ingest/{}", tenant.source_id));
            let request = reqwest::Client::new().post(url).header("content-type", *kind);
            let request = request.header("x-vapi-secret", &tenant.secret);
            let body = Message::report(&format!("c-{nth}")).body();
            assert_eq!(request.body(body).send().await.expect("an answer").status(), 200, "{kind}");
        }
    });
}

#[test]
fn every_refusal_is_a_problem_document() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let client = reqwest::Client::new();
        let get = |path: &str| tenant.request(&tenant.key, path);
        let v1 = tenant.url("/v1/calls");
        refused(client.get(&v1), 401, "unauthorized").await;
        refused(client.get(&v1).bearer_auth(PLANTED), 401, "unauthorized").await;
        refused(client.get(&v1).header("authorization", "Basic eDp5"), 401, "unauthorized").await;
        refused(client.post(&v1).bearer_auth(&tenant.key), 405, "method-not-allowed").await;
        refused(get("/v1/nothing"), 404, "route-not-found").await;
        refused(get("/v1/calls/%FF"), 404, "call-not-found").await;
        refused(get("/v1/calls/%FF/events"), 404, "call-not-found").await;
        refused(get(&format!("/v1/calls?limit={PLANTED}")), 400, "invalid-parameter").await;
        refused(get(&format!("/v1/calls?email={PLANTED}")), 400, "invalid-parameter").await;
    });
}

#[test]
fn a_thousand_webhooks_from_one_address_are_all_accepted() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let mut posts = JoinSet::new();
        for nth in 0..1000 {
            let request = tenant.webhook(Message::report(&format!("c-{nth}")).body());
            posts.spawn(async move { request.send().await.expect("an answer").status().as_u16() });
        }
        let statuses = posts.join_all().await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        assert_eq!(tenant.recorded().await.len(), 1000);
    });
}
