//! Deduplication of tool calls that repeat through another server, with other JSON, in another
//! message shape, or under a different id.

use std::sync::Arc;

use ledger_tests::fixtures::Message;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const AT: i64 = 1_773_154_800_000;

/// A request for the results of tools, given as id, name and arguments.
fn tools(tools: &[(&str, &str, Value)], at_ms: i64) -> Message {
    let tools = tools.iter().map(|(id, name, arguments)| {
        json!({ "id": id, "type": "function",
                "function": { "name": name, "arguments": arguments } })
    });
    Message::new("tool-calls", "t")
        .field("toolCallList", tools.collect::<Value>())
        .field("timestamp", at_ms)
}

/// A report whose log lists these tool calls, each followed by its result.
fn report(tools: &[(&str, &str, Value, &str)]) -> Message {
    let log = tools.iter().flat_map(|(id, name, arguments, result)| {
        let arguments = arguments.to_string();
        let call = json!({ "id": id, "function": { "name": name, "arguments": arguments } });
        [
            json!({ "role": "tool_calls", "toolCalls": [call] }),
            json!({ "role": "tool_call_result", "toolCallId": id, "name": name, "result": result }),
        ]
    });
    Message::report("t").field("timestamp", AT + 600_000).field("messages", log.collect::<Value>())
}

/// Returns the arguments of the call's tool calls, in order.
async fn arguments(tenant: &TestTenant) -> Vec<Value> {
    let call = tenant.only_call().await;
    let calls = call["tool_calls"].as_array().expect("a list").clone();
    calls.into_iter().map(|call| call["arguments"].clone()).collect()
}

#[test]
fn one_id_with_other_arguments_is_another_tool_call_with_the_same_answer() {
    run(async {
        for id in ["lookupPrice", "call_1"] {
            let tenant = TestLedger::shared().await.tenant().await;
            let (peel, filler) = (json!({ "service": "peel" }), json!({ "service": "filler" }));
            let first = tools(&[(id, "lookupPrice", peel.clone())], AT);
            let second = tools(&[(id, "lookupPrice", filler.clone())], AT + 60_000);
            let heard = tenant.post_ok(first.body()).await;
            assert_eq!(tenant.post_ok(second.body()).await, heard);
            assert_eq!(tenant.post_ok(second.body()).await, heard, "the same body is known");
            assert_eq!(tenant.recorded().await.len(), 2);
            assert_eq!(arguments(&tenant).await, [peel, filler]);
            let call = tenant.only_call().await;
            let path = format!("/v1/calls/{}/events", call["call_id"].as_str().expect("an id"));
            let events = tenant.get(&path).await;
            let events = events["data"].as_array().expect("a page");
            assert!(events.iter().all(|event| event["personal"]["raw"]["message"].is_object()));
        }
    });
}

#[test]
fn two_tool_calls_of_one_id_in_one_message_are_two_with_their_own_results() {
    run(async {
        for id in ["lookupPrice", ""] {
            let tenant = TestLedger::shared().await.tenant().await;
            let of = |service: &str| json!({ "service": service });
            let listed = ["peel", "filler", "peel"].map(|it| (id, "lookupPrice", of(it)));
            let heard = tenant.post_ok(tools(&listed, AT).body()).await;
            let results = heard["results"].as_array().expect("results");
            assert_eq!(results.len(), 3);
            assert!(results.iter().all(|result| result["toolCallId"] == id), "{heard}");
            let wanted = ["peel", "filler", "peel"].map(of);
            assert_eq!(arguments(&tenant).await, wanted, "{id:?}");
            let values = [("peel", "90"), ("filler", "400"), ("peel", "still 90")];
            let values = values.map(|(service, result)| (id, "lookupPrice", of(service), result));
            tenant.post_ok(report(&values).body()).await;
            let call = tenant.only_call().await;
            let results = call["tool_calls"].as_array().expect("a list").iter();
            let mut results: Vec<_> = results.map(|call| call["result"].clone()).collect();
            results.sort_by_key(ToString::to_string);
            assert_eq!(results, ["400", "90", "still 90"], "{id:?}");
        }
    });
}

#[test]
fn a_function_call_of_the_old_format_and_its_report_are_one_tool_call() {
    run(async {
        let book = |day: i64| json!({ "day": day });
        for values in [book(1), json!({ "day": "1" })] {
            for reversed in [false, true] {
                let tenant = TestLedger::shared().await.tenant().await;
                let function = json!({ "name": "book", "parameters": book(1) });
                let live = Message::new("function-call", "t").field("functionCall", function);
                let mut bodies = [live, report(&[("call_7", "book", values.clone(), "done")])];
                if reversed {
                    bodies.reverse();
                }
                for body in bodies {
                    tenant.post_ok(body.body()).await;
                }
                let call = tenant.only_call().await;
                let calls = call["tool_calls"].as_array().expect("a list");
                assert_eq!(calls.len(), 1, "{calls:?}");
                assert_eq!(
                    (&calls[0]["tool_call_id"], &calls[0]["result"]),
                    (&json!("call_7"), &json!("done"))
                );
                let sums = tenant.get("/v1/analytics/breakdown?by=tool").await;
                assert_eq!(sums["data"][0]["calls"], 1);
            }
        }
    });
}

#[test]
fn the_call_after_a_repeated_tool_call_does_not_depend_on_the_order() {
    run(async {
        let one = ("call_1", "book", json!({ "day": 1 }));
        let first = tools(std::slice::from_ref(&one), AT)
            .call_field("assistantId", json!("as-1"))
            .call_field("customer", json!({ "number": "+15550100101" }));
        let second = tools(&[one], AT + 5_000)
            .call_field("assistantId", json!("as-2"))
            .call_field("createdAt", json!("2026-03-10T14:00:00.000Z"))
            .call_field("metadata", json!({ "test": true }))
            .call_field("customer", json!({ "number": "+15550100101", "name": "Ann Example" }));
        let mut shown = Vec::new();
        for order in [[&first, &second], [&second, &first]] {
            let tenant = TestLedger::shared().await.tenant().await;
            for message in order {
                tenant.post_ok(message.body()).await;
            }
            let mut call = tenant.only_call().await;
            call["call_id"] = Value::Null;
            call["customer"]["contact_id"] = Value::Null;
            assert_eq!((&call["is_test"], &call["agent_id"]), (&json!(true), &json!("as-2")));
            assert_eq!(call["started_at"], "2026-03-10T14:00:00Z");
            shown.push(call);
        }
        assert_eq!(shown[0], shown[1]);
    });
}

#[test]
fn two_servers_with_one_tool_call_in_other_words_record_and_answer_both() {
    run(async {
        let shared = TestLedger::shared().await;
        let other = TestLedger::start().await;
        let tenant = shared.tenant().await;
        let there = tenant.through(&other);
        let barrier = Arc::new(Barrier::new(12));
        let mut posts = JoinSet::new();
        for nth in 0..12_i64 {
            let (words, at) = (nth % 4, AT + nth % 4);
            let listed = [("call_1", "book", json!({ "day": words / 2 }))];
            let server = if nth < 6 { &tenant } else { &there };
            let request = server.webhook(tools(&listed, at).body());
            let barrier = Arc::clone(&barrier);
            posts.spawn(async move {
                barrier.wait().await;
                status_and_json(request.send().await.expect("an answer")).await
            });
        }
        let answers = posts.join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(answers[0].1["results"][0]["error"], server::ingest::NOT_CONFIGURED);
        assert_eq!(tenant.recorded().await.len(), 4, "four bodies");
        assert_eq!(arguments(&tenant).await.len(), 2, "two sets of arguments");
        other.stop().await;
    });
}

#[test]
fn arguments_are_in_no_facts_and_equal_ones_of_two_calls_cannot_be_linked() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for call in ["c-1", "c-2"] {
            let body = Message::tools(call, &[("call_1", "book")]).body();
            tenant.post_ok(body).await;
        }
        let facts = tenant.facts_of("call.tool_called").await;
        let digests: Vec<_> =
            facts.iter().map(|fact| fact["args"].as_str().expect("a digest")).collect();
        assert_eq!(digests.len(), 2);
        assert_ne!(digests[0], digests[1]);
    });
}
