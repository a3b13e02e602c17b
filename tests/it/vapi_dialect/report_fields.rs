//! Everything in a report is returned in the same place and with the same type.

use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};

use super::{list, show};

const START: i64 = 1_793_610_000_000;

fn messages() -> Value {
    json!([
        { "role": "system", "message": "Be kind.", "time": START, "secondsFromStart": 0 },
        { "role": "bot", "message": "Hello.", "time": START + 1280, "endTime": START + 2900,
          "secondsFromStart": 1.28, "duration": 1620, "source": "" },
        { "role": "user", "message": "A time.", "time": START + 4000, "endTime": START + 5000,
          "secondsFromStart": 3.5, "duration": 1000 },
        { "role": "tool_calls", "message": "", "time": START + 5500, "secondsFromStart": 5.5,
          "toolCalls": [{ "id": "t-1", "type": "function", "function": { "name": "book", "arguments": "{}" } }] },
        { "role": "tool_call_result", "name": "book", "toolCallId": "t-1", "result": "booked",
          "time": START + 6000, "secondsFromStart": 6 },
        { "role": "bot", "message": "Done.", "time": START + 7000, "secondsFromStart": 7, "duration": 500 },
    ])
}

async fn tenant_with_report() -> (TestTenant, Value) {
    let tenant = TestLedger::shared().await.tenant().await;
    let artifact = json!({ "messages": messages(), "variableValues": { "plan": "gold" },
        "nodes": [{ "nodeName": "greet", "variableValues": {} }], "transfers": [{ "status": "none" }],
        "performanceMetrics": { "turnLatencyAverage": 812.5, "numUserInterrupted": 1 },
        "pcapUrl": "https://storage.example.com/a.pcap", "logUrl": "https://storage.example.com/a.log" });
    let costs = json!([
        { "type": "model", "model": { "model": "m" }, "promptTokens": 257, "completionTokens": 31, "cost": 0.02 },
        { "type": "vapi", "subType": "normal", "minutes": 1.5, "cost": 0.05 } ]);
    let breakdown = json!({ "llm": 0.02, "vapi": 0.05, "total": 0.07, "llmPromptTokens": 257,
        "llmCompletionTokens": 31, "ttsCharacters": 40,
        "analysisCostBreakdown": { "summary": 0.001, "summaryPromptTokens": 12 } });
    let report = Message::report("c-1")
        .field("timestamp", START + 9000)
        // The report has another start than the one Vapi used for its offsets.
        .field("startedAt", json!("2026-11-02T09:00:04.410Z"))
        .field("cost", "0.07")
        .field("costs", &costs)
        .field("costBreakdown", &breakdown)
        .field("artifact", &artifact)
        .call_field("phoneCallProvider", json!("twilio"))
        .call_field("phoneCallProviderId", json!("CA0"))
        .call_field("assistantOverrides", json!({ "variableValues": { "plan": "gold" } }))
        .call_field("squadId", json!("s-1"))
        .call_field("workflowId", json!("w-1"));
    tenant.post_ok(report.body()).await;
    // A later message has an empty snapshot of the call.
    tenant.post_ok(Message::new("hang", "c-1").field("timestamp", START + 9500).body()).await;
    tenant.settle().await;
    let expected = json!({ "artifact": artifact, "costs": costs, "breakdown": breakdown });
    (tenant, expected)
}

#[test]
fn every_field_of_a_report_is_returned_in_its_place() {
    run(async {
        let (tenant, sent) = tenant_with_report().await;
        let call = show(&tenant, &tenant.key, "c-1").await;
        assert_eq!(list(&tenant, &tenant.key, "").await, std::slice::from_ref(&call));
        for field in
            ["variableValues", "nodes", "transfers", "performanceMetrics", "pcapUrl", "logUrl"]
        {
            assert_eq!(call["artifact"][field], sent["artifact"][field], "{field}");
        }
        for field in
            ["llmPromptTokens", "llmCompletionTokens", "ttsCharacters", "analysisCostBreakdown"]
        {
            assert_eq!(call["costBreakdown"][field], sent["breakdown"][field], "{field}");
        }
        assert_eq!(call["costs"], sent["costs"]);
        for (field, wanted) in [
            ("phoneCallProvider", json!("twilio")),
            ("phoneCallProviderId", json!("CA0")),
            ("assistantOverrides", json!({ "variableValues": { "plan": "gold" } })),
            ("squadId", json!("s-1")),
            ("workflowId", json!("w-1")),
        ] {
            assert_eq!(call[field], wanted, "{field}");
        }
    });
}

#[test]
fn messages_are_returned_as_vapi_sent_them() {
    run(async {
        let (tenant, _) = tenant_with_report().await;
        let call = show(&tenant, &tenant.key, "c-1").await;
        let mut wanted = messages();
        // Its end is missing, and computed from its duration.
        wanted[5]["endTime"] = json!(START + 7500);
        assert_eq!(call["messages"], wanted);
        assert_eq!(call["artifact"]["messages"], wanted);
        assert_eq!(call["messages"][1]["secondsFromStart"], 1.28);
    });
}

#[test]
fn a_read_key_gets_no_personal_field_of_a_report() {
    run(async {
        let (tenant, _) = tenant_with_report().await;
        let call = show(&tenant, &tenant.read_key, "c-1").await;
        for field in ["artifact", "messages", "costs", "assistantOverrides", "squadId"] {
            assert_eq!(call.get(field), None, "{field}");
        }
        assert!(!call.to_string().contains("gold"), "{call}");
    });
}

/// A call of which only messages along the way are sent: no report.
async fn tenant_without_report() -> TestTenant {
    let tenant = TestLedger::shared().await.tenant().await;
    let overrides = |plan: &str| json!({ "variableValues": { "plan": plan } });
    let of_call = |message: Message| {
        message
            .call_field("phoneCallProvider", json!("twilio"))
            .call_field("phoneCallProviderId", json!("CA0"))
            .call_field("squadId", json!("s-1"))
            .call_field("workflowId", json!("w-1"))
    };
    let begun = of_call(Message::status("c-1", "in-progress", START))
        .call_field("metadata", json!({ "campaign": "spring" }))
        .call_field("assistantOverrides", overrides("silver"));
    let tools = of_call(Message::tools("c-1", &[("t-1", "book")]))
        .field("timestamp", START + 5500)
        .call_field("assistantOverrides", overrides("gold"));
    let artifact = json!({ "messages": messages(), "variableValues": { "plan": "gold" },
        "nodes": [{ "nodeName": "greet", "variableValues": {} }],
        "pcapUrl": "https://storage.example.com/a.pcap" });
    let ended = of_call(Message::status("c-1", "ended", START + 9000)).field("artifact", &artifact);
    // The last to be sent is the first to arrive.
    for message in [ended, tools, begun] {
        tenant.post_ok(message.body()).await;
    }
    tenant.settle().await;
    tenant
}

#[test]
fn what_messages_of_a_call_without_a_report_told_stands_in_its_place() {
    run(async {
        let tenant = tenant_without_report().await;
        let call = show(&tenant, &tenant.key, "c-1").await;
        assert_eq!(list(&tenant, &tenant.key, "").await, std::slice::from_ref(&call));
        for (field, wanted) in [
            ("phoneCallProvider", json!("twilio")),
            ("phoneCallProviderId", json!("CA0")),
            ("squadId", json!("s-1")),
            ("workflowId", json!("w-1")),
            ("metadata", json!({ "campaign": "spring" })),
            ("assistantOverrides", json!({ "variableValues": { "plan": "gold" } })),
        ] {
            assert_eq!(call[field], wanted, "{field}: {call}");
        }
        assert_eq!(call["artifact"]["variableValues"], json!({ "plan": "gold" }));
        assert_eq!(call["artifact"]["nodes"][0]["nodeName"], "greet");
        assert_eq!(call["artifact"]["pcapUrl"], "https://storage.example.com/a.pcap");
        assert_eq!(call["messages"][1], messages()[1]);
        assert_eq!(call["artifact"]["messages"], call["messages"]);
        assert_eq!(call["messages"][3]["role"], "tool_calls", "typed as such");
        assert_eq!(call["messages"][4]["role"], "tool_call_result");

        let facts = show(&tenant, &tenant.read_key, "c-1").await;
        assert!(!facts.to_string().contains("gold"), "{facts}");
        for field in ["artifact", "messages", "metadata", "squadId"] {
            assert_eq!(facts.get(field), None, "{field}");
        }
    });
}

#[test]
fn a_report_alone_speaks_once_it_is_told() {
    run(async {
        let tenant = tenant_without_report().await;
        let report = Message::report("c-1")
            .field("timestamp", START + 9500)
            .field("endedReason", json!("customer-ended-call"))
            .call_field("squadId", json!("s-2"));
        tenant.post_ok(report.body()).await;
        tenant.settle().await;
        let call = show(&tenant, &tenant.key, "c-1").await;
        assert_eq!(call["squadId"], "s-2");
        assert_eq!(call.get("workflowId"), None, "{call}");
    });
}
