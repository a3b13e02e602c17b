//! Sums are exact, and each call counts once.

use chrono::TimeDelta;
use chrono_tz::America;
use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, run};
use serde_json::json;

use super::agree::assert_matches_calls;
use super::{at, breakdown, post_all, report, series, summary, total};
use crate::money::nanos;

const CALLS: usize = 10_001;
const COSTS: [&str; 7] = ["0.1", "0.07", "0.0394", "1.1", "0.00562928", "7.275e-05", "0.000000001"];

/// Five weeks of calls, with costs that no float represents exactly.
fn many() -> Vec<Message> {
    let reasons = ["customer-ended-call", "voicemail", "silence-timed-out", "customer-busy"];
    let first = at("2026-09-20T00:00:07.250Z");
    let call = |nth: usize| {
        let seconds = i64::try_from(nth).expect("few") * 307;
        let duration_ms = seconds * 7_919 % 900_000 + 1;
        report(&format!("c-{nth}"), first + TimeDelta::seconds(seconds), duration_ms)
            .field("cost", COSTS[nth % COSTS.len()])
            .field("endedReason", json!(reasons[nth % 4]))
            .call_field("assistantId", json!(format!("a-{}", nth % 3)))
            .call_field("type", json!(["inboundPhoneCall", "outboundPhoneCall"][nth % 2]))
    };
    (0..CALLS).map(call).collect()
}

#[test]
fn sums_over_ten_thousand_and_one_calls_are_the_exact_decimal_sum() {
    run(async {
        let tenant = TestLedger::shared().await.tenant_in_zone("America/New_York").await;
        post_all(&tenant, &many()).await;
        let cost: i64 = (0..CALLS).map(|nth| nanos(COSTS[nth % COSTS.len()])).sum();
        let wanted = (i64::try_from(CALLS).expect("few"), cost);
        let all = summary(&tenant, "").await;
        assert_eq!(
            (all["calls"].as_i64(), all["cost_nanos"].as_i64()),
            (Some(wanted.0), Some(cost))
        );
        assert_eq!(all["currency"], "USD");
        assert_eq!(all["unique_contacts"], CALLS, "a call that names nobody is somebody's");
        for by in ["ended_reason", "outcome", "agent_id", "direction", "duration_bucket", "hour"] {
            let rows = breakdown(&tenant, by, "").await;
            assert_eq!((total(&rows, "calls"), total(&rows, "cost_nanos")), wanted, "{by}");
        }
        for interval in ["hour", "day", "week", "month"] {
            for zone in ["America/New_York", "Asia/Kolkata"] {
                let query = format!("interval={interval}&timezone={zone}&to=2026-11-01T00:00:00Z");
                let points = series(&tenant, &query).await;
                let sums = (total(&points, "calls"), total(&points, "cost_nanos"));
                assert_eq!(sums, wanted, "{query}");
            }
        }
        let parts = breakdown(&tenant, "cost_part", "").await;
        assert_eq!(total(&parts, "cost_nanos"), cost);
    });
}

#[test]
fn a_late_repeated_or_corrected_report_never_counts_twice() {
    run(async {
        let tenant = TestLedger::shared().await.tenant_in_zone("America/New_York").await;
        let mut revisions = Vec::new();
        for nth in 0..12_u32 {
            let call = format!("c-{nth}");
            let began = at("2026-10-31T22:10:00Z") + TimeDelta::minutes(i64::from(nth) * 47);
            let ms = began.timestamp_millis();
            let first = report(&call, began, 61_250)
                .field("cost", "0.1088")
                .field("timestamp", ms + 90_000)
                .field("toolCalls", json!([{ "id": "t-1", "name": "book" }]))
                .call_field("assistantId", json!("a-1"));
            // The corrected report changes month, hour, cost, reason and assistant, and marks the
            // call as a test.
            let moved = began - TimeDelta::days(i64::from(nth) * 9);
            let corrected = report(&call, moved, 5_000 + i64::from(nth))
                .field("cost", "0.07")
                .field("endedReason", json!("voicemail"))
                .field("timestamp", ms + 180_000)
                .call_field("assistantId", json!("a-2"))
                .call_field("metadata", json!({ "is_test": nth % 4 == 3 }));
            revisions.push(vec![
                Message::status(&call, "in-progress", ms),
                first.clone(),
                first,
                corrected,
                Message::status(&call, "ringing", ms - 5_000),
            ]);
        }
        // In sequence, so that each report is applied to the stored call.
        for nth in 0..5 {
            let some: Vec<Message> = revisions.iter().map(|call| call[nth].clone()).collect();
            post_all(&tenant, &some).await;
            assert_matches_calls(&tenant, "", America::New_York).await;
        }
        let all = summary(&tenant, "is_test=any").await;
        assert_eq!((&all["calls"], &all["cost_nanos"]), (&json!(12), &json!(12 * 70_000_000)));
        let tests = summary(&tenant, "is_test=true").await;
        assert_eq!(tests["calls"], 3);
        assert_eq!(summary(&tenant, "").await["calls"], 9, "tests are left out");
    });
}
