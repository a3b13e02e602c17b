//! Settings of bookings in the log.

use super::*;

#[test]
fn a_setting_takes_effect_and_its_version_counts_the_changes() {
    run(async {
        let own = OwnDatabase::create().await;
        let store = own.store(1);
        let tenant_id = a_tenant(&store).await;
        let by = store.operator();
        assert_eq!(settings_of(&store, tenant_id).await.version, 0);
        let closed = json!({ "weekdays": {} });
        for (value, version) in [(closed.clone(), 1), (closed, 1), (json!({}), 2)] {
            let set = store.set_booking_setting(&by, tenant_id, setting("hours", value)).await;
            set.expect("it is set");
            assert_eq!(settings_of(&store, tenant_id).await.version, version);
        }
        let rules = setting("bookings", json!({ "default_minutes": 45 }));
        store.set_booking_setting(&by, tenant_id, rules).await.expect("it is set");
        let done = send(&store, tenant_id, Action::Book(booking(1, start()))).await.expect("free");
        let BookingEvent::Appointment(AppointmentEvent::Booked(booked)) = &done.events[0] else {
            panic!("{done:?}")
        };
        assert_eq!(booked.settings_version, 3);
        assert_eq!(booked.slot.ends_at - booked.slot.starts_at, TimeDelta::minutes(45));
    });
}

#[test]
fn the_names_of_resources_are_sealed_and_read_back() {
    run(async {
        let own = OwnDatabase::create().await;
        let store = own.store(1);
        let tenant_id = a_tenant(&store).await;
        let by = store.operator();
        let named = |name: &str| json!({ "resources": [{ "id": "chair", "name": name, "capacity": 1, "hours": null }] });
        for (name, changes) in [("Canary One", true), ("Canary One", false), ("Canary Two", true)] {
            let value = setting("resources", named(name));
            let set = store.set_booking_setting(&by, tenant_id, value).await.expect("it is set");
            assert_eq!(set.is_some(), changes, "{name}");
            let read = store.booking_settings_in_full(tenant_id).await.expect("it answers");
            assert_eq!(read.resources.to_json(), named(name));
        }
        let plain: i64 = sqlx::query_scalar(
            "select count(*) from ledger.events
              where facts::text ilike '%canary%' or meta::text ilike '%canary%'
                 or position('Canary'::bytea in coalesce(sections, '')) > 0",
        )
        .fetch_one(&mut own.superuser().await)
        .await
        .expect("the log answers");
        assert_eq!(plain, 0);
    });
}
