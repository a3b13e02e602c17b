//! `/v1/appointments` and `/v1/availability`: bookings and changes, their answers, and the read model.

mod changes;
mod field_errors;
mod histories;
mod links;
mod lists;
pub(crate) mod rebuild;
mod zone;

use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, TimeDelta, Timelike, Utc};
use ledger_core::clock::Clock;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, run};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use server::system::SystemClock;
use tokio::task::JoinSet;

use crate::bad_input::problem;

const HAIRCUT: &str = "haircut";

/// A tenant with two chairs and a service, and a key for bookings.
struct Clinic {
    tenant: TestTenant,
    key: String,
}

/// The start of the hours of a day to come, as the API writes times.
fn at(minutes: i64) -> String {
    text(day() + TimeDelta::minutes(minutes))
}

/// The same day for all tests of a run, which may pass midnight.
fn day() -> DateTime<Utc> {
    static DAY: LazyLock<DateTime<Utc>> = LazyLock::new(|| {
        let day = SystemClock.now().date_naive() + TimeDelta::days(30);
        day.and_hms_opt(9, 0, 0).expect("a time").and_utc()
    });
    *DAY
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn person(name: &str, phone: &str) -> Value {
    json!({ "name": name, "phone": phone })
}

fn anna() -> Value {
    json!({ "name": "Anna Example", "phone": "+15550100123", "email": "anna@example.com" })
}

fn booking(contact: &Value, minutes: i64) -> Value {
    json!({ "contact": contact, "service_type": HAIRCUT, "starts_at": at(minutes), "resource": "chair-1" })
}

impl Clinic {
    async fn new(ledger: &TestLedger) -> Self {
        let tenant = ledger.tenant().await;
        let key = ledger.key(tenant.tenant_id, &["read", "personal", "write", "admin"]).await;
        let clinic = Self { tenant, key };
        let resources = json!({ "resources": [{ "id": "chair-1" }, { "id": "chair-2" }] });
        let services = json!({ "services": [
            { "id": HAIRCUT, "name": "Hair cut", "minutes": 30, "price_cents": 4500, "currency": "USD" },
            { "id": "long", "minutes": 90, "resources": ["chair-2"] },
        ] });
        for (name, value) in [("resources", resources), ("services", services)] {
            clinic.set(name, &value).await;
        }
        clinic
    }

    async fn shared() -> Self {
        Self::new(TestLedger::shared().await).await
    }

    async fn set(&self, name: &str, value: &Value) {
        let url = self.tenant.url(&format!("/v1/settings/{name}"));
        let request = Client::new().put(url).bearer_auth(&self.key).body(value.to_string());
        let (status, answer) = status_and_json(request.send().await.expect("an answer")).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn send(&self, key: &str, path: &str, body: &Value) -> Response {
        let request = Client::new().post(self.tenant.url(path)).bearer_auth(key);
        request.body(body.to_string()).send().await.expect("an answer")
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        status_and_json(self.send(&self.key, path, body).await).await
    }

    /// Books, and returns the appointment.
    async fn book(&self, body: &Value) -> Value {
        let (status, answer) = self.post("/v1/appointments", body).await;
        assert_eq!(status, 201, "{answer}");
        answer
    }

    /// Posts a change of an appointment; returns the status and the answer.
    async fn change(&self, appointment: &Value, verb: &str, body: &Value) -> (u16, Value) {
        self.post(&format!("{}/{verb}", path(appointment)), body).await
    }

    async fn refused(&self, path: &str, body: &Value, status: u16, code: &str) -> Value {
        problem(self.send(&self.key, path, body).await, status, code).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.tenant.get_with(&self.key, path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Books for the current minute, so that the appointment has started.
    async fn book_now(&self, contact: &Value) -> Value {
        for _ in 0..3 {
            let now = SystemClock.now().with_second(0).and_then(|now| now.with_nanosecond(0));
            let mut body = booking(contact, 0);
            body["starts_at"] = json!(text(now.expect("a minute")));
            let (status, answer) = self.post("/v1/appointments", &body).await;
            if status == 201 {
                return answer;
            }
            assert_eq!(answer["code"], "past", "the minute ended: {answer}");
        }
        panic!("three minutes ended within a request");
    }
}

fn path(appointment: &Value) -> String {
    format!("/v1/appointments/{}", appointment["appointment_id"].as_str().expect("an id"))
}

/// The fields of the read model and of the answer to a command that must be equal.
fn without_position(mut appointment: Value) -> Value {
    for field in ["notes", "reason"] {
        appointment.as_object_mut().expect("an object").remove(field);
    }
    appointment
}

#[test]
fn a_booking_is_answered_from_its_decision_and_read_back_the_same() {
    run(async {
        let clinic = Clinic::shared().await;
        let mut body = booking(&anna(), 0);
        body["notes"] = json!("First visit.\nAllergic to nothing.");
        let response = clinic.send(&clinic.key, "/v1/appointments", &body).await;
        let position = response.headers()["ledger-position"].to_str().expect("a text").to_owned();
        let (status, booked) = status_and_json(response).await;
        assert_eq!(status, 201, "{booked}");
        assert_eq!(
            (&booked["status"], &booked["scheduled_at"], &booked["ends_at"]),
            (&json!("confirmed"), &json!(at(0)), &json!(at(30)))
        );
        assert_eq!(
            (&booked["duration_minutes"], &booked["price_cents"], &booked["currency"]),
            (&json!(30), &json!(4500), &json!("USD"))
        );
        assert_eq!(
            (&booked["service_type"], &booked["resource"]),
            (&json!(HAIRCUT), &json!("chair-1"))
        );
        let customer = json!({ "contact_id": booked["contact_id"], "name": "Anna Example",
                               "phone": "+15550100123", "email": "anna@example.com" });
        assert_eq!(booked["customer"], customer);
        let history = booked["history"].as_array().expect("a list");
        assert_eq!((history.len(), &history[0]["status"]), (1, &json!("confirmed")));
        let actor = history[0]["actor"].as_str().expect("an actor");
        assert!(actor.starts_with("key:"), "{actor}");

        let shown = clinic.get(&format!("{}?min_position={position}", path(&booked))).await;
        assert_eq!(shown["notes"], body["notes"]);
        assert_eq!(without_position(shown), booked);
        let page = clinic.get("/v1/appointments").await;
        assert_eq!(page, json!({ "data": [booked], "next_cursor": null }));
    });
}

#[test]
fn a_taken_time_is_refused_without_a_word_about_another_person() {
    run(async {
        let clinic = Clinic::shared().await;
        clinic.book(&booking(&anna(), 0)).await;
        let ben = person("Ben Example", "+15550100124");
        for minutes in [-15, 0, 15] {
            let body = booking(&ben, minutes);
            let refused = clinic.refused("/v1/appointments", &body, 409, "slot-taken").await;
            let refused = refused.to_string();
            for word in ["Anna", "0100123", "anna@", "Ben", "appointment_id"] {
                assert!(!refused.contains(word), "{refused}");
            }
        }
        clinic.refused("/v1/appointments", &booking(&anna(), 0), 409, "slot-taken").await;
        clinic.book(&booking(&ben, 30)).await;
        let mut any = booking(&ben, 0);
        any["resource"] = Value::Null;
        assert_eq!(clinic.book(&any).await["resource"], "chair-2");
    });
}

#[test]
fn of_many_requests_for_one_time_one_is_accepted_and_the_others_are_told_so() {
    run(async {
        let clinic = Clinic::shared().await;
        let mut tasks = JoinSet::new();
        for nth in 0..80 {
            let contact = person("Anna Example", &format!("+155501001{:02}", nth + 10));
            let request = Client::new().post(clinic.tenant.url("/v1/appointments"));
            let request = request.bearer_auth(&clinic.key);
            let request = request.body(booking(&contact, nth % 20).to_string());
            tasks.spawn(
                async move { status_and_json(request.send().await.expect("an answer")).await },
            );
        }
        let mut booked = 0;
        while let Some(done) = tasks.join_next().await {
            let (status, answer) = done.expect("no panic");
            match status {
                201 => booked += 1,
                409 => assert_eq!(answer["code"], "slot-taken"),
                _ => panic!("{status}: {answer}"),
            }
        }
        assert_eq!(booked, 1);
    });
}

#[test]
fn many_requests_for_different_free_times_are_all_accepted_at_once() {
    run(async {
        let clinic = Clinic::shared().await;
        let mut tasks = JoinSet::new();
        for nth in 0..120 {
            let mut body = booking(&anna(), 5 * nth);
            body["duration_minutes"] = json!(5);
            let request = Client::new().post(clinic.tenant.url("/v1/appointments"));
            let request = request.bearer_auth(&clinic.key).body(body.to_string());
            tasks.spawn(
                async move { status_and_json(request.send().await.expect("an answer")).await },
            );
        }
        while let Some(done) = tasks.join_next().await {
            let (status, answer) = done.expect("no panic");
            assert_eq!(status, 201, "{answer}");
        }
    });
}

#[test]
fn another_name_on_the_same_number_is_another_contact() {
    run(async {
        let clinic = Clinic::shared().await;
        let first = clinic.book(&booking(&anna(), 0)).await;
        let again = clinic.book(&booking(&anna(), 60)).await;
        let ben = clinic.book(&booking(&person("Ben Example", "+15550100123"), 120)).await;
        assert_eq!(first["contact_id"], again["contact_id"]);
        assert_ne!(first["contact_id"], ben["contact_id"]);

        let by_id = json!({ "contact_id": first["contact_id"], "starts_at": at(180),
                            "booked_by_contact_id": ben["contact_id"] });
        let by_id = clinic.book(&by_id).await;
        assert_eq!(by_id["contact_id"], first["contact_id"]);
        assert_eq!(by_id["booked_by_contact_id"], ben["contact_id"]);
        assert_eq!((&by_id["service_type"], &by_id["price_cents"]), (&Value::Null, &Value::Null));
        clinic.tenant.settle().await;
        let shown = clinic.get(&path(&by_id)).await;
        assert_eq!(shown["customer"]["name"], "Anna Example", "known from the other booking");

        let other = Clinic::shared().await;
        for field in ["contact_id", "booked_by_contact_id"] {
            let mut foreign = json!({ "contact_id": first["contact_id"], "starts_at": at(240) });
            if field != "contact_id" {
                foreign = booking(&anna(), 240);
                foreign[field] = first["contact_id"].clone();
            }
            let refused = other.refused("/v1/appointments", &foreign, 422, "invalid-field").await;
            assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"));
        }
    });
}

#[test]
fn without_scope_personal_the_person_is_masked() {
    run(async {
        let ledger = TestLedger::shared().await;
        let clinic = Clinic::new(ledger).await;
        let key = ledger.key(clinic.tenant.tenant_id, &["read", "write"]).await;
        let response = clinic.send(&key, "/v1/appointments", &booking(&anna(), 0)).await;
        let (status, booked) = status_and_json(response).await;
        assert_eq!(status, 201, "{booked}");
        clinic.tenant.settle().await;
        let (_, shown) = clinic.tenant.get_with(&clinic.tenant.read_key, &path(&booked)).await;
        let (_, page) = clinic.tenant.get_with(&clinic.tenant.read_key, "/v1/appointments").await;
        for one in [&booked, &shown, &page["data"][0]] {
            let customer = json!({ "contact_id": booked["contact_id"], "name": null,
                                   "phone": "•••23", "email": null });
            assert_eq!(one["customer"], customer);
        }
        assert_eq!(shown["notes"], Value::Null);
        assert_eq!(clinic.tenant.facts_of("access.personal_data_read").await, [] as [Value; 0]);
        clinic.get(&path(&booked)).await;
        clinic.get("/v1/appointments").await;
        let reads = clinic.tenant.facts_of("access.personal_data_read").await;
        let actions: Vec<_> = reads.iter().map(|read| &read["action"]).collect();
        assert_eq!(actions, ["appointments.show", "appointments.list"]);
    });
}

#[test]
fn a_key_without_the_scope_and_a_key_of_another_tenant_change_nothing() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (clinic, other) = (Clinic::new(ledger).await, Clinic::new(ledger).await);
        let booked = clinic.book(&booking(&anna(), 0)).await;
        let moved = json!({ "starts_at": at(60) });
        let read = &clinic.tenant.key;
        for verb in ["confirm", "complete", "cancel", "no-show", "reschedule"] {
            let path = format!("{}/{verb}", path(&booked));
            let body = if verb == "reschedule" { moved.clone() } else { json!({}) };
            problem(clinic.send(read, &path, &body).await, 403, "scope-missing").await;
            problem(clinic.send(&other.key, &path, &body).await, 404, "appointment-not-found")
                .await;
            let missing = format!("/v1/appointments/{}/{verb}", uuid::Uuid::nil());
            problem(clinic.send(&clinic.key, &missing, &body).await, 404, "appointment-not-found")
                .await;
        }
        problem(
            clinic.send(read, "/v1/appointments", &booking(&anna(), 60)).await,
            403,
            "scope-missing",
        )
        .await;
        clinic.tenant.settle().await;
        let (status, answer) = other.tenant.get_with(&other.key, &path(&booked)).await;
        assert_eq!((status, &answer["code"]), (404, &json!("appointment-not-found")));
        assert_eq!(other.get("/v1/appointments").await["data"], json!([]));
        assert_eq!(clinic.get(&path(&booked)).await["status"], "confirmed");
        let write_only = ledger.key(clinic.tenant.tenant_id, &["write"]).await;
        for path in ["/v1/appointments", "/v1/availability"] {
            let (status, answer) = clinic.tenant.get_with(&write_only, path).await;
            assert_eq!((status, &answer["code"]), (403, &json!("scope-missing")));
        }
    });
}

#[test]
fn a_repeated_request_books_once_and_gets_its_first_answer() {
    run(async {
        let own = ledger_tests::OwnDatabase::create().await;
        let ledger = own.server().await;
        let clinic = Clinic::new(&ledger).await;
        let url = clinic.tenant.url("/v1/appointments");
        let send = async |body: &Value| {
            let request = Client::new().post(&url).bearer_auth(&clinic.key);
            let request = request.header("idempotency-key", "book-1").body(body.to_string());
            let response = request.send().await.expect("an answer");
            let position = response.headers().get("ledger-position").cloned();
            (position, status_and_json(response).await)
        };
        let first = send(&booking(&anna(), 0)).await;
        assert_eq!(first.1.0, 201, "{first:?}");
        assert_eq!(send(&booking(&anna(), 0)).await, first);
        // An answer that was lost before it was kept is made again, also after a later change.
        sqlx::query("update ledger.command_answers set answer_sealed = null, claimed_until = now() - interval '1 second'")
            .execute(&mut own.superuser().await)
            .await
            .expect("an update");
        let (status, _) = clinic.change(&first.1.1, "cancel", &json!({})).await;
        assert_eq!(status, 200);
        clinic.set("services", &json!({})).await;
        assert_eq!(send(&booking(&anna(), 0)).await, first);
        let (_, refused) = send(&booking(&anna(), 30)).await;
        assert_eq!((refused.0, &refused.1["code"]), (422, &json!("idempotency-key-reused")));
        let booked: i64 = sqlx::query_scalar(
            "select count(*) from ledger.events where event_type = 'appointment.booked'",
        )
        .fetch_one(&mut own.superuser().await)
        .await
        .expect("a count");
        assert_eq!(booked, 1);
        ledger.stop().await;
    });
}
