//! Tool calls of a quarantined message: nothing is done when it is replayed.

use chrono::{DateTime, Utc};
use ledger_core::clock::Clock;
use server::system::SystemClock;

use super::*;

#[test]
fn a_replayed_tool_call_has_its_first_answer_and_time() {
    run(async {
        let shared = Shared::new().await;
        let tools = Message::tools("asked", &[("t-1", "book")])
            .call_field("assistantId", json!("assistant-1"))
            .body();
        let (_, heard) = shared.send(&tools).await;
        let said = heard["results"][0]["error"].clone();
        assert!(said.is_string(), "{heard}");
        let entry = shared.entries().await[0].clone();
        shared.add_route("assistant-1").await;
        shared.replayed(entry["quarantine_id"].as_str().expect("an id")).await;
        let call = shared.tenant.only_call().await;
        assert_eq!(call["tool_calls"][0]["result"], json!({ "error": said }), "{call}");
        let at: DateTime<Utc> = sqlx::query_scalar(
            "select occurred_at from ledger.events
              where tenant_id = $1 and event_type = 'call.tool_called'",
        )
        .bind(shared.tenant.tenant_id.0)
        .fetch_one(&mut superuser().await)
        .await
        .expect("the event");
        assert_eq!(json!(at), entry["received_at"], "not when it was replayed");
    });
}

#[test]
fn a_replayed_tool_of_the_ledger_is_recorded_as_not_answered_and_does_nothing() {
    run(async {
        let shared = Shared::new().await;
        let day = SystemClock.now().date_naive() + chrono::TimeDelta::days(30);
        let arguments = json!({ "name": "Ann Example", "date": day.to_string(), "time": "14:00" });
        let booking = |call: &str, id: &str| {
            let tool = json!({ "id": id, "name": "bookAppointment", "arguments": arguments });
            Message::new("tool-calls", call)
                .field("toolCallList", json!([tool]))
                .call_field("customer", json!({ "number": "+15550100123" }))
                .call_field("assistantId", json!("assistant-1"))
        };
        let heard = |answer: &Value| answer["results"][0]["error"].clone();
        let (first, resent) = (booking("asked", "t-1"), booking("asked", "t-2"));
        let (_, told) = shared.send(&first.body()).await;
        assert!(heard(&told).to_string().contains("Nothing was done"), "{told}");
        let (_, again) = shared.send(&resent.body()).await;
        assert_eq!(heard(&again), heard(&told));
        let ids: Vec<Value> = shared.entries().await;
        shared.add_route("assistant-1").await;
        // One of them is sent again before the replay: its appointment stays the only one.
        let (_, done) = shared.send(&resent.body()).await;
        assert!(done["results"][0]["result"].is_string(), "{done}");
        for entry in &ids {
            shared.replayed(entry["quarantine_id"].as_str().expect("an id")).await;
        }
        let tenant = &shared.tenant;
        let facts = tenant.facts_of("call.tool_called").await;
        let answer_of = |id: &str| {
            let of: Vec<_> = facts.iter().filter(|facts| facts["tool_call_id"] == id).collect();
            assert_eq!(of.len(), 1, "{facts:?}");
            of[0]["answer"].clone()
        };
        assert_eq!((answer_of("t-1"), answer_of("t-2")), (json!("not_answered"), json!("done")));
        assert_eq!(tenant.facts_of("appointment.booked").await.len(), 1);
        // The first words stay, in another body too.
        let later = first.field("timestamp", 1_796_000_000_000_i64);
        let (_, again) = shared.send(&later.body()).await;
        assert_eq!(heard(&again), heard(&told), "{again}");
        assert_eq!(tenant.facts_of("appointment.booked").await.len(), 1);
    });
}
