//! Words in several spellings: one answer, and a filter that finds all of them.

use std::sync::Arc;

use ledger_core::annotation::command::{Action, AnnotateCall, NewValue};
use ledger_core::annotation::decide::Annotating;
use ledger_core::annotation::words::Word;
use ledger_core::ids::StreamId;
use ledger_store::execute::CommandContext;

use super::*;

/// A word as an earlier release recorded it.
fn recorded(text: &str) -> Word {
    serde_json::from_value(json!(text)).expect("a text")
}

impl Annotated {
    /// Executes a command with words that requests can no longer have.
    async fn record(&self, action: Action) {
        let store = &self.tenant.store;
        let tenant_id = self.tenant.tenant_id;
        let context =
            CommandContext { tenant_id, by: store.operator(), content: None, subject: None };
        let call_id = StreamId(self.call.parse().expect("an id"));
        let settings = store.call_settings(tenant_id).await.expect("settings");
        let command = AnnotateCall { call_id, settings: Arc::clone(&settings), action };
        store.execute::<Annotating>(&context, &command).await.expect("it is recorded");
    }

    /// Returns the number of calls in the list and in the sums of a filter.
    async fn found(&self, filter: &str) -> (usize, Value) {
        self.tenant.settle().await;
        let list = self.tenant.get(&format!("/v1/calls?{filter}")).await;
        let sums = self.tenant.get(&format!("/v1/analytics/summary?is_test=any&{filter}")).await;
        (list["data"].as_array().expect("a list").len(), sums["calls"].clone())
    }
}

#[test]
fn a_type_of_calls_has_one_spelling_from_messages_and_from_requests() {
    run(async {
        let ledger = TestLedger::shared().await;
        let mut report = messages::report("c-1");
        report["message"]["call"]["metadata"] = json!({ "callType": "Cold-Call" });
        let one = Annotated::of(ledger, &report).await;
        assert_eq!(one.shown().await["call_type"], "cold_call");
        for spelling in ["warm-call", "Warm_Call", "warm_call"] {
            let body = json!({ "call_type": spelling });
            let (answer, _) = one.change(Method::PATCH, "campaign", &body).await;
            assert_eq!(answer["call_type"], "warm_call", "{spelling}");
            assert_eq!(one.shown().await["call_type"], "warm_call", "{spelling}");
        }
        let set = one.tenant.facts_of("call.campaign_set").await;
        assert_eq!(set.len(), 1, "another spelling is no change: {set:?}");
        let name = json!({ "call_type": "Anna Example" });
        let refused = one.refused(Method::PATCH, "campaign", &name, (422, "invalid-field"));
        assert_eq!(refused.await["errors"][0]["pointer"], "/call_type");
        // An earlier release recorded it with another sign.
        let call_type = Some(NewValue(Some(recorded("warm-call"))));
        let old = Action::SetCampaign { campaign: None, attempt: None, call_type };
        one.record(old).await;
        assert_eq!(one.shown().await["call_type"], "warm_call");
        for spelling in ["warm-call", "Warm%20Call", "warm_call"] {
            let found = one.found(&format!("call_type={spelling}")).await;
            assert_eq!(found, (1, json!(1)), "{spelling}");
        }
        assert_eq!(one.found("call_type=cold_call").await, (0, json!(0)));
        let parts = one.tenant.get("/v1/analytics/breakdown?by=call_type&is_test=any").await;
        assert!(parts.to_string().contains("\"warm_call\""), "{parts}");
        assert!(!parts.to_string().contains("warm-call"), "{parts}");
    });
}

#[test]
fn a_disposition_is_found_in_every_spelling_that_a_catalogue_had() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let catalogue = |id: &str| json!({ "dispositions": [{ "id": id, "label": "Call again" }] });
        one.set("dispositions", &catalogue("call-again")).await;
        one.post("disposition", &json!({ "disposition": "Call again" })).await;
        one.set("dispositions", &catalogue("call_again")).await;
        for spelling in ["call-again", "call_again", "%20CALL%20again%20"] {
            let found = one.found(&format!("disposition={spelling}")).await;
            assert_eq!(found, (1, json!(1)), "{spelling}");
        }
        let tag = json!({ "tag": "vip" });
        one.post("tags", &tag).await;
        assert_eq!(one.found("disposition=call_again&tag=VIP").await, (1, json!(1)));
        // The default catalogue has it no more; the call does.
        one.set("dispositions", &json!({})).await;
        assert_eq!(one.found("disposition=call_again").await, (1, json!(1)));
        assert_eq!(one.found("disposition=follow_up").await, (0, json!(0)));
    });
}

#[test]
fn a_tag_of_an_earlier_release_can_be_found_and_taken_off() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let tags = ["john-15550199", "\u{1160}vip"];
        for tag in tags {
            one.record(Action::Tag { tag: recorded(tag), category: None }).await;
            let body = json!({ "tag": tag });
            one.refused(Method::POST, "tags", &body, (422, "invalid-field")).await;
        }
        assert_eq!(one.found("tag=John%2015550199").await, (1, json!(1)));
        assert_eq!(one.shown().await["tags"].as_array().map(Vec::len), Some(2));
        one.change(Method::DELETE, "tags/John%2015550199", &Value::Null).await;
        one.change(Method::DELETE, "tags/%E3%85%A4vip", &Value::Null).await;
        assert_eq!(one.shown().await["tags"], json!([]));
    });
}
