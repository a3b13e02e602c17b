//! A rebuild of the read model equals its live rows, also after an event was dropped.

use std::time::{Duration, Instant};

use ledger_store::Store;
use ledger_tests::OwnDatabase;
use projections::versions;

use super::*;

const NAME: &str = "appointments";

/// Fills a new version and checks that it has the rows of the active one.
pub(super) async fn assert_rebuilds_to_the_same(store: &Store, name: &str) -> i64 {
    let projector = versions::named(name).expect("a read model");
    let all = projections::progress(store.projector()).await.expect("an answer");
    let active =
        all.iter().find(|one| one.name() == name && one.version.state == versions::State::Active);
    let active = active.expect("one is active").version.version;
    let version =
        versions::begin(store.owner(), &*projector, None, false).await.expect("a version");
    let begun = Instant::now();
    loop {
        let all = projections::progress(store.projector()).await.expect("an answer");
        let one = all.iter().find(|one| one.name() == name && one.version.version == version);
        if one.is_some_and(|one| one.lag_events == 0 && one.version.indexed_at.is_some()) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it never catches up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let diff =
        versions::diff(store.projector(), name, active, version, 20).await.expect("compared");
    assert_eq!((diff.rows, diff.not_compared), (0, 0), "{diff:#?}");
    let sum = versions::checksum(store.projector(), name, version, None).await;
    let rows = sum.expect("an answer").expect("a checksum").rows;
    versions::cancel(store.owner(), name).await.expect("given up");
    rows
}

/// Books, moves and changes appointments; returns the ids of their events by type.
async fn history(clinic: &Clinic) {
    clinic.set("bookings", &json!({ "requires_confirmation": true })).await;
    for nth in 0..8 {
        let phone = format!("+1555010015{nth}");
        let booked = clinic.book(&booking(&person("Anna Example", &phone), 60 * nth)).await;
        if nth % 2 == 0 {
            clinic.change(&booked, "confirm", &json!({})).await;
        }
        if nth % 3 == 0 {
            let moved = json!({ "starts_at": at(60 * nth + 15) });
            clinic.change(&booked, "reschedule", &moved).await;
        }
        if nth % 4 == 0 {
            clinic.change(&booked, "cancel", &json!({})).await;
        }
    }
}

async fn drop_one(clinic: &Clinic, own: &OwnDatabase, event_type: &str) {
    let (event_id,): (uuid::Uuid,) = sqlx::query_as(
        "select event_id from ledger.events where event_type = $1 order by position limit 1",
    )
    .bind(event_type)
    .fetch_one(&mut own.superuser().await)
    .await
    .expect("an event");
    let body = json!({ "projection": NAME, "reason": "a test" });
    let (status, answer) = clinic.post(&format!("/v1/parked/{event_id}/drop"), &body).await;
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn a_rebuild_equals_the_live_rows_and_so_does_one_after_events_were_dropped() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let clinic = Clinic::new(&ledger).await;
        history(&clinic).await;
        clinic.tenant.settle().await;
        assert_eq!(assert_rebuilds_to_the_same(&ledger.store, NAME).await, 8);

        drop_one(&clinic, &own, "appointment.cancelled").await;
        clinic.tenant.settle().await;
        assert_eq!(assert_rebuilds_to_the_same(&ledger.store, NAME).await, 8);
        let page = clinic.get("/v1/appointments?status=cancelled").await;
        assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "of two, one is left: {page}");

        drop_one(&clinic, &own, "appointment.booked").await;
        clinic.tenant.settle().await;
        assert_eq!(
            assert_rebuilds_to_the_same(&ledger.store, NAME).await,
            7,
            "no row without its booking"
        );
        ledger.stop().await;
    });
}
