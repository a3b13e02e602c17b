//! Requests of third-party clients within the standards are accepted, or refused with a code.

use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::bad_input::problem;

async fn called(tenant: &TestTenant, path: &str) -> Response {
    tenant.request(&tenant.key, path).send().await.expect("an answer")
}

#[test]
fn a_whole_number_with_a_fraction_of_zero_is_accepted() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        tenant.post_ok(Message::report("c-1").body()).await;
        tenant.settle().await;
        let call = tenant.only_call().await["call_id"].as_str().expect("an id").to_owned();
        for path in [
            "/v1/calls?limit=100.0&min_position=1.0",
            "/v1/calls?limit=1e2&min_cost_nanos=0.0",
            &format!("/v1/calls/{call}/events?limit=5.000"),
            &format!("/v1/calls/{call}?as_of=99.0"),
            "/call?limit=100.0&min_position=1.0",
            "/call/c-1?min_position=1.0",
        ] {
            assert_eq!(called(&tenant, path).await.status(), 200, "{path}");
        }
        for path in [
            "/v1/calls?limit=1.5",
            "/v1/calls?limit=1_0",
            "/v1/calls?limit=1e99",
            "/v1/calls?limit=0x5",
        ] {
            problem(called(&tenant, path).await, 400, "invalid-parameter").await;
        }
        assert_eq!(called(&tenant, "/call?limit=1.5").await.status(), 400);
    });
}

#[test]
fn a_time_is_accepted_in_the_formats_of_date_libraries() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let report = Message::report("c-1")
            .field("startedAt", json!("2026-11-01T00:00:30Z"))
            .call_field("createdAt", json!("2026-11-01T00:00:30Z"));
        tenant.post_ok(report.body()).await;
        tenant.settle().await;
        for time in [
            "2026-11-01T00:00Z",
            "2026-11-01T00:00:00.000%2B0000",
            "2026-11-01T05:30%2B05:30",
            "2026-11-01T05:30+05:30",
            "2026-10-31T19:00:00-05",
            "2026-11-01%2000:00:00Z",
            "20261101T000000Z",
        ] {
            let (_, page) = tenant.get_with(&tenant.key, &format!("/v1/calls?from={time}")).await;
            assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{time}: {page}");
            let (_, page) = tenant.get_with(&tenant.key, &format!("/v1/calls?to={time}")).await;
            assert_eq!(page["data"].as_array().map(Vec::len), Some(0), "{time}: {page}");
            let (_, calls) =
                tenant.get_with(&tenant.key, &format!("/call?createdAtGe={time}")).await;
            assert_eq!(calls.as_array().map(Vec::len), Some(1), "{time}: {calls}");
        }
        let figures = json!({ "queries": [{ "table": "call", "name": "n",
            "timeRange": { "start": "2026-11-01T00:00Z", "end": "2026-11-02T00:00+0000" },
            "operations": [{ "operation": "count", "column": "id" }] }] });
        let request = Client::new().post(tenant.url("/analytics")).bearer_auth(&tenant.key);
        let answer: Value =
            request.json(&figures).send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(answer[0]["result"][0]["countId"], "1", "{answer}");
        problem(called(&tenant, "/v1/calls?from=2026-11-01T00:00").await, 400, "invalid-parameter")
            .await;
    });
}

#[test]
fn a_byte_order_mark_before_a_body_is_ignored() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let marked = |body: &str| format!("\u{feff}{body}");
        let body = Message::report("c-1").body();
        let first = tenant.post_ok(marked(&body)).await;
        assert_eq!(first["status"], "recorded");
        assert_eq!(tenant.post_ok(body).await["status"], "duplicate");
        let key = ledger.key(tenant.tenant_id, &["admin"]).await;
        let post = async |path: &str, body: String| {
            let request = Client::new().post(tenant.url(path)).bearer_auth(&key).body(body);
            request.send().await.expect("an answer").status().as_u16()
        };
        assert_eq!(post("/v1/sources", marked(r#"{"provider":"vapi"}"#)).await, 201);
        let request = Client::new().post(tenant.url("/analytics")).bearer_auth(&tenant.key);
        let asked = request.body(marked(r#"{"queries":[]}"#)).send().await.expect("an answer");
        assert_eq!(asked.status(), 201);
    });
}

#[test]
fn a_trailing_slash_is_the_same_route_also_in_metrics() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let body = Message::report("c-1").body();
        let url = format!("{}/", tenant.url(&format!("/ingest/{}", tenant.source_id)));
        let request = Client::new().post(url).header("x-vapi-secret", &tenant.secret).body(body);
        assert_eq!(request.send().await.expect("an answer").status(), 200);
        tenant.settle().await;
        for path in
            ["/v1/calls/?limit=1", "/call/?limit=1", "/call/c-1/", "/healthz/", "/v1/calls//"]
        {
            assert_eq!(called(&tenant, path).await.status(), 200, "{path}");
        }
        let metrics = called(&tenant, "/metrics/").await.text().await.expect("text");
        let counted = metrics.lines().any(|line| {
            line.starts_with("ledger_http_request_seconds_count")
                && line.contains(r#"route="/call/{id}""#)
        });
        assert!(counted, "{metrics}");
        assert_eq!(called(&tenant, "/docs/").await.status(), 200);
        assert_eq!(called(&tenant, "/v1/nothing/").await.status(), 404);
    });
}

#[test]
fn tool_calls_listed_as_one_object_or_as_text_get_an_answer() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let tool = |id: &str| {
            json!({ "id": id, "type": "function",
            "function": { "name": "book", "arguments": { "day": "Monday" } } })
        };
        let wrapped = json!({ "name": "book", "toolCall": tool("t-w") });
        for (nth, (key, list, ids)) in [
            ("toolCallList", tool("t-1"), vec!["t-1"]),
            (
                "toolCallList",
                json!(json!([tool("t-2"), tool("t-3")]).to_string()),
                vec!["t-2", "t-3"],
            ),
            ("toolCallList", json!(tool("t-4").to_string()), vec!["t-4"]),
            ("toolCallList", json!({ "0": tool("t-5"), "1": tool("t-6") }), vec!["t-5", "t-6"]),
            ("toolCalls", tool("t-7"), vec!["t-7"]),
            ("toolWithToolCallList", wrapped.clone(), vec!["t-w"]),
            ("toolWithToolCallList", json!(json!([wrapped]).to_string()), vec!["t-w"]),
            ("toolCall", json!(tool("t-8").to_string()), vec!["t-8"]),
        ]
        .into_iter()
        .enumerate()
        {
            let call = format!("c-{nth}");
            let body = Message::new("tool-calls", &call).field(key, &list).body();
            let answer = tenant.post_ok(body.clone()).await;
            let results = answer["results"].as_array().expect("results");
            let result_ids: Vec<_> =
                results.iter().filter_map(|one| one["toolCallId"].as_str()).collect();
            assert_eq!(result_ids, ids, "{key} {list}: {answer}");
            assert!(results.iter().all(|one| one["error"].is_string()), "{answer}");
            assert_eq!(tenant.post_ok(body).await, answer);
        }
        tenant.settle().await;
        let calls = tenant.calls().await;
        assert!(calls.iter().all(|call| call["tools_used"] == json!(["book"])), "{calls:?}");
    });
}

#[test]
fn a_too_long_id_neither_merges_calls_nor_is_lost() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let long = |end: &str| format!("{}{end}", "x".repeat(200));
        for id in [long("a"), long("b"), "ж".repeat(5_000)] {
            tenant.post_ok(Message::report(&id).body()).await;
        }
        assert_eq!(tenant.calls().await.len(), 3);
        for id in [long("a"), long("b"), "ж".repeat(900)] {
            let found = tenant.get(&format!("/v1/calls?provider_call_id={id}")).await;
            let count = found["data"].as_array().map(Vec::len);
            assert_eq!(count, Some(usize::from(id.starts_with('x'))), "{id:.8}");
        }

        let tenant = TestLedger::shared().await.tenant().await;
        let (one, two) = (long("1"), long("2"));
        let tools = Message::tools("c-1", &[(&one, "book"), (&two, "cancel")]).body();
        let answer = tenant.post_ok(tools).await;
        let result_ids: Vec<_> = answer["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|one| one["toolCallId"].clone())
            .collect();
        assert_eq!(result_ids, [json!(one), json!(two)]);
        let call = tenant.only_call().await;
        assert_eq!(call["tools_used"], json!(["book", "cancel"]));
        assert_eq!(call["tool_calls"].as_array().map(Vec::len), Some(2), "{call}");
    });
}

#[test]
fn a_link_to_a_recording_is_returned_unchanged() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let link = |name: &str| {
            format!(
                "https://storage.example.com/{name}.wav?X-Amz-Security-Token=abc&token=eyJhbGciOiJFUzI1NiJ9.eyJleGFtcGxlIjoxfQ.c2lnbmF0dXJl&key=k&X-Amz-Signature=0f"
            )
        };
        let report = Message::report("c-1").field("recordingUrl", json!(link("mono"))).field(
            "artifact",
            json!({ "stereoRecordingUrl": link("stereo"), "recording": { "mono": {
                "assistantUrl": link("assistant"), "customerUrl": link("customer") } } }),
        );
        tenant.post_ok(report.body()).await;
        let call = tenant.only_call().await;
        let urls: Vec<_> = call["recordings"]
            .as_array()
            .expect("recordings")
            .iter()
            .map(|one| one["url"].clone())
            .collect();
        assert_eq!(urls, ["mono", "stereo", "assistant", "customer"].map(|name| json!(link(name))));
        let secret = Message::report("c-2")
            .field("recordingUrl", json!("https://user:hush-hush@storage.example.com/a.wav"))
            .field("serverUrl", json!("https://hooks.example.com/?token=hush-hush"))
            .body();
        tenant.post_ok(secret).await;
        let (_, shown) = tenant.get_with(&tenant.key, "/call/c-2").await;
        assert!(!shown.to_string().contains("hush-hush"), "{shown}");
    });
}

#[test]
fn an_unknown_parameter_without_a_value_is_refused_with_its_name() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for query in ["foo", "foo=", "limit=1&foo"] {
            problem(called(&tenant, &format!("/v1/calls?{query}")).await, 400, "unknown-parameter")
                .await;
            let (status, refused) = tenant.get_with(&tenant.key, &format!("/call?{query}")).await;
            assert_eq!(
                (status, &refused["message"]),
                (400, &json!(["property foo should not exist"]))
            );
        }
        assert_eq!(called(&tenant, "/call?limit=&assistantId").await.status(), 200);
    });
}

#[test]
fn a_refusal_on_a_route_of_vapi_has_vapis_format() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for (path, status) in [
            ("/assistant", 404),
            ("/assistant/a-1", 404),
            ("/phone-number", 404),
            ("/v2/call", 404),
            ("/call/c-1/end", 404),
            ("/call/nobody", 404),
            ("/analytics", 405),
            ("/analytics/more", 404),
            ("/squad/", 404),
        ] {
            let response = called(&tenant, path).await;
            assert_eq!(response.status(), status, "{path}");
            let body: Value = response.json().await.expect("JSON");
            assert_eq!(body["statusCode"], status, "{path}: {body}");
            assert!(body["message"].is_string() && body["error"].is_string(), "{path}: {body}");
        }
        for path in ["/", "/v1/nothing", "/calls", "/callx"] {
            problem(called(&tenant, path).await, 404, "route-not-found").await;
        }
    });
}

#[test]
fn the_dialect_counts_test_calls_by_one_rule_on_every_route() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for nth in 0..5 {
            let is_test = nth < 2;
            let call = Message::report(&format!("c-{nth}"))
                .call_field("createdAt", json!("2026-11-02T10:00:00Z"))
                .field("startedAt", json!("2026-11-02T10:00:00Z"))
                .call_field("metadata", json!({ "test": is_test }));
            tenant.post_ok(call.body()).await;
        }
        tenant.settle().await;
        for (query, body, wanted) in [
            ("", Value::Null, 3),
            ("isTest=false", json!(false), 3),
            ("isTest=true", json!(true), 2),
            ("isTest=any", json!("any"), 5),
        ] {
            let (_, calls) = tenant.get_with(&tenant.key, &format!("/call?{query}")).await;
            assert_eq!(calls.as_array().map(Vec::len), Some(wanted), "{query}");
            let mut asked = json!({ "table": "call", "name": "n",
                "timeRange": { "start": "2026-11-01", "end": "2026-12-01" },
                "operations": [{ "operation": "count", "column": "id" }] });
            if !body.is_null() {
                asked["isTest"] = body;
            }
            let request = Client::new().post(tenant.url("/analytics")).bearer_auth(&tenant.key);
            let request = request.json(&json!({ "queries": [asked] }));
            let answer: Value =
                request.send().await.expect("an answer").json().await.expect("JSON");
            assert_eq!(answer[0]["result"][0]["countId"], wanted.to_string(), "{query}: {answer}");
        }
        let refused = called(&tenant, "/call?isTest=maybe").await;
        assert_eq!(refused.status(), 400);
    });
}
