//! What people and tools add to a call: notes, tags, a disposition, a score and more, over HTTP.

mod effects;
mod hostile;
mod races;
mod rebuild;
mod settings;
mod spellings;

use ledger_store::tenants::TenantState;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, messages, run};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bad_input::problem;

/// A call of a tenant, and keys for changes of it.
struct Annotated {
    tenant: TestTenant,
    /// Reads with personal data, and changes.
    key: String,
    /// Changes only.
    write_key: String,
    call: String,
}

impl Annotated {
    /// A call that has ended, of a person who is known.
    async fn ended(ledger: &TestLedger) -> Self {
        let customer = json!({ "number": "+15550100123", "name": "Anna Example" });
        Self::of(ledger, &messages::from(messages::report("c-1"), &customer)).await
    }

    /// The call of a message.
    async fn of(ledger: &TestLedger, message: &Value) -> Self {
        let tenant = ledger.tenant().await;
        tenant.post_ok(message.to_string()).await;
        let key = ledger.key(tenant.tenant_id, &["read", "personal", "write", "admin"]).await;
        let write_key = ledger.key(tenant.tenant_id, &["write"]).await;
        let call = tenant.only_call().await["call_id"].as_str().expect("an id").to_owned();
        Self { tenant, key, write_key, call }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/calls/{}/{rest}", self.call)
    }

    async fn send(&self, method: Method, rest: &str, body: &Value) -> Response {
        send(&self.tenant, &self.key, method, &self.path(rest), body).await
    }

    /// Makes a change that is accepted; returns the answer with the position in its header.
    async fn change(&self, method: Method, rest: &str, body: &Value) -> (Value, Option<i64>) {
        let response = self.send(method, rest, body).await;
        let position = response.headers().get("ledger-position");
        let position = position.map(|value| value.to_str().expect("digits").parse().expect("one"));
        let (status, answer) = status_and_json(response).await;
        assert!(status == 200 || status == 201, "{rest}: {status} {answer}");
        (answer, position)
    }

    async fn post(&self, rest: &str, body: &Value) -> Value {
        self.change(Method::POST, rest, body).await.0
    }

    async fn refused(&self, method: Method, rest: &str, body: &Value, code: (u16, &str)) -> Value {
        problem(self.send(method, rest, body).await, code.0, code.1).await
    }

    /// The call as it is shown once the read model is current.
    async fn shown(&self) -> Value {
        self.tenant.settle().await;
        self.tenant.get(&format!("/v1/calls/{}", self.call)).await
    }

    async fn as_of(&self, position: i64) -> Value {
        self.tenant.get(&format!("/v1/calls/{}?as_of={position}", self.call)).await
    }
}

async fn send(
    tenant: &TestTenant,
    key: &str,
    method: Method,
    path: &str,
    body: &Value,
) -> Response {
    let request = Client::new().request(method.clone(), tenant.url(path)).bearer_auth(key);
    let request = if method == Method::DELETE { request } else { request.body(body.to_string()) };
    request.send().await.expect("an answer")
}

/// A request of each kind that changes a call, with a body that is accepted.
fn every_change() -> Vec<(Method, String, Value)> {
    let note = Uuid::from_u128(7);
    let change = |method: Method, rest: &str, body: Value| (method, rest.to_owned(), body);
    vec![
        change(Method::POST, "notes", json!({ "text": "Call back." })),
        change(Method::PATCH, &format!("notes/{note}"), json!({ "text": "Done." })),
        change(Method::DELETE, &format!("notes/{note}"), Value::Null),
        change(Method::POST, "tags", json!({ "tag": "vip" })),
        change(Method::DELETE, "tags/vip", Value::Null),
        change(Method::POST, "disposition", json!({ "disposition": "follow_up" })),
        change(Method::POST, "score", json!({ "score": 3 })),
        change(Method::POST, "test", json!({ "is_test": true })),
        change(Method::POST, "escalate", json!({ "reason": "complaint" })),
        change(Method::PUT, "context", json!({ "order": 7 })),
        change(Method::PATCH, "campaign", json!({ "campaign": "spring" })),
    ]
}

async fn events(tenant: &TestTenant) -> usize {
    tenant.recorded().await.len()
}

#[test]
fn what_is_added_is_answered_with_its_position_and_shown() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let body =
            json!({ "text": "Call <b>back</b>.", "kind": "follow_up", "visibility": "shared" });
        let (note, at) = one.change(Method::POST, "notes", &body).await;
        // No answer to a change has texts.
        assert_eq!((&note["text"], &note["kind"]), (&Value::Null, &body["kind"]));
        one.post("tags", &json!({ "tag": "Follow up", "category": "work" })).await;
        let (tagged, tagged_at) = one.change(Method::POST, "tags", &json!({ "tag": "vip" })).await;
        assert_eq!(tagged["tags"][0], json!({ "tag": "follow-up", "category": "work" }));
        assert!(at < tagged_at && tagged["position"] == json!(tagged_at), "{tagged}");
        one.post("score", &json!({ "score": 4 })).await;
        one.post("escalate", &json!({ "reason": "Requested by caller" })).await;
        one.post("escalate", &json!({ "reason": "She asked for her doctor" })).await;
        let context = json!({ "order": { "id": 7 }, "note": "gold" });
        one.change(Method::PUT, "context", &context).await;
        let campaign = json!({ "campaign": "overdue_45days", "attempt": 4, "call_type": "sales" });
        one.change(Method::PATCH, "campaign", &campaign).await;
        let complaint = json!({ "disposition": "complaint" });
        let (answer, at) = one.change(Method::POST, "disposition", &complaint).await;
        assert_eq!(answer["escalations"].as_array().map(Vec::len), Some(3), "{answer}");

        let path = format!("/v1/calls/{}?min_position={}", one.call, at.expect("it is recorded"));
        let call = one.tenant.get(&path).await;
        let shown = &call["notes"][0];
        assert_eq!((&shown["text"], &shown["visibility"]), (&body["text"], &body["visibility"]));
        assert!(shown["author"].as_str().is_some_and(|by| by.starts_with("key:")), "{shown}");
        assert_eq!(call["tags"], json!(["follow-up", "vip"]));
        assert_eq!(call["categorised_tags"], tagged["tags"]);
        assert_eq!((&call["disposition"], &call["score"]), (&json!("complaint"), &json!(4)));
        let reasons: Vec<_> = call["escalations"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| (one["reason"].clone(), one["text"].clone(), one["source"].clone()))
            .collect();
        assert_eq!(
            reasons,
            [
                (json!("requested_by_caller"), Value::Null, json!("api")),
                (json!("other"), json!("She asked for her doctor"), json!("api")),
                (json!("disposition"), Value::Null, json!("disposition")),
            ]
        );
        assert_eq!(call["context"]["fields"], context);
        for (field, value) in campaign.as_object().expect("an object") {
            assert_eq!(&call[field], value);
        }
        assert_eq!(call["escalated"], true);
        let listed = &one.tenant.calls().await[0];
        assert_eq!((&listed["tags"], &listed["score"]), (&call["tags"], &call["score"]));
    });
}

#[test]
fn a_note_is_changed_and_removed() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let note = one.post("notes", &json!({ "text": "First." })).await;
        let rest = format!("notes/{}", note["note_id"].as_str().expect("an id"));
        one.change(Method::PATCH, &rest, &json!({ "text": "Second." })).await;
        one.change(Method::PATCH, &rest, &json!({ "kind": "after_call" })).await;
        let call = one.shown().await;
        let shown = &call["notes"][0];
        assert_eq!((&shown["text"], &shown["kind"]), (&json!("Second."), &json!("after_call")));
        assert!(shown["edited_at"].is_string() && shown["created_at"] == note["created_at"]);
        let before = call["position"].as_i64().expect("a position");
        let (answer, at) = one.change(Method::DELETE, &rest, &Value::Null).await;
        assert_eq!((&answer["notes"], at.is_some()), (&json!([]), true));
        // Again: it stays removed, and nothing is recorded.
        assert_eq!(one.change(Method::DELETE, &rest, &Value::Null).await.1, None);
        assert_eq!(one.shown().await["notes"], json!([]));
        let missing = (404, "note-not-found");
        one.refused(Method::PATCH, &rest, &json!({ "text": "x" }), missing).await;
        let unknown = format!("notes/{}", Uuid::from_u128(9));
        one.refused(Method::DELETE, &unknown, &Value::Null, missing).await;
        one.refused(Method::DELETE, "notes/first", &Value::Null, missing).await;
        // The past shows it.
        assert_eq!(one.as_of(before).await["notes"][0]["text"], "Second.");
    });
}

#[test]
fn as_of_shows_what_was_there_then() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let mut steps = vec![one.shown().await];
        for (method, rest, body) in [
            (Method::POST, "tags", json!({ "tag": "vip" })),
            (Method::POST, "score", json!({ "score": 5 })),
            (Method::POST, "notes", json!({ "text": "Call back." })),
            (Method::DELETE, "tags/vip", Value::Null),
            (Method::POST, "score", json!({ "score": null })),
            (Method::POST, "disposition", json!({ "disposition": "test" })),
            (Method::PUT, "context", json!({ "plan": "gold" })),
        ] {
            one.change(method, rest, &body).await;
            steps.push(one.shown().await);
        }
        for step in &steps {
            let position = step["position"].as_i64().expect("a position");
            assert_eq!(&one.as_of(position).await, step);
        }
        let last = steps.last().expect("some");
        assert_eq!((&last["is_test"], &last["tags"]), (&json!(true), &json!([])));
        assert_eq!((&last["score"], &last["lead_score"]), (&Value::Null, &Value::Null));
    });
}

#[test]
fn texts_are_for_keys_with_scope_personal_and_reading_them_is_audited() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let mut settings = json!({ "clear_context_fields": ["plan"] });
        one.set("annotations", &settings).await;
        one.post("notes", &json!({ "text": "Prefers the zephyrchair." })).await;
        one.post("escalate", &json!({ "reason": "fell from the zephyrchair" })).await;
        let context = json!({ "plan": "gold", "wish": "zephyrchair" });
        one.change(Method::PUT, "context", &context).await;
        let path = format!("/v1/calls/{}", one.call);
        one.tenant.settle().await;
        let reads = async || one.tenant.facts_of("access.personal_data_read").await.len();
        let before = reads().await;
        let (_, masked) = one.tenant.get_with(&one.tenant.read_key, &path).await;
        assert_eq!((&masked["notes"][0]["text"], reads().await), (&Value::Null, before));
        assert_eq!(masked["escalations"][0]["text"], Value::Null);
        assert_eq!(masked["context"]["fields"], json!({ "plan": "gold" }));
        assert_eq!(masked["context"]["has_sealed_fields"], true);
        let shown = one.tenant.get(&path).await;
        assert_eq!(reads().await, before + 1);
        assert_eq!(shown["notes"][0]["text"], "Prefers the zephyrchair.");
        assert_eq!(shown["escalations"][0]["text"], "fell from the zephyrchair");
        assert_eq!(shown["context"]["fields"], context);
        // A key that only writes gets no text back, not even its own.
        let note = json!({ "text": "Likes the zephyrchair." });
        let path = one.path("notes");
        let answer = send(&one.tenant, &one.write_key, Method::POST, &path, &note).await;
        let (status, answer) = status_and_json(answer).await;
        assert_eq!((status, &answer["text"]), (201, &Value::Null), "{answer}");

        let rows: Vec<String> = sqlx::query_scalar(
            "select facts::text || meta::text from ledger.events where tenant_id = $1",
        )
        .bind(one.tenant.tenant_id.0)
        .fetch_all(&mut ledger_tests::cluster::superuser().await)
        .await
        .expect("the log answers");
        assert!(rows.iter().any(|row| row.contains(r#""clear":{"plan":"gold"},"sealed":1"#)));
        assert!(!rows.iter().any(|row| row.contains("zephyrchair")), "a text is in the facts");
        assert!(!ledger_tests::logs::logged().contains("zephyrchair"), "a text is in a log line");
        settings["clear_context_fields"] = json!([]);
        one.set("annotations", &settings).await;
    });
}

#[test]
fn texts_are_sealed_for_the_person_on_the_line() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        one.post("notes", &json!({ "text": "Call back." })).await;
        let subjects: Vec<Vec<Uuid>> = sqlx::query_scalar(
            "select subjects from ledger.events where tenant_id = $1
               and event_type in ('call.ended', 'call.note_added')",
        )
        .bind(one.tenant.tenant_id.0)
        .fetch_all(&mut ledger_tests::cluster::superuser().await)
        .await
        .expect("the log answers");
        assert_eq!((subjects.len(), subjects[0].len()), (2, 1));
        assert_eq!(subjects[0], subjects[1], "an erasure of the person takes the note with it");
        // A call without a known person has a subject of its own.
        let unknown = Annotated::of(TestLedger::shared().await, &messages::report("c-2")).await;
        unknown.post("notes", &json!({ "text": "Who was it?" })).await;
        assert_eq!(unknown.shown().await["notes"][0]["text"], "Who was it?");
    });
}

#[test]
fn what_changes_nothing_records_nothing() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        for (method, rest, body) in [
            (Method::POST, "tags", json!({ "tag": "vip" })),
            (Method::POST, "disposition", json!({ "disposition": "follow_up" })),
            (Method::POST, "score", json!({ "score": 1 })),
            (Method::POST, "test", json!({ "is_test": false })),
            (Method::PATCH, "campaign", json!({ "attempt": 2 })),
        ] {
            assert!(one.change(method.clone(), rest, &body).await.1.is_some(), "{rest}");
            let before = events(&one.tenant).await;
            assert_eq!(one.change(method, rest, &body).await.1, None, "{rest}");
            assert_eq!(events(&one.tenant).await, before);
        }
        assert_eq!(one.change(Method::DELETE, "tags/never", &Value::Null).await.1, None);
        assert_eq!(one.change(Method::PATCH, "campaign", &json!({})).await.1, None);
    });
}

#[test]
fn a_repeated_request_adds_its_note_once() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let post = async |text: &str| {
            let request = Client::new().post(one.tenant.url(&one.path("notes")));
            let request = request.bearer_auth(&one.key).header("idempotency-key", "once");
            let body = json!({ "text": text }).to_string();
            status_and_json(request.body(body).send().await.expect("an answer")).await
        };
        let first = post("Call back.").await;
        assert_eq!((first.0, post("Call back.").await), (201, first.clone()));
        assert_eq!(post("Other.").await.0, 422);
        assert_eq!(one.shown().await["notes"].as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn a_call_of_another_tenant_answers_like_one_that_does_not_exist() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (one, other) = (Annotated::ended(ledger).await, Annotated::ended(ledger).await);
        let before = events(&one.tenant).await;
        let missing = Uuid::from_u128(1).to_string();
        for (method, rest, body) in every_change() {
            let mut answers = Vec::new();
            for id in [one.call.as_str(), missing.as_str(), "no-id"] {
                let path = format!("/v1/calls/{id}/{rest}");
                let answer = send(&other.tenant, &other.key, method.clone(), &path, &body).await;
                let mut problem = problem(answer, 404, "call-not-found").await;
                for field in ["instance", "request_id"] {
                    problem[field] = Value::Null;
                }
                answers.push(problem);
            }
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        }
        assert_eq!(events(&one.tenant).await, before);
    });
}

#[test]
fn a_frozen_tenant_takes_no_annotations() {
    run(async {
        let ledger = TestLedger::shared().await;
        let one = Annotated::ended(ledger).await;
        let note = one.post("notes", &json!({ "text": "Call back." })).await;
        one.post("tags", &json!({ "tag": "vip" })).await;
        let by = ledger.store.operator();
        let set = ledger.store.set_tenant_state(&by, one.tenant.tenant_id, TenantState::Frozen);
        set.await.expect("it is frozen");
        let before = events(&one.tenant).await;
        for (method, rest, body) in every_change() {
            let note = note["note_id"].as_str().expect("an id");
            let rest = rest.replace(&Uuid::from_u128(7).to_string(), note);
            one.refused(method, &rest, &body, (403, "tenant-not-active")).await;
        }
        assert_eq!(events(&one.tenant).await, before);
    });
}

#[test]
fn a_key_without_scope_write_changes_nothing() {
    run(async {
        let ledger = TestLedger::shared().await;
        let one = Annotated::ended(ledger).await;
        let scopes = ["read", "personal", "compliance", "admin"];
        let reader = ledger.key(one.tenant.tenant_id, &scopes).await;
        for (method, rest, body) in every_change() {
            let answer = send(&one.tenant, &reader, method, &one.path(&rest), &body).await;
            problem(answer, 403, "scope-missing").await;
        }
    });
}
