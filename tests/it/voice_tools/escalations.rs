//! The tool that asks for a person.

use super::*;

#[test]
fn a_tool_escalates_its_call_once_and_keeps_a_reason_in_other_words_sealed() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let words = Ok("This call is marked for a person to take care of.".to_owned());
        // The first message of the call, and the same again in another body.
        let first = call("c", &[("t-1", "transfer_to_human", json!({ "reason": "billing" }))]);
        assert_eq!(said(&tenant, &first).await, words);
        assert_eq!(said(&tenant, &first).await, words);
        let later = first.field("timestamp", 1_796_000_000_000_i64);
        assert_eq!(said(&tenant, &later).await, words);
        let told = json!({ "reason": "quarrel about a zephyrchair" });
        assert_eq!(said(&tenant, &call("c", &[("t-2", "escalateCall", told)])).await, words);
        let facts = tenant.facts_of("call.escalated").await;
        assert_eq!(facts.len(), 2, "{facts:?}");
        assert_eq!((&facts[0]["reason"], &facts[0]["source"]), (&json!("billing"), &json!("tool")));
        assert_eq!((&facts[1]["reason"], &facts[1]["has_text"]), (&json!("other"), &json!(true)));
        assert!(!format!("{facts:?}").contains("zephyrchair"));
        let call = tenant.only_call().await;
        assert_eq!(call["escalations"].as_array().map(Vec::len), Some(2), "{call}");
        assert_eq!(call["escalations"][1]["text"], "quarrel about a zephyrchair", "{call}");
        assert_eq!(appointments(&tenant).await, 0);
    });
}

#[test]
fn a_call_has_at_most_a_hundred_escalations_and_a_message_without_a_call_has_none() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let refused =
            Err("This call cannot be passed on to a person here. May I take a message instead?"
                .to_owned());
        let ids: Vec<String> = (0..101).map(|nth| format!("t-{nth}")).collect();
        for some in ids.chunks(20) {
            let tools = some.iter().map(|id| (id.as_str(), "requestHuman", json!({})));
            let answers = say(&tenant, &call("c", &tools.collect::<Vec<_>>())).await;
            let is_full = some.len() == 1;
            assert!(answers.iter().all(|answer| answer.is_err() == is_full), "{answers:?}");
        }
        assert_eq!(tenant.facts_of("call.escalated").await.len(), 100);
        let tool = json!([{ "id": "t", "name": "escalate", "arguments": {} }]);
        let body = json!({ "message": { "type": "tool-calls", "toolCallList": tool } });
        let answer = tenant.post_ok(body.to_string()).await;
        assert_eq!(reply(&answer["results"][0]), refused, "{answer}");
        assert_eq!(tenant.facts_of("call.escalated").await.len(), 100);
    });
}
