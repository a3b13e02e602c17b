//! `POST /analytics`: the results equal the sums over the calls.

use std::collections::BTreeMap;

use ledger_tests::fixtures::Message;
use ledger_tests::schema::Schemas;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};

use super::post;

/// The time range of the calls of these tests.
const START: &str = "2026-10-30T00:00:00.000Z";
const END: &str = "2026-11-05T00:00:00.000Z";

/// The reported values of one call, as integers.
struct ExpectedCall {
    id: String,
    started_at: String,
    kind: &'static str,
    agent: &'static str,
    reason: &'static str,
    verdict: Option<bool>,
    ms: i64,
    nanos: i64,
    is_test: bool,
}

impl ExpectedCall {
    /// Forty-eight calls, three hours apart, around the end of daylight saving time in New York.
    fn all() -> Vec<Self> {
        let expected = |nth: i64| {
            let (day, hour) = (nth / 8, nth % 8 * 3);
            let date =
                if day < 2 { format!("10-{}", 30 + day) } else { format!("11-0{}", day - 1) };
            let at = usize::try_from(nth).expect("few");
            Self {
                id: format!("c-{nth:02}"),
                started_at: format!("2026-{date}T{hour:02}:30:00.000Z"),
                kind: ["inboundPhoneCall", "outboundPhoneCall", "webCall"][at % 3],
                agent: ["a-1", "a-2"][at % 2],
                reason: ["customer-ended-call", "voicemail", "silence-timed-out"][at / 2 % 3],
                verdict: [Some(true), Some(false), None][at / 3 % 3],
                ms: 10_000 + nth * 1_250,
                nanos: 107_000_000 + nth * 1_300_000,
                is_test: nth % 10 == 9,
            }
        };
        (0..48).map(expected).collect()
    }

    fn report(&self) -> String {
        let mut report = Message::report(&self.id)
            .call_field("type", json!(self.kind))
            .call_field("assistantId", json!(self.agent))
            .field("startedAt", json!(self.started_at))
            .field("durationMs", self.ms)
            .field(
                "cost",
                format!("{}.{:09}", self.nanos / 1_000_000_000, self.nanos % 1_000_000_000),
            )
            .field("endedReason", json!(self.reason));
        if let Some(verdict) = self.verdict {
            report = report.field("analysis", json!({ "successEvaluation": verdict }));
        }
        if self.is_test {
            report = report.call_field("metadata", json!({ "isTest": true }));
        }
        report.body()
    }
}

async fn tenant_with_calls() -> (TestTenant, Vec<ExpectedCall>) {
    let tenant = TestLedger::shared().await.tenant().await;
    let all = ExpectedCall::all();
    for expected in &all {
        tenant.post_ok(expected.report()).await;
    }
    tenant.settle().await;
    (tenant, all)
}

/// Returns the rows of a query over the time range of these tests.
async fn rows(tenant: &TestTenant, mut query: Value) -> Vec<Value> {
    query["table"] = json!("call");
    query["name"] = json!("it");
    let mut range = json!({ "start": START, "end": END, "timezone": "UTC" });
    for (name, value) in query["timeRange"].as_object().into_iter().flatten() {
        range[name] = value.clone();
    }
    query["timeRange"] = range.clone();
    let response = post(tenant, &tenant.read_key, &json!({ "queries": [query] })).await;
    assert_eq!(response.status(), 201, "{query}");
    let mut results: Value = response.json().await.expect("JSON");
    let result = &mut results[0];
    assert_eq!(Schemas::vapi().faults("AnalyticsQueryResult", result), [""; 0], "{result}");
    assert_eq!((&result["name"], &result["timeRange"]), (&json!("it"), &range));
    result["result"].as_array_mut().expect("rows").drain(..).collect()
}

fn operations(all: &[(&str, &str)]) -> Value {
    let one =
        |(operation, column): &(&str, &str)| json!({ "operation": operation, "column": column });
    all.iter().map(one).collect()
}

/// Computes the figures of a group of calls.
fn figures(calls: &[&ExpectedCall]) -> Value {
    let sum = |of: fn(&ExpectedCall) -> i64| calls.iter().map(|expected| of(expected)).sum::<i64>();
    let count = i64::try_from(calls.len()).expect("few");
    let exact = |numerator: i64, denominator: i64| -> Value {
        let rounded = decimal_text(numerator, denominator);
        serde_json::from_str(&rounded).expect("a number")
    };
    let nanos = 1_000_000_000;
    json!({
        "countId": count.to_string(),
        "sumDuration": exact(sum(|expected| expected.ms), 60_000),
        "avgDuration": exact(sum(|expected| expected.ms), 60_000 * count),
        "minDuration": exact(calls.iter().map(|expected| expected.ms).min().expect("some"), 60_000),
        "maxDuration": exact(calls.iter().map(|expected| expected.ms).max().expect("some"), 60_000),
        "sumCost": exact(sum(|expected| expected.nanos), nanos),
        "avgCost": exact(sum(|expected| expected.nanos), nanos * count),
        "maxCost": exact(calls.iter().map(|expected| expected.nanos).max().expect("some"), nanos),
    })
}

/// A fraction with ten decimal places, rounded half to even, as text.
fn decimal_text(numerator: i64, denominator: i64) -> String {
    let scale = 10_000_000_000_i128;
    let (numerator, denominator) = (i128::from(numerator) * scale, i128::from(denominator));
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    let is_up = 2 * rest > denominator || (2 * rest == denominator && whole % 2 == 1);
    let rounded = whole + i128::from(is_up);
    let text = format!("{}.{:010}", rounded / scale, rounded % scale);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

const FIGURES: [(&str, &str); 8] = [
    ("count", "id"),
    ("sum", "duration"),
    ("avg", "duration"),
    ("min", "duration"),
    ("max", "duration"),
    ("sum", "cost"),
    ("avg", "cost"),
    ("max", "cost"),
];

/// Checks rows against the calls, which are grouped here by the same keys.
fn assert_adds_up(rows: &[Value], calls: &[&ExpectedCall], keys: impl Fn(&ExpectedCall) -> Value) {
    let mut groups: BTreeMap<String, (Value, Vec<&ExpectedCall>)> = BTreeMap::new();
    for expected in calls {
        let keys = keys(expected);
        groups.entry(keys.to_string()).or_insert_with(|| (keys, Vec::new())).1.push(expected);
    }
    let mut wanted: Vec<Value> = groups
        .into_values()
        .map(|(mut keys, calls)| {
            let figures = figures(&calls);
            keys.as_object_mut()
                .expect("keys")
                .extend(figures.as_object().cloned().expect("figures"));
            keys
        })
        .collect();
    let mut expected = rows.to_vec();
    wanted.sort_by_key(ToString::to_string);
    expected.sort_by_key(ToString::to_string);
    assert_eq!(expected.len(), wanted.len(), "{expected:?}");
    for (expected, wanted) in expected.iter().zip(&wanted) {
        assert_eq!(expected, wanted);
    }
}

#[test]
fn figures_add_up_to_the_calls_in_every_grouping() {
    run(async {
        let (tenant, all) = tenant_with_calls().await;
        let real: Vec<&ExpectedCall> = all.iter().filter(|expected| !expected.is_test).collect();
        let ask = async |group_by: Value| {
            rows(&tenant, json!({ "operations": operations(&FIGURES), "groupBy": group_by })).await
        };
        assert_adds_up(&ask(json!([])).await, &real, |_| json!({}));
        assert_adds_up(
            &ask(json!(["type"])).await,
            &real,
            |expected| json!({ "type": expected.kind }),
        );
        assert_adds_up(
            &ask(json!(["assistantId", "endedReason"])).await,
            &real,
            |expected| json!({ "assistantId": expected.agent, "endedReason": expected.reason }),
        );
        assert_adds_up(&ask(json!(["analysis.successEvaluation"])).await, &real, |expected| {
            let verdict = expected.verdict.map(|verdict| verdict.to_string());
            json!({ "analysis.successEvaluation": verdict })
        });
        assert_adds_up(&ask(json!(["status"])).await, &real, |_| json!({ "status": "ended" }));
        assert_adds_up(&ask(json!(["outcome"])).await, &real, |expected| {
            let outcome = match expected.reason {
                "customer-ended-call" => "customer_hung_up",
                "silence-timed-out" => "silence",
                reason => reason,
            };
            json!({ "outcome": outcome })
        });
    });
}

#[test]
fn figures_equal_those_of_the_ledgers_own_analytics() {
    run(async {
        let (tenant, _) = tenant_with_calls().await;
        let own = async |path: &str| {
            let path = format!("/v1/analytics/{path}from={START}&to={END}");
            let (status, answer) = tenant.get_with(&tenant.read_key, &path).await;
            assert_eq!(status, 200, "{answer}");
            answer
        };
        let expected = |key: &str, of: &Value| {
            let whole = |name: &str| of[name].as_i64().expect("a whole number");
            let (ms, nanos) = (whole("duration_ms"), whole("cost_nanos"));
            let number = |text: String| serde_json::from_str::<Value>(&text).expect("a number");
            json!({ "key": key, "countId": whole("calls").to_string(),
                    "sumDuration": number(decimal_text(ms, 60_000)),
                    "sumCost": number(decimal_text(nanos, 1_000_000_000)) })
        };
        let figures = operations(&[("count", "id"), ("sum", "duration"), ("sum", "cost")]);
        let ask = async |group_by: Value| {
            let asked = rows(&tenant, json!({ "operations": figures, "groupBy": group_by })).await;
            let keyed = asked.into_iter().map(|mut row| {
                row["key"] = row["endedReason"].take();
                row.as_object_mut().expect("a row").remove("endedReason");
                row
            });
            let mut rows: Vec<_> = keyed.collect();
            rows.sort_by_key(ToString::to_string);
            rows
        };
        let mut wanted = expected("", &own("summary?").await);
        wanted["key"] = Value::Null;
        assert_eq!(ask(json!([])).await, [wanted]);

        let breakdown = own("breakdown?by=ended_reason&").await;
        let groups = breakdown["data"].as_array().expect("groups").iter();
        let mut wanted: Vec<_> =
            groups.map(|group| expected(group["key"].as_str().expect("a key"), group)).collect();
        wanted.sort_by_key(ToString::to_string);
        assert_eq!((wanted.len(), ask(json!(["endedReason"])).await), (3, wanted));
    });
}

#[test]
fn test_calls_are_counted_separately() {
    run(async {
        let (tenant, all) = tenant_with_calls().await;
        let tests: Vec<&ExpectedCall> = all.iter().filter(|expected| expected.is_test).collect();
        let query = json!({ "operations": operations(&FIGURES), "isTest": true });
        assert_adds_up(&rows(&tenant, query).await, &tests, |_| json!({}));
    });
}

#[test]
fn steps_follow_local_time_and_only_those_with_calls_are_listed() {
    run(async {
        let (tenant, all) = tenant_with_calls().await;
        let real: Vec<&ExpectedCall> = all.iter().filter(|expected| !expected.is_test).collect();
        // The day on which clocks are set back has 25 hours.
        let days = [
            ("2026-10-29T04:00:00.000Z", "2026-10-30T04:00:00.000Z"),
            ("2026-10-30T04:00:00.000Z", "2026-10-31T04:00:00.000Z"),
            ("2026-10-31T04:00:00.000Z", "2026-11-01T04:00:00.000Z"),
            ("2026-11-01T04:00:00.000Z", "2026-11-02T05:00:00.000Z"),
            ("2026-11-02T05:00:00.000Z", "2026-11-03T05:00:00.000Z"),
            ("2026-11-03T05:00:00.000Z", "2026-11-04T05:00:00.000Z"),
            ("2026-11-04T05:00:00.000Z", "2026-11-05T05:00:00.000Z"),
        ];
        let day = |expected: &ExpectedCall| {
            let at = expected.started_at.as_str();
            let day = days.iter().find(|(from, to)| (*from..*to).contains(&at)).expect("a day");
            json!({ "date": day.0 })
        };
        let query = json!({ "operations": operations(&FIGURES),
                            "timeRange": { "step": "day", "timezone": "America/New_York" } });
        assert_adds_up(&rows(&tenant, query).await, &real, day);

        let query = json!({ "operations": operations(&[("count", "id")]),
                            "timeRange": { "step": "hour", "start": "2026-10-30T00:00:00.000Z",
                                           "end": "2026-10-30T06:00:00.000Z" } });
        let wanted = [
            json!({ "date": "2026-10-30T00:00:00.000Z", "countId": "1" }),
            json!({ "date": "2026-10-30T03:00:00.000Z", "countId": "1" }),
        ];
        assert_eq!(rows(&tenant, query).await, wanted);
        let query = json!({ "operations": operations(&[("count", "id")]), "groupBy": ["type"],
                            "timeRange": { "step": "minute", "end": "2026-10-30T00:31:00.000Z" } });
        let wanted = json!({ "date": "2026-10-30T00:30:00.000Z", "type": "inboundPhoneCall", "countId": "1" });
        assert_eq!(rows(&tenant, query).await, [wanted]);
    });
}

#[test]
fn single_calls_are_listed_with_their_start() {
    run(async {
        let (tenant, all) = tenant_with_calls().await;
        let query = json!({ "operations": operations(&[("history", "cost")]), "groupBy": ["type"],
                            "timeRange": { "end": "2026-10-30T07:00:00.000Z" } });
        let wanted: Vec<Value> = all[..3]
            .iter()
            .map(|expected| {
                let cost: Value =
                    serde_json::from_str(&decimal_text(expected.nanos, 1_000_000_000))
                        .expect("a number");
                json!({ "date": expected.started_at, "type": expected.kind, "historyCost": cost })
            })
            .collect();
        assert_eq!(rows(&tenant, query).await, wanted);
    });
}

#[test]
fn percentiles_are_at_most_a_fiftieth_off() {
    run(async {
        let (tenant, all) = tenant_with_calls().await;
        let mut durations: Vec<i64> =
            all.iter().filter(|expected| !expected.is_test).map(|expected| expected.ms).collect();
        durations.sort_unstable();
        let query =
            json!({ "operations": operations(&[("p50", "duration"), ("p90", "minutesUsed")]) });
        let rows = rows(&tenant, query).await;
        for (name, percent) in [("p50Duration", 50), ("p90MinutesUsed", 90)] {
            let exact = durations[(durations.len() * percent).div_ceil(100) - 1];
            let expected = rows[0][name].as_f64().expect("a number") * 60_000.0;
            let off = (expected / f64::from(i32::try_from(exact).expect("short")) - 1.0).abs();
            assert!(off < 0.02, "{name}: {expected} for {exact}");
        }
    });
}

#[test]
fn without_calls_there_is_one_empty_row_and_no_group() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let all =
            operations(&[("count", "id"), ("sum", "cost"), ("avg", "cost"), ("max", "duration")]);
        let nothing = json!({ "countId": "0", "sumCost": 0, "avgCost": null, "maxDuration": null });
        assert_eq!(rows(&tenant, json!({ "operations": all })).await, [nothing]);
        let grouped = json!({ "operations": all, "groupBy": ["type"] });
        assert!(rows(&tenant, grouped).await.is_empty());
        let stepped = json!({ "operations": all, "timeRange": { "step": "day" } });
        assert!(rows(&tenant, stepped).await.is_empty());
    });
}

#[test]
fn another_tenants_calls_are_in_no_figure() {
    run(async {
        let (_, other) = (tenant_with_calls().await, TestLedger::shared().await.tenant().await);
        let query = json!({ "operations": operations(&[("count", "id")]) });
        assert_eq!(rows(&other, query).await, [json!({ "countId": "0" })]);
    });
}

#[test]
fn a_dashboard_script_gets_all_its_figures_in_one_request() {
    run(async {
        let (tenant, _) = tenant_with_calls().await;
        // As dashboards of Vapi's users send it; valid under Vapi's schema.
        let range = json!({ "start": START, "end": END, "step": "day", "timezone": "UTC" });
        let query = |name: &str, group_by: &[&str], all: &[(&str, &str)]| {
            json!({ "table": "call", "name": name, "groupBy": group_by, "timeRange": range,
                    "operations": operations(all) })
        };
        let body = json!({ "queries": [
            query("LLM, STT, TTS, VAPI Costs", &[], &[("sum", "costBreakdown.llm"),
                ("sum", "costBreakdown.stt"), ("sum", "costBreakdown.tts"),
                ("sum", "costBreakdown.vapi"), ("sum", "costBreakdown.transport")]),
            query("Number of Calls by Type", &["type"], &[("count", "id")]),
            query("Average Call Duration by Assistant", &["assistantId"], &[("avg", "duration")]),
            query("Total Spent", &[], &[("sum", "cost")]),
        ] });
        assert_eq!(Schemas::vapi().faults("AnalyticsQueryDTO", &body), [""; 0]);
        let response = post(&tenant, &tenant.read_key, &body).await;
        assert_eq!(response.status(), 201);
        let results: Value = response.json().await.expect("JSON");
        let names: Vec<_> =
            results.as_array().into_iter().flatten().map(|one| &one["name"]).collect();
        let asked: Vec<_> =
            body["queries"].as_array().into_iter().flatten().map(|one| &one["name"]).collect();
        assert_eq!(names, asked);
        let costs = &results[0]["result"][0];
        for name in ["Llm", "Stt", "Tts", "Vapi", "Transport"] {
            assert_eq!(costs[format!("sumCostBreakdown{name}")], 0, "{costs}");
        }
        let dates = results[3]["result"].as_array().expect("rows").iter();
        let dates: Vec<_> = dates.filter_map(|row| row["date"].as_str()).collect();
        assert_eq!((dates.len(), dates[0]), (6, START));
    });
}
