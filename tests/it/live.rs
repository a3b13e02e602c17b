//! A call in progress: its transcript is readable before any report.

use ledger_tests::{TestLedger, run};
use serde_json::{Value, json};

fn transcript(second: i64, role: &str, text: &str) -> String {
    let at = 1_790_000_000_000_i64 + second * 1_000;
    let message = json!({
        "type": "transcript", "transcriptType": "final", "role": role, "transcript": text,
        "timestamp": at, "call": { "id": "live-1", "type": "webCall" },
    });
    json!({ "message": message }).to_string()
}

fn texts(call: &Value) -> Vec<&str> {
    let messages = call["messages"].as_array().expect("a reader of people sees them");
    messages.iter().filter_map(|message| message["text"].as_str()).collect()
}

#[test]
fn the_transcript_of_a_live_call_is_in_order_until_the_report_replaces_it() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        tenant.post_ok(transcript(2, "user", "I would like an appointment.")).await;
        tenant.post_ok(transcript(1, "assistant", "How can I help?")).await;
        let call = tenant.only_call().await;
        assert_eq!(texts(&call), ["How can I help?", "I would like an appointment."]);
        assert_eq!(call["status"], "in_progress");

        let said = json!([{ "role": "bot", "message": "The whole of it.", "time": 1 }]);
        let report = json!({ "message": {
            "type": "end-of-call-report", "timestamp": 1_790_000_009_000_i64,
            "call": { "id": "live-1", "type": "webCall" }, "artifact": { "messages": said },
        }});
        tenant.post_ok(report.to_string()).await;
        assert_eq!(texts(&tenant.only_call().await), ["The whole of it."]);
    });
}
