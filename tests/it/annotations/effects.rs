//! What annotations change in sums, and what is derived from them.

use super::*;

#[test]
fn a_call_that_is_marked_as_a_test_is_left_out_of_the_sums() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let calls = async || {
            one.tenant.settle().await;
            let path = "/v1/analytics/summary?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z";
            one.tenant.get(path).await["calls"].clone()
        };
        assert_eq!(calls().await, 1);
        one.post("test", &json!({ "is_test": true })).await;
        assert_eq!(calls().await, 0);
        // A late message of the platform does not undo the mark of a person.
        one.tenant.post_ok(messages::status("c-1", "ended").to_string()).await;
        assert_eq!(calls().await, 0);
        one.post("test", &json!({ "is_test": false })).await;
        assert_eq!(calls().await, 1);
    });
}

#[test]
fn the_campaign_of_the_platform_is_shown_until_it_is_set() {
    run(async {
        let mut report = messages::report("c-1");
        report["message"]["call"]["metadata"] =
            json!({ "campaign": "overdue_45days", "attempt": 4, "callType": "Anna Example" });
        let one = Annotated::of(TestLedger::shared().await, &report).await;
        let call = one.shown().await;
        assert_eq!((&call["campaign"], &call["attempt"]), (&json!("overdue_45days"), &json!(4)));
        assert_eq!(call["call_type"], Value::Null, "a free text is no fact");
        let facts = &one.tenant.facts_of("call.ended").await[0];
        assert_eq!(facts["implausible"], json!(["call_type"]));
        one.change(Method::PATCH, "campaign", &json!({ "campaign": null, "attempt": 5 })).await;
        let call = one.shown().await;
        assert_eq!((&call["campaign"], &call["attempt"]), (&Value::Null, &json!(5)));
    });
}

#[test]
fn a_number_in_a_word_of_the_platform_is_no_fact() {
    run(async {
        let mut report = messages::report("c-1");
        report["message"]["call"]["metadata"] =
            json!({ "campaign": "tel15550199999", "callType": "tel:15550199999" });
        let one = Annotated::of(TestLedger::shared().await, &report).await;
        let call = one.shown().await;
        assert_eq!((&call["campaign"], &call["call_type"]), (&Value::Null, &Value::Null));
        let facts = &one.tenant.facts_of("call.ended").await[0];
        assert_eq!(facts["implausible"], json!(["campaign", "call_type"]));
        assert!(!facts.to_string().contains("15550199999"), "{facts}");
    });
}

#[test]
fn a_disposition_is_found_in_each_spelling() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        one.post("disposition", &json!({ "disposition": "follow-up" })).await;
        assert_eq!(one.shown().await["disposition"], "follow_up");
        for (spelling, found) in
            [("follow_up", 1), ("follow-up", 1), ("Follow%20up", 1), ("complaint", 0)]
        {
            let calls = one.tenant.get(&format!("/v1/calls?disposition={spelling}")).await;
            assert_eq!(calls["data"].as_array().map(Vec::len), Some(found), "{spelling}");
            let path = format!("/v1/analytics/summary?disposition={spelling}");
            assert_eq!(one.tenant.get(&path).await["calls"], found, "{spelling}");
        }
    });
}

#[test]
fn a_lead_score_is_derived_from_the_points_of_the_tenant() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let lead = async || one.shown().await["lead_score"].clone();
        let first = lead().await;
        assert_eq!((&first["label"], &first["version"]), (&json!("derived"), &json!(2)));
        assert_eq!(first["settings_version"], 0);
        assert_eq!(
            first["reasons"],
            json!([
                { "rule": "answered", "points": 10 }, { "rule": "long_call", "points": 15 }
            ])
        );
        assert_eq!(first["score"], 25);
        one.post("disposition", &json!({ "disposition": "follow_up" })).await;
        assert_eq!(lead().await["score"], 40);
        let points = json!({ "answered": 0, "long_call": 90, "dispositions": { "follow_up": 50 } });
        one.set("lead_score", &points).await;
        let set = lead().await;
        assert_eq!((&set["score"], &set["settings_version"]), (&json!(100), &json!(1)));
        assert_eq!(set["reasons"].as_array().map(Vec::len), Some(2));
        let stored = one.tenant.recorded().await;
        assert!(!stored.iter().any(|(_, event)| event.contains("lead")), "it is no fact of a call");
    });
}

#[test]
fn notes_do_not_displace_messages_of_the_platform_in_its_dialect() {
    run(async {
        let mut status = messages::status("c-1", "in-progress");
        status["message"]["call"]["name"] = json!("Reminder");
        let one = Annotated::of(TestLedger::shared().await, &status).await;
        let dialect = async || {
            one.tenant.settle().await;
            let mut call = one.tenant.get("/call/c-1").await;
            assert!(call["updatedAt"].take().is_string(), "{call}");
            call
        };
        let before = dialect().await;
        assert_eq!(before["name"], "Reminder");
        for nth in 0..6 {
            one.post("notes", &json!({ "text": format!("Note {nth}.") })).await;
        }
        assert_eq!(dialect().await, before);
    });
}
