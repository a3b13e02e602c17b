//! Access to personal data and its access events, as in the rest of the API.

use ledger_tests::cluster::superuser;
use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{list, post, show};

const NAME: &str = "Example Person";
const PHONE: &str = "+15550100123";
const EMAIL: &str = "person@example.com";

/// A call with every kind of personal data.
async fn tenant_with_person() -> TestTenant {
    let tenant = TestLedger::shared().await.tenant().await;
    let messages = json!([{ "role": "tool_calls", "time": 1_750_000_001_000_i64, "toolCalls": [
        { "id": "t-1", "function": { "name": "book", "arguments": { "for": NAME } } } ] },
        { "role": "tool_call_result", "toolCallId": "t-1", "result": NAME },
        { "role": "user", "message": NAME, "time": 1_750_000_002_000_i64 }]);
    let report = Message::report("c-1")
        .field("timestamp", 1_750_000_060_000_i64)
        .field("startedAt", json!("2025-06-15T15:06:40.000Z"))
        .field("customer", json!({ "number": PHONE, "email": EMAIL, "name": NAME }))
        .field("transcript", json!(format!("User: {NAME}")))
        .field("summary", json!(format!("{NAME} called.")))
        .field("recordingUrl", json!("https://recordings.example.com/person.wav"))
        .field(
            "analysis",
            json!({ "structuredData": { "who": NAME }, "successEvaluation": "pass" }),
        )
        .field("messages", messages);
    tenant.post_ok(report.body()).await;
    tenant.settle().await;
    tenant
}

#[test]
fn a_read_key_gets_two_digits_of_the_number() {
    run(async {
        let tenant = tenant_with_person().await;
        let listed = list(&tenant, &tenant.read_key, "").await;
        let returned = show(&tenant, &tenant.read_key, "c-1").await;
        assert_eq!((listed.len(), &listed[0]), (1, &returned));
        assert_eq!(returned["customer"], json!({ "number": "•••23" }));
        assert_eq!(returned["analysis"], json!({ "successEvaluation": "true" }));
        for absent in ["transcript", "summary", "messages", "recordingUrl", "artifact"] {
            assert_eq!(returned.get(absent), None, "{absent}");
        }
        let text = returned.to_string();
        for personal in [NAME, "0100123", EMAIL, "recordings.example.com"] {
            assert!(!text.contains(personal), "{personal} in {text}");
        }
    });
}

#[test]
fn a_personal_key_gets_everything() {
    run(async {
        let tenant = tenant_with_person().await;
        let listed = list(&tenant, &tenant.key, "").await;
        let returned = show(&tenant, &tenant.key, "c-1").await;
        assert_eq!((listed.len(), &listed[0]), (1, &returned));
        let person = json!({ "number": PHONE, "name": NAME, "email": EMAIL });
        assert_eq!(returned["customer"], person);
        let analysis = json!({ "summary": format!("{NAME} called."), "successEvaluation": "pass",
                               "structuredData": { "who": NAME } });
        assert_eq!(returned["analysis"], analysis);
        assert_eq!(returned["summary"], analysis["summary"]);
        assert_eq!(returned["transcript"], format!("User: {NAME}"));
        assert_eq!(returned["recordingUrl"], "https://recordings.example.com/person.wav");
        let said = json!({ "role": "user", "message": NAME, "time": 1_750_000_002_000_i64,
                           "endTime": 1_750_000_002_000_i64, "secondsFromStart": 2 });
        assert_eq!(returned["messages"][2], said);
        let arguments = &returned["messages"][0]["toolCalls"][0]["function"]["arguments"];
        assert_eq!(*arguments, json!({ "for": NAME }), "as it was told");
        let formatted = &returned["artifact"]["messagesOpenAIFormatted"];
        assert_eq!(formatted[1], json!({ "role": "tool", "content": NAME, "tool_call_id": "t-1" }));
    });
}

/// Returns facts and subjects of the access events, oldest first.
async fn reads(tenant: &TestTenant) -> Vec<(Value, Vec<Uuid>)> {
    let rows: Vec<(String, Vec<Uuid>)> = sqlx::query_as(
        "select facts::text, subjects from ledger.events
          where tenant_id = $1 and event_type = 'access.personal_data_read' order by position",
    )
    .bind(tenant.tenant_id.0)
    .fetch_all(&mut superuser().await)
    .await
    .expect("the log answers");
    let facts = |text: String| serde_json::from_str(&text).expect("facts are JSON");
    rows.into_iter().map(|(text, subjects)| (facts(text), subjects)).collect()
}

#[test]
fn every_read_of_personal_data_is_in_the_log_with_subject_and_key() {
    run(async {
        let tenant = tenant_with_person().await;
        list(&tenant, &tenant.key, "").await;
        show(&tenant, &tenant.key, "c-1").await;
        let subjects: Vec<Uuid> = sqlx::query_scalar(
            "select unnest(subjects) from ledger.events
              where tenant_id = $1 and event_type = 'call.ended'",
        )
        .bind(tenant.tenant_id.0)
        .fetch_all(&mut superuser().await)
        .await
        .expect("the log answers");
        let reads = reads(&tenant).await;
        let actions: Vec<_> = reads.iter().map(|(facts, _)| &facts["action"]).collect();
        assert_eq!(actions, ["vapi.calls.list", "vapi.calls.show"]);
        for (facts, seen) in &reads {
            assert_eq!((seen, &facts["count"]), (&subjects, &json!(1)), "{facts}");
            assert!(!facts.to_string().contains(NAME));
        }
        let call_id = tenant.only_call().await["call_id"].clone();
        assert_eq!((&reads[0].0["resource"], &reads[1].0["resource"]), (&Value::Null, &call_id));
    });
}

#[test]
fn a_read_without_personal_data_records_no_event() {
    run(async {
        let tenant = tenant_with_person().await;
        list(&tenant, &tenant.read_key, "").await;
        show(&tenant, &tenant.read_key, "c-1").await;
        list(&tenant, &tenant.key, "assistantId=nobody").await;
        assert_eq!(tenant.get_with(&tenant.key, "/call/nobody").await.0, 404);
        let figures = json!({ "queries": [{ "table": "call", "name": "all", "operations":
            [{ "operation": "count", "column": "id" }] }] });
        assert_eq!(post(&tenant, &tenant.key, &figures).await.status(), 201);
        assert!(reads(&tenant).await.is_empty());
    });
}

#[test]
fn another_tenants_call_answers_like_one_that_does_not_exist() {
    run(async {
        let owner = tenant_with_person().await;
        let other = TestLedger::shared().await.tenant().await;
        for key in [&other.key, &other.read_key] {
            assert!(list(&other, key, "").await.is_empty());
            assert!(list(&other, key, "id=c-1").await.is_empty());
            let missing = other.get_with(key, "/call/c-2").await;
            assert_eq!(missing.0, 404);
            for id in ["c-1", "%00", "%F0%28", "c-1%2F"] {
                assert_eq!(other.get_with(key, &format!("/call/{id}")).await, missing, "{id}");
            }
        }
        assert!(reads(&owner).await.is_empty() && reads(&other).await.is_empty());
    });
}

#[test]
fn a_list_of_calls_is_one_read_of_all_its_people() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for nth in 0..230 {
            let number = format!("+1555010{nth:04}");
            let report = Message::report(&format!("c-{nth}"))
                .field("transcript", json!(format!("User: {nth}")))
                .field("customer", json!({ "number": number }));
            tenant.post_ok(report.body()).await;
        }
        tenant.settle().await;
        for (limit, seen) in [(2, 2), (1000, 230)] {
            let calls = list(&tenant, &tenant.key, &format!("limit={limit}")).await;
            assert_eq!(calls.len(), seen);
            for call in &calls {
                let nth = call["id"].as_str().expect("an id").trim_start_matches("c-");
                assert_eq!(call["transcript"], format!("User: {nth}"));
            }
            let (facts, subjects) = reads(&tenant).await.pop().expect("a look");
            assert_eq!((&facts["count"], subjects.len()), (&json!(seen), seen));
        }
        assert_eq!(reads(&tenant).await.len(), 2);
    });
}
