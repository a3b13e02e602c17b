use chrono_tz::America;
use serde_json::json;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().expect("a time")
}

fn parsed(body: &Value) -> Result<Vec<Query>, Vec<String>> {
    parse(body.to_string().as_bytes(), now())
}

fn one(query: &Value) -> Result<Query, Vec<String>> {
    parsed(&json!({ "queries": [query] })).map(|mut queries| queries.remove(0))
}

fn query(fields: &Value) -> Value {
    let mut query = json!({ "table": "call", "name": "it", "operations": [] });
    for (name, value) in fields.as_object().expect("fields") {
        query[name] = value.clone();
    }
    query
}

#[test]
fn a_query_without_a_time_is_about_the_last_seven_days_in_utc() {
    let range = one(&query(&json!({}))).expect("a query").range;
    assert_eq!(range.span.to, now());
    assert_eq!(range.span.from, now() - chrono::TimeDelta::days(7));
    assert_eq!((range.zone, range.steps), (chrono_tz::Tz::UTC, None));
}

#[test]
fn figures_are_named_as_vapi_names_them() {
    let operations = json!([
        { "operation": "count", "column": "id" },
        { "operation": "sum", "column": "costBreakdown.llm" },
        { "operation": "avg", "column": "duration" },
        { "operation": "sum", "column": "minutesUsed" },
        { "operation": "p90", "column": "duration" },
        { "operation": "max", "column": "cost", "alias": "dearest" },
    ]);
    let query = one(&query(&json!({ "operations": operations }))).expect("a query");
    let aliases: Vec<&str> = query.operations.iter().map(|one| one.alias.as_str()).collect();
    let wanted = [
        "countId",
        "sumCostBreakdownLlm",
        "avgDuration",
        "sumMinutesUsed",
        "p90Duration",
        "dearest",
    ];
    assert_eq!(aliases, wanted);
}

#[test]
fn a_range_is_cut_in_its_zone() {
    let range = json!({ "start": "2026-11-01", "end": "2026-11-03T00:00:00Z",
                        "step": "day", "timezone": "America/New_York" });
    let range = one(&query(&json!({ "timeRange": range }))).expect("a query").range;
    assert_eq!(range.zone, America::New_York);
    let steps = range.steps.expect("steps");
    let starts: Vec<String> = steps.slices.iter().map(|one| one.starts_at.to_rfc3339()).collect();
    let wanted =
        ["2026-10-31T04:00:00+00:00", "2026-11-01T04:00:00+00:00", "2026-11-02T05:00:00+00:00"];
    assert_eq!((steps.word, starts), ("day", wanted.map(str::to_owned).to_vec()));
}

#[test]
fn every_fault_has_its_path() {
    let faults = |fields: Value| one(&query(&fields)).expect_err("it is at fault");
    let operation = |operation: &str, column: &str| json!({ "operations": [{ "operation": operation, "column": column }] });
    for (fields, wanted) in [
        (
            json!({ "table": "subscription" }),
            "queries.0.table subscription is not kept by this ledger",
        ),
        (
            json!({ "table": "calls" }),
            "queries.0.table must be one of the following values: call, subscription",
        ),
        (
            json!({ "name": "x".repeat(41) }),
            "queries.0.name must be a string of at most 40 characters",
        ),
        (json!({ "name": 7 }), "queries.0.name must be a string of at most 40 characters"),
        (json!({ "filter": {} }), "queries.0.property filter should not exist"),
        (json!({ "groupBy": "type" }), "queries.0.groupBy must be an array"),
        (json!({ "groupBy": ["type", "type"] }), "queries.0.groupBy must name nothing twice"),
        (
            json!({ "groupByVariableValue": [{ "key": "k" }] }),
            "queries.0.groupByVariableValue is not kept apart by this ledger",
        ),
        (json!({ "isTest": "no" }), "queries.0.isTest must be a boolean value or any"),
        (json!({ "operations": null }), "queries.0.operations must be an array"),
        (json!({ "operations": ["sum"] }), "queries.0.operations.0 must be an object"),
        (
            operation("sum", "id"),
            "queries.0.operations.0.operation sum needs a number, and id is none",
        ),
        (
            operation("p50", "cost"),
            "queries.0.operations.0.operation p50 is known of duration only",
        ),
        (
            operation("sum", "concurrency"),
            "queries.0.operations.0.column concurrency is not kept by this ledger",
        ),
        (json!({ "timeRange": "week" }), "queries.0.timeRange must be an object"),
        (
            json!({ "timeRange": { "start": "lately" } }),
            "queries.0.timeRange.start must be a valid ISO 8601 date string",
        ),
        (
            json!({ "timeRange": { "start": "2026-11-20", "end": "2026-11-19" } }),
            "queries.0.timeRange.start must not be after end",
        ),
        (
            json!({ "timeRange": { "start": "1926-01-01" } }),
            "queries.0.timeRange.start must be less than a century before end",
        ),
        (
            json!({ "timeRange": { "timezone": "Mars/Olympus" } }),
            "queries.0.timeRange.timezone must be the name of a time zone, as America/New_York is",
        ),
        (
            json!({ "timeRange": { "step": "second" } }),
            "queries.0.timeRange.step makes more than 10000 steps of the time; choose a longer one",
        ),
        (
            json!({ "timeRange": { "until": "now" } }),
            "queries.0.timeRange.property until should not exist",
        ),
    ] {
        assert_eq!(faults(fields.clone()), [wanted], "{fields}");
    }
    assert!(
        faults(json!({ "groupBy": ["colour"] }))[0].starts_with(
            "queries.0.each value in groupBy must be one of the following values: type,"
        )
    );
    assert!(
        faults(json!({ "timeRange": { "step": "fortnight" } }))[0]
            .starts_with("queries.0.timeRange.step must be one of the following values: second,")
    );
}

#[test]
fn a_name_is_given_to_one_figure_only() {
    let figures = |alias: &str| {
        let operations = json!([{ "operation": "count", "column": "id", "alias": alias },
                                { "operation": "count", "column": "cost", "alias": "twice" }]);
        one(&query(&json!({ "operations": operations, "groupBy": ["type"] })))
    };
    assert!(figures("once").is_ok());
    for alias in ["date", "type"] {
        let wanted = ["queries.0.operations.0.alias must name nothing else, too"];
        assert_eq!(figures(alias).expect_err("it is at fault"), wanted);
    }
    let wanted = ["queries.0.operations.1.alias must name nothing else, too"];
    assert_eq!(figures("twice").expect_err("it is at fault"), wanted);
}

#[test]
fn history_is_asked_alone() {
    let operations = json!([{ "operation": "history", "column": "cost" },
                            { "operation": "sum", "column": "cost" }]);
    let faults = one(&query(&json!({ "operations": operations }))).expect_err("it is at fault");
    assert_eq!(faults, ["queries.0.operations must all be history, or none"]);
}

#[test]
fn what_is_no_list_of_queries_is_refused() {
    for (body, wanted) in [
        ("", "the body is no JSON: it breaks at line 1, column 0"),
        ("[]", "the body must be an object"),
        ("{}", "queries must be an array"),
        (r#"{"queries":{}}"#, "queries must be an array"),
        (r#"{"queries":[],"x":1}"#, "property x should not exist"),
    ] {
        assert_eq!(parse(body.as_bytes(), now()), Err(vec![wanted.to_owned()]), "{body}");
    }
    let many = json!({ "queries": vec![query(&json!({})); 51] });
    assert_eq!(
        parsed(&many).expect_err("too many"),
        ["queries must contain no more than 50 elements"]
    );
    assert_eq!(parse(br#"{"queries":[]}"#, now()), Ok(Vec::new()));
}
