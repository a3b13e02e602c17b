//! Signatures and translation of Retell's webhooks.

use serde_json::json;

use super::*;
use crate::event::{CallEvent, Direction, Status};
use crate::provider::history;

const KEY: &str = "key_example";
const BODY: &str =
    r#"{"event":"call_started","call":{"call_id":"Jabr9TXYYJHfvl6Syypi88rdAHYHmcq6"}}"#;
const DIGEST: &str = "4f51a829f48be142efaa98a80eeed2555547b2056d6c5dd7429b0d5a839bdf31";
const TIME: i64 = 1_714_608_475;

fn verify_with(
    secret: &str,
    headers: &[&str],
    body: Option<&str>,
    now_unix: i64,
) -> Result<(), VerificationError> {
    let headers: Vec<_> = headers
        .iter()
        .map(|value| ("x-retell-signature".to_owned(), (*value).to_owned()))
        .collect();
    let body = body.map(str::as_bytes);
    let request = WebhookRequest { method: "POST", url: "", headers: &headers, body, now_unix };
    Retell.verify(secret, &request)
}

fn header() -> String {
    format!("v={TIME}945,d={DIGEST}")
}

#[test]
fn the_signature_vector_verifies() {
    let header = header();
    assert_eq!(verify_with(KEY, &[&header], Some(BODY), TIME), Ok(()));
    let upper = format!("v={TIME}945, d={}", DIGEST.to_uppercase());
    assert_eq!(verify_with(KEY, &[&upper], Some(BODY), TIME + 299), Ok(()));
}

#[test]
fn a_signature_is_valid_for_its_body_its_time_and_its_key_only() {
    let (header, invalid) = (header(), Err(VerificationError::Invalid));
    assert_eq!(verify_with("key_other", &[&header], Some(BODY), TIME), invalid);
    assert_eq!(verify_with("", &[&header], Some(BODY), TIME), invalid);
    assert_eq!(verify_with(KEY, &[&header], Some(&BODY.replace(':', ": ")), TIME), invalid);
    assert_eq!(verify_with(KEY, &[&header], Some(""), TIME), invalid);
    for altered in [
        header.replace("945,", "946,"),
        header.replace("d=4f", "d=5f"),
        format!("d={DIGEST}"),
        format!("v={TIME}945"),
        format!("v=,d={DIGEST}"),
        format!("v=-{TIME}945,d={DIGEST}"),
        format!("d={DIGEST},v={TIME}945"),
        format!("v={TIME}945,d={DIGEST},d={DIGEST}"),
    ] {
        assert_eq!(verify_with(KEY, &[&altered], Some(BODY), TIME), invalid, "{altered}");
    }
}

#[test]
fn an_old_signature_is_stale() {
    let header = header();
    for now in [TIME - 301, TIME + 301] {
        let expired = Err(VerificationError::Expired);
        assert_eq!(verify_with(KEY, &[&header], Some(BODY), now), expired);
    }
}

#[test]
fn a_missing_or_repeated_signature_is_refused_before_the_body_is_read() {
    let header = header();
    assert_eq!(verify_with(KEY, &[], None, TIME), Err(VerificationError::Missing));
    assert_eq!(verify_with(KEY, &[&header], None, TIME), Err(VerificationError::BodyRequired));
    let twice = verify_with(KEY, &[&header, &header], None, TIME);
    assert_eq!(twice, Err(VerificationError::Repeated));
    assert_eq!(verify_with(KEY, &["v=1,d=2"], None, TIME), Err(VerificationError::Invalid));
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/../tests/fixtures/retell/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).expect("a fixture")).expect("JSON")
}

fn translated(message: &Value) -> Translation {
    Retell.translate(message.to_string().as_bytes(), Some("US")).expect("a message")
}

#[test]
fn the_analysis_of_a_call_is_its_report() {
    let mut translation = translated(&fixture("call_analyzed.reconstructed.json"));
    assert_eq!(translation.kind, "call_analyzed");
    assert_eq!(translation.routing.phone_number.as_deref(), Some("+15550100124"));
    let draft = translation.drafts.remove(0);
    let CallEvent::Ended(ended) = &draft.event else { panic!("an end") };
    assert!(ended.report);
    assert_eq!(ended.call.direction, Some(Direction::Inbound));
    assert_eq!(ended.ended_reason.as_deref(), Some("user_hangup"));
    assert_eq!(ended.duration_ms, Some(10_000));
    assert_eq!(ended.success, Some(true));
    let cost = ended.cost.as_ref().expect("a cost");
    assert_eq!(cost.total_nanos.0, 700_000_000, "70 cents");
    assert_eq!(cost.parts.tts_nanos.0, 600_000_000);
    assert_eq!(cost.parts.other_nanos.0, 100_000_000);
    let conversation = draft.sections.conversation.expect("a conversation");
    let analysis = conversation.analysis.expect("an analysis");
    assert_eq!(analysis.sentiment.as_deref(), Some("Positive"));
    assert_eq!((analysis.intent, analysis.model_version), (None, None), "not reported");
    assert!(conversation.summary.is_some());
    assert_eq!(conversation.recordings.len(), 2);
    assert_eq!(conversation.messages[0].at_ms, Some(1_703_302_407_333 + 700));
}

#[test]
fn the_end_of_a_call_without_its_analysis_is_a_status() {
    let mut translation = translated(&fixture("call_ended.docs.json"));
    let CallEvent::Ended(ended) = translation.drafts.remove(0).event else { panic!("an end") };
    assert!(!ended.report);
    assert_eq!(ended.duration_ms, Some(15_791), "end less start");
    assert_eq!(ended.cost, None);
    assert_eq!(ended.call.snapshot_status, None, "the sample says `registered` after the end");
}

#[test]
fn a_custom_function_expects_its_result() {
    let body = json!({ "name": "book_appointment", "args": { "day": "Monday" },
        "call": { "call_id": "c-1", "direction": "inbound", "from_number": "+15550100123" } });
    let mut translation = translated(&body);
    let Reply::FunctionResult(request) = &translation.reply else { panic!("a result") };
    assert_eq!(request.tool, "book_appointment");
    let told = [Err("Nothing was done.".to_owned())];
    let content = ReplyContent { assistant_id: None, tools: &told, verbatim: &[true], error: "" };
    let reply = Retell.respond(&translation.reply, &content);
    assert_eq!(reply, json!({ "result": "Nothing was done." }));
    let draft = translation.drafts.remove(0);
    assert!(matches!(draft.event, CallEvent::ToolCalled(_)));
    assert_eq!(draft.sections.tool_io[0].arguments, Some(json!({ "day": "Monday" })));
}

#[test]
fn the_inbound_webhook_is_answered_with_the_agent_of_the_source() {
    let translation = translated(&fixture("call_inbound.docs.json"));
    assert_eq!(translation.reply, Reply::Assistant);
    assert_eq!(translation.provider_call_id, None);
    let answer = |assistant_id| {
        let content = ReplyContent { assistant_id, tools: &[], verbatim: &[], error: "none" };
        Retell.respond(&translation.reply, &content)
    };
    let agent = json!({ "call_inbound": { "override_agent_id": "agent_1" } });
    assert_eq!(answer(Some("agent_1")), agent);
    assert_eq!(answer(None), json!({ "call_inbound": {} }), "the agent of the number answers");
    let CallEvent::MessageReceived(received) = &translation.drafts[0].event else { panic!() };
    assert_eq!(received.status, Some(Status::Ringing));
    assert_eq!(received.call.direction, Some(Direction::Inbound));
}

#[test]
fn a_message_in_the_wrapper_of_a_workflow_tool_is_the_same() {
    let message = fixture("call_started.reconstructed.json");
    let wrapped = translated(&json!({ "body": message }));
    let plain = translated(&message);
    assert_eq!(wrapped.kind, plain.kind);
    assert_eq!(wrapped.drafts[0].event, plain.drafts[0].event);
}

#[test]
fn each_documented_reason_has_an_outcome() {
    for reason in [
        "user_hangup",
        "agent_hangup",
        "call_transfer",
        "voicemail_reached",
        "ivr_reached",
        "inactivity",
        "max_duration_reached",
        "concurrency_limit_reached",
        "no_concurrency_fallback",
        "no_valid_payment",
        "scam_detected",
        "dial_busy",
        "dial_failed",
        "dial_no_answer",
        "invalid_destination",
        "telephony_provider_permission_denied",
        "telephony_provider_unavailable",
        "sip_routing_error",
        "marked_as_spam",
        "user_declined",
        "error_llm_websocket_open",
        "error_no_audio_received",
        "error_asr",
        "error_retell",
        "error_unknown",
        "error_user_not_joined",
        "registered_call_timeout",
        "transfer_bridged",
        "manual_stopped",
        "call_take_over",
    ] {
        assert_ne!(Retell.outcome_of_reason(reason, false), Outcome::Unknown, "{reason}");
    }
    for reason in ["", "transfer_cancelled", "a_new_reason"] {
        assert_eq!(Retell.outcome_of_reason(reason, false), Outcome::Unknown, "{reason}");
    }
}

#[test]
fn hostile_bodies_are_refused_or_translated_and_never_panic() {
    for body in [
        "[]",
        "null",
        "{}",
        r#"{"event":"call_ended"}"#,
        r#"{"event":1,"call":{}}"#,
        r#"{"event":"","call":{}}"#,
        r#"{"call":{"call_id":"c-1"}}"#,
        r#"{"body":{"body":{}}}"#,
        r#"{"name":"f","args":{}}"#,
    ] {
        assert!(Retell.translate(body.as_bytes(), None).is_err(), "{body}");
    }
    let values = [
        json!(null),
        json!(""),
        json!("\u{0}"),
        json!(-1),
        json!(1e300),
        json!([]),
        json!([1, [2]]),
        json!({ "a": [] }),
        json!(true),
    ];
    for name in ["call_analyzed.reconstructed.json", "call_started.reconstructed.json"] {
        let message = fixture(name);
        for key in message["call"].as_object().expect("a call").keys() {
            for value in &values {
                let mut mutant = message.clone();
                mutant["call"][key] = value.clone();
                let translation = translated(&mutant);
                for draft in translation.drafts {
                    assert!(!draft.event.to_facts().contains("\\u0000"), "{key}: {value}");
                }
            }
        }
    }
}

/// The messages of one call, in the order Retell sends them.
fn messages() -> Vec<Translation> {
    let call = fixture("call_analyzed.reconstructed.json");
    let mut ended = call.clone();
    ended["event"] = json!("call_ended");
    ended["call"].as_object_mut().expect("a call").remove("call_analysis");
    ended["call"]["call_cost"]["combined_cost"] = json!(12);
    let log = json!([
        { "role": "tool_call_invocation", "tool_call_id": "t-1", "name": "book", "arguments": "{}" },
        { "role": "tool_call_result", "tool_call_id": "t-1", "content": "done" },
    ]);
    ended["call"]["transcript_with_tool_calls"] = log.clone();
    let mut analyzed = call;
    analyzed["call"]["transcript_with_tool_calls"] = log;
    let started = fixture("call_started.reconstructed.json");
    let transfer = fixture("transfer_started.reconstructed.json");
    [started, transfer, ended, analyzed].iter().map(translated).collect()
}

proptest::proptest! {
    #[test]
    fn messages_in_any_order_and_repeated_give_the_same_call(
        order in history::order(messages().len())
    ) {
        let messages = messages();
        let expected = history::fold(&messages, &(0..messages.len()).collect::<Vec<_>>());
        let call = history::fold(&messages, &order);
        proptest::prop_assert_eq!(history::facts(&call), history::facts(&expected));
        proptest::prop_assert_eq!(call.cost().map(|cost| cost.total_nanos.0), Some(700_000_000));
        proptest::prop_assert_eq!(call.outcome(), Some(Outcome::CustomerHungUp));
        proptest::prop_assert_eq!(call.tools_used(), ["book"]);
        proptest::prop_assert_eq!(call.tool_calls().len(), 1);
    }
}

#[test]
fn a_campaign_is_read_from_metadata_and_dynamic_variables() {
    let body = json!({ "event": "call_started", "call": {
        "call_id": "c-1",
        "call_type": "phone_call",
        "metadata": { "campaign": "spring", "attempt": 2 },
        "retell_llm_dynamic_variables": { "campaign": "other", "call_type": "sales" },
    } });
    let translated = Retell.translate(body.to_string().as_bytes(), None).expect("a message");
    let call = translated.drafts[0].event.call();
    assert_eq!(call.campaign, crate::annotation::words::Campaign::parse("spring"));
    assert_eq!(call.attempt, Some(2));
    assert_eq!(call.call_type, crate::annotation::words::Word::parse("sales"));
}
