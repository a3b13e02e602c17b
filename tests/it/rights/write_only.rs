//! Answers to commands of a key that has scope `write` and no other: facts of what it changes, and no
//! personal data.

use ledger_tests::{TestLedger, run};
use serde_json::json;

use super::*;

#[test]
fn a_key_that_only_writes_is_answered_with_facts_and_no_personal_data() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let all = ledger.key(tenant.tenant_id, &["read", "personal", "write"]).await;
        let write = ledger.key(tenant.tenant_id, &["write"]).await;
        let ask = async |key: &str, method: Method, path: &str, body: &Value| {
            let answer = send(&tenant, key, method, path, &body.to_string()).await;
            let (status, answer) = ledger_tests::ledger::status_and_json(answer).await;
            assert!(status == 200 || status == 201, "{path}: {status} {answer}");
            answer
        };
        let anna = json!({
            "name": "Anna Example", "phone": "+15550100123", "email": "anna@example.com",
            "external_id": "crm-7041", "segment": "gold", "custom_fields": { "note": "likes tea" },
        });
        let anna = ask(&all, Method::POST, "/v1/contacts", &anna).await;
        let ben = json!({ "name": "Ben Example", "email": "ben@example.com" });
        let ben = ask(&all, Method::POST, "/v1/contacts", &ben).await;
        let id = |contact: &Value| contact["contact_id"].as_str().expect("an id").to_owned();
        let (anna, ben) = (id(&anna), id(&ben));
        let changes = [
            (Method::PATCH, format!("/v1/contacts/{anna}"), json!({})),
            (Method::PATCH, format!("/v1/contacts/{anna}"), json!({ "priority": "high" })),
            (Method::POST, format!("/v1/contacts/{ben}/merge"), json!({ "into": anna })),
            (Method::DELETE, format!("/v1/contacts/{anna}/handles/external_id"), Value::Null),
            (
                Method::POST,
                "/v1/appointments".to_owned(),
                json!({ "contact_id": anna, "starts_at": "2027-03-01T09:00:00Z", "notes": "likes tea" }),
            ),
            (
                Method::POST,
                "/v1/tasks".to_owned(),
                json!({
                    "kind": "call_back", "due_at": "2027-03-01T09:00:00Z", "contact_id": anna,
                    "text": "likes tea",
                }),
            ),
        ];
        for (method, path, body) in changes {
            let answer = ask(&write, method.clone(), &path, &body).await.to_string();
            for personal in ["Anna", "Ben", "555", "example.com", "7041", "tea"] {
                assert!(!answer.contains(personal), "{method} {path}: {personal} in {answer}");
            }
            assert!(answer.contains(&anna), "{method} {path}: {answer}");
        }
        let shown = ask(&write, Method::PATCH, &format!("/v1/contacts/{anna}"), &json!({})).await;
        assert_eq!(shown["segment"], "gold", "facts are answered: {shown}");
        let read = command(&tenant, &write, Method::GET, &format!("/v1/contacts/{anna}")).await;
        assert_eq!((read.0, &read.1["code"]), (403, &json!("scope-missing")));
    });
}
