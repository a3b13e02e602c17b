//! A rebuild of the read model equals its live rows, also after events were dropped.

use ledger_tests::OwnDatabase;

use super::*;
use crate::appointments::rebuild::assert_rebuilds_to_the_same;

const NAME: &str = "due";

async fn drop_one(office: &Office, own: &OwnDatabase, event_type: &str) {
    let event_id: Uuid = sqlx::query_scalar(
        "select event_id from ledger.events where event_type = $1 order by position limit 1",
    )
    .bind(event_type)
    .fetch_one(&mut own.superuser().await)
    .await
    .expect("an event");
    let body = json!({ "projection": NAME, "reason": "a test" });
    office.post(200, &format!("/v1/parked/{event_id}/drop"), &body).await;
    office.tenant.settle().await;
}

#[test]
fn a_rebuild_equals_the_live_rows_and_so_does_one_after_events_were_dropped() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let office = Office::new(&ledger).await;
        for nth in 0..6 {
            let booked = office.book(60 * nth).await;
            let made = office.post(201, "/v1/tasks", &task(nth)).await;
            if nth % 2 == 0 {
                let to = json!({ "starts_at": text(at(60 * nth + 1000)) });
                office.change(&booked, "reschedule", &to).await;
                office.set("reminders", &json!({ "offsets_minutes": [nth + 10, 600] })).await;
            }
            if nth % 3 == 0 {
                office.change(&booked, "cancel", &json!({})).await;
                office.post(200, &path(&made, "done"), &json!({})).await;
            }
        }
        office.tenant.settle().await;
        // Four open appointments with two reminders each, and six tasks.
        assert_eq!(assert_rebuilds_to_the_same(&ledger.store, NAME).await, 4 + 8 + 6);

        drop_one(&office, &own, "appointment.cancelled").await;
        assert_eq!(assert_rebuilds_to_the_same(&ledger.store, NAME).await, 5 + 10 + 6);
        drop_one(&office, &own, "task.done").await;
        assert_eq!(
            office.get("/v1/tasks?status=done").await["data"].as_array().map(Vec::len),
            Some(1)
        );
        for event_type in ["appointment.booked", "task.created", "appointment.rescheduled"] {
            drop_one(&office, &own, event_type).await;
        }
        let rows = assert_rebuilds_to_the_same(&ledger.store, NAME).await;
        assert_eq!(rows, 4 + 8 + 5, "no row without its booking or creation");
        ledger.stop().await;
    });
}
