//! Calls in Vapi's format equal what Vapi sent.

use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, fixtures, run};
use serde_json::{Value, json};

use super::{list, show};

/// Posts a sample and returns its call.
async fn call_of_sample(name: &str, id: &str) -> (TestTenant, Value) {
    let tenant = TestLedger::shared().await.tenant().await;
    tenant.post_ok(fixtures::bytes(name)).await;
    tenant.settle().await;
    let call = show(&tenant, &tenant.key, id).await;
    (tenant, call)
}

/// Checks that some fields are equal wherever Vapi's object has a value.
fn assert_same(ours: &Value, theirs: &Value, places: &str) {
    for place in places.split_whitespace() {
        let theirs_at_place =
            theirs.pointer(place).filter(|theirs_at_place| !theirs_at_place.is_null());
        assert_eq!(ours.pointer(place), theirs_at_place, "{place}");
    }
}

/// Returns role, text and tool of each message in order of time; prompts and results are checked
/// elsewhere.
fn conversation(messages: &Value) -> Vec<(String, String, Value)> {
    let messages = messages.as_array().expect("messages").iter();
    let conversation =
        messages.filter(|one| one["role"] != "system" && one["role"] != "tool_call_result");
    let mut conversation: Vec<_> = conversation
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            let tool = one["toolCalls"][0]["function"]["name"].clone();
            (one["time"].as_f64().expect("a time"), (text("role"), text("message"), tool))
        })
        .collect();
    conversation.sort_by(|one, other| one.0.total_cmp(&other.0));
    conversation.into_iter().map(|(_, conversation)| conversation).collect()
}

/// A link with several names is stored under the first, so single channels are not listed.
const COMPARED_FIELDS: &str = "/id /type /status /endedReason /createdAt /startedAt /endedAt /cost \
    /assistantId /phoneNumberId /customer/number /customer/name /transcript /summary /recordingUrl \
    /stereoRecordingUrl /analysis/summary /analysis/successEvaluation /analysis/structuredData \
    /artifact/transcript /artifact/recordingUrl /artifact/stereoRecordingUrl \
    /artifact/recording/stereoUrl /artifact/recording/mono/combinedUrl";

#[test]
fn a_recorded_call_object_is_returned_as_vapi_returned_it() {
    run(async {
        for name in [
            "vapi/api-get-call.inbound-analysis.sanitized.json",
            "vapi/api-get-call.outbound-live.sanitized.json",
            "vapi/api-get-call.outbound-voicemail.json",
            "vapi/api-get-call.outbound-voicemail-greeting.json",
        ] {
            let theirs = fixtures::json(name);
            let id = theirs["id"].as_str().expect("an id");
            let (tenant, ours) = call_of_sample(name, id).await;
            assert_same(&ours, &theirs, COMPARED_FIELDS);
            for part in ["stt", "llm", "tts", "vapi", "total"] {
                let place = format!("/costBreakdown/{part}");
                assert_eq!(ours.pointer(&place), theirs.pointer(&place), "{name} {part}");
            }
            if theirs["messages"].is_array() {
                assert_eq!(
                    conversation(&ours["messages"]),
                    conversation(&theirs["messages"]),
                    "{name}"
                );
                assert_eq!(ours["artifact"]["messages"], ours["messages"]);
            }
            assert_eq!(ours["orgId"], tenant.tenant_id.to_string(), "Vapi's own is not ours");
            assert_eq!(list(&tenant, &tenant.key, "").await, [ours], "a list shows as much");
        }
    });
}

#[test]
fn a_report_is_returned_as_its_call() {
    run(async {
        for (name, id) in [
            ("vapi/end-of-call-report.webcall-with-costs.json", "/message/call/id"),
            ("vapi/end-of-call-report.inbound-intake-no-cost.json", "/message/call/id"),
            ("vapi/end-of-call-report.inbound-squad-two-assistants.json", "/message/call/id"),
        ] {
            let body = fixtures::json(name);
            let (message, call) = (&body["message"], &body["message"]["call"]);
            let id = body.pointer(id).and_then(Value::as_str).expect("an id");
            let (_, ours) = call_of_sample(name, id).await;
            assert_same(&ours, call, "/id /type /createdAt /assistantId /phoneNumberId");
            assert_same(
                &ours,
                message,
                "/endedReason /startedAt /endedAt /cost /transcript /summary /recordingUrl \
                 /stereoRecordingUrl /analysis/summary /analysis/successEvaluation \
                 /customer/number",
            );
            assert_eq!(ours["status"], "ended");
            assert_eq!(
                conversation(&ours["messages"]),
                conversation(&message["messages"]),
                "{name}"
            );
        }
    });
}

#[test]
fn money_is_written_as_vapi_wrote_it() {
    run(async {
        let name = "vapi/end-of-call-report.webcall-with-costs.json";
        let body = fixtures::json(name);
        let id = body["message"]["call"]["id"].as_str().expect("an id");
        let (tenant, _) = call_of_sample(name, id).await;
        let request = tenant.request(&tenant.read_key, &format!("/call/{id}"));
        let text = request.send().await.expect("an answer").text().await.expect("a text");
        let wanted = r#""cost":0.0394,"costBreakdown":{"transport":0,"stt":0.0056,"llm":0.0001,"tts":0.0126,"vapi":0.0211,"other":0,"total":0.0394}"#;
        assert!(text.contains(wanted), "{text}");
    });
}

#[test]
fn tool_calls_are_in_the_messages_in_the_format_of_language_models() {
    run(async {
        let name = "vapi/end-of-call-report.inbound-intake-no-cost.json";
        let body = fixtures::json(name);
        let id = body["message"]["call"]["id"].as_str().expect("an id");
        let (_, ours) = call_of_sample(name, id).await;
        let messages = ours["artifact"]["messages"].as_array().expect("messages");
        let tool = messages.iter().find(|one| one["role"] == "tool_calls").expect("a tool call");
        let function = &tool["toolCalls"][0]["function"];
        let arguments: Value =
            serde_json::from_str(function["arguments"].as_str().expect("text")).expect("JSON");
        assert_eq!(function["name"], "DemoNameService--saveName");
        assert_eq!(arguments, json!({ "firstName": "Jordan", "lastName": "Example" }));
        assert_eq!(tool["message"], "");

        let formatted = ours["artifact"]["messagesOpenAIFormatted"].as_array().expect("messages");
        let result = formatted.iter().find(|one| one["role"] == "tool").expect("its result");
        assert_eq!(result["tool_call_id"], tool["toolCalls"][0]["id"]);
        assert_eq!(result["content"], "{}");
    });
}

#[test]
fn turns_without_a_time_are_only_in_lists_that_need_none() {
    run(async {
        let name = "vapi/end-of-call-report.official-skill-example.json";
        let body = fixtures::json(name);
        let id = body["message"]["call"]["id"].as_str().expect("an id");
        let (_, ours) = call_of_sample(name, id).await;
        assert_eq!(ours["messages"], Value::Null);
        let formatted = json!([
            { "role": "assistant", "content": "Hello! How can I help?" },
            { "role": "user", "content": "I need to check my order." },
        ]);
        assert_eq!(ours["artifact"]["messagesOpenAIFormatted"], formatted);
        assert_eq!(ours["cost"], 0.15);
    });
}

#[test]
fn a_call_that_was_only_created_has_no_other_fields() {
    run(async {
        let name = "vapi/api-create-call-response.outbound.json";
        let theirs = fixtures::json(name);
        let (_, ours) = call_of_sample(name, theirs["id"].as_str().expect("an id")).await;
        assert_same(&ours, &theirs, "/id /type /createdAt /assistantId /phoneNumberId /status");
        for absent in ["startedAt", "endedAt", "endedReason", "analysis", "artifact", "messages"] {
            assert_eq!(ours.get(absent), None, "{absent}");
        }
    });
}

#[test]
fn a_live_call_is_returned_as_far_as_it_is_known() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let at_ms = 1_793_610_000_000_i64;
        tenant.post_ok(Message::status("c-1", "in-progress", at_ms).body()).await;
        for (nth, role, said) in [(1, "assistant", "Hello."), (2, "user", "A time, please.")] {
            let turn = Message::new("transcript", "c-1")
                .field("timestamp", at_ms + nth * 1000)
                .field("transcriptType", json!("final"))
                .field("role", json!(role))
                .field("transcript", json!(said));
            tenant.post_ok(turn.body()).await;
        }
        tenant.settle().await;
        let call = show(&tenant, &tenant.key, "c-1").await;
        assert_eq!((&call["status"], call.get("endedAt")), (&json!("in-progress"), None));
        let theirs_at_place =
            |one: &Value| (one["role"].clone(), one["message"].clone(), one["time"].clone());
        let messages: Vec<_> =
            call["messages"].as_array().into_iter().flatten().map(theirs_at_place).collect();
        let wanted = [
            (json!("bot"), json!("Hello."), json!(at_ms + 1000)),
            (json!("user"), json!("A time, please."), json!(at_ms + 2000)),
        ];
        assert_eq!(messages, wanted);
    });
}
