//! Changes of a status and of the time, each permitted and refused.

use super::*;

async fn changed(clinic: &Clinic, appointment: &Value, verb: &str) -> Value {
    let (status, answer) = clinic.change(appointment, verb, &json!({})).await;
    assert_eq!(status, 200, "{verb}: {answer}");
    answer
}

#[test]
fn a_pending_appointment_is_confirmed_and_a_repeated_confirmation_changes_nothing() {
    run(async {
        let clinic = Clinic::shared().await;
        clinic.set("bookings", &json!({ "requires_confirmation": true })).await;
        let booked = clinic.book(&booking(&anna(), 0)).await;
        assert_eq!(booked["status"], "pending");
        let ben = booking(&person("Ben Example", "+15550100124"), 0);
        clinic.refused("/v1/appointments", &ben, 409, "slot-taken").await;
        let confirmed = changed(&clinic, &booked, "confirm").await;
        assert_eq!(confirmed["status"], "confirmed");
        let statuses: Vec<_> = confirmed["history"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| (entry["change"].clone(), entry["status"].clone()))
            .collect();
        assert_eq!(
            statuses,
            [(json!("booked"), json!("pending")), (json!("confirmed"), json!("confirmed"))]
        );
        assert_eq!(changed(&clinic, &booked, "confirm").await, confirmed);
    });
}

#[test]
fn a_cancelled_time_is_free_at_once_and_a_cancelled_appointment_stays_cancelled() {
    run(async {
        let clinic = Clinic::shared().await;
        let booked = clinic.book(&booking(&anna(), 0)).await;
        let cancelled = changed(&clinic, &booked, "cancel").await;
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(changed(&clinic, &booked, "cancel").await, cancelled);
        for (verb, body) in [
            ("confirm", json!({})),
            ("complete", json!({})),
            ("no-show", json!({})),
            ("reschedule", json!({ "starts_at": at(60) })),
        ] {
            let path = format!("{}/{verb}", path(&booked));
            let refused = clinic.refused(&path, &body, 422, "invalid-transition").await;
            assert_eq!(refused["errors"][0]["pointer"], "/status");
        }
        clinic.book(&booking(&person("Ben Example", "+15550100124"), 0)).await;
        clinic.book(&booking(&anna(), 30)).await;
    });
}

#[test]
fn an_appointment_is_completed_or_missed_from_its_start_on_and_final_then() {
    run(async {
        let clinic = Clinic::shared().await;
        let ahead = clinic.book(&booking(&anna(), 0)).await;
        for verb in ["complete", "no-show"] {
            let path = format!("{}/{verb}", path(&ahead));
            clinic.refused(&path, &json!({}), 422, "not-started").await;
        }
        for (verb, status, phone) in
            [("complete", "completed", "+15550100125"), ("no-show", "no_show", "+15550100126")]
        {
            let clinic = Clinic::shared().await;
            let booked = clinic.book_now(&person("Carla Example", phone)).await;
            let done = changed(&clinic, &booked, verb).await;
            assert_eq!(done["status"], status);
            for verb in ["confirm", "cancel"] {
                let path = format!("{}/{verb}", path(&booked));
                clinic.refused(&path, &json!({}), 422, "invalid-transition").await;
            }
            clinic.tenant.settle().await;
            assert_eq!(without_position(clinic.get(&path(&booked)).await), done);
        }
    });
}

#[test]
fn a_move_frees_the_old_time_and_a_refused_move_keeps_it() {
    run(async {
        let clinic = Clinic::shared().await;
        let booked = clinic.book(&booking(&anna(), 0)).await;
        let ben = person("Ben Example", "+15550100124");
        clinic.book(&booking(&ben, 60)).await;
        let reschedule = format!("{}/reschedule", path(&booked));
        clinic.refused(&reschedule, &json!({ "starts_at": at(45) }), 409, "slot-taken").await;
        let moved = json!({ "starts_at": at(15), "duration_minutes": 45 });
        let (status, moved) = clinic.post(&reschedule, &moved).await;
        assert_eq!(status, 200, "over its own old time: {moved}");
        assert_eq!(
            (&moved["scheduled_at"], &moved["duration_minutes"], &moved["status"]),
            (&json!(at(15)), &json!(45), &json!("confirmed"))
        );
        let last = &moved["history"][1];
        assert_eq!(
            (&last["change"], &last["scheduled_at"]),
            (&json!("rescheduled"), &json!(at(15)))
        );
        assert_eq!(moved["history"][0]["scheduled_at"], at(0));
        let (status, elsewhere) =
            clinic.post(&reschedule, &json!({ "starts_at": at(60), "resource": "chair-2" })).await;
        assert_eq!((status, &elsewhere["resource"]), (200, &json!("chair-2")), "{elsewhere}");
        clinic.book(&booking(&ben, 0)).await;
        clinic.tenant.settle().await;
        assert_eq!(without_position(clinic.get(&path(&booked)).await), elsewhere);
    });
}

#[test]
fn availability_offers_what_can_be_booked_and_nothing_else() {
    run(async {
        let clinic = Clinic::shared().await;
        let mut long = booking(&anna(), 60);
        long["service_type"] = json!("long");
        long["resource"] = Value::Null;
        assert_eq!(clinic.book(&long).await["resource"], "chair-2");
        clinic.book(&booking(&anna(), 0)).await;
        let range = format!("from={}&to={}", at(-60), at(180));
        for query in [
            "resource=chair-1",
            "service_type=Hair%20cut",
            "service_type=long",
            "duration_minutes=45",
        ] {
            let offers = clinic.get(&format!("/v1/availability?{range}&{query}")).await;
            let offers = offers["data"].as_array().expect("a list").clone();
            assert!(!offers.is_empty(), "{query}");
            let starts: Vec<_> = offers.iter().map(|one| one["starts_at"].clone()).collect();
            for minutes in (-60..180).step_by(15) {
                let mut body = json!({ "contact": person("Ben Example", "+15550100124"), "starts_at": at(minutes) });
                for part in query.split('&').filter_map(|part| part.split_once('=')) {
                    let (name, value) = part;
                    let value = value.replace("%20", " ");
                    body[name] = value.parse::<i64>().map_or(json!(value), |number| json!(number));
                }
                let (status, answer) = clinic.post("/v1/appointments", &body).await;
                let is_offered = starts.contains(&json!(at(minutes)));
                assert_eq!(
                    status,
                    if is_offered { 201 } else { 409 },
                    "{query} {minutes}: {answer}"
                );
                if status == 201 {
                    let offer =
                        offers.iter().find(|one| one["starts_at"] == at(minutes)).expect("it");
                    assert_eq!(
                        (&answer["resource"], &answer["ends_at"]),
                        (&offer["resource"], &offer["ends_at"])
                    );
                    clinic.change(&answer, "cancel", &json!({})).await;
                }
            }
        }
        let limited = clinic.get(&format!("/v1/availability?{range}&limit=2")).await;
        assert_eq!(limited["data"].as_array().map(Vec::len), Some(2));
        assert!(
            clinic.get("/v1/availability").await["data"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        );
    });
}
