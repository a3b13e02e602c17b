//! `as_of`: a call in the state of an earlier time or position.

use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};

use crate::bad_input::problem;

/// A call with start, end and correction; returns its path and the three positions.
async fn call_with_correction() -> (TestTenant, String, Vec<i64>) {
    let tenant = TestLedger::shared().await.tenant().await;
    let report = |cost: &str, at_ms: i64| {
        let name = json!({ "number": "+15550100101", "name": cost });
        Message::report("c-1").field("cost", cost).field("timestamp", at_ms).field("customer", name)
    };
    let bodies = [
        Message::status("c-1", "in-progress", 1_750_000_000_000),
        report("0.07", 1_750_000_060_000),
        report("0.05", 1_750_000_090_000),
    ];
    let mut positions = Vec::new();
    for message in bodies {
        let answer = tenant.post_ok(message.body()).await;
        positions.push(answer["position"].as_i64().expect("a position"));
    }
    let call = tenant.only_call().await;
    let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
    (tenant, path, positions)
}

#[test]
fn as_of_a_position_returns_the_state_at_it() {
    run(async {
        let (tenant, path, positions) = call_with_correction().await;
        let then = async |position: i64| tenant.get(&format!("{path}?as_of={position}")).await;
        let started = then(positions[0]).await;
        assert_eq!(
            (&started["status"], &started["cost_nanos"]),
            (&json!("in_progress"), &Value::Null)
        );
        assert_eq!(started["customer"]["name"], Value::Null);
        let ended = then(positions[1]).await;
        assert_eq!((&ended["status"], &ended["cost_cents"]), (&json!("ended"), &json!(7)));
        assert_eq!(ended["customer"]["name"], "0.07");
        assert_eq!(ended["position"], positions[1]);
        let now = tenant.get(&path).await;
        assert_eq!(then(positions[2]).await, now);
        assert_eq!(then(i64::MAX).await, now);
        assert_eq!(now["customer"]["name"], "0.05");
    });
}

#[test]
fn as_of_a_time_returns_what_was_recorded_by_then() {
    run(async {
        let (tenant, path, positions) = call_with_correction().await;
        let events = tenant.get(&format!("{path}/events")).await;
        for (nth, position) in positions.iter().enumerate() {
            let recorded_at = events["data"][nth]["recorded_at"].as_str().expect("a time");
            let then = tenant.get(&format!("{path}?as_of={recorded_at}")).await;
            assert_eq!(then["position"], *position);
            assert_eq!(then, tenant.get(&format!("{path}?as_of={position}")).await);
        }
    });
}

#[test]
fn a_call_recorded_later_is_not_found() {
    run(async {
        let (tenant, path, positions) = call_with_correction().await;
        let before = (positions[0] - 1).to_string();
        // The time of occurrence does not matter, only the time of recording.
        for as_of in [before.as_str(), "0", "-1", "2025-06-15T15:06:40Z"] {
            let request = tenant.request(&tenant.key, &format!("{path}?as_of={as_of}"));
            problem(request.send().await.expect("an answer"), 404, "call-not-found").await;
        }
    });
}

#[test]
fn a_past_state_has_its_position() {
    run(async {
        let (tenant, path, positions) = call_with_correction().await;
        let request = tenant.request(&tenant.read_key, &format!("{path}?as_of={}", positions[1]));
        let response = request.send().await.expect("an answer");
        let reached = response.headers()["ledger-position"].to_str().expect("ASCII");
        assert_eq!(reached, positions[1].to_string());
    });
}
