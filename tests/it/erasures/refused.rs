//! What is refused, by name: unknown persons and tenants, repetitions, and ways to give an erased person
//! new data.

use ledger_core::clock::Clock;
use server::system::SystemClock;

use super::*;

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000001";

#[test]
fn unknown_persons_and_those_of_other_tenants_have_the_same_answer() {
    run(async {
        let (officer, other) = (Officer::shared().await, Officer::shared().await);
        let anna = other.call("c", "Anna Example", PHONE).await;
        let erasure_id = other.erase(&anna).await;
        let ground = json!({ "ground": "17.1.a" });
        let (hold, restrict) = (json!({ "reason": "audit" }), json!({ "reason": "18.1.a" }));
        let refusal = json!({ "reason": "withdrawn" });
        let extension = json!({ "reason": "complexity" });
        for (method, path, body) in [
            (Method::GET, "/v1/subjects/{}".to_owned(), &Value::Null),
            (Method::POST, "/v1/subjects/{}/erasure".to_owned(), &ground),
            (Method::POST, "/v1/subjects/{}/holds".to_owned(), &hold),
            (Method::DELETE, format!("/v1/subjects/{{}}/holds/{UNKNOWN}"), &Value::Null),
            (Method::POST, "/v1/subjects/{}/restriction".to_owned(), &restrict),
            (Method::DELETE, "/v1/subjects/{}/restriction".to_owned(), &Value::Null),
            (Method::GET, "/v1/erasures/{}".to_owned(), &Value::Null),
            (Method::GET, "/v1/erasures/{}/certificate".to_owned(), &Value::Null),
            (Method::POST, "/v1/erasures/{}/refuse".to_owned(), &refusal),
            (Method::POST, "/v1/erasures/{}/extend".to_owned(), &extension),
        ] {
            let theirs = if path.contains("subjects") { &anna } else { &erasure_id };
            let mut answers = Vec::new();
            for id in [UNKNOWN, theirs, "not-an-id"] {
                let (status, mut answer) =
                    officer.ask(method.clone(), &path.replace("{}", id), body).await;
                assert_eq!(status, 404, "{path} {id}: {answer}");
                for field in ["instance", "request_id"] {
                    answer[field] = Value::Null;
                }
                answers.push(answer);
            }
            assert!(answers.iter().all(|one| *one == answers[0]), "{path}: {answers:?}");
        }
    });
}

#[test]
fn fields_of_a_request_are_checked_by_name() {
    run(async {
        let officer = Officer::shared().await;
        let anna = officer.call("c", "Anna Example", PHONE).await;
        let path = format!("/v1/subjects/{anna}/erasure");
        let long = "x".repeat(201);
        for (body, pointer) in [
            (json!({}), "/ground"),
            (json!({ "ground": "17.1.z" }), "/ground"),
            (json!({ "ground": "17.1.a", "requested_by": "" }), "/requested_by"),
            (json!({ "ground": "17.1.a", "requested_by": long }), "/requested_by"),
            (json!({ "ground": "17.1.a", "requested_by": "a\u{202e}b" }), "/requested_by"),
            (json!({ "ground": "17.1.a", "note": "a\u{0}b" }), "/note"),
            (json!({ "ground": "17.1.a", "identity": "seen" }), "/identity"),
            (json!({ "ground": "17.1.a", "received_at": "2999-01-01T00:00:00Z" }), "/received_at"),
            (json!({ "ground": "17.1.a", "received_at": "2001-01-01T00:00:00Z" }), "/received_at"),
            (json!({ "ground": "17.1.a", "other": 1 }), "/other"),
        ] {
            let (status, answer) = officer.ask(Method::POST, &path, &body).await;
            assert_eq!(
                (status, &answer["errors"][0]["pointer"]),
                (422, &json!(pointer)),
                "{answer}"
            );
        }
        for body in [json!({}), json!({ "phone": PHONE, "email": "anna@example.com" })] {
            assert_eq!(officer.ask(Method::POST, "/v1/subjects/lookup", &body).await.0, 422);
        }
        assert_eq!(officer.get("/v1/erasures").await["data"], json!([]));
    });
}

#[test]
fn an_erased_person_gets_no_new_data_and_no_new_key() {
    run(async {
        let officer = Officer::shared().await;
        let anna = officer.call("before", "Anna Example", PHONE).await;
        let ben = officer.call("ben", "Ben Example", "+15550100124").await;
        let contact = format!("/v1/contacts/{anna}");
        let erasure_id = officer.erase(&anna).await;
        officer.until(&erasure_id, "certified").await;
        let keys = |officer: &Officer| {
            let tenant_id = officer.tenant.tenant_id.0;
            async move {
                let mut conn = ledger_tests::cluster::superuser().await;
                let keys: Vec<(uuid::Uuid, i32, String)> = sqlx::query_as(
                    "select subject_id, generation, state from vault.subject_keys
                      where tenant_id = $1 order by 1, 2",
                )
                .bind(tenant_id)
                .fetch_all(&mut conn)
                .await
                .expect("the keys");
                keys
            }
        };
        let before = keys(&officer).await;
        let start = SystemClock.now() + chrono::TimeDelta::days(3);
        let start = json!(start.format("%Y-%m-%dT15:00:00Z").to_string());
        let handle = json!({ "kind": "email", "value": "anna@example.com" });
        let by_name = json!({ "name": "Anna Example", "phone": PHONE });
        for (method, path, body, expected) in [
            (Method::PATCH, contact.clone(), json!({ "name": "Anna Example" }), "subject-erased"),
            (Method::PATCH, contact.clone(), json!({ "tags": ["vip"] }), "subject-erased"),
            (Method::POST, format!("{contact}/handles"), handle, "subject-erased"),
            (Method::DELETE, format!("{contact}/handles/phone"), Value::Null, "subject-erased"),
            (Method::POST, format!("{contact}/merge"), json!({ "into": ben }), "subject-erased"),
            (
                Method::POST,
                format!("/v1/contacts/{ben}/merge"),
                json!({ "into": anna }),
                "subject-erased",
            ),
            (Method::POST, "/v1/contacts".to_owned(), by_name.clone(), "subject-erased"),
            (
                Method::POST,
                "/v1/appointments".to_owned(),
                json!({ "contact_id": anna, "starts_at": start, "notes": "x" }),
                "subject-erased",
            ),
            (
                Method::POST,
                "/v1/appointments".to_owned(),
                json!({ "contact": by_name, "starts_at": start }),
                "subject-erased",
            ),
            (
                Method::POST,
                "/v1/tasks".to_owned(),
                json!({ "kind": "review", "due_at": start, "contact_id": anna, "text": "x" }),
                "subject-erased",
            ),
            (
                Method::POST,
                format!("/v1/subjects/{anna}/erasure"),
                json!({ "ground": "17.1.a" }),
                "erasure-open",
            ),
            (
                Method::POST,
                format!("/v1/subjects/{anna}/erasure"),
                json!({ "ground": "17.1.a", "note": "x" }),
                "erasure-open",
            ),
            (
                Method::POST,
                format!("/v1/subjects/{anna}/holds"),
                json!({ "reason": "audit" }),
                "erasure-fenced",
            ),
            (
                Method::POST,
                format!("/v1/subjects/{anna}/restriction"),
                json!({ "reason": "18.1.a" }),
                "erasure-fenced",
            ),
            (
                Method::DELETE,
                format!("/v1/subjects/{anna}/restriction"),
                Value::Null,
                "erasure-fenced",
            ),
        ] {
            let answer = officer.ask(method, &path, &body).await;
            assert_eq!(code(&answer), (409, expected), "{path} {body}: {}", answer.1);
        }
        // Messages are recorded without the person's data.
        officer.report("before", &json!({ "name": "Anna Example", "number": PHONE })).await;
        officer.call("after", "Anna Example", PHONE).await;
        let page = officer.get("/v1/calls?provider_call_id=after").await;
        assert_eq!(page["data"][0]["customer"], json!({ "contact_id": anna, "erased": true }));
        assert_eq!(keys(&officer).await, before, "no key is made");
    });
}
