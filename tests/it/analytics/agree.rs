//! The sums of `/v1/analytics` equal the sums over the pages of `/v1/calls`.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use ledger_tests::TestTenant;
use serde_json::Value;

use super::{at, breakdown, series, summary};

/// Returns every call that matches a query, from all pages.
pub(super) async fn calls(tenant: &TestTenant, query: &str) -> Vec<Value> {
    let (mut calls, mut next) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/calls?limit=200&{query}{next}");
        let (status, page) = tenant.get_with(super::key_for(tenant, &path), &path).await;
        assert_eq!(status, 200, "{path}: {page}");
        calls.extend(page["data"].as_array().expect("a page").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return calls,
        }
    }
}

/// Number, durations and cost of some calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    calls: i64,
    duration_ms: i64,
    cost_nanos: i64,
}

impl Sum {
    fn add(&mut self, call: &Value) {
        self.calls += 1;
        self.duration_ms += call["duration_ms"].as_i64().unwrap_or(0);
        self.cost_nanos += call["cost_nanos"].as_i64().unwrap_or(0);
    }

    fn of(calls: &[Value]) -> Self {
        let mut sum = Self::default();
        for call in calls {
            sum.add(call);
        }
        sum
    }

    fn of_row(row: &Value) -> Self {
        let number = |field: &str| row[field].as_i64().unwrap_or_else(|| panic!("{row}"));
        Self {
            calls: number("calls"),
            duration_ms: number("duration_ms"),
            cost_nanos: number("cost_nanos"),
        }
    }
}

type Sums = BTreeMap<Option<String>, Sum>;

/// Returns the groups that have calls.
fn groups_with_calls(rows: &[Value], key: &str) -> Sums {
    let mut sums = Sums::new();
    for row in rows {
        let sum = Sum::of_row(row);
        if sum != Sum::default() {
            let before = sums.insert(row[key].as_str().map(str::to_owned), sum);
            assert_eq!(before, None, "a group twice: {row}");
        }
    }
    sums
}

fn grouped(calls: &[Value], key: impl Fn(&Value) -> Vec<Option<String>>) -> Sums {
    let mut sums = Sums::new();
    for call in calls {
        for key in key(call) {
            sums.entry(key).or_default().add(call);
        }
    }
    sums
}

/// Returns the start of a call in local time of a zone.
fn local(call: &Value, zone: Tz) -> DateTime<Tz> {
    at(call["started_at"].as_str().expect("calls begin")).with_timezone(&zone)
}

fn clock(at: DateTime<Tz>, weekday: bool, hour: bool) -> String {
    let day = weekday.then(|| at.format("%A").to_string().to_lowercase());
    let parts = [day, hour.then(|| at.hour().to_string())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Checks every figure of a query against its matching calls. `query` has no time zone and no test
/// flag.
pub(super) async fn assert_matches_calls(tenant: &TestTenant, query: &str, zone: Tz) {
    let found = calls(tenant, &format!("is_test=false&{query}")).await;
    let asked = format!("{query}&timezone={}", zone.name());
    assert_summary(tenant, &asked, &found).await;
    for fact in ["ended_reason", "outcome", "agent_id", "direction"] {
        let wanted = grouped(&found, |call| vec![call[fact].as_str().map(str::to_owned)]);
        let rows = breakdown(tenant, fact, &asked).await;
        assert_eq!(groups_with_calls(&rows, "key"), wanted, "{fact} of {asked}");
        assert_series(tenant, &asked, &found, zone, Some(fact)).await;
    }
    assert_series(tenant, &asked, &found, zone, None).await;
    let tools = grouped(&found, |call| {
        let tools = call["tools_used"].as_array().expect("names").iter();
        tools.map(|tool| tool.as_str().map(str::to_owned)).collect()
    });
    assert_eq!(
        groups_with_calls(&breakdown(tenant, "tool", &asked).await, "key"),
        tools,
        "tools of {asked}"
    );
    for (by, weekday, hour) in
        [("hour", false, true), ("weekday", true, false), ("heatmap", true, true)]
    {
        let wanted = grouped(&found, |call| vec![Some(clock(local(call, zone), weekday, hour))]);
        let rows = breakdown(tenant, by, &asked).await;
        assert_eq!(groups_with_calls(&rows, "key"), wanted, "{by} of {asked}");
    }
    let durations = breakdown(tenant, "duration_bucket", &asked).await;
    let wanted = grouped(&found, |call| {
        vec![call["duration_ms"].as_i64().map(|ms| projections::histogram::class_of(ms).to_owned())]
    });
    assert_eq!(groups_with_calls(&durations, "key"), wanted, "durations of {asked}");
    assert_parts(tenant, &asked, &found).await;
}

async fn assert_summary(tenant: &TestTenant, asked: &str, found: &[Value]) {
    let summary = summary(tenant, asked).await;
    assert_eq!(Sum::of_row(&summary), Sum::of(found), "summary of {asked}");
    let count = |is: &dyn Fn(&Value) -> bool| found.iter().filter(|call| is(call)).count();
    assert_eq!(
        summary["calls_with_duration"],
        count(&|call| call["duration_ms"].is_i64()),
        "{asked}"
    );
    assert_eq!(summary["calls_with_cost"], count(&|call| call["cost_nanos"].is_i64()), "{asked}");
    assert_eq!(summary["booked"], count(&|call| call["has_appointment"] == true), "{asked}");
    let judged = count(&|call| call["success"].is_boolean());
    let rate = summary["success_rate"].as_f64();
    let wanted = count(&|call| call["success"] == true);
    match rate {
        None => assert_eq!(judged, 0, "{asked}"),
        #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
        Some(rate) => assert!((rate - wanted as f64 / judged as f64).abs() < 1e-12, "{asked}"),
    }
    let mut durations: Vec<i64> =
        found.iter().filter_map(|call| call["duration_ms"].as_i64()).collect();
    durations.sort_unstable();
    for (field, percent) in [("p50_duration_ms", 50), ("p90_duration_ms", 90)] {
        let rank = (durations.len() * percent).div_ceil(100).max(1);
        let Some(exact) = durations.get(rank - 1) else {
            assert!(summary[field].is_null(), "{asked}");
            continue;
        };
        let actual = summary[field].as_i64().expect("there are durations");
        assert!(
            (actual - exact).abs() * 1000 <= exact * 16,
            "{field} of {asked}: {actual}, {exact}"
        );
    }
}

async fn assert_parts(tenant: &TestTenant, asked: &str, found: &[Value]) {
    for row in breakdown(tenant, "cost_part", asked).await {
        let part = format!("{}_nanos", row["key"].as_str().expect("a part"));
        let costs = found.iter().filter_map(|call| call["cost_breakdown"][&part].as_i64());
        assert_eq!(row["cost_nanos"], costs.sum::<i64>(), "{part} of {asked}");
        assert_eq!(row["calls"], found.len(), "{asked}");
    }
}

/// Checks the series by day of the zone, per value of a fact and in total.
async fn assert_series(
    tenant: &TestTenant,
    asked: &str,
    found: &[Value],
    zone: Tz,
    group_by: Option<&str>,
) {
    let fact = |call: &Value| group_by.and_then(|fact| call[fact].as_str().map(str::to_owned));
    let day = |at: DateTime<Tz>| format!("{}-{:02}-{:02}", at.year(), at.month(), at.day());
    let place = |at, group: Option<String>| Some(format!("{} {group:?}", day(at)));
    let wanted = grouped(found, |call| vec![place(local(call, zone), fact(call))]);
    let group_by = group_by.map(|fact| format!("&group_by={fact}")).unwrap_or_default();
    let mut points = series(tenant, &format!("{asked}{group_by}")).await;
    for point in &mut points {
        let bucket: DateTime<Utc> = at(point["bucket"].as_str().expect("a time"));
        let group = point["group"].as_str().map(str::to_owned);
        point["place"] = place(bucket.with_timezone(&zone), group).into();
    }
    assert_eq!(groups_with_calls(&points, "place"), wanted, "days{group_by} of {asked}");
}
