//! The setting `retention` and its report.

use chrono::TimeDelta;
use ledger_core::erasure::{ErasureAction, ErasureCommand, Erasures};
use ledger_core::event::HoldReason;
use ledger_core::ids::{LegalHoldId, SubjectId};
use ledger_store::execute::CommandContext;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, messages, run};
use reqwest::Client;
use serde_json::{Value, json};

/// Posts the report of a call that ended some days ago, with a transcript and no recording.
async fn call(tenant: &TestTenant, call: &str, number: &str, days: i64) -> String {
    let start = tenant.store.clock().now() - TimeDelta::days(days);
    let mut report = messages::report(call);
    let message = &mut report["message"];
    message["timestamp"] = (start + TimeDelta::minutes(2)).timestamp_millis().into();
    message["startedAt"] = json!(start.to_rfc3339());
    message["endedAt"] = json!((start + TimeDelta::minutes(1)).to_rfc3339());
    let customer = json!({ "name": format!("Person {number}"), "number": number });
    tenant.post_ok(messages::from(report, &customer).to_string()).await;
    tenant.settle().await;
    let page = tenant.get(&format!("/v1/calls?provider_call_id={call}")).await;
    page["data"][0]["customer"]["contact_id"].as_str().expect("a contact").to_owned()
}

async fn set(tenant: &TestTenant, key: &str, value: &Value) -> (u16, Value) {
    let request = Client::new().put(tenant.url("/v1/settings/retention")).bearer_auth(key);
    status_and_json(request.body(value.to_string()).send().await.expect("an answer")).await
}

/// Due and held objects of each class.
async fn due(tenant: &TestTenant, key: &str) -> Vec<(String, i64, i64)> {
    let (status, report) = tenant.get_with(key, "/v1/retention/due").await;
    assert_eq!(status, 200, "{report}");
    let number = |value: &Value| value.as_i64().expect("a number");
    let classes = report["data"].as_array().expect("a list").iter();
    classes
        .map(|one| {
            let class = one["class"].as_str().expect("a class").to_owned();
            (class, number(&one["due"]), number(&one["held"]))
        })
        .collect()
}

#[test]
fn the_report_counts_what_is_past_its_period_and_a_legal_hold_wins() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        let officer = ledger.key(tenant.tenant_id, &["compliance"]).await;
        let old = call(&tenant, "old", "+15550100151", 40).await;
        call(&tenant, "older", "+15550100152", 60).await;
        call(&tenant, "new", "+15550100153", 2).await;
        let of = |calls: (i64, i64), transcripts: (i64, i64), contacts: (i64, i64)| {
            let row = |class: &str, (due, held)| (class.to_owned(), due, held);
            vec![
                row("calls", calls),
                row("recordings", (0, 0)),
                row("transcripts", transcripts),
                row("contacts", contacts),
            ]
        };
        assert_eq!(due(&tenant, &officer).await, of((0, 0), (0, 0), (0, 0)), "no period");
        let (status, answer) = set(&tenant, &admin, &json!({ "calls_days": 0 })).await;
        assert_eq!((status, &answer["errors"][0]["pointer"]), (422, &json!("/calls_days")));
        let policy = json!({
            "calls_days": 50, "recordings_days": 1, "transcripts_days": 30, "contacts_days": 30,
        });
        let (status, answer) = set(&tenant, &admin, &policy).await;
        assert_eq!((status, answer), (200, policy));
        assert_eq!(due(&tenant, &officer).await, of((1, 0), (2, 0), (2, 0)));

        let subject_id = SubjectId(old.parse().expect("an id"));
        let hold_id = LegalHoldId(tenant.store.ids().random());
        let decide = async |action| {
            let (tenant_id, by) = (tenant.tenant_id, tenant.store.operator());
            let context = CommandContext { tenant_id, by, content: None, subject: None };
            let now = tenant.store.clock().now();
            let command = ErasureCommand { subject_id, now, action };
            tenant.store.execute::<Erasures>(&context, &command).await.expect("it is accepted");
        };
        decide(ErasureAction::PlaceHold(hold_id, HoldReason::Litigation)).await;
        assert_eq!(due(&tenant, &officer).await, of((1, 0), (1, 1), (1, 1)));
        decide(ErasureAction::ReleaseHold(hold_id)).await;
        assert_eq!(due(&tenant, &officer).await, of((1, 0), (2, 0), (2, 0)));

        // A new call of the person is an activity.
        let again = call(&tenant, "again", "+15550100151", 1).await;
        assert_eq!(again, old);
        assert_eq!(due(&tenant, &officer).await, of((1, 0), (2, 0), (1, 0)));
    });
}
