//! A repetition is always recognised, and a new message is never taken for one.

use std::sync::Arc;

use ledger_core::clock::Clock;
use ledger_tests::fixtures::{self, Message};
use ledger_tests::ledger::{StoppedClock, status_and_json};
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};
use server::system::SystemClock;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Posts all bodies concurrently; returns the responses in any order.
async fn at_once(tenant: &TestTenant, bodies: Vec<String>) -> Vec<(u16, Value)> {
    let barrier = Arc::new(Barrier::new(bodies.len()));
    let mut posts = JoinSet::new();
    for body in bodies {
        let (request, barrier) = (tenant.webhook(body), Arc::clone(&barrier));
        posts.spawn(async move {
            barrier.wait().await;
            status_and_json(request.send().await.expect("an answer")).await
        });
    }
    posts.join_all().await
}

fn types(recorded: &[(String, String)]) -> Vec<&str> {
    recorded.iter().map(|(_, event_type)| event_type.as_str()).collect()
}

#[test]
fn fifty_identical_posts_at_once_are_one_event() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let body = Message::report("once").field("cost", "0.07").body();
        let answers = at_once(&tenant, vec![body; 50]).await;
        assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
        let positions = answers.iter().map(|(_, answer)| &answer["position"]);
        assert!(positions.clone().all(|position| *position == answers[0].1["position"]));
        let observed = |word: &str| answers.iter().filter(|(_, it)| it["status"] == word).count();
        assert_eq!((observed("recorded"), observed("duplicate")), (1, 49));
        assert_eq!(types(&tenant.recorded().await), ["call.ended"]);
        assert_eq!(tenant.only_call().await["cost_nanos"], 70_000_000);
    });
}

#[test]
fn fifty_identical_tool_calls_at_once_get_one_answer() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let body = Message::tools("once", &[("t-1", "bookAppointment")]).body();
        let answers = at_once(&tenant, vec![body; 50]).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(answers[0].1["results"][0]["toolCallId"], "t-1");
        assert_eq!(types(&tenant.recorded().await), ["call.tool_called"]);
    });
}

#[test]
fn the_same_provider_call_in_two_tenants_is_two_calls() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (one, two) = (ledger.tenant().await, ledger.tenant().await);
        let body = Message::report("shared-id").field("cost", "0.07").body();
        assert_eq!(one.post_ok(body.clone()).await["status"], "recorded");
        assert_eq!(two.post_ok(body).await["status"], "recorded");
        let (first, second) = (one.only_call().await, two.only_call().await);
        assert_ne!(first["call_id"], second["call_id"]);
        for (reader, other_call) in [(&one, &second), (&two, &first)] {
            let call_id = other_call["call_id"].as_str().expect("an id");
            let path = format!("/v1/calls/{call_id}");
            assert_eq!(reader.get_with(&reader.key, &path).await.0, 404);
        }
    });
}

#[test]
fn all_messages_of_a_call_are_stored_not_only_the_first() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let said = Message::new("transcript", "c-1")
            .field("transcriptType", json!("final"))
            .field("role", json!("user"))
            .field("transcript", json!("Hello."));
        let messages = [
            Message::status("c-1", "in-progress", 1_750_000_000_000),
            said,
            Message::report("c-1"),
        ];
        for message in messages {
            assert_eq!(tenant.post_ok(message.body()).await["status"], "recorded");
        }
        let call = tenant.only_call().await;
        let path = format!("/v1/calls/{}/events", call["call_id"].as_str().expect("an id"));
        let events = tenant.get(&path).await;
        let events = events["data"].as_array().expect("a page");
        let observed: Vec<_> = events.iter().map(|event| &event["type"]).collect();
        assert_eq!(observed, ["call.started", "call.message_received", "call.ended"]);
        assert_eq!(events[1]["personal"]["conversation"]["messages"][0]["text"], "Hello.");
        assert!(events.iter().all(|event| event["personal"]["raw"]["message"].is_object()));
    });
}

#[test]
fn a_message_through_two_sources_is_one_event() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let other = ledger.source(tenant.tenant_id, "other-secret", false).await;
        let body = Message::report("c-1").body();
        let first = tenant.post_ok(body.clone()).await;
        let request = tenant.webhook_at(other, "other-secret", body);
        let (_, second) = status_and_json(request.send().await.expect("an answer")).await;
        assert_eq!(second, json!({ "status": "duplicate", "position": first["position"] }));
        assert_eq!(tenant.recorded().await.len(), 1);
    });
}

#[test]
fn a_repeated_tool_call_with_another_time_gets_the_same_answer_and_is_one_tool_call() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let mut again = fixtures::json("vapi/tool-calls.inbound-squad-1.json");
        let first = tenant.post_ok(again.to_string()).await;
        again["message"]["timestamp"] = json!("2024-07-26T22:21:02.000Z");
        again["message"]["artifact"]["messages"] = json!([]);
        assert_eq!(tenant.post_ok(again.to_string()).await, first);
        // Its other fields are stored; the same body once more is the same event.
        assert_eq!(tenant.post_ok(again.to_string()).await, first);
        assert_eq!(types(&tenant.recorded().await), ["call.tool_called"; 2]);
        assert_eq!(tenant.only_call().await["tool_calls"].as_array().expect("a list").len(), 1);
    });
}

#[test]
fn the_same_tool_call_id_in_another_call_is_another_tool_call() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for call in ["c-1", "c-2"] {
            tenant.post_ok(Message::tools(call, &[("call_51kj", "lookUp")]).body()).await;
        }
        assert_eq!(types(&tenant.recorded().await), ["call.tool_called"; 2]);
        let calls = tenant.calls().await;
        assert_eq!(calls.len(), 2);
        assert!(calls.iter().all(|call| call["tools_used"] == json!(["lookUp"])));
    });
}

#[test]
fn of_a_known_and_a_new_tool_call_the_new_one_is_added_and_both_are_answered() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let (known, new) = (("t-1", "lookUp"), ("t-2", "book"));
        tenant.post_ok(Message::tools("c-1", &[known]).body()).await;
        let answer = tenant.post_ok(Message::tools("c-1", &[known, new]).body()).await;
        let answered: Vec<_> = answer["results"].as_array().expect("results").iter().collect();
        assert_eq!(answered.len(), 2);
        assert_eq!(
            (&answered[0]["toolCallId"], &answered[1]["toolCallId"]),
            (&json!("t-1"), &json!("t-2"))
        );
        assert_eq!(types(&tenant.recorded().await), ["call.tool_called"; 3]);
        let call = tenant.only_call().await;
        let ids: Vec<_> = call["tool_calls"].as_array().expect("a list").iter().collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(
            (&ids[0]["tool_call_id"], &ids[1]["tool_call_id"]),
            (&json!("t-1"), &json!("t-2"))
        );
        assert_eq!(ids[1]["arguments"], json!({ "of": "t-2" }));
        assert!(ids[1]["result"]["error"].is_string());
    });
}

#[test]
fn a_message_with_a_known_and_a_new_tool_call_is_stored_completely() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let (known, new) = (("t-1", "lookUp"), ("t-2", "book"));
        tenant.post_ok(Message::tools("c-1", &[known]).body()).await;
        let second = Message::tools("c-1", &[known, new]).field("detail", json!("only here"));
        tenant.post_ok(second.body()).await;
        let call = tenant.only_call().await;
        let path = format!("/v1/calls/{}/events", call["call_id"].as_str().expect("an id"));
        let events = tenant.get(&path).await;
        let raws: Vec<_> = events["data"].as_array().expect("a page").iter().collect();
        assert!(
            raws.iter().any(|event| event["personal"]["raw"]["message"]["detail"] == "only here"),
            "the second body is in no event"
        );
    });
}

#[test]
fn tool_calls_sent_together_and_alone_concurrently_are_each_recorded_and_answered() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let tools = [("t-1", "a"), ("t-2", "b"), ("t-3", "c"), ("t-4", "d"), ("t-5", "e")];
        for round in 0..20 {
            let call = format!("c-{round}");
            let alone = tools.iter().map(|tool| Message::tools(&call, &[*tool]).body());
            let together = Message::tools(&call, &tools).body();
            let answers = at_once(&tenant, alone.chain([together]).collect()).await;
            let results = answers.iter().filter_map(|(_, answer)| answer["results"].as_array());
            for result in results.flatten() {
                assert_eq!(result["error"], server::ingest::NOT_CONFIGURED, "round {round}");
            }
            assert_eq!(tenant.recorded().await.len(), (round + 1) * 2 * tools.len());
        }
    });
}

#[test]
fn telemetry_is_recorded_only_by_a_source_that_records_all() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let all_in = ledger.source(tenant.tenant_id, "other-secret", true).await;
        let speech = fixtures::bytes("vapi/speech-update.started.webcall.json");
        assert_eq!(tenant.post_ok(speech.clone()).await, json!({ "status": "ignored" }));
        assert!(tenant.recorded().await.is_empty());
        let request = tenant.webhook_at(all_in, "other-secret", speech);
        let (_, answer) = status_and_json(request.send().await.expect("an answer")).await;
        assert_eq!(answer["status"], "recorded");
        assert_eq!(types(&tenant.recorded().await), ["call.message_received"]);
    });
}

#[test]
fn a_report_long_after_the_start_of_its_call_is_not_lost() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let long_ago = SystemClock.now() - chrono::Duration::days(400);
        let then = TestLedger::start_with_clock(StoppedClock(long_ago)).await;
        let started = Message::status("c-1", "in-progress", long_ago.timestamp_millis());
        assert_eq!(tenant.through(&then).post_ok(started.body()).await["status"], "recorded");
        then.stop().await;
        let report = Message::report("c-1").field("cost", "0.28");
        assert_eq!(tenant.post_ok(report.body()).await["status"], "recorded");
        assert_eq!(tenant.post_ok(started.body()).await["status"], "duplicate");
        let call = tenant.only_call().await;
        assert_eq!((&call["status"], &call["cost_cents"]), (&json!("ended"), &json!(28)));
    });
}
