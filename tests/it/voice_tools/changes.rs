//! Moves, cancellations and look-ups need the right person.

use super::*;

#[test]
fn a_move_frees_the_old_time_and_a_lost_move_keeps_it() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let book = |id: &'static str, clock: &str, name: &str| {
            call("c", &[(id, "bookAppointment", at(clock, name))])
        };
        said(&tenant, &book("t-1", "14:00", "Ann Example")).await.expect("free");
        let other = from(
            call("c-2", &[("t", "bookAppointment", at("16:00", "Ben Example"))]),
            "+15550100124",
        );
        said(&tenant, &other).await.expect("free");
        let new = |clock: &str| json!({ "new_date": day().to_string(), "new_time": clock });
        let lost = call("c", &[("t-2", "rescheduleAppointment", new("16:00"))]);
        let lost = said(&tenant, &lost).await.expect_err("the time is taken");
        assert!(lost.starts_with("That time is not available."), "{lost}");
        let moved = call("c", &[("t-3", "reschedule_appointment", new("14:15"))]);
        let words = format!("The appointment is moved to {} at 2:15 pm.", spoken_day());
        assert_eq!(said(&tenant, &moved).await, Ok(words.clone()));
        let again = call("c", &[("t-4", "reschedule_appointment", new("14:15"))]);
        assert_eq!(said(&tenant, &again).await, Ok(words));
        assert_eq!(tenant.facts_of("appointment.rescheduled").await.len(), 1);
        let early = from(
            call("c-3", &[("t", "bookAppointment", at("13:45", "Cara Example"))]),
            "+15550100125",
        );
        assert_eq!(said(&tenant, &early).await, Ok(booked_at("1:45 pm")));
    });
}

#[test]
fn without_an_id_only_the_callers_own_single_appointment_is_cancelled() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for (id, clock) in [("t-1", "09:00"), ("t-2", "11:00")] {
            let booking = call("c", &[(id, "bookAppointment", at(clock, "Ann Example"))]);
            said(&tenant, &booking).await.expect("free");
        }
        let cancel = |call_id: &str, number: &str, arguments: Value| {
            from(call(call_id, &[("t", "cancelAppointment", arguments)]), number)
        };
        // A stranger, and somebody with another name on the same number.
        let not_found = "I cannot find that appointment. What name and day is it booked under?";
        let at_nine = json!({ "date": day().to_string(), "time": "09:00" });
        for (call_id, number, arguments) in [
            ("c-2", "+15550100124", at_nine.clone()),
            ("c-3", "+15550100123", json!({ "name": "Ben Example" })),
        ] {
            let refused = said(&tenant, &cancel(call_id, number, arguments)).await;
            assert_eq!(refused, Err(not_found.to_owned()));
        }
        let two = said(&tenant, &cancel("c-4", "+15550100123", json!({}))).await;
        assert!(two.is_err_and(|words| words.contains("more than one")));
        let nine = said(&tenant, &cancel("c-5", "+15550100123", at_nine)).await;
        assert_eq!(nine, Ok(format!("The appointment on {} at 9 am is cancelled.", spoken_day())));
        let named = json!({ "patient_name": "Ann Example", "reason": "a cold" });
        let rest = said(&tenant, &cancel("c-6", "+15550100123", named)).await;
        assert_eq!(rest, Ok(format!("The appointment on {} at 11 am is cancelled.", spoken_day())));
        let left = said(&tenant, &cancel("c-7", "+15550100123", json!({}))).await;
        assert_eq!(left, Err(not_found.to_owned()));
        assert_eq!(tenant.facts_of("appointment.cancelled").await.len(), 2);
    });
}

#[test]
fn an_appointment_is_not_changed_by_its_id_for_another_caller() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let booking = call("c", &[("t", "bookAppointment", at("09:00", "Ann Example"))]);
        said(&tenant, &booking).await.expect("free");
        let id: String = sqlx::query_scalar(
            "select stream_id::text from ledger.events
              where tenant_id = $1 and event_type = 'appointment.booked'",
        )
        .bind(tenant.tenant_id.0)
        .fetch_one(&mut ledger_tests::cluster::superuser().await)
        .await
        .expect("an id");
        let cancel = |call_id: &str, number: &str| {
            let arguments = json!({ "appointmentId": id });
            from(call(call_id, &[("t", "cancel_appointment", arguments)]), number)
        };
        assert!(said(&tenant, &cancel("c-2", "+15550100124")).await.is_err());
        assert!(said(&tenant, &cancel("c-3", "+15550100123")).await.is_ok());
    });
}

#[test]
fn a_booking_for_somebody_else_has_both_people_and_links_nobody() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let own = call("c", &[("t-1", "bookAppointment", at("09:00", "Ann Example"))]);
        said(&tenant, &own).await.expect("free");
        let mut arguments = at("11:00", "Ben Example");
        arguments["phone"] = json!("+15550100177");
        arguments["email"] = json!("ben@example.com");
        let other = call("c", &[("t-2", "bookAppointment", arguments)]);
        said(&tenant, &other).await.expect("free");
        let booked = tenant.facts_of("appointment.booked").await;
        assert_ne!(booked[0]["contact_id"], booked[1]["contact_id"]);
        assert_eq!(booked[1]["booked_by_contact_id"], booked[0]["contact_id"]);
        assert_eq!(booked[0]["booked_by_contact_id"], Value::Null);
        // His number without his name is not enough, neither of the two alone is proof.
        let unnamed = json!({ "phone": "+15550100177" });
        let unnamed = call("c", &[("t-3", "cancelAppointment", unnamed)]);
        let asked = said(&tenant, &unnamed).await;
        assert_eq!(asked, Err("What name is the appointment for?".to_owned()));
        // The number and the name of Ben find his contact, in a call of his own.
        let his = call("c-2", &[("t", "cancelAppointment", json!({ "name": "ben example" }))]);
        let his = said(&tenant, &from(his, "+15550100177")).await;
        assert!(his.clone().is_ok_and(|words| words.contains("11 am")), "{his:?}");
    });
}

#[test]
fn a_look_up_tells_a_given_name_and_none_of_several_people() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let look_up =
            |call_id: &str, arguments: Value| call(call_id, &[("t", "lookupCaller", arguments)]);
        let new = said(&tenant, &look_up("c-0", json!({}))).await.expect("an answer");
        assert!(!new.contains("belongs"), "{new}");
        let own = call("c", &[("t-1", "bookAppointment", at("09:00", "Ann Example"))]);
        said(&tenant, &own).await.expect("free");
        let known = said(&tenant, &look_up("c-1", json!({}))).await;
        assert_eq!(known, Ok("This number belongs to Ann.".to_owned()));
        let named = said(&tenant, &look_up("c-2", json!({ "name": "Ann Example" }))).await;
        let words = format!(
            "That person is known here and has an appointment on {} at 9 am.",
            spoken_day()
        );
        assert_eq!(named, Ok(words));
        // Another number in the arguments is not looked up.
        let other = json!({ "searchKey": "+15550100123", "searchType": "phone" });
        let other = from(look_up("c-3", other), "+15550100199");
        let other = said(&tenant, &other).await.expect("an answer");
        assert!(!other.contains("Ann"), "{other}");
        let web = json!({ "phone": "+15550100123" });
        let web = look_up("c-5", web).call_field("customer", json!({}));
        let web = said(&tenant, &web).await;
        assert_eq!(web, Ok("This number is known here. May I have your name?".to_owned()));
        let second = call("c", &[("t-2", "bookAppointment", at("11:00", "Ben Example"))]);
        said(&tenant, &second).await.expect("free");
        let shared = said(&tenant, &look_up("c-4", json!({}))).await;
        assert_eq!(shared, Ok("Several people use this number. Who is calling?".to_owned()));
    });
}

#[test]
fn a_look_up_tells_the_name_of_the_contact_without_an_appointment() {
    run(async {
        use reqwest::{Client, Method};
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let key = ledger.key(tenant.tenant_id, &["read", "personal", "write"]).await;
        let send = async |method: Method, path: &str, body: Value| {
            let request = Client::new().request(method, tenant.url(path)).bearer_auth(&key);
            let response = request.body(body.to_string()).send().await.expect("an answer");
            let (status, answer) = ledger_tests::ledger::status_and_json(response).await;
            assert!(status == 200 || status == 201, "{path}: {status} {answer}");
            answer
        };
        let look_up = |call_id: &str| call(call_id, &[("t", "lookupCaller", json!({}))]);
        let made = json!({ "name": "Anna Example", "phone": "+15550100123" });
        let made = send(Method::POST, "/v1/contacts", made).await;
        let path = format!("/v1/contacts/{}", made["contact_id"].as_str().expect("an id"));
        let known = |name: &str| Ok(format!("This number belongs to {name}."));
        assert_eq!(said(&tenant, &look_up("c-1")).await, known("Anna"));
        // The newest name, also before the one of an appointment.
        let booking = call("c", &[("t-1", "bookAppointment", at("09:00", "Anna Example"))]);
        said(&tenant, &booking).await.expect("free");
        send(Method::PATCH, &path, json!({ "name": "Nan Example" })).await;
        send(Method::PATCH, &path, json!({ "segment": "vip" })).await;
        assert_eq!(said(&tenant, &look_up("c-2")).await, known("Nan"));
        assert_eq!(said(&tenant, &look_up("c-1")).await, known("Anna"), "the first words stay");
        send(Method::PATCH, &path, json!({ "name": null })).await;
        assert_eq!(said(&tenant, &look_up("c-3")).await, known("Anna"), "of the appointment");
        // A number that is only told gets no name.
        let web = json!({ "phone": "+15550100123" });
        let web = call("c-4", &[("t", "lookupCaller", web)]).call_field("customer", json!({}));
        let asked = Ok("This number is known here. May I have your name?".to_owned());
        assert_eq!(said(&tenant, &web).await, asked);
        // Nor does anybody if several share the number.
        send(Method::PATCH, &path, json!({ "name": "Nan Example" })).await;
        let other = json!({ "name": "Ben Example", "phone": "+15550100123" });
        send(Method::POST, "/v1/contacts", other).await;
        let shared = said(&tenant, &look_up("c-5")).await;
        assert_eq!(shared, Ok("Several people use this number. Who is calling?".to_owned()));
    });
}
