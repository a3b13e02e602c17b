//! `GET /call`: filters match exactly.

use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::json;

use super::{ids, list};

/// A tenant with five calls, one day apart.
async fn tenant_with_calls() -> TestTenant {
    let tenant = TestLedger::shared().await.tenant().await;
    for (nth, agent, number) in [
        (1, "a-1", "n-1"),
        (2, "a-2", "n-1"),
        (3, "a-1", "n-2"),
        (4, "a-2", "n-2"),
        (5, "a-1", "n-1"),
    ] {
        let created = format!("2026-03-0{nth}T10:00:00.500Z");
        let call = Message::report(&format!("c-{nth}"))
            .call_field("createdAt", json!(created))
            .call_field("assistantId", json!(agent))
            .call_field("phoneNumberId", json!(number));
        tenant.post_ok(call.body()).await;
    }
    tenant.settle().await;
    tenant
}

#[test]
fn each_filter_returns_exactly_its_calls_newest_first() {
    run(async {
        let tenant = tenant_with_calls().await;
        for (query, wanted) in [
            ("", "c-5 c-4 c-3 c-2 c-1"),
            ("limit=2", "c-5 c-4"),
            ("limit=0", ""),
            ("limit=1000", "c-5 c-4 c-3 c-2 c-1"),
            ("id=c-3", "c-3"),
            ("id=c", ""),
            ("assistantId=a-1", "c-5 c-3 c-1"),
            ("phoneNumberId=n-2", "c-4 c-3"),
            ("assistantId=a-1&phoneNumberId=n-1&limit=1", "c-5"),
            ("createdAtGt=2026-03-03T10:00:00.500Z", "c-5 c-4"),
            ("createdAtGe=2026-03-03T10:00:00.500Z", "c-5 c-4 c-3"),
            ("createdAtLt=2026-03-03T10:00:00.500Z", "c-2 c-1"),
            ("createdAtLe=2026-03-03T10:00:00.500Z", "c-3 c-2 c-1"),
            ("createdAtGe=2026-03-02&createdAtLt=2026-03-04", "c-3 c-2"),
            ("createdAtGe=2026-03-03T15:30:00.5%2B05:30", "c-5 c-4 c-3"),
            ("createdAtGe=2026-03-03T10:00:00.5&createdAtLe=2026-03-03T10:00:00.5", "c-3"),
            ("createdAtGt=2026-03-05&createdAtLt=2026-03-01", ""),
            ("updatedAtGe=2000-01-01", "c-5 c-4 c-3 c-2 c-1"),
            ("updatedAtLt=2000-01-01", ""),
        ] {
            let calls = list(&tenant, &tenant.read_key, query).await;
            let wanted: Vec<&str> = wanted.split_whitespace().collect();
            assert_eq!(ids(&calls), wanted, "{query}");
        }
    });
}

#[test]
fn polling_by_updated_time_misses_no_late_message() {
    run(async {
        let tenant = tenant_with_calls().await;
        let seen = list(&tenant, &tenant.read_key, "").await;
        let latest = seen.iter().filter_map(|call| call["updatedAt"].as_str()).max();
        let query = format!("updatedAtGt={}", latest.expect("a time"));
        // Times have milliseconds: calls recorded within the last one may be returned again.
        let again = list(&tenant, &tenant.read_key, &query).await;
        assert!(again.len() < seen.len(), "{again:?}");

        let late = Message::report("c-1").field("endedReason", json!("voicemail"));
        tenant.post_ok(late.body()).await;
        tenant.settle().await;
        let calls = list(&tenant, &tenant.read_key, &query).await;
        let late = calls.iter().find(|call| call["id"] == "c-1").expect("it was updated");
        assert_eq!(late["endedReason"], "voicemail");
        assert_eq!(late["createdAt"], "2026-03-01T10:00:00.500Z");
    });
}

#[test]
fn a_read_waits_for_the_given_position_and_returns_its_own() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let answer = tenant.post_ok(Message::report("c-1").body()).await;
        let position = answer["position"].as_i64().expect("a position");
        for path in ["/call", "/call/c-1"] {
            let path = format!("{path}?min_position={position}");
            let response = tenant.request(&tenant.key, &path).send().await.expect("an answer");
            assert_eq!(response.status(), 200, "{path}");
            let reached = response.headers()["ledger-position"].to_str().expect("ASCII");
            assert!(reached.parse::<i64>().is_ok_and(|reached| reached >= position), "{reached}");
        }
    });
}
