//! Days with a change of clocks, in four zones with four different rules.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::{America, Asia, Australia, Tz};
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::Value;

use super::agree::assert_matches_calls;
use super::{at, breakdown, format_time, post_all, report, series};

/// A zone and the middle of the tested range.
const TURNS: [(Tz, &str); 8] = [
    (America::New_York, "2026-03-08T07:00:00Z"),
    (America::New_York, "2026-11-01T06:00:00Z"),
    // A change by half an hour.
    (Australia::Lord_Howe, "2026-04-04T15:00:00Z"),
    (Australia::Lord_Howe, "2026-10-03T15:30:00Z"),
    // No change, but an offset of half an hour.
    (Asia::Kolkata, "2026-03-08T07:00:00Z"),
    (Asia::Kolkata, "2026-11-01T06:00:00Z"),
    // A change at midnight: a day begins at one o'clock, or has the hour before midnight twice.
    (America::Santiago, "2026-04-05T03:00:00Z"),
    (America::Santiago, "2026-09-06T04:00:00Z"),
];

/// One call every 20 minutes, from 36 hours before the change to 36 hours after it.
fn moments(turn: &str) -> Vec<DateTime<Utc>> {
    let from = at(turn) - TimeDelta::hours(36);
    (0..216).map(|nth| from + TimeDelta::minutes(20 * nth) + TimeDelta::milliseconds(1)).collect()
}

async fn tenant_with_calls(zone: &str, turn: &str) -> TestTenant {
    let tenant = TestLedger::shared().await.tenant_in_zone(zone).await;
    let moments = moments(turn).into_iter().enumerate();
    let reports = moments.map(|(nth, at)| report(&format!("c-{nth}"), at, 1_000));
    post_all(&tenant, &reports.collect::<Vec<_>>()).await;
    tenant
}

/// Returns the number of calls per local hour, day or week. The key is the start with its offset,
/// so that a repeated hour has two keys.
fn counts_by_local_time(moments: &[DateTime<Utc>], zone: Tz, form: &str) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for at in moments {
        *counts.entry(at.with_timezone(&zone).format(form).to_string()).or_default() += 1;
    }
    counts
}

fn counts_in_response(points: &[Value], zone: Tz, form: &str) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for point in points {
        let bucket = at(point["bucket"].as_str().expect("a time")).with_timezone(&zone);
        let local: DateTime<chrono::FixedOffset> =
            point["bucket_local"].as_str().and_then(|text| text.parse().ok()).expect("a time");
        assert_eq!(local.naive_local(), bucket.naive_local());
        let calls = point["calls"].as_i64().expect("a count");
        if calls > 0 {
            *counts.entry(bucket.format(form).to_string()).or_default() += calls;
        }
    }
    counts
}

#[test]
fn hours_and_days_follow_local_time_when_clocks_change() {
    run(async {
        for (zone, turn) in TURNS {
            let moments = moments(turn);
            for home in [zone.name(), "UTC"] {
                let tenant = tenant_with_calls(home, turn).await;
                let range = format!(
                    "from={}&to={}&timezone={}",
                    format_time(moments[0] - TimeDelta::hours(30)),
                    format_time(moments[215] + TimeDelta::hours(30)),
                    zone.name()
                );
                for (interval, form) in [("hour", "%F %H %z"), ("day", "%F"), ("week", "%G-%V")] {
                    let points = series(&tenant, &format!("{range}&interval={interval}")).await;
                    let actual = counts_in_response(&points, zone, form);
                    assert_eq!(
                        actual,
                        counts_by_local_time(&moments, zone, form),
                        "{home} {range} {interval}"
                    );
                    let is_empty = |point: &Value| point["calls"] == 0;
                    assert!(interval == "week" || points.iter().any(is_empty), "they are there");
                }
                for (by, form) in [("hour", "%-H"), ("weekday", "%A"), ("heatmap", "%A %-H")] {
                    let rows = breakdown(&tenant, by, &range).await;
                    let with_calls = rows.iter().filter(|row| row["calls"] != 0);
                    let actual: BTreeMap<String, i64> = with_calls
                        .map(|row| {
                            let key = row["key"].as_str().expect("a key").to_owned();
                            (key, row["calls"].as_i64().expect("a count"))
                        })
                        .collect();
                    let wanted = counts_by_local_time(&moments, zone, form).into_iter();
                    let wanted: BTreeMap<_, _> =
                        wanted.map(|(key, calls)| (key.to_lowercase(), calls)).collect();
                    assert_eq!(actual, wanted, "{home} {range} {by}");
                }
            }
        }
    });
}

#[test]
fn a_day_has_as_many_hours_as_in_local_time() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for (zone, day, next, hours) in [
            ("America/New_York", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", 23),
            ("America/New_York", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", 25),
            // The repeated half hour is a bucket of its own.
            ("Australia/Lord_Howe", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z", 25),
            ("Australia/Lord_Howe", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z", 24),
            ("Asia/Kolkata", "2026-03-07T18:30:00Z", "2026-03-08T18:30:00Z", 24),
            ("America/Santiago", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z", 23),
        ] {
            let range = format!("from={day}&to={next}&timezone={zone}");
            let points = series(&tenant, &format!("{range}&interval=hour")).await;
            assert_eq!(points.len(), hours, "{range}");
            let days = series(&tenant, &format!("{range}&interval=day")).await;
            assert_eq!(days.len(), 1, "{range}");
            assert_eq!(at(days[0]["bucket"].as_str().expect("a time")), at(day), "{range}");
        }
    });
}

#[test]
fn sums_in_another_zone_equal_the_calls_around_a_change_of_clocks() {
    run(async {
        let turn = "2026-10-03T15:30:00Z";
        let tenant = tenant_with_calls("Australia/Lord_Howe", turn).await;
        for zone in [Australia::Lord_Howe, Asia::Kolkata, America::Santiago] {
            assert_matches_calls(&tenant, "", zone).await;
            let range = "from=2026-10-03T10:11:12Z&to=2026-10-04T03:04:05.678Z";
            assert_matches_calls(&tenant, range, zone).await;
        }
    });
}
