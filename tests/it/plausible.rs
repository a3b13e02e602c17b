//! Impossible values from the webhook to the sums: each is stored with its event and listed in the
//! facts, and other calls are not affected.

use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};

/// A valid report: one minute on 10 March 2026, ten cents.
fn report(call: &str) -> Message {
    Message::report(call)
        .call_field("createdAt", json!("2026-03-10T15:00:00.000Z"))
        .field("timestamp", 1_773_154_865_000_i64)
}

fn minute(message: Message) -> Message {
    message
        .field("startedAt", json!("2026-03-10T15:00:02.000Z"))
        .field("endedAt", json!("2026-03-10T15:01:02.000Z"))
        .field("cost", "0.1")
}

async fn call_of(message: Message) -> Value {
    let tenant = TestLedger::shared().await.tenant().await;
    tenant.post_ok(message.body()).await;
    tenant.settle().await;
    tenant.only_call().await
}

async fn summary(tenant: &TestTenant) -> Value {
    tenant.settle().await;
    tenant.get("/v1/analytics/summary").await
}

/// Invalid values by field, as JSON text.
const HOSTILE: [(&str, &[&str]); 6] = [
    ("durationMs", &["9223372036854775807", "-1", "1e300", "315360000000", "86400001"]),
    ("durationSeconds", &["9e15", "-5", "1e30"]),
    ("cost", &["9223372036.8", "-9223372036.8", "1e400", "79228162514264337593543950335", "10001"]),
    (
        "startedAt",
        &[
            "0",
            "1",
            "\"1970-01-01T00:00:00Z\"",
            "\"1970-06-01T00:00:00Z\"",
            "\"9999-12-31T23:59:59Z\"",
            "\"2051-01-01T00:00:00Z\"",
            "9223372036854775807",
            "-62135596800000",
            "253402300799000",
        ],
    ),
    ("endedAt", &["0", "\"9999-12-31T23:59:59Z\"", "\"1970-01-01T00:00:00Z\"", "253402300799"]),
    ("timestamp", &["0", "1", "253402300799000", "-1", "\"9999-12-31T23:59:59Z\""]),
];

#[test]
fn no_impossible_value_changes_another_calls_figures() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let mut hostile = 0;
        for (field, values) in HOSTILE {
            for value in values {
                let odd = minute(report(&format!("odd-{hostile}"))).field(field, value);
                let odd = odd.call_field("metadata", json!({ "test": hostile % 2 == 0 }));
                tenant.post_ok(odd.body()).await;
                hostile += 1;
            }
        }
        let created = report("created").call_field("createdAt", json!("9999-01-01T00:00:00Z"));
        tenant.post_ok(created.body()).await;
        for nth in 0..3 {
            tenant.post_ok(minute(report(&format!("n{nth}"))).body()).await;
        }
        tenant.settle().await;
        let page = tenant.get("/v1/calls?limit=200").await;
        let calls = page["data"].as_array().expect("a page");
        assert_eq!(calls.len(), hostile + 4, "nothing is parked or hidden");
        for call in calls {
            let id = call["provider_call_id"].as_str().expect("an id");
            if id.starts_with('n') {
                assert_eq!(
                    (&call["duration_ms"], &call["cost_nanos"]),
                    (&json!(60_000), &json!(100_000_000))
                );
            }
            let duration = &call["duration_ms"];
            assert!(
                duration.is_null() || duration.as_i64().is_some_and(|ms| ms <= 86_400_000),
                "{call}"
            );
            let started = call["started_at"].as_str().expect("a start");
            assert!(started.starts_with("2026-"), "{id}: {started}");
        }
        let sums = summary(&tenant).await;
        let minutes = sums["minutes"].as_f64().expect("minutes");
        // No plausible duration is longer than a normal one; a start without an end has none.
        assert!(minutes <= f64::from(u8::try_from(calls.len()).expect("few")), "{sums}");
        for path in [
            "/v1/analytics/timeseries",
            "/v1/analytics/timeseries?interval=week",
            "/v1/analytics/breakdown?by=heatmap",
        ] {
            assert_eq!(tenant.get_with(&tenant.key, path).await.0, 200, "{path}");
        }
    });
}

#[test]
fn an_impossible_value_is_stored_with_the_event_and_named_in_its_facts() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let absurd = report("c-1")
            .field("durationMs", "9223372036854775807")
            .field("cost", "9223372036.8")
            .field("startedAt", json!("9999-01-01T00:00:00Z"))
            .field("endedAt", json!("2026-03-10T15:01:02.000Z"));
        tenant.post_ok(absurd.body()).await;
        tenant.settle().await;
        let call = tenant.only_call().await;
        assert_eq!((&call["duration_ms"], &call["cost_nanos"]), (&Value::Null, &Value::Null));
        assert_eq!(call["started_at"], "2026-03-10T15:00:00Z", "the earliest time known of it");
        let path = format!("/v1/calls/{}/events", call["call_id"].as_str().expect("an id"));
        let event = &tenant.get(&path).await["data"][0];
        assert_eq!(event["facts"]["implausible"], json!(["started_at", "duration_ms", "cost"]));
        let raw = event["personal"]["raw"].to_string();
        assert!(raw.contains("9223372036854775807") && raw.contains("9223372036.8"), "{raw}");
        let sums = summary(&tenant).await;
        assert_eq!(
            (&sums["calls"], &sums["minutes"], &sums["cost_nanos"]),
            (&json!(1), &json!(0.0), &json!(0))
        );
    });
}

#[test]
fn a_start_of_zero_is_no_fact_in_any_field() {
    run(async {
        for zero in ["0", "\"1970-01-01T00:00:00.000Z\"", "\"0\""] {
            let of_report = minute(report("c")).field("startedAt", zero);
            let call = call_of(of_report).await;
            assert_eq!(call["started_at"], "2026-03-10T15:00:00Z", "{zero}");
            assert_eq!(call["duration_ms"], Value::Null, "{zero}");
            let created = minute(report("c").call_field("createdAt", zero));
            assert_eq!(call_of(created).await["started_at"], "2026-03-10T15:00:02Z", "{zero}");
            let status = Message::new("status-update", "c")
                .field("status", json!("in-progress"))
                .field("timestamp", 1_773_154_802_000_i64)
                .field("startedAt", zero)
                .call_field("createdAt", zero);
            assert_eq!(call_of(status).await["started_at"], "2026-03-10T15:00:02Z", "{zero}");
        }
    });
}

#[test]
fn times_are_read_in_every_unit_and_spelling() {
    run(async {
        for (start, end) in [
            ("1773154802", "1773154862"),
            ("1773154802.0", "1773154862.0"),
            ("\"1773154802\"", "\"1773154862\""),
            ("1773154802000", "1773154862"),
            ("1773154802000000", "1773154862000000"),
            ("\"2026-03-10T15:00:02.000+0000\"", "\"2026-03-10T10:01:02-0500\""),
            ("\"2026-03-10T10:00:02-05\"", "\"2026-03-10 15:01:02\""),
            ("\"20260310T150002Z\"", "\"20260310T100102-0500\""),
            ("\"2026-03-10 15:00:02+00\"", "\"2026-03-10T15:01:02\""),
        ] {
            let call = call_of(report("c").field("startedAt", start).field("endedAt", end)).await;
            assert_eq!(call["started_at"], "2026-03-10T15:00:02Z", "{start}");
            assert_eq!(call["ended_at"], "2026-03-10T15:01:02Z", "{end}");
            assert_eq!(call["duration_ms"], 60_000, "{start} {end}");
        }
        let short = report("c")
            .field("startedAt", json!("2026-03-10T15:00Z"))
            .field("endedAt", json!("2026-03-10 15:01"));
        let call = call_of(short).await;
        assert_eq!(
            (&call["started_at"], &call["duration_ms"]),
            (&json!("2026-03-10T15:00:00Z"), &json!(60_000))
        );
    });
}

async fn cost_after(bodies: &[String]) -> (Value, Value) {
    let tenant = TestLedger::shared().await.tenant().await;
    for body in bodies {
        tenant.post_ok(body.clone()).await;
    }
    let sum = summary(&tenant).await["cost_nanos"].clone();
    (tenant.only_call().await["cost_nanos"].clone(), sum)
}

#[test]
fn a_zero_outside_a_report_removes_no_amount_in_any_order() {
    run(async {
        let at = |ms: i64| Message::report("m").field("timestamp", ms);
        let amount = at(1_773_154_865_000).field("cost", "0.31").body();
        let stale = at(1_773_154_866_000).call_field("cost", "0").body();
        let object = json!({
            "id": "m", "type": "inboundPhoneCall", "status": "ended", "cost": 0,
            "updatedAt": "2026-03-10T15:02:00.000Z",
        })
        .to_string();
        for bodies in [
            vec![amount.clone(), stale.clone()],
            vec![stale.clone(), amount.clone()],
            vec![amount.clone(), object.clone()],
            vec![object.clone(), amount.clone(), stale.clone()],
        ] {
            assert_eq!(cost_after(&bodies).await, (json!(310_000_000), json!(310_000_000)));
        }
        assert_eq!(cost_after(&[stale]).await, (Value::Null, json!(0)), "nobody priced it");
        let stated = at(1_773_154_867_000).field("cost", "0").body();
        for bodies in [vec![amount.clone(), stated.clone()], vec![stated, amount]] {
            assert_eq!(
                cost_after(&bodies).await,
                (json!(0), json!(0)),
                "the later report says so itself"
            );
        }
    });
}

#[test]
fn a_total_is_the_stated_one_or_the_whole_sum() {
    run(async {
        let listed = r#"[{"type":"model","cost":0.1},{"type":"voice","cost":0.0501428571428571428571428571429}]"#;
        let odd = r#"[{"type":"model","cost":0.1},{"type":"voice","cost":"a lot"}]"#;
        for (fields, nanos) in [
            (vec![("costs", listed)], json!(150_142_857)),
            (vec![("cost", "0"), ("costs", r#"[{"type":"model","cost":0.02}]"#)], json!(0)),
            (vec![("costs", odd)], Value::Null),
            (vec![("cost", "0.4"), ("costs", odd)], json!(400_000_000)),
            (vec![("costs", r#"[{"cost":0.1},{"cost":5.55e-17}]"#)], json!(100_000_000)),
        ] {
            let message =
                fields.iter().fold(report("c"), |message, (key, value)| message.field(key, value));
            assert_eq!(call_of(message).await["cost_nanos"], nanos, "{fields:?}");
        }
    });
}
