//! The messages of one call give the same record in any order and with any repetition.

use ledger_tests::fixtures::{self, Message};
use ledger_tests::{TestLedger, TestTenant, run};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CALL: &str = "b1223960-1b4d-4585-91b8-a69b0f57ec2f";

/// Every kind of message of one call, in the order the provider normally sends them.
fn messages() -> Vec<String> {
    let of = |name: &str| fixtures::json(&format!("vapi/{name}.json"));
    let status = |word: &str| {
        let mut message = of("status-update.forwarding.composed");
        message["message"]["status"] = json!(word);
        message
    };
    let ended = {
        let mut message = status("ended");
        message["message"]["endedReason"] = json!("customer-ended-call");
        message
    };
    let report = of("end-of-call-report.inbound-squad-two-assistants");
    let corrected = {
        let mut message = report.clone();
        message["message"]["summary"] = json!("What they really asked.");
        message["message"]["analysis"]["summary"] = json!("What they really asked.");
        message["message"]["endedReason"] = json!("silence-timed-out");
        message["message"]["cost"] = json!(0.12);
        message
    };
    let sent = [
        of("assistant-request.inbound-pstn"),
        status("queued"),
        status("ringing"),
        status("in-progress"),
        of("tool-calls.inbound-squad-1"),
        of("tool-calls.inbound-squad-2"),
        of("transcript.final.assistant.webcall"),
        status("forwarding"),
        of("transfer-update.number.composed"),
        of("hang.inbound.composed"),
        ended,
        of("call.artifact.upload.reconstructed"),
        report,
        corrected,
    ];
    let timed = sent.into_iter().zip(0..).map(|(mut body, nth)| {
        body["message"]["timestamp"] = json!(1_722_115_400_000_i64 + nth * 1000);
        body
    });
    let untimed = {
        let mut body = of("function-call.inbound-parameters");
        body["message"].as_object_mut().expect("a message").remove("timestamp");
        body
    };
    timed
        .chain([untimed])
        .map(|mut body| {
            body["message"]["call"]["id"] = json!(CALL);
            body.to_string()
        })
        .collect()
}

/// Returns everything readers can get of the only call: list and detail, facts and personal data.
/// The id of the call, which depends on the tenant, is replaced.
async fn seen(tenant: &TestTenant) -> String {
    tenant.settle().await;
    let (_, page) = tenant.get_with(&tenant.read_key, "/v1/calls").await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{page}");
    let call_id = page["data"][0]["call_id"].as_str().expect("an id").to_owned();
    let detail = format!("/v1/calls/{call_id}");
    let mut seen = String::new();
    for key in [&tenant.read_key, &tenant.key] {
        for path in ["/v1/calls", &detail] {
            let response = tenant.request(key, path).send().await.expect("an answer");
            assert_eq!(response.status(), 200);
            seen += &response.text().await.expect("a body");
            seen.push('\n');
        }
    }
    // Ids of contacts are random.
    let contact = page["data"][0]["customer"]["contact_id"].as_str().expect("a contact");
    seen.replace(&call_id, "[call]").replace(contact, "[contact]")
}

async fn post_in_order(bodies: &[String]) -> String {
    let tenant = TestLedger::shared().await.tenant().await;
    for body in bodies {
        tenant.post_ok(body.clone()).await;
    }
    seen(&tenant).await
}

/// Posts `so_many` messages concurrently, then the next ones.
async fn post_at_once(bodies: &[String], so_many: usize) -> String {
    let tenant = TestLedger::shared().await.tenant().await;
    for together in bodies.chunks(so_many) {
        let mut posts = JoinSet::new();
        for body in together {
            let request = tenant.webhook(body.clone());
            posts.spawn(async move { request.send().await.expect("an answer").status() });
        }
        assert!(posts.join_all().await.iter().all(|status| *status == 200));
    }
    seen(&tenant).await
}

#[test]
fn any_permutation_with_repeats_gives_the_same_record() {
    let messages = messages();
    let reference = run(post_in_order(&messages));
    let count = messages.len();
    let orders = proptest::collection::vec(0..count, 0..8)
        .prop_map(move |repeats| (0..count).chain(repeats).collect::<Vec<_>>())
        .prop_shuffle();
    let config = Config { cases: 16, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&(orders, 1..6_usize), |(order, at_once)| {
            let bodies: Vec<String> = order.iter().map(|nth| messages[*nth].clone()).collect();
            let seen = run(post_at_once(&bodies, at_once));
            if seen == reference {
                return Ok(());
            }
            Err(TestCaseError::fail(difference(&reference, &seen)))
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Returns the lines in which two pretty-printed documents differ.
fn difference(one: &str, two: &str) -> String {
    let pretty = |text: &str| -> Vec<String> {
        let documents = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        documents
            .flat_map(|it| format!("{it:#}").lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    };
    let (one, two) = (pretty(one), pretty(two));
    let pairs = one.iter().zip(&two).filter(|(one, two)| one != two);
    let lines: Vec<String> = pairs.map(|(one, two)| format!("- {one}\n+ {two}")).collect();
    lines.join("\n")
}

#[test]
fn the_reference_record_has_everything_that_was_sent() {
    let seen = run(post_in_order(&messages()));
    let detail: Value = serde_json::from_str(seen.lines().last().expect("lines")).expect("JSON");
    assert_eq!(detail["status"], "ended");
    assert_eq!(detail["ended_reason"], "silence-timed-out");
    assert_eq!(detail["outcome"], "silence");
    assert_eq!(detail["cost_nanos"], 120_000_000);
    assert_eq!(detail["summary"], "What they really asked.");
    assert_eq!(detail["customer"]["phone"], "+15550100001");
    assert_eq!(detail["tool_calls"].as_array().map(Vec::len), Some(6), "{detail:#}");
    assert_eq!(detail["messages"].as_array().map(Vec::len), Some(9), "{detail:#}");
}

fn report(cost: &str) -> Message {
    Message::report("c-1").field("cost", cost).field("timestamp", 1_750_000_065_000_i64)
}

#[test]
fn a_second_different_report_is_a_correction_whose_cost_counts_once() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let later =
            Message::report("c-1").field("cost", "0.05").field("timestamp", 1_750_000_099_000_i64);
        assert_eq!(tenant.post_ok(report("0.07").body()).await["status"], "recorded");
        assert_eq!(tenant.post_ok(later.body()).await["status"], "recorded");
        assert_eq!(tenant.post_ok(report("0.07").body()).await["status"], "duplicate");
        let calls = tenant.calls().await;
        let costs: Vec<_> = calls.iter().map(|call| &call["cost_nanos"]).collect();
        assert_eq!(costs, [50_000_000]);
        assert_eq!(tenant.recorded().await.len(), 2);
    });
}

#[test]
fn of_two_reports_of_one_time_the_later_recorded_is_the_correction() {
    run(async {
        for (first, second) in [("0.07", "0.05"), ("0.05", "0.07")] {
            let tenant = TestLedger::shared().await.tenant().await;
            tenant.post_ok(report(first).body()).await;
            tenant.post_ok(report(second).body()).await;
            let nanos = if second == "0.05" { 50_000_000 } else { 70_000_000 };
            assert_eq!(tenant.only_call().await["cost_nanos"], nanos);
        }
    });
}

#[test]
fn fields_missing_in_a_correction_keep_their_values() {
    run(async {
        let first = Message::report("c-1")
            .field("timestamp", 1_750_000_001_000_i64)
            .field("cost", "0.07")
            .field("recordingUrl", json!("https://recordings.example.com/1.wav"))
            .field("summary", json!("They asked for a time."))
            .field(
                "toolCalls",
                json!([{ "id": "t-1", "name": "book", "arguments": { "day": 1 } }]),
            );
        let second = Message::report("c-1")
            .field("timestamp", 1_750_000_002_000_i64)
            .field("recordingUrl", "null")
            .field("summary", json!(""))
            .field(
                "messages",
                json!([{ "role": "tool", "tool_call_id": "t-1", "content": "done" }]),
            );
        for order in [[&first, &second], [&second, &first]] {
            let tenant = TestLedger::shared().await.tenant().await;
            for message in order {
                tenant.post_ok(message.body()).await;
            }
            let call = tenant.only_call().await;
            assert_eq!(call["cost_nanos"], 70_000_000);
            assert_eq!(call["summary"], "They asked for a time.");
            assert_eq!(call["recordings"][0]["url"], "https://recordings.example.com/1.wav");
            assert_eq!(call["tools_used"], json!(["book"]));
            let tool = json!({ "tool_call_id": "t-1", "tool": "book", "arguments": { "day": 1 },
                               "result": "done", "at": null });
            assert_eq!(call["tool_calls"], json!([tool]));
        }
    });
}

#[test]
fn the_time_of_a_tool_call_does_not_depend_on_the_order_of_its_reports() {
    run(async {
        let live =
            Message::tools("c-1", &[("t-1", "book")]).field("timestamp", 1_750_000_001_000_i64);
        let log = |at: Value| json!([{ "role": "tool_calls", "time": at, "toolCalls": [{ "id": "t-1", "function": { "name": "book" } }] }]);
        let first = Message::report("c-1")
            .field("timestamp", 1_750_000_060_000_i64)
            .field("messages", log(json!(1_750_000_002_000_i64)));
        let second = Message::report("c-1")
            .field("timestamp", 1_750_000_070_000_i64)
            .field("messages", log(Value::Null));
        let mut seen = Vec::new();
        for order in [[&live, &first, &second], [&second, &live, &first], [&first, &second, &live]]
        {
            let tenant = TestLedger::shared().await.tenant().await;
            for message in order {
                tenant.post_ok(message.body()).await;
            }
            seen.push(tenant.only_call().await["tool_calls"].clone());
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0], seen[2]);
    });
}

#[test]
fn of_two_reported_starts_the_first_counts() {
    run(async {
        let sent = |at: i64| Message::status("c-1", "in-progress", 1_750_000_000_000 + at);
        for order in [[0, 9000], [9000, 0]] {
            let tenant = TestLedger::shared().await.tenant().await;
            for at in order {
                tenant.post_ok(sent(at).body()).await;
            }
            assert_eq!(tenant.only_call().await["started_at"], "2025-06-15T15:06:40Z");
        }
    });
}
