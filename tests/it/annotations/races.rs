//! Commands on one call at once, on two servers and beside its webhooks.

use ledger_tests::OwnDatabase;
use tokio::task::JoinSet;

use super::*;

#[test]
fn tags_put_on_two_servers_at_once_are_all_there() {
    run(async {
        let own = OwnDatabase::create().await;
        let (ledger, other) = (own.server().await, own.server().await);
        let one = Annotated::ended(&ledger).await;
        let mut tasks = JoinSet::new();
        for nth in 0..24 {
            // Each tag is put twice, once on each server.
            let tenant = one.tenant.through(if nth % 2 == 0 { &ledger } else { &other });
            let (key, path) = (one.key.clone(), one.path("tags"));
            tasks.spawn(async move {
                let body = json!({ "tag": format!("tag-{}", nth / 2) });
                send(&tenant, &key, Method::POST, &path, &body).await.status().as_u16()
            });
            // The platform goes on to report the call.
            let tenant = one.tenant.through(&other);
            tasks.spawn(async move {
                let kind = if nth % 3 == 0 { "in-progress" } else { "ended" };
                let mut message = messages::status("c-1", kind);
                message["message"]["timestamp"] = json!(1_793_610_000_000_i64 + nth);
                tenant.post(message.to_string()).await.0
            });
        }
        while let Some(status) = tasks.join_next().await {
            assert_eq!(status.expect("a task"), 200);
        }
        let tags = one.shown().await["tags"].clone();
        let mut expected: Vec<_> = (0..12).map(|nth| format!("tag-{nth}")).collect();
        expected.sort();
        assert_eq!(tags, json!(expected));
        let mut conn = own.superuser().await;
        let count = "select count(*) from ledger.events where event_type = 'call.tagged'";
        let recorded: i64 = sqlx::query_scalar(count).fetch_one(&mut conn).await.expect("a count");
        assert_eq!(recorded, 12, "the second request for a tag finds the first");
        ledger.stop().await;
        other.stop().await;
    });
}

#[test]
fn the_messages_around_a_note_may_arrive_in_any_order() {
    run(async {
        let ledger = TestLedger::shared().await;
        let customer = json!({ "number": "+15550100123", "name": "Anna Example" });
        let report = messages::from(messages::report("c-1"), &customer);
        let status = messages::status("c-1", "in-progress");
        let mut shown = Vec::new();
        for (first, last) in [(&report, &status), (&status, &report)] {
            let one = Annotated::of(ledger, first).await;
            one.post("notes", &json!({ "text": "Call back." })).await;
            one.post("tags", &json!({ "tag": "vip" })).await;
            one.tenant.post_ok(last.to_string()).await;
            one.post("score", &json!({ "score": 2 })).await;
            one.tenant.post_ok(last.to_string()).await;
            let mut call = one.shown().await;
            for note in call["notes"].as_array_mut().expect("a list") {
                for field in ["note_id", "author", "created_at"] {
                    note[field] = Value::Null;
                }
            }
            for field in ["call_id", "position"] {
                call[field] = Value::Null;
            }
            call["customer"]["contact_id"] = Value::Null;
            shown.push(call);
        }
        assert_eq!(shown[0], shown[1]);
        assert_eq!(shown[0]["notes"][0]["text"], "Call back.");
    });
}
