//! `/v1/due` and `/v1/tasks`: reminders of appointments, tasks, and their read model.

mod field_errors;
mod histories;
mod lists;
mod rebuild;
mod reminders;
mod servers;
mod unconfirmed;

use std::sync::LazyLock;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ledger_core::clock::Clock;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, run};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use server::system::SystemClock;
use uuid::Uuid;

use crate::bad_input::problem;

/// A tenant with a key for tasks and bookings.
struct Office {
    tenant: TestTenant,
    key: String,
}

/// A time of a day to come, the same for all requests of a test, which may pass midnight.
fn at(minutes: i64) -> DateTime<Utc> {
    static START: LazyLock<DateTime<Utc>> = LazyLock::new(|| {
        let day = SystemClock.now().date_naive() + TimeDelta::days(30);
        day.and_hms_opt(9, 0, 0).expect("a time").and_utc()
    });
    *START + TimeDelta::minutes(minutes)
}

/// A time as the API writes it.
fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn booking(minutes: i64) -> Value {
    let contact = json!({ "name": "Anna Example", "phone": "+15550100123" });
    json!({ "contact": contact, "starts_at": text(at(minutes)) })
}

fn task(minutes: i64) -> Value {
    json!({ "kind": "call_back", "due_at": text(at(minutes)), "text": "Call Anna Example back." })
}

fn path(task: &Value, verb: &str) -> String {
    format!("/v1/tasks/{}/{verb}", task["task_id"].as_str().expect("an id"))
}

impl Office {
    async fn new(ledger: &TestLedger) -> Self {
        let tenant = ledger.tenant().await;
        let key = ledger.key(tenant.tenant_id, &["read", "personal", "write", "admin"]).await;
        Self { tenant, key }
    }

    async fn shared() -> Self {
        Self::new(TestLedger::shared().await).await
    }

    async fn send(&self, key: &str, path: &str, body: &Value) -> Response {
        let request = Client::new().post(self.tenant.url(path)).bearer_auth(key);
        request.body(body.to_string()).send().await.expect("an answer")
    }

    /// Posts, and returns the answer, which has this status.
    async fn post(&self, status: u16, path: &str, body: &Value) -> Value {
        let (answered, answer) = status_and_json(self.send(&self.key, path, body).await).await;
        assert_eq!(answered, status, "{path}: {answer}");
        answer
    }

    async fn book(&self, minutes: i64) -> Value {
        self.post(201, "/v1/appointments", &booking(minutes)).await
    }

    /// Changes an appointment.
    async fn change(&self, appointment: &Value, verb: &str, body: &Value) -> Value {
        let id = appointment["appointment_id"].as_str().expect("an id");
        self.post(200, &format!("/v1/appointments/{id}/{verb}"), body).await
    }

    async fn set(&self, name: &str, value: &Value) {
        let url = self.tenant.url(&format!("/v1/settings/{name}"));
        let request = Client::new().put(url).bearer_auth(&self.key).body(value.to_string());
        let (status, answer) = status_and_json(request.send().await.expect("an answer")).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn get(&self, path: &str) -> Value {
        self.tenant.settle().await;
        let (status, answer) = self.tenant.get_with(&self.key, path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// The listed due work: kind, offset and due time of each.
    async fn due(&self, query: &str) -> Vec<(String, Option<i64>, String)> {
        let page = self.get(&format!("/v1/due?{query}")).await;
        let due = page["data"].as_array().expect("a list").iter();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        due.map(|one| (text(&one["kind"]), one["offset_minutes"].as_i64(), text(&one["due_at"])))
            .collect()
    }
}

/// A reminder as [`Office::due`] lists it.
fn reminder(offset: i64, start: i64) -> (String, Option<i64>, String) {
    ("reminder".to_owned(), Some(offset), text(at(start - offset)))
}

#[test]
fn a_task_is_made_listed_and_done() {
    run(async {
        let office = Office::shared().await;
        let response = office.send(&office.key, "/v1/tasks", &task(0)).await;
        let position = response.headers()["ledger-position"].to_str().expect("a text").to_owned();
        let (status, made) = status_and_json(response).await;
        assert_eq!(status, 201, "{made}");
        assert_eq!(
            (&made["kind"], &made["status"], &made["origin"], &made["text"]),
            (&json!("call_back"), &json!("open"), &json!("person"), &task(0)["text"])
        );
        assert_eq!((&made["due_at"], &made["closed_at"]), (&task(0)["due_at"], &Value::Null));
        let (status, page) = office
            .tenant
            .get_with(&office.key, &format!("/v1/tasks?min_position={position}"))
            .await;
        assert_eq!((status, page), (200, json!({ "data": [made], "next_cursor": null })));

        let due = office.get("/v1/due").await;
        let listed = json!({
            "kind": "task", "due_at": made["due_at"], "task_id": made["task_id"],
            "task_kind": "call_back", "appointment_id": null, "starts_at": null,
            "offset_minutes": null, "contact_id": null, "call_id": null,
        });
        assert_eq!(due, json!({ "data": [listed], "next_cursor": null }));

        let done = office.post(200, &path(&made, "done"), &json!({})).await;
        assert_eq!((&done["status"], &done["text"]), (&json!("done"), &made["text"]));
        assert!(done["closed_at"].is_string() && done["position"] != made["position"], "{done}");
        assert_eq!(office.get("/v1/tasks?status=done").await["data"], json!([done]));
        assert_eq!(office.get("/v1/due").await["data"], json!([]));
    });
}

#[test]
fn a_closed_task_is_not_changed() {
    run(async {
        let office = Office::shared().await;
        for (first, second) in [("done", "cancel"), ("cancel", "done")] {
            let made = office.post(201, "/v1/tasks", &task(0)).await;
            let closed = office.post(200, &path(&made, first), &json!({})).await;
            let again = office.send(&office.key, &path(&made, first), &json!({})).await;
            assert!(again.headers().get("ledger-position").is_none(), "nothing is recorded");
            assert_eq!(status_and_json(again).await, (200, closed.clone()));
            let response = office.send(&office.key, &path(&made, second), &json!({})).await;
            let refused = problem(response, 422, "invalid-transition").await;
            assert_eq!(refused["errors"][0]["pointer"], "/status");
            let listed = office.get("/v1/tasks?limit=200").await;
            let listed = listed["data"].as_array().expect("a list");
            assert!(listed.contains(&closed), "{listed:?}");
        }
    });
}

#[test]
fn a_text_is_shown_to_keys_for_personal_data_only_and_each_read_is_recorded() {
    run(async {
        let ledger = TestLedger::shared().await;
        let office = Office::new(ledger).await;
        let made = office.post(201, "/v1/tasks", &task(0)).await;
        let plain = ledger.key(office.tenant.tenant_id, &["read", "write"]).await;
        office.tenant.settle().await;
        let (status, page) = office.tenant.get_with(&plain, "/v1/tasks").await;
        assert_eq!((status, &page["data"][0]["text"]), (200, &Value::Null));
        let done = office.send(&plain, &path(&made, "done"), &json!({})).await;
        assert_eq!(status_and_json(done).await.1["text"], Value::Null);
        assert_eq!(office.get("/v1/tasks").await["data"][0]["text"], task(0)["text"]);
        let reads = office.tenant.facts_of("access.personal_data_read").await;
        let actions: Vec<_> = reads.iter().map(|read| &read["action"]).collect();
        assert_eq!(actions, ["tasks.create", "tasks.list"]);
        for facts in office.tenant.facts_of("task.created").await {
            assert!(!facts.to_string().contains("Anna"), "{facts}");
        }
    });
}

#[test]
fn a_task_about_an_appointment_is_about_its_person() {
    run(async {
        let office = Office::shared().await;
        let booked = office.book(0).await;
        let mut body = task(0);
        body["appointment_id"] = booked["appointment_id"].clone();
        let made = office.post(201, "/v1/tasks", &body).await;
        assert_eq!(
            (&made["contact_id"], &made["appointment_id"]),
            (&booked["contact_id"], &booked["appointment_id"])
        );
        let reads = office.tenant.facts_of("access.personal_data_read").await;
        assert_eq!(reads.last().expect("a read")["resource"], made["task_id"]);
    });
}

#[test]
fn a_key_without_the_scope_and_a_key_of_another_tenant_change_nothing() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (office, other) = (Office::new(ledger).await, Office::new(ledger).await);
        let made = office.post(201, "/v1/tasks", &task(0)).await;
        let read = &office.tenant.key;
        for verb in ["done", "cancel"] {
            let path = path(&made, verb);
            problem(office.send(read, &path, &json!({})).await, 403, "scope-missing").await;
            problem(office.send(&other.key, &path, &json!({})).await, 404, "task-not-found").await;
            for id in [Uuid::nil().to_string(), "no-id".to_owned()] {
                let missing = format!("/v1/tasks/{id}/{verb}");
                let response = office.send(&office.key, &missing, &json!({})).await;
                problem(response, 404, "task-not-found").await;
            }
        }
        problem(office.send(read, "/v1/tasks", &task(0)).await, 403, "scope-missing").await;
        for path in ["/v1/tasks", "/v1/due"] {
            assert_eq!(other.get(path).await["data"], json!([]), "{path}");
        }
        assert_eq!(office.get("/v1/tasks").await["data"], json!([made]));
    });
}
