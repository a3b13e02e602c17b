//! Appointments and tasks of contacts that are named by their ids.

use super::*;

/// A tenant with a resource.
async fn with_chair() -> People {
    let people = People::shared().await;
    let resources = json!({ "resources": [{ "id": "chair-1" }] });
    let (status, answer) = people.ask(Method::PUT, "/v1/settings/resources", &resources).await;
    assert_eq!(status, 200, "{answer}");
    people
}

/// Books half an hour of a day to come at an hour, and returns the appointment.
async fn book(people: &People, hour: u8, mut body: Value) -> Value {
    body["starts_at"] = json!(format!("2027-01-05T{hour:02}:00:00Z"));
    body["duration_minutes"] = json!(30);
    let (status, answer) = people.ask(Method::POST, "/v1/appointments", &body).await;
    assert_eq!(status, 201, "{answer}");
    answer
}

/// Makes a task about a contact, and returns it.
async fn task(people: &People, contact: &str) -> Value {
    let body = json!({ "kind": "call_back", "due_at": "2027-01-05T10:00:00Z",
                       "contact_id": contact, "text": "Call back." });
    let (status, answer) = people.ask(Method::POST, "/v1/tasks", &body).await;
    assert_eq!(status, 201, "{answer}");
    answer
}

fn path(appointment: &Value) -> String {
    format!("/v1/appointments/{}", appointment["appointment_id"].as_str().expect("an id"))
}

#[test]
fn a_booking_by_id_shows_what_is_known_about_the_contact() {
    run(async {
        let people = with_chair().await;
        let known = json!({ "name": "Anna Example", "phone": PHONE, "email": "anna@example.com" });
        let anna = id(&people.create(&known).await);
        let mut customer = known.clone();
        customer["contact_id"] = json!(anna);
        let by_id = book(&people, 10, json!({ "contact_id": anna })).await;
        assert_eq!(by_id["customer"], customer);
        let told = json!({ "contact": { "name": "Anna Example", "phone": PHONE } });
        let told = book(&people, 11, told).await;
        assert_eq!(told["contact_id"], json!(anna));
        people.tenant.settle().await;
        assert_eq!(people.get(&path(&by_id)).await["customer"], customer);
        let page = people.get("/v1/appointments").await;
        assert_eq!(page["data"], json!([told, by_id]), "as they were answered");

        people.change(&anna, &json!({ "name": "Anna Sample", "email": null })).await;
        people.tenant.settle().await;
        let page = people.get("/v1/appointments").await;
        let shown: Vec<_> = page["data"].as_array().expect("a list").iter().collect();
        assert_eq!(shown[0]["customer"]["name"], "Anna Example", "as the booking tells it");
        assert_eq!(shown[1]["customer"]["name"], "Anna Sample", "as the contact has it now");
        assert_eq!(shown[1]["customer"]["email"], Value::Null, "it was removed");
        assert_eq!(people.get(&path(&by_id)).await["customer"], shown[1]["customer"]);
        let (_, masked) = people.tenant.get_with(&people.tenant.read_key, &path(&by_id)).await;
        let customer = json!({ "contact_id": anna, "name": null, "phone": "•••23", "email": null });
        assert_eq!(masked["customer"], customer);
    });
}

#[test]
fn a_merged_contact_stands_for_its_survivor() {
    run(async {
        let people = with_chair().await;
        let anna = id(&people.create(&json!({ "name": "Anna Example", "phone": PHONE })).await);
        let ben = id(&people.create(&json!({ "name": "Ben Example" })).await);
        let (earlier, booked) =
            (task(&people, &ben).await, book(&people, 10, json!({ "contact_id": ben })).await);
        assert_eq!((&earlier["contact_id"], &booked["contact_id"]), (&json!(ben), &json!(ben)));
        people.merge(&ben, &anna).await;
        let later = task(&people, &ben).await;
        assert_eq!(later["contact_id"], json!(anna));
        let own = book(&people, 11, json!({ "contact_id": ben })).await;
        assert_eq!(own["contact_id"], json!(anna));
        assert_eq!(own["customer"]["phone"], PHONE);
        let both = json!({ "contact_id": anna, "booked_by_contact_id": ben });
        let both = book(&people, 12, both).await;
        assert_eq!(both["booked_by_contact_id"], Value::Null, "it is the same person");
        people.tenant.settle().await;
        assert_eq!(people.get(&path(&booked)).await["customer"]["phone"], PHONE);
        let page = people.get(&format!("/v1/tasks?contact_id={anna}")).await;
        let mut found: Vec<_> = page["data"].as_array().expect("a list").iter().collect();
        found.sort_by_key(|task| task["created_at"].to_string());
        assert_eq!(found, [&earlier, &later], "those of its parts too");
    });
}
