//! Access to personal data, and the access events it records.

use ledger_tests::cluster::superuser;
use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};
use uuid::Uuid;

const NAME: &str = "Example Person";
const PHONE: &str = "+15550100123";
const EMAIL: &str = "person@example.com";

/// A call with every kind of personal data, and its path.
async fn tenant_with_person() -> (TestTenant, String) {
    let tenant = TestLedger::shared().await.tenant().await;
    let tools = json!([{ "role": "tool_calls", "time": 1_750_000_001_000_i64, "toolCalls": [
        { "id": "t-1", "function": { "name": "book", "arguments": { "for": NAME } } } ] },
        { "role": "tool_call_result", "toolCallId": "t-1", "result": NAME },
        { "role": "user", "message": NAME, "time": 1_750_000_002_000_i64 }]);
    let report = Message::report("c-1")
        .field("timestamp", 1_750_000_060_000_i64)
        .field("cost", "0.07")
        .field("customer", json!({ "number": PHONE, "email": EMAIL, "name": NAME }))
        .field("transcript", json!(format!("User: {NAME}")))
        .field("summary", json!(format!("{NAME} called.")))
        .field("recordingUrl", json!("https://recordings.example.com/person.wav"))
        .field(
            "analysis",
            json!({ "structuredData": { "who": NAME }, "successEvaluation": "true" }),
        )
        .field("messages", tools);
    tenant.post_ok(report.body()).await;
    tenant.settle().await;
    let (_, page) = tenant.get_with(&tenant.read_key, "/v1/calls").await;
    let path = format!("/v1/calls/{}", page["data"][0]["call_id"].as_str().expect("an id"));
    (tenant, path)
}

/// Returns the only contact of a tenant.
async fn contact(tenant: &TestTenant) -> Uuid {
    sqlx::query_scalar("select contact_id from vault.contacts where tenant_id = $1")
        .bind(tenant.tenant_id.0)
        .fetch_one(&mut superuser().await)
        .await
        .expect("one contact")
}

#[test]
fn a_read_key_gets_the_facts_and_two_digits_of_the_number() {
    run(async {
        let (tenant, path) = tenant_with_person().await;
        let (_, page) = tenant.get_with(&tenant.read_key, "/v1/calls").await;
        let (_, detail) = tenant.get_with(&tenant.read_key, &path).await;
        let (_, events) = tenant.get_with(&tenant.read_key, &format!("{path}/events")).await;
        let contact = contact(&tenant).await;
        let masked =
            json!({ "contact_id": contact, "name": null, "phone": "•••23", "email": null });
        assert_eq!(page["data"][0]["customer"], masked);
        assert_eq!(detail["customer"], masked);
        assert_eq!(detail["transcript"], "User: [name]");
        assert_eq!(detail["summary"], "[name] called.");
        let turn = json!({ "role": "user", "text": "[name]", "at_ms": 1_750_000_002_000_i64 });
        assert_eq!(detail["messages"], json!([turn]));
        assert_eq!(detail["structured_data"], json!({ "who": "[name]" }));
        assert_eq!(detail["recordings"], Value::Null);
        let tool = json!({ "tool_call_id": "t-1", "tool": "book", "arguments": { "for": "[name]" },
                           "result": "[name]", "at": "2025-06-15T15:06:41Z" });
        assert_eq!(detail["tool_calls"], json!([tool]));
        assert_eq!((&detail["cost_cents"], &detail["success"]), (&json!(7), &json!(true)));
        assert_eq!(events["data"][0]["personal"], Value::Null);
        for shown in [&page, &detail, &events] {
            let text = shown.to_string();
            for personal in [NAME, "0100123", EMAIL, "recordings.example.com"] {
                assert!(!text.contains(personal), "{personal} in {text}");
            }
        }
    });
}

#[test]
fn a_personal_key_gets_everything() {
    run(async {
        let (tenant, path) = tenant_with_person().await;
        let page = tenant.get("/v1/calls").await;
        let detail = tenant.get(&path).await;
        let events = tenant.get(&format!("{path}/events")).await;
        let contact = contact(&tenant).await;
        let person = json!({ "contact_id": contact, "name": NAME, "phone": PHONE, "email": EMAIL });
        assert_eq!(page["data"][0]["customer"], person);
        assert_eq!(detail["customer"], person);
        assert_eq!(detail["transcript"], format!("User: {NAME}"));
        assert_eq!(detail["summary"], format!("{NAME} called."));
        let turn = json!({ "role": "user", "text": NAME, "at_ms": 1_750_000_002_000_i64 });
        assert_eq!(detail["messages"], json!([turn]));
        assert_eq!(detail["structured_data"], json!({ "who": NAME }));
        assert_eq!(detail["recordings"][0]["url"], "https://recordings.example.com/person.wav");
        assert_eq!(detail["tool_calls"][0]["arguments"], json!({ "for": NAME }));
        assert_eq!(detail["tool_calls"][0]["result"], NAME);
        let personal = &events["data"][0]["personal"];
        assert_eq!(personal["party"]["name"], NAME);
        assert_eq!(personal["raw"]["message"]["customer"]["number"], PHONE);
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
        let (tenant, path) = tenant_with_person().await;
        let events = tenant.get(&format!("{path}/events")).await;
        tenant.get("/v1/calls").await;
        tenant.get(&path).await;
        tenant.get(&format!("{path}?as_of={}", events["data"][0]["position"])).await;
        let subjects: Vec<Uuid> = sqlx::query_scalar(
            "select unnest(subjects) from ledger.events
              where tenant_id = $1 and event_type = 'call.ended'",
        )
        .bind(tenant.tenant_id.0)
        .fetch_all(&mut superuser().await)
        .await
        .expect("the log answers");
        assert_eq!(subjects.len(), 1);
        let reads = reads(&tenant).await;
        let actions: Vec<_> = reads.iter().map(|(facts, _)| &facts["action"]).collect();
        assert_eq!(actions, ["calls.events", "calls.list", "calls.show", "calls.show"]);
        for (facts, seen) in &reads {
            assert_eq!(*seen, subjects, "{facts}");
            assert_eq!(facts["count"], 1);
            assert_eq!(facts["key_id"], reads[0].0["key_id"]);
            assert!(!facts.to_string().contains(NAME));
        }
        assert!(path.ends_with(reads[0].0["resource"].as_str().expect("the call")));
    });
}

#[test]
fn a_read_without_personal_data_records_no_event() {
    run(async {
        let (tenant, path) = tenant_with_person().await;
        for path in ["/v1/calls", &path, &format!("{path}/events"), &format!("{path}?as_of=9")] {
            let (status, _) = tenant.get_with(&tenant.read_key, path).await;
            assert_eq!(status, 200, "{path}");
        }
        tenant.get("/v1/calls?direction=web").await;
        let nobody = format!("/v1/calls/{}", tenant.tenant_id);
        assert_eq!(tenant.get_with(&tenant.key, &nobody).await.0, 404);
        assert!(reads(&tenant).await.is_empty());
    });
}

#[test]
fn a_search_by_number_is_a_read_of_personal_data() {
    run(async {
        let (tenant, _) = tenant_with_person().await;
        for query in ["phone=%2B15550100123", "email=person@example.com"] {
            let path = format!("/v1/calls?{query}");
            let page = tenant.get(&path).await;
            assert_eq!(page["data"].as_array().map(Vec::len), Some(1));
            let (status, refused) = tenant.get_with(&tenant.read_key, &path).await;
            assert_eq!((status, &refused["code"]), (403, &json!("scope-missing")), "{refused}");
        }
        let reads = reads(&tenant).await;
        let finds = |(facts, _): &(Value, Vec<Uuid>)| facts["action"] == "calls.find";
        let reads: Vec<_> = reads.into_iter().filter(finds).collect();
        assert_eq!(reads.len(), 2);
        for (facts, subjects) in reads {
            assert_eq!((&facts["action"], subjects.len()), (&json!("calls.find"), 1), "{facts}");
            assert!(!facts.to_string().contains("0100123"), "{facts}");
        }
    });
}

#[test]
fn an_empty_filter_by_person_is_refused_and_selects_no_call() {
    run(async {
        let (tenant, _) = tenant_with_person().await;
        for filter in ["phone", "email", "contact_id"] {
            for empty in [format!("{filter}="), filter.to_owned()] {
                let path = format!("/v1/calls?{empty}");
                let (status, problem) = tenant.get_with(&tenant.key, &path).await;
                assert_eq!(
                    (status, &problem["code"]),
                    (400, &json!("invalid-parameter")),
                    "{path}"
                );
            }
        }
    });
}
