//! What a source says about its tools: further names, and words that are spoken as they are.

use ledger_tests::ledger::status_and_json;
use reqwest::Client;

use super::*;

/// Changes settings of the tenant's source; returns the status and the answer.
async fn patch(tenant: &TestTenant, changes: &Value) -> (u16, Value) {
    let key = TestLedger::shared().await.key(tenant.tenant_id, &["admin"]).await;
    let path = tenant.url(&format!("/v1/sources/{}", tenant.source_id));
    let request = Client::new().patch(path).bearer_auth(key).body(changes.to_string());
    status_and_json(request.send().await.expect("an answer")).await
}

async fn change(tenant: &TestTenant, changes: Value) -> Value {
    let (status, source) = patch(tenant, &changes).await;
    assert_eq!(status, 200, "{source}");
    source
}

#[test]
fn a_mapped_name_is_answered_at_its_source_only_and_wins_over_the_table() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let book =
            |call_id: &str, name: &str| call(call_id, &[("t", name, at("14:00", "Ann Example"))]);
        let unknown = Err(server::ingest::NOT_CONFIGURED.to_owned());
        assert_eq!(said(&tenant, &book("c-1", "reserve_slot")).await, unknown);
        let names = json!({ "reserve_slot": "book", "bookAppointment": "look_up" });
        let source = change(&tenant, json!({ "tools": names })).await;
        assert_eq!((&source["tools"], &source["speech"]), (&names, &json!("model")));
        assert_eq!(said(&tenant, &book("c-2", "reserveSlot")).await, Ok(booked_at("2 pm")));
        let looked = said(&tenant, &book("c-3", "bookAppointment")).await.expect("a look-up");
        assert!(looked.starts_with("That person is known"), "{looked}");
        let taken = call("c-4", &[("t", "cancel_appointment", json!({}))]);
        said(&tenant, &taken).await.expect("built-in names stay");
        // Another source of the tenant does not know the name.
        let secret = "example-other-secret";
        let other = ledger.source(tenant.tenant_id, secret, false).await;
        let request = tenant.webhook_at(other, secret, book("c-5", "reserve_slot").body());
        let (_, answer) = status_and_json(request.send().await.expect("an answer")).await;
        assert_eq!(reply(&answer["results"][0]), unknown);
        assert_eq!(appointments(&tenant).await, 1);
        // No names again, by an object without any.
        let source = change(&tenant, json!({ "tools": {} })).await;
        assert_eq!(source["tools"], json!({}));
        assert_eq!(said(&tenant, &book("c-6", "reserve_slot")).await, unknown);
        let facts = tenant.facts_of("tenant.source_changed").await;
        assert_eq!(facts.len(), 2, "{facts:?}");
        assert_eq!((&facts[0]["tools"], &facts[0]["changed"]), (&names, &json!(["tools"])));
        assert_eq!(facts[1]["tools"], json!({}));
    });
}

#[test]
fn invalid_settings_of_tools_are_refused_by_field_and_change_nothing() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let many: serde_json::Map<_, _> =
            (0..51).map(|nth| (format!("tool{nth}"), json!("book"))).collect();
        for (changes, field) in [
            (json!({ "tools": { "a": "pay" } }), "tools"),
            (json!({ "tools": { "+15550100123": "book" } }), "tools"),
            (json!({ "tools": { "my_tool": "book", "myTool": "cancel" } }), "tools"),
            (json!({ "tools": { "a".repeat(101): "book" } }), "tools"),
            (json!({ "tools": { "a": 1 } }), "tools"),
            (json!({ "tools": ["book"] }), "tools"),
            (json!({ "tools": many }), "tools"),
            (json!({ "speech": "loud" }), "speech"),
            (json!({ "speech": true }), "speech"),
        ] {
            let (status, problem) = patch(&tenant, &changes).await;
            assert_eq!(status, 422, "{changes}: {problem}");
            assert!(problem.to_string().contains(field), "{changes}: {problem}");
            assert!(!problem.to_string().contains("5550100123"), "{problem}");
        }
        assert!(tenant.facts_of("tenant.source_changed").await.is_empty());
    });
}

#[test]
fn verbatim_speech_adds_the_words_and_the_same_tool_call_gets_them_again() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let booking = call("c", &[("t-1", "bookAppointment", at("14:00", "Ann Example"))]);
        let plain = tenant.post_ok(booking.body()).await;
        assert_eq!(plain["results"][0].get("message"), None, "the default");
        change(&tenant, json!({ "speech": "verbatim" })).await;
        for _ in 0..2 {
            let answer = tenant.post_ok(booking.body()).await;
            let result = &answer["results"][0];
            assert_eq!(result["result"], booked_at("2 pm"));
            let message = json!({ "type": "request-complete", "content": booked_at("2 pm") });
            assert_eq!(result["message"], message);
        }
        let both =
            call("c", &[("t-2", "bookAppointment", json!({})), ("t-3", "lookupPrice", json!({}))]);
        let answer = tenant.post_ok(both.body()).await;
        let asked = &answer["results"][0];
        assert_eq!(asked["message"]["type"], "request-failed");
        assert_eq!(asked["message"]["content"], asked["error"]);
        // What asks the assistant to do something is not spoken to the caller.
        let unknown = &answer["results"][1];
        assert_eq!(unknown["error"], server::ingest::NOT_CONFIGURED);
        assert_eq!(unknown.get("message"), None);
        change(&tenant, json!({ "speech": "model" })).await;
        assert_eq!(tenant.post_ok(booking.body()).await, plain);
        let facts = tenant.facts_of("tenant.source_changed").await;
        assert_eq!(
            (&facts[0]["speech"], &facts[1]["speech"]),
            (&json!("verbatim"), &json!("model"))
        );
    });
}

#[test]
fn a_source_is_created_with_names_and_speech() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let key = ledger.key(tenant.tenant_id, &["admin"]).await;
        let body = json!({ "provider": "vapi", "secret": "example-made-secret",
            "tools": { "fetch times": "availability" }, "speech": "verbatim" });
        let request = Client::new().post(tenant.url("/v1/sources")).bearer_auth(&key);
        let request = request.body(body.to_string()).send();
        let (status, made) = status_and_json(request.await.expect("an answer")).await;
        assert_eq!(status, 201, "{made}");
        assert_eq!((&made["tools"], &made["speech"]), (&body["tools"], &body["speech"]));
        let source_id = made["source_id"].as_str().expect("an id").parse().expect("an id");
        let asked = call("c", &[("t", "fetchTimes", json!({ "date": "2020-01-01" }))]);
        let source_id = ledger_core::ids::SourceId(source_id);
        let request = tenant.webhook_at(source_id, "example-made-secret", asked.body());
        let (_, answer) = status_and_json(request.send().await.expect("an answer")).await;
        let message = &answer["results"][0]["message"];
        assert_eq!(
            message["content"],
            "That time has already passed. Which other time would suit?"
        );
        let listed = tenant.get_with(&key, "/v1/sources").await.1;
        assert_eq!(listed["data"][0]["tools"], body["tools"], "{listed}");
        let facts = tenant.facts_of("tenant.source_created").await;
        let facts = facts.iter().find(|facts| facts["source_id"] == made["source_id"]);
        assert_eq!(facts.map(|facts| &facts["tools"]), Some(&body["tools"]));
    });
}
