//! A tenant that changes its time zone: appointments keep their instants, and new ones are decided by the hours
//! of the new zone.

use ledger_tests::OwnDatabase;
use ledger_tests::fixtures::Message;

use super::rebuild::assert_rebuilds_to_the_same;
use super::*;

async fn patch(clinic: &Clinic, zone: &str) -> Value {
    let request = Client::new().patch(clinic.tenant.url("/v1/tenant")).bearer_auth(&clinic.key);
    let request = request.body(json!({ "timezone": zone }).to_string());
    let (status, answer) = status_and_json(request.send().await.expect("an answer")).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn free_starts(clinic: &Clinic, from: &str, to: &str) -> Vec<String> {
    let query =
        format!("/v1/availability?resource=chair-1&from={from}&to={to}&duration_minutes=60");
    let answer = clinic.get(&query).await;
    let offers = answer["data"].as_array().unwrap_or_else(|| panic!("{answer}"));
    offers.iter().map(|offer| offer["starts_at"].as_str().expect("a time").to_owned()).collect()
}

#[test]
fn appointments_keep_their_instants_when_the_zone_of_the_tenant_changes() {
    run(async {
        let clinic = Clinic::shared().await;
        let open = json!([{ "from": "09:00", "to": "12:00" }]);
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let weekdays: serde_json::Map<_, _> =
            days.iter().map(|day| ((*day).to_owned(), open.clone())).collect();
        clinic.set("hours", &json!({ "weekdays": weekdays })).await;
        clinic.set("bookings", &json!({ "step_minutes": 60 })).await;
        // The tenant is in UTC: open from 9 to 12.
        let body = |name: &str, phone: &str, minutes| {
            let mut body = booking(&person(name, phone), minutes);
            body["service_type"] = Value::Null;
            body["duration_minutes"] = json!(60);
            body
        };
        let nine = clinic.book(&body("Anna Example", "+15550100123", 0)).await;
        let eleven = clinic.book(&body("Ben Example", "+15550100124", 120)).await;
        clinic
            .refused(
                "/v1/appointments",
                &body("Cy Example", "+15550100125", 180),
                422,
                "outside-hours",
            )
            .await;

        // Tokyo is nine hours ahead: open from midnight to 3 UTC.
        assert_eq!(patch(&clinic, "Asia/Tokyo").await["timezone"], "Asia/Tokyo");
        clinic.tenant.settle().await;
        for booked in [&nine, &eleven] {
            let shown = clinic.get(&path(booked)).await;
            assert_eq!(shown["scheduled_at"], booked["scheduled_at"]);
            assert_eq!(shown["ends_at"], booked["ends_at"]);
        }
        let midnight = -9 * 60;
        let starts = free_starts(&clinic, &at(midnight), &at(midnight + 24 * 60)).await;
        let expected: Vec<_> = (0..3).map(|hour| at(midnight + 60 * hour)).collect();
        assert_eq!(starts, expected);
        clinic.book(&body("Cy Example", "+15550100125", midnight)).await;
        clinic
            .refused(
                "/v1/appointments",
                &body("Di Example", "+15550100126", 60),
                422,
                "outside-hours",
            )
            .await;

        // One hour ahead of UTC: an appointment of the first zone blocks its instant.
        patch(&clinic, "Etc/GMT-1").await;
        let starts = free_starts(&clinic, &at(-60), &at(180)).await;
        assert_eq!(starts, [at(-60), at(60)], "open from 8 to 11 UTC, of which 9 is taken");
        clinic
            .refused("/v1/appointments", &body("Di Example", "+15550100126", 0), 409, "slot-taken")
            .await;
        let moved = json!({ "starts_at": at(60) });
        assert_eq!(clinic.change(&eleven, "reschedule", &moved).await.0, 200);
        let check = clinic.tenant.store.check_bookings(clinic.tenant.tenant_id).await;
        assert_eq!(check.expect("it is read").differences, []);
        assert_eq!(
            clinic.tenant.facts_of("tenant.updated").await,
            [
                json!({ "changed": ["timezone"], "timezone": "Asia/Tokyo" }),
                json!({ "changed": ["timezone"], "timezone": "Etc/GMT-1" }),
            ]
        );
    });
}

#[test]
fn months_of_usage_stay_in_the_first_zone() {
    run(async {
        let clinic = Clinic::shared().await;
        clinic.book(&booking(&anna(), 0)).await;
        let before = clinic.get("/v1/usage").await;
        patch(&clinic, "Pacific/Kiritimati").await;
        clinic.tenant.settle().await;
        let after = clinic.get("/v1/usage").await;
        for field in ["month", "from", "to", "timezone"] {
            assert_eq!(after[field], before[field], "{field}");
        }
        assert_eq!(clinic.get("/v1/analytics/summary").await["timezone"], "Pacific/Kiritimati");
    });
}

#[test]
fn sums_that_were_stored_before_a_change_of_the_zone_equal_a_rebuild_after_it() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let clinic = Clinic::new(&ledger).await;
        let report = |nth: u32, cost: &str| {
            // Around midnight at the end of a month, where the days and months of zones differ.
            let day = if nth.is_multiple_of(2) { "2026-10-31T23" } else { "2026-11-01T01" };
            let field = |time: &str| json!(format!("{day}:{time}:00Z")).to_string();
            let message = Message::report(&format!("zone-{nth}")).field("cost", cost);
            message.field("startedAt", field("10")).field("endedAt", field("12")).body()
        };
        for nth in 0..6 {
            clinic.tenant.post_ok(report(nth, "0.25")).await;
        }
        clinic.tenant.settle().await;
        patch(&clinic, "Asia/Tokyo").await;
        // Some calls are revised, which takes their old sums back, and others are new.
        for nth in 4..9 {
            clinic.tenant.post_ok(report(nth, "0.75")).await;
        }
        clinic.tenant.settle().await;
        for name in ["calls", "usage"] {
            assert!(assert_rebuilds_to_the_same(&ledger.store, name).await > 0, "{name}");
        }
        let sums = "/v1/analytics/summary?from=2026-10-31T00:00:00Z&to=2026-11-02T00:00:00Z";
        for zone in ["", "&timezone=UTC", "&timezone=America/Los_Angeles"] {
            let answer = clinic.get(&format!("{sums}{zone}")).await;
            assert_eq!(answer["calls"], 9, "{answer}");
        }
        ledger.stop().await;
    });
}
