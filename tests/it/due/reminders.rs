//! Reminders follow their appointment.

use chrono::Timelike;
use ledger_store::TenantTx;
use projections::due::{DueFilter, due};

use super::*;

#[test]
fn an_appointment_has_a_reminder_a_day_and_two_hours_before_its_start() {
    run(async {
        let office = Office::shared().await;
        let booked = office.book(0).await;
        let page = office.get("/v1/due").await;
        let listed = json!({
            "kind": "reminder", "due_at": text(at(-1440)), "task_id": null, "task_kind": null,
            "appointment_id": booked["appointment_id"], "starts_at": text(at(0)),
            "offset_minutes": 1440, "contact_id": booked["contact_id"], "call_id": null,
        });
        assert_eq!(page["data"][0], listed);
        assert_eq!(office.due("").await, [reminder(1440, 0), reminder(120, 0)]);
    });
}

#[test]
fn reminders_move_with_their_appointment_and_end_with_it() {
    run(async {
        let office = Office::shared().await;
        let (moved, cancelled) = (office.book(0).await, office.book(60).await);
        office.change(&moved, "reschedule", &json!({ "starts_at": text(at(240)) })).await;
        let both = [reminder(1440, 60), reminder(1440, 240), reminder(120, 60), reminder(120, 240)];
        assert_eq!(office.due("").await, both);
        office.change(&cancelled, "cancel", &json!({})).await;
        assert_eq!(office.due("").await, [reminder(1440, 240), reminder(120, 240)]);
        office.change(&moved, "cancel", &json!({})).await;
        assert_eq!(office.due("").await, []);
    });
}

#[test]
fn a_change_of_the_setting_applies_to_later_bookings_and_moves() {
    run(async {
        let office = Office::shared().await;
        let first = office.book(0).await;
        office.set("reminders", &json!({ "offsets_minutes": [30, 2880] })).await;
        office.book(60).await;
        let all = [reminder(2880, 60), reminder(1440, 0), reminder(120, 0), reminder(30, 60)];
        assert_eq!(office.due("").await, all);
        office.change(&first, "reschedule", &json!({ "starts_at": text(at(120)) })).await;
        let moved = [reminder(2880, 60), reminder(2880, 120), reminder(30, 60), reminder(30, 120)];
        assert_eq!(office.due("").await, moved);
        office.set("reminders", &json!({ "offsets_minutes": [] })).await;
        office.change(&first, "reschedule", &json!({ "starts_at": text(at(180)) })).await;
        assert_eq!(office.due("").await, [reminder(2880, 60), reminder(30, 60)]);
        office.set("reminders", &json!({})).await;
        office.change(&first, "reschedule", &json!({ "starts_at": text(at(240)) })).await;
        assert_eq!(office.due("").await.len(), 4);
    });
}

#[test]
fn a_reminder_that_would_have_been_due_before_the_booking_is_not_made() {
    run(async {
        let office = Office::shared().await;
        let now = SystemClock.now().with_second(0).and_then(|now| now.with_nanosecond(0));
        let start = text(now.expect("a minute") + TimeDelta::hours(5));
        let mut body = booking(0);
        body["starts_at"] = json!(start);
        office.post(201, "/v1/appointments", &body).await;
        let due = office.due("").await;
        assert_eq!(due.iter().map(|one| one.1).collect::<Vec<_>>(), [Some(120)]);
    });
}

#[test]
fn a_reminder_of_an_appointment_that_has_begun_is_not_due_and_an_overdue_task_is() {
    run(async {
        let ledger = TestLedger::shared().await;
        let office = Office::new(ledger).await;
        office.book(0).await;
        office.book(60).await;
        office.post(201, "/v1/tasks", &task(-10_000)).await;
        office.tenant.settle().await;
        for (now, expected) in [(-5_000, 5), (-1, 5), (0, 3), (59, 3), (60, 1), (90_000, 1)] {
            let mut tx = TenantTx::begin(ledger.store.app(), office.tenant.tenant_id)
                .await
                .expect("a transaction");
            let due = due(&mut tx, DueFilter::default(), None, at(now), 100).await;
            assert_eq!(due.expect("an answer").len(), expected, "{now}");
        }
    });
}
