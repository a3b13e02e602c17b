//! Two commands on one appointment or one last seat, on two servers.

use sqlx::Executor;

use super::*;

#[test]
fn a_cancellation_and_a_move_at_once_end_in_one_of_both() {
    // (23)
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        for number in 1..=12_u32 {
            let starts_at = start() + TimeDelta::days(i64::from(number));
            let book = booking(u128::from(number), starts_at);
            let id = book.appointment_id;
            send(&stores[0], tenant_id, Action::Book(book)).await.expect("it is free");
            let change =
                Change { appointment_id: id, call_id: None, sections: Sections::default() };
            let moved = Reschedule {
                appointment_id: id,
                from: None,
                starts_at: starts_at + TimeDelta::hours(3),
                minutes: None,
                resource: None,
                call_id: None,
            };
            let (cancelled, moved) = tokio::join!(
                send(&stores[0], tenant_id, Action::Cancel(change)),
                send(&stores[1], tenant_id, Action::Reschedule(moved)),
            );
            cancelled.expect("it is to take place, moved or not");
            let is_refused =
                matches!(moved, Err(ExecuteError::Rejected(Refusal::InvalidTransition { .. })));
            assert!(moved.is_ok() || is_refused, "{moved:?}");
        }
        let live = count(&own, tenant_id, "schedule.slot_taken").await
            - count(&own, tenant_id, "schedule.slot_freed").await;
        assert_eq!(live, 0, "what was taken is free again");
    });
}

#[test]
fn two_confirmations_at_once_are_one_event() {
    // (4)
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        let rules = setting("bookings", json!({ "requires_confirmation": true }));
        let by = stores[0].operator();
        stores[0].set_booking_setting(&by, tenant_id, rules).await.expect("it is set");
        let book = booking(1, start());
        let id = book.appointment_id;
        send(&stores[0], tenant_id, Action::Book(book)).await.expect("it is free");
        let mut tasks = JoinSet::new();
        for number in 0..10_usize {
            let store = Arc::clone(&stores[number % 2]);
            let change =
                Change { appointment_id: id, call_id: None, sections: Sections::default() };
            tasks.spawn(async move { send(&store, tenant_id, Action::Confirm(change)).await });
        }
        while let Some(answer) = tasks.join_next().await {
            answer.expect("no panic").expect("it is pending or confirmed");
        }
        assert_eq!(count(&own, tenant_id, "appointment.confirmed").await, 1);
    });
}

#[test]
fn the_last_seat_is_booked_once() {
    // (12)
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        let seats =
            setting("resources", json!({ "resources": [{ "id": "class", "capacity": 3 }] }));
        let by = stores[0].operator();
        stores[0].set_booking_setting(&by, tenant_id, seats).await.expect("it is set");
        let mut tasks = JoinSet::new();
        for number in 0..30_u32 {
            let store = Arc::clone(&stores[number as usize % 2]);
            let book = booking(u128::from(number) + 1, start());
            tasks.spawn(async move { send(&store, tenant_id, Action::Book(book)).await.is_ok() });
        }
        let mut booked = 0;
        while let Some(is_booked) = tasks.join_next().await {
            booked += i64::from(is_booked.expect("no panic"));
        }
        assert_eq!((booked, count(&own, tenant_id, "appointment.booked").await), (3, 3));
    });
}

#[test]
fn known_schedules_follow_other_servers_and_a_restored_database() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [own.store(1), own.store(1)];
        let tenant_id = a_tenant(&stores[0]).await;
        let at = |minutes| start() + TimeDelta::minutes(minutes);
        let book = async |server: usize, number, minutes| {
            send(&stores[server], tenant_id, Action::Book(booking(number, at(minutes)))).await
        };
        let is_taken =
            |answer: Answer| matches!(answer, Err(ExecuteError::Rejected(Refusal::SlotTaken)));
        let first = book(0, 1, 0).await.expect("it is free");
        book(1, 2, 60).await.expect("it is free");
        assert!(is_taken(book(0, 3, 60).await), "booked on the other server");
        book(0, 4, 120).await.expect("it is free");
        assert!(is_taken(book(1, 5, 120).await), "booked on the other server");

        let kept = first.position.expect("it was recorded").0;
        let mut superuser = own.superuser().await;
        for statement in [
            "alter table ledger.events disable trigger immutable".to_owned(),
            format!("delete from ledger.events where position > {kept}"),
            "alter table ledger.events enable always trigger immutable".to_owned(),
        ] {
            superuser.execute(sqlx::AssertSqlSafe(statement)).await.expect("a superuser may");
        }
        assert!(is_taken(book(0, 6, 0).await), "booked before the state that was restored");
        // As many events as the other server knows, and one more.
        for (number, minutes) in [(7, 180), (8, 240), (9, 300), (10, 360)] {
            book(0, number, minutes).await.expect("free in the state that was restored");
        }
        assert!(is_taken(book(1, 11, 180).await), "booked after the state that was restored");
        book(1, 12, 60).await.expect("free in the state that was restored");
    });
}
