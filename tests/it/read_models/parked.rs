//! Parked events: their list in the API, and the commands retry and drop.

use ledger_tests::ledger::status_and_json;
use ledger_tests::{messages, run};
use reqwest::Client;
use serde_json::{Value, json};

use super::Operated;
use crate::bad_input::problem;

/// Makes the row of the call `poison` impossible to write.
const POISON: &str = "alter table calls_v2.calls add constraint poisoned
                      check (provider_call_id <> 'poison') not valid";
const REMOVE_POISON: &str = "alter table calls_v2.calls drop constraint poisoned";

/// Parks a call; returns the entry.
async fn poisoned(operated: &Operated) -> Value {
    sqlx::raw_sql(POISON).execute(&mut operated.own.superuser().await).await.expect("poison");
    let tenant = &operated.tenant;
    tenant.post_ok(messages::status("poison", "in-progress").to_string()).await;
    tenant.post_ok(messages::report("poison").to_string()).await;
    tenant.post_ok(messages::report("sound").to_string()).await;
    assert_eq!(tenant.calls().await.len(), 4, "the others go on");
    let parked = parked(operated, &operated.own_key).await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    parked[0].clone()
}

async fn parked(operated: &Operated, key: &str) -> Vec<Value> {
    let (status, page) = operated.tenant.get_with(key, "/v1/parked").await;
    assert_eq!(status, 200, "{page}");
    page["data"].as_array().expect("a page has data").clone()
}

#[test]
fn a_parked_call_is_reported_everywhere_and_continues_in_order_after_a_retry() {
    run(async {
        let operated = Operated::new().await;
        let entry = poisoned(&operated).await;
        assert_eq!(
            (&entry["name"], &entry["version"], &entry["tenant_id"]),
            (&json!("calls"), &json!(2), &json!(operated.tenant.tenant_id)),
            "{entry}"
        );
        assert!(entry["waiting_events"].as_i64() >= Some(1), "the report waits: {entry}");
        assert!(entry["reason"].as_str().is_some_and(|why| why.contains("23514")), "{entry}");
        let shown = &operated.versions(&operated.own_key).await[0];
        assert_eq!(shown["parked"], 1, "{shown}");
        let address = operated.ledger.address;
        let ask = async |path: &str| {
            let url = format!("http://{address}{path}");
            Client::new().get(url).send().await.expect("an answer").text().await.expect("a text")
        };
        let ready: Value = serde_json::from_str(&ask("/readyz").await).expect("a document");
        assert_eq!((&ready["parked"], &ready["status"]), (&json!(1), &json!("ready")), "{ready}");
        let metrics = ask("/metrics").await;
        let line = "ledger_projection_parked_keys{projection=\"calls\"} 1";
        assert!(metrics.contains(line), "{metrics}");

        let id = entry["parked_id"].as_str().expect("an id");
        let path = format!("/v1/parked/{id}/retry");
        let still = operated.command_ok(&operated.own_key, &path, &json!({})).await;
        assert_eq!(still, json!({ "parked_id": id, "state": "parked" }));
        assert_eq!(parked(&operated, &operated.key).await[0]["attempts"], 2);
        sqlx::raw_sql(REMOVE_POISON)
            .execute(&mut operated.own.superuser().await)
            .await
            .expect("cured");
        let folded = operated.command_ok(&operated.own_key, &path, &json!({})).await;
        assert_eq!(folded["state"], "folded");
        assert_eq!(parked(&operated, &operated.own_key).await, Vec::<Value>::new());
        let calls = operated.tenant.calls().await;
        let call = calls.iter().find(|call| call["provider_call_id"] == "poison");
        assert_eq!(call.expect("it is shown")["status"], "ended", "with all that waited");
        operated.ledger.stop().await;
    });
}

#[test]
fn a_parked_event_is_dropped_only_with_a_reason_and_by_its_owner() {
    run(async {
        let operated = Operated::new().await;
        let entry = poisoned(&operated).await;
        let id = entry["parked_id"].as_str().expect("an id");
        let other = operated.ledger.tenant().await;
        let other_key = operated.ledger.key(other.tenant_id, &["admin"]).await;
        assert_eq!(parked(&operated, &other_key).await, Vec::<Value>::new());
        let why = json!({ "reason": "a message of a test" });
        for (path, body) in [("retry", json!({})), ("drop", why.clone())] {
            let path = format!("/v1/parked/{id}/{path}");
            let refused = operated.post(&other_key, &path, body.to_string()).await;
            problem(refused, 404, "parked-not-found").await;
        }
        let path = format!("/v1/parked/{id}/drop");
        for body in [json!({}), json!({ "reason": " " }), json!({ "reason": "two\nlines" })] {
            let refused = operated.post(&operated.own_key, &path, body.to_string()).await;
            problem(refused, 422, "invalid-field").await;
        }
        let long = json!({ "reason": "x".repeat(501) }).to_string();
        problem(operated.post(&operated.own_key, &path, long).await, 422, "invalid-field").await;
        assert!(operated.tenant.facts_of("projection.event_dropped").await.is_empty());

        sqlx::raw_sql(REMOVE_POISON)
            .execute(&mut operated.own.superuser().await)
            .await
            .expect("cured");
        let dropped = operated.command_ok(&operated.own_key, &path, &why).await;
        assert_eq!(
            (&dropped["state"], &dropped["already_dropped"], &dropped["position"]),
            (&json!("folded"), &json!(false), &entry["position"]),
            "{dropped}"
        );
        let again = operated.post(&operated.own_key, &path, why.to_string()).await;
        problem(again, 404, "parked-not-found").await;
        let facts: String = sqlx::query_scalar(
            "select facts::text from ledger.events where event_type = 'projection.event_dropped'",
        )
        .fetch_one(&mut operated.own.superuser().await)
        .await
        .expect("it was recorded once");
        let facts: Value = serde_json::from_str(&facts).expect("facts are JSON");
        assert_eq!(
            (&facts["position"], &facts["reason"]),
            (&entry["position"], &json!("a message of a test"))
        );
        assert!(facts["key_id"].is_string(), "who asked for it");
        assert_eq!(operated.tenant.calls().await.len(), 5, "the report alone tells of the call");
        operated.ledger.stop().await;
    });
}

#[test]
fn a_rebuild_with_newly_parked_keys_is_promoted_by_explicit_command_only() {
    run(async {
        let operated = Operated::new().await;
        let (key, tenant) = (&operated.key, &operated.tenant);
        tenant.post_ok(messages::report("poison").to_string()).await;
        assert_eq!(tenant.calls().await.len(), 4);
        sqlx::raw_sql(POISON).execute(&mut operated.own.superuser().await).await.expect("poison");
        operated.command_ok(key, "/v1/projections/calls/rebuild", &json!({})).await;
        loop {
            let refused = operated.post(key, "/v1/projections/calls/promote", "").await;
            let (status, refused) = status_and_json(refused).await;
            assert_eq!(status, 409, "{refused}");
            if refused["code"] == "projection-parked" {
                break;
            }
            assert_eq!(refused["code"], "projection-behind", "{refused}");
        }
        assert_eq!(tenant.calls().await.len(), 4, "readers miss nothing");
        let anyway = json!({ "with_parked": true });
        let shown = operated.command_ok(key, "/v1/projections/calls/promote", &anyway).await;
        assert_eq!(shown["version"], 3);
        assert_eq!(tenant.calls().await.len(), 3);
        // A rebuild of one tenant: the active version has the event parked too, so it is not new.
        operated.command_ok(&operated.own_key, "/v1/projections/calls/rebuild", &json!({})).await;
        for _ in 0..1_000 {
            if operated.versions(key).await.len() == 3 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(operated.versions(key).await.len(), 3, "calls twice and usage");
        assert_eq!(parked(&operated, &operated.own_key).await.len(), 1, "it waits on");
        operated.ledger.stop().await;
    });
}

#[test]
fn as_of_a_parked_call_or_one_with_a_dropped_event_equals_the_read_model() {
    run(async {
        let operated = Operated::new().await;
        let tenant = &operated.tenant;
        // It is listed as in progress; its report cannot be decoded.
        tenant.post_ok(messages::status("spoilt", "in-progress").to_string()).await;
        let calls = tenant.calls().await;
        let call = calls.iter().find(|call| call["provider_call_id"] == "spoilt").expect("it");
        let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
        let poison = "alter table calls_v2.calls add constraint poisoned
                      check (provider_call_id <> 'spoilt' or status <> 'ended') not valid";
        sqlx::raw_sql(poison).execute(&mut operated.own.superuser().await).await.expect("poison");
        let answer = tenant.post_ok(messages::report("spoilt").to_string()).await;
        let position = answer["position"].as_i64().expect("a position");
        tenant.post_ok(messages::status("spoilt", "forwarding").to_string()).await;
        tenant.settle().await;

        let far = ["9999-01-01T00:00:00Z".to_owned(), i64::MAX.to_string(), position.to_string()];
        let shown = tenant.get(&path).await;
        assert_eq!(shown["status"], "in_progress", "what follows waits");
        for as_of in &far {
            let then = tenant.get(&format!("{path}?as_of={as_of}")).await;
            assert_eq!(then, shown, "{as_of}");
        }

        let entry = parked(&operated, &operated.own_key).await[0].clone();
        let id = entry["parked_id"].as_str().expect("an id");
        let drop = format!("/v1/parked/{id}/drop");
        operated.command_ok(&operated.own_key, &drop, &json!({ "reason": "a test" })).await;
        let shown = tenant.get(&path).await;
        assert_eq!(shown["status"], "forwarding", "without the report");
        for as_of in &far[..2] {
            let then = tenant.get(&format!("{path}?as_of={as_of}")).await;
            assert_eq!(then, shown, "{as_of}");
        }
        let then = tenant.get(&format!("{path}?as_of={position}")).await;
        assert_eq!(then["status"], "in_progress");
        operated.ledger.stop().await;
    });
}
