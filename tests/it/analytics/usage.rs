//! The usage of a tenant in a month of its own time zone.

use std::collections::BTreeMap;

use chrono::Datelike;
use ledger_core::clock::Clock;
use ledger_store::tenants::{Limit, PlanLimits};
use ledger_tests::{TestLedger, cluster, run};
use serde_json::{Value, json};
use server::system::SystemClock;

use super::{ask, at, post_all, report};

#[test]
fn a_billing_month_begins_and_ends_in_the_tenants_time_zone() {
    run(async {
        let tenant = TestLedger::shared().await.tenant_in_zone("America/New_York").await;
        let call =
            |call: &str, began: &str| report(call, at(began), 30_001).field("cost", "0.0394");
        let calls = [
            // The last evening of October in that zone is 1 November in UTC.
            call("c-1", "2026-11-01T03:59:59.999Z"),
            call("c-2", "2026-11-01T04:00:00Z"),
            call("c-3", "2026-11-20T04:00:00Z"),
            call("c-4", "2026-12-01T04:59:59Z"),
            call("c-5", "2026-12-01T05:00:00Z"),
            call("c-6", "2026-11-20T05:00:00Z").call_field("metadata", json!({ "is_test": true })),
        ];
        post_all(&tenant, &calls).await;
        let november = ask(&tenant, "/v1/usage?month=2026-11").await;
        for (field, value) in [
            ("month", json!("2026-11")),
            ("from", json!("2026-11-01T04:00:00Z")),
            ("to", json!("2026-12-01T05:00:00Z")),
            ("timezone", json!("America/New_York")),
            ("calls", json!(3)),
            ("duration_ms", json!(90_003)),
            ("minutes", json!(2)),
            ("cost_nanos", json!(3 * 39_400_000)),
            ("warnings", json!([])),
        ] {
            assert_eq!(november[field], value, "{field}");
        }
        assert_eq!(ask(&tenant, "/v1/usage?month=2026-10").await["calls"], 1);
        assert_eq!(ask(&tenant, "/v1/usage?month=2026-12").await["calls"], 1);
        assert_eq!(ask(&tenant, "/v1/usage?month=2026-11&is_test=any").await["calls"], 4);
        assert_eq!(ask(&tenant, "/v1/usage?month=1999-01").await["calls"], 0);
    });
}

#[test]
fn the_events_of_a_month_are_those_recorded_in_it() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let now = SystemClock.now();
        post_all(&tenant, &[report("c-1", now, 1_000), report("c-2", now, 1_000)]).await;
        let usage = ask(&tenant, "/v1/usage").await;
        // At midnight before the first of a month the calls would fall into two months.
        let month = format!("{}-{:02}", now.year(), now.month());
        if usage["month"] != month {
            return;
        }
        let recorded: Vec<(String, i64)> = sqlx::query_as(
            "select event_type, count(*) from ledger.events where tenant_id = $1 group by event_type",
        )
        .bind(tenant.tenant_id.0)
        .fetch_all(&mut cluster::superuser().await)
        .await
        .expect("the log answers");
        let by_type = usage["events_by_type"].as_array().expect("types").iter();
        let actual: BTreeMap<String, i64> = by_type
            .map(|one| {
                let name = one["type"].as_str().expect("a type").to_owned();
                (name, one["events"].as_i64().expect("a count"))
            })
            .collect();
        assert_eq!(actual, recorded.iter().cloned().collect());
        let all: i64 = recorded.iter().map(|(_, events)| events).sum();
        assert_eq!(usage["events"], all);
        let limits = json!({ "calls": null, "minutes": null, "cost_nanos": null, "events": null });
        assert_eq!(usage["limits"], limits);
        assert_eq!(usage["warnings"], Value::Array(Vec::new()));
    });
}

#[test]
fn a_plan_limit_warns_at_four_fifths_and_at_the_whole() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let limits = PlanLimits {
            calls: Limit::new(5),
            minutes: Limit::new(4),
            cost_nanos: Limit::new(1_000_000_000),
            events: None,
        };
        tenant.store.set_plan_limits(tenant.tenant_id, limits).await.expect("it is set");
        let call = |nth: i64| {
            report(&format!("c-{nth}"), at("2026-11-02T09:00:00Z"), 59_000).field("cost", "0.07")
        };
        post_all(&tenant, &(0..4).map(call).collect::<Vec<_>>()).await;
        let usage = ask(&tenant, "/v1/usage?month=2026-11").await;
        let shown =
            json!({ "calls": 5, "minutes": 4, "cost_nanos": 1_000_000_000, "events": null });
        assert_eq!(usage["limits"], shown);
        let warned = json!([
            { "limit": "calls", "level": "near", "used": 4, "allowed": 5 },
            { "limit": "minutes", "level": "reached", "used": 4, "allowed": 4 },
        ]);
        assert_eq!(usage["warnings"], warned);
        let before = ask(&tenant, "/v1/usage?month=2026-10").await;
        assert_eq!(before["warnings"], json!([]), "another month begins anew");
    });
}
