//! Links between calls and appointments.

use ledger_core::provider::Provider;
use ledger_tests::messages;

use super::*;
use crate::providers::{ProviderSource, send_ok};

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

/// Returns the ids of the platform of the calls that a filter finds.
async fn found(clinic: &Clinic, filter: &str) -> Vec<String> {
    let page = clinic.get(&format!("/v1/calls?{filter}")).await;
    let calls = page["data"].as_array().unwrap_or_else(|| panic!("{page}")).iter();
    calls.map(|call| call["provider_call_id"].as_str().expect("an id").to_owned()).collect()
}

/// A call of the platform with a cost of 0.1088 USD; returns its id.
async fn reported(clinic: &Clinic, call: &str) -> Value {
    clinic.tenant.post_ok(messages::report(call).to_string()).await;
    clinic.tenant.settle().await;
    let page = clinic.get(&format!("/v1/calls?provider_call_id={call}")).await;
    page["data"][0]["call_id"].clone()
}

async fn booked_in(clinic: &Clinic, call_id: &Value, phone: &str, minutes: i64) -> Value {
    let mut body = booking(&person("Anna Example", phone), minutes);
    body["call_id"] = call_id.clone();
    clinic.book(&body).await
}

/// Bookings and money of a summary, of a series and of the breakdown by service agree.
async fn assert_figures(clinic: &Clinic, booked: i64, revenue: Option<i64>) {
    clinic.tenant.settle().await;
    let summary = clinic.get("/v1/analytics/summary").await;
    let cost = 2 * 108_800_000;
    assert_eq!((&summary["calls"], &summary["booked"]), (&json!(2), &json!(booked)));
    assert_eq!(summary["revenue_cents"], json!(revenue), "{summary}");
    let margin = revenue.map(|cents| cents * 10_000_000 - cost);
    assert_eq!(summary["margin_nanos"], json!(margin), "{summary}");
    let per_booking = (booked > 0).then(|| cost / booked);
    assert_eq!(summary["cost_per_booking_nanos"], json!(per_booking));
    let rate = if booked == 1 { 0.5 } else { 1.0 };
    assert_eq!(summary["conversion_rate"], json!(rate));
    for query in ["timeseries?interval=month", "breakdown?by=direction"] {
        let row = clinic.get(&format!("/v1/analytics/{query}")).await["data"][0].clone();
        assert_eq!((&row["booked"], &row["conversion_rate"]), (&json!(booked), &json!(rate)));
    }
    let services = clinic.get("/v1/analytics/breakdown?by=service_type").await;
    assert_eq!(services["data"][0]["key"], HAIRCUT, "{services}");
    assert_eq!(services["data"][0]["booked"], booked);
    for filter in ["has_appointment=true", "has_appointment=false"] {
        let listed = i64::try_from(found(clinic, filter).await.len()).expect("few");
        let counted = clinic.get(&format!("/v1/analytics/summary?{filter}")).await;
        assert_eq!(counted["calls"], listed, "{filter}");
    }
}

#[test]
fn filters_and_sums_follow_an_appointment_through_its_changes() {
    run(async {
        let clinic = Clinic::shared().await;
        let first = reported(&clinic, "c-1").await;
        reported(&clinic, "c-2").await;
        assert_eq!(found(&clinic, "has_appointment=true").await, Vec::<String>::new());
        assert_eq!(clinic.get("/v1/analytics/summary").await["revenue_cents"], Value::Null);

        let now = {
            let mut body = booking(&anna(), 0);
            body["call_id"] = first.clone();
            clinic.book(&body).await
        };
        assert_figures(&clinic, 1, Some(4_500)).await;
        assert_eq!(found(&clinic, "has_appointment=true").await, ["c-1"]);
        assert_eq!(found(&clinic, "has_appointment=false&tool=none").await, Vec::<String>::new());

        let second = booked_in(&clinic, &first, "+15550100124", 60).await;
        assert_figures(&clinic, 1, Some(9_000)).await;
        let shown = clinic.get("/v1/calls?has_appointment=true").await;
        assert_eq!(shown["data"][0]["appointment_id"], second["appointment_id"], "the last one");

        // The price is that of the booking.
        let services = json!({ "services": [{ "id": HAIRCUT, "name": "Hair cut", "minutes": 30,
                                              "price_cents": 1, "currency": "EUR" }] });
        clinic.set("services", &services).await;
        clinic.change(&now, "reschedule", &json!({ "starts_at": at(120) })).await;
        assert_figures(&clinic, 1, Some(9_000)).await;
        clinic.change(&now, "cancel", &json!({})).await;
        assert_figures(&clinic, 1, Some(4_500)).await;
        clinic.change(&second, "cancel", &json!({})).await;
        assert_figures(&clinic, 1, None).await;
        let shown = clinic.get("/v1/calls?has_appointment=true").await;
        assert_eq!(
            shown["data"][0]["appointment_status"], "cancelled",
            "it was booked all the same"
        );

        booked_in(&clinic, &first, "+15550100125", 180).await;
        // A range has a previous one if it has a start.
        let years = "from=2024-01-01T00:00:00Z&to=2028-01-01T00:00:00Z";
        let summary = {
            clinic.tenant.settle().await;
            clinic.get(&format!("/v1/analytics/summary?compare=previous&{years}")).await
        };
        assert_eq!(summary["revenue_cents"], 1);
        assert_eq!(summary["revenue_currency"], "EUR");
        assert_eq!(summary["margin_nanos"], Value::Null, "costs are in another currency");
        assert_eq!(summary["previous"]["booked"], 0);

        let other = TestLedger::shared().await.tenant().await;
        let sums = other.get("/v1/analytics/summary").await;
        assert_eq!((&sums["booked"], &sums["revenues"]), (&json!(0), &json!([])));
    });
}

#[test]
fn the_end_of_a_call_changes_no_appointment_and_an_appointment_does_not_change_the_call() {
    run(async {
        let clinic = Clinic::shared().await;
        let status = messages::status("c-1", "in-progress");
        clinic.tenant.post_ok(status.to_string()).await;
        clinic.tenant.settle().await;
        let call = clinic.tenant.only_call().await;
        let booked = booked_in(&clinic, &call["call_id"], "+15550100123", 0).await;
        clinic.tenant.settle().await;
        let listed = clinic.tenant.get("/call").await;
        clinic.tenant.post_ok(messages::report("c-1").to_string()).await;
        clinic.tenant.settle().await;
        let shown = clinic.get(&path(&booked)).await;
        assert_eq!(shown["status"], booked["status"]);
        assert_eq!(shown["history"], booked["history"]);
        let ended = clinic.tenant.only_call().await;
        assert_eq!((&ended["status"], &ended["has_appointment"]), (&json!("ended"), &json!(true)));

        // Lists of the platform's dialect are ordered by changes of the call, not of appointments.
        let before = clinic.tenant.get("/call").await;
        assert_ne!(before, listed);
        clinic.change(&booked, "cancel", &json!({})).await;
        clinic.tenant.settle().await;
        assert_eq!(clinic.tenant.get("/call").await, before);
        assert_eq!(clinic.tenant.only_call().await["position"], ended["position"]);
    });
}

#[test]
fn an_appointment_of_a_carriers_call_is_one_of_the_record() {
    run(async {
        let clinic = Clinic::shared().await;
        let (tenant, sid) = (&clinic.tenant, "CA00000000000000000000000000000009");
        let source = ProviderSource::new(tenant, Provider::Twilio).await;
        let callback = format!(
            "CallSid={sid}&AccountSid=AC1&Direction=inbound&From=%2B15550100123&To=%2B15550100124\
             &CallStatus=completed&CallDuration=47"
        );
        send_ok(source.form(&callback)).await;
        tenant.settle().await;
        let part = tenant.only_call().await;
        let booked = booked_in(&clinic, &part["call_id"], "+15550100123", 0).await;
        tenant.settle().await;
        assert_eq!(tenant.only_call().await["has_appointment"], true, "a record of its own");

        let mut report = messages::report("c-1");
        report["message"]["call"]["phoneCallProvider"] = "twilio".into();
        report["message"]["call"]["phoneCallProviderId"] = sid.into();
        tenant.post_ok(report.to_string()).await;
        tenant.settle().await;
        let record = tenant.only_call().await;
        assert_eq!(record["provider"], "vapi");
        assert_eq!(record["appointment_id"], booked["appointment_id"]);
        let sums = clinic.get("/v1/analytics/summary").await;
        assert_eq!((&sums["calls"], &sums["booked"]), (&json!(1), &json!(1)));
        assert_eq!(sums["revenue_cents"], 4_500);
        assert_eq!(found(&clinic, "has_appointment=true").await, ["c-1"]);

        clinic.change(&booked, "cancel", &json!({})).await;
        tenant.settle().await;
        assert_eq!(tenant.only_call().await["appointment_status"], "cancelled");
        assert_eq!(clinic.get("/v1/analytics/summary").await["revenue_cents"], Value::Null);
    });
}
