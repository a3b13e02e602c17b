//! Links between calls and appointments.

use ledger_tests::messages;

use super::*;

#[test]
fn a_call_shows_the_appointment_booked_in_it_and_the_appointment_shows_its_call() {
    run(async {
        let clinic = Clinic::shared().await;
        clinic.tenant.post_ok(messages::report("c-1").to_string()).await;
        let call = clinic.tenant.only_call().await;
        assert_eq!(
            (&call["has_appointment"], &call["appointment_id"]),
            (&json!(false), &Value::Null)
        );
        let before = call["position"].as_i64().expect("a position");

        let mut body = booking(&anna(), 0);
        body["call_id"] = call["call_id"].clone();
        let booked = clinic.book(&body).await;
        assert_eq!(
            (&booked["call_id"], &booked["provider_call_id"]),
            (&call["call_id"], &json!("c-1"))
        );
        let path = path(&booked);
        let (_, moved) =
            clinic.post(&format!("{path}/reschedule"), &json!({ "starts_at": at(60) })).await;
        clinic.tenant.settle().await;
        assert_eq!(without_position(clinic.get(&path).await), moved);

        let shown = clinic.tenant.only_call().await;
        let listed = clinic.tenant.calls().await.remove(0);
        for one in [&shown, &listed] {
            let fields = [
                "has_appointment",
                "appointment_id",
                "appointment_scheduled_at",
                "appointment_status",
                "appointment_service_type",
            ];
            let fields = fields.map(|field| one[field].clone());
            let expected = [
                json!(true),
                booked["appointment_id"].clone(),
                json!(at(60)),
                json!("confirmed"),
                json!(HAIRCUT),
            ];
            assert_eq!(fields, expected);
        }
        let call_path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
        let past = clinic.get(&format!("{call_path}?as_of={before}")).await;
        assert_eq!(past["has_appointment"], false, "it was not booked yet");
        let position = booked["position"].as_i64().expect("a position");
        let past = clinic.get(&format!("{call_path}?as_of={position}")).await;
        assert_eq!(past["appointment_scheduled_at"], at(0), "before it was moved");

        let query =
            format!("/v1/appointments?call_id={}", call["call_id"].as_str().expect("an id"));
        assert_eq!(clinic.get(&query).await["data"], json!([moved]));
    });
}

#[test]
fn an_appointment_of_a_contact_known_from_calls_shows_its_person() {
    run(async {
        let clinic = Clinic::shared().await;
        let customer = json!({ "number": "+15550100130", "name": "Ella Example" });
        clinic.tenant.post_ok(messages::from(messages::report("c-1"), &customer).to_string()).await;
        let call = clinic.tenant.only_call().await;
        let contact_id = call["customer"]["contact_id"].clone();
        assert!(contact_id.is_string(), "{call}");
        let booked = clinic.book(&json!({ "contact_id": contact_id, "starts_at": at(0) })).await;
        clinic.tenant.settle().await;
        let shown = clinic.get(&path(&booked)).await;
        assert_eq!(shown["customer"]["name"], "Ella Example");
        assert_eq!(shown["customer"]["phone"], "+15550100130");
    });
}
