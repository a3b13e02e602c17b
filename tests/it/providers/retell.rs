//! Retell's webhooks: signature, report, analysis and custom functions.

use chrono::TimeDelta;
use ledger_core::clock::Clock;
use ledger_core::provider::Provider;
use ledger_tests::{TestLedger, fixtures, run};
use serde_json::{Value, json};
use server::system::SystemClock;

use super::{ProviderSource, send_ok};
use crate::bad_input::problem;

fn message(name: &str) -> Value {
    let mut message = fixtures::json(&format!("retell/{name}"));
    // The carrier's id has tests of its own.
    message["call"].as_object_mut().map(|call| call.remove("telephony_identifier"));
    message
}

#[test]
fn the_three_messages_of_a_call_become_one_call_with_its_analysis() {
    run(async {
        let ledger = TestLedger::shared().await;
        let names = [
            "call_started.reconstructed.json",
            "call_ended.docs.json",
            "call_analyzed.reconstructed.json",
        ];
        let mut calls = Vec::new();
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let tenant = ledger.tenant().await;
            let source = ProviderSource::new(&tenant, Provider::Retell).await;
            for nth in order {
                let body = message(names[nth]);
                assert_eq!(send_ok(source.retell(&body)).await["status"], "recorded");
                assert_eq!(send_ok(source.retell(&body)).await["status"], "duplicate");
            }
            let mut call = tenant.only_call().await;
            for key in ["call_id", "position", "customer"] {
                call.as_object_mut().expect("a call").remove(key);
            }
            calls.push(call);
        }
        let call = &calls[0];
        assert!(calls.iter().all(|other| other == call), "{calls:#?}");
        assert_eq!((&call["provider"], &call["status"]), (&json!("retell"), &json!("ended")));
        assert_eq!(call["outcome"], "customer_hung_up");
        assert_eq!(call["ended_reason"], "user_hangup");
        assert_eq!((&call["cost_nanos"], &call["cost_cents"]), (&json!(700_000_000), &json!(70)));
        assert_eq!(call["duration_ms"], 10_000);
        assert_eq!(call["success"], true);
        assert_eq!(
            call["analysis"],
            json!({
                "sentiment": "Positive", "intent": null, "summary": call["summary"],
                "source": "retell", "model_version": null,
            })
        );
        assert_eq!(call["recordings"].as_array().map(Vec::len), Some(2));
    });
}

#[test]
fn the_analysis_is_redacted_for_keys_without_scope_personal() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Retell).await;
        send_ok(source.retell(&message("call_analyzed.reconstructed.json"))).await;
        let call = tenant.only_call().await;
        let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
        let (_, masked) = tenant.get_with(&tenant.read_key, &path).await;
        let (_, full) = tenant.get_with(&tenant.key, &path).await;
        assert_eq!(masked["analysis"], full["analysis"], "it has nothing about a person");
        assert_eq!(masked["analysis"]["sentiment"], "Positive");
        assert_eq!(masked["customer"]["phone"], "•••23");
    });
}

#[test]
fn a_webhook_without_a_valid_signature_of_now_is_refused() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Retell).await;
        let body = message("call_started.reconstructed.json").to_string();
        let now = SystemClock.now();
        let altered = source.retell_at(&body, now).body(body.replace("inbound", "outbound"));
        for (request, code) in [
            (source.retell_with(&body), "signature-missing"),
            (source.retell_with(&body).header("x-vapi-secret", super::SECRET), "signature-missing"),
            (source.retell_at(&body, now - TimeDelta::minutes(6)), "signature-expired"),
            (altered, "signature-invalid"),
            (
                source.retell_at(&body, now).header("x-retell-signature", "v=1,d=2"),
                "signature-repeated",
            ),
        ] {
            problem(request.send().await.expect("an answer"), 401, code).await;
        }
        assert!(tenant.recorded().await.is_empty());
        let request = source.retell_at("[]", now);
        problem(request.send().await.expect("an answer"), 400, "unrecognized-message").await;
    });
}

#[test]
fn a_custom_function_is_answered_in_retells_shape_and_recorded() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Retell).await;
        let body = json!({ "name": "lookup", "args": { "q": 1 },
            "call": { "call_id": "c-1", "call_type": "web_call" } });
        let answer = send_ok(source.retell(&body)).await;
        assert_eq!(answer, json!({ "result": server::ingest::NOT_CONFIGURED }));
        assert_eq!(send_ok(source.retell(&body)).await, answer, "the same answer again");
        let call = tenant.only_call().await;
        assert_eq!(call["tools_used"], json!(["lookup"]));
        assert_eq!(call["tool_calls"].as_array().map(Vec::len), Some(1));
        assert_eq!((&call["direction"], &call["status"]), (&json!("web"), &json!("in_progress")));
    });
}

#[test]
fn the_inbound_webhook_is_answered_without_an_agent_if_the_source_has_none() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Retell).await;
        let body = fixtures::json("retell/call_inbound.docs.json");
        assert_eq!(send_ok(source.retell(&body)).await, json!({ "call_inbound": {} }));
        assert!(tenant.calls().await.is_empty(), "it names no call");
        assert_eq!(tenant.recorded().await.len(), 1);
    });
}

#[test]
fn a_transcript_during_the_call_is_telemetry() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let source = ProviderSource::new(&tenant, Provider::Retell).await;
        let mut body = message("call_started.reconstructed.json");
        body["event"] = json!("transcript_updated");
        assert_eq!(send_ok(source.retell(&body)).await, json!({ "status": "ignored" }));
        assert!(tenant.recorded().await.is_empty());
    });
}
