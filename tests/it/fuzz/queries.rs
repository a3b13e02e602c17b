//! Any parameter name, value and cursor gives a page, or a refusal with the name of the parameter.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestRunner};
use reqwest::Url;
use serde_json::Value;

use super::{assert_healthy, cases};

const NAMES: [&str; 22] = [
    "from",
    "to",
    "provider_call_id",
    "direction",
    "status",
    "outcome",
    "ended_reason",
    "agent_id",
    "tool",
    "has_appointment",
    "min_cost_nanos",
    "phone",
    "email",
    "contact_id",
    "tag",
    "disposition",
    "is_test",
    "limit",
    "cursor",
    "as_of",
    "Limit",
    "",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![12 => select(NAMES.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn value() -> impl Strategy<Value = String> {
    let known = select(vec![
        "",
        "0",
        "1",
        "-1",
        "200",
        "201",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "1e3",
        "0x10",
        "٣",
        "true",
        "TRUE",
        "null",
        "2026-11-02T09:00:00Z",
        "2026-11-02T09:00:00.123456789+14:00",
        "2016-12-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999-23:59",
        "+262142-12-31T23:59:59Z",
        "2026-11-02",
        "ended",
        "inbound",
        "completed",
        "+15550100001",
        "+1 (555) 010-0001;ext=9",
        "person1@example.com",
        "a@b@c",
        "\"quoted\"@example.com",
        "'; drop table ledger.events; --",
        "%",
        "\\",
        "\0",
        "\u{FFFD}",
        "\u{202E}",
        "{}",
        "[1]",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => any::<String>(), 1 => "[0-9+.:TZ-]{0,30}"]
}

/// Text that resembles a cursor to different degrees.
fn cursor() -> impl Strategy<Value = String> {
    let place = (value(), value()).prop_map(|(one, two)| {
        serde_json::json!({ "s": one, "c": two, "v": 1, "list": "CallCursor" }).to_string()
    });
    let place = prop_oneof![
        place,
        Just(
            r#"{"list":"CallCursor","s":"2026-11-02T09:00:00Z","c":"00000000-0000-0000-0000-000000000000"}"#
                .to_owned()
        ),
        Just(
            r#"{"s":"2026-11-02T09:00:00Z","c":"00000000-0000-0000-0000-000000000000"}"#.to_owned()
        ),
        Just(
            r#"{"c":"00000000-0000-0000-0000-000000000000","s":"2026-11-02T09:00:00Z"}"#.to_owned()
        ),
        Just(r#"{"s":"2026-11-02T09:00:00Z","c":"00000000000000000000000000000000"}"#.to_owned()),
        Just(
            r#"{"s":"+99999-11-02T09:00:00Z","c":"00000000-0000-0000-0000-000000000000"}"#
                .to_owned()
        ),
        Just(r#"{"list":"EventCursor","v":9223372036854775807}"#.to_owned()),
        Just(r#"{"list":"EventCursor","v":1}"#.to_owned()),
        Just(r#"{"list":"EventCursor","v":0}"#.to_owned()),
        Just(r#"{"v":1}"#.to_owned()),
        Just(r#"{"v":0}"#.to_owned()),
        Just(r#"{"v":1.5}"#.to_owned()),
        Just(r#"{"v":1,"v":2}"#.to_owned()),
        Just("[".repeat(5000)),
    ];
    let encoded = place.prop_map(|place| URL_SAFE_NO_PAD.encode(place));
    prop_oneof![encoded, value(), "[A-Za-z0-9_=-]{0,60}"]
}

/// A tenant with calls on several days, so that filters match some.
async fn tenant() -> TestTenant {
    let tenant = TestLedger::shared().await.tenant().await;
    for nth in 0..6 {
        let report = Message::report(&format!("c-{nth}"))
            .field("startedAt", format!("\"2026-11-0{}T09:00:00Z\"", nth % 3 + 1))
            .field("endedReason", "\"voicemail\"")
            .field("cost", "0.07")
            .field("customer", r#"{"number":"+15550100001","email":"person1@example.com"}"#);
        tenant.post_ok(report.body()).await;
    }
    tenant.settle().await;
    tenant
}

/// Sends a query; the response must be a page or a complete refusal that names the parameter.
async fn ask(tenant: &TestTenant, path: &str, query: &[(String, String)]) -> (u16, Value) {
    let mut url = Url::parse(&tenant.url(path)).expect("a URL");
    url.query_pairs_mut().extend_pairs(query);
    let request =
        tenant.request(&tenant.key, &format!("{}?{}", url.path(), url.query().unwrap_or_default()));
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().expect("ASCII").to_owned();
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(kind == "application/problem+json", status != 200, "{status} {kind}");
    (status, body)
}

fn check(query: &[(String, String)], status: u16, body: &Value) -> Result<(), TestCaseError> {
    prop_assert!(matches!(status, 200 | 400 | 404), "{status} {body}");
    if status == 200 {
        prop_assert!(body["data"].is_array() || body["call_id"].is_string(), "{body}");
        return Ok(());
    }
    if status == 404 {
        return Ok(());
    }
    let pointer = body["errors"][0]["pointer"].as_str();
    prop_assert!(pointer.is_some(), "{body}");
    let named = pointer.unwrap_or_default().trim_start_matches('/');
    // An unknown name may be personal data, so it is not returned.
    prop_assert!(named.is_empty() || query.iter().any(|(name, _)| name == named), "{body}");
    let values = query.iter().map(|(_, value)| value).filter(|value| value.chars().count() > 12);
    for value in values {
        prop_assert!(!body["detail"].to_string().contains(value.as_str()), "{body}");
    }
    Ok(())
}

#[test]
fn any_query_is_answered_or_refused_with_the_name_of_its_parameter() {
    let tenant = run(tenant());
    let paths = ["/v1/calls".to_owned(), {
        let id = run(tenant.calls())[0]["call_id"].as_str().expect("an id").to_owned();
        format!("/v1/calls/{id}")
    }];
    let paths = [paths[0].clone(), paths[1].clone(), format!("{}/events", paths[1])];
    let query = prop::collection::vec((name(), value()), 0..4);
    TestRunner::new(cases(700))
        .run(&(query, select(paths.to_vec())), |(query, path)| {
            let (status, body) = run(ask(&tenant, &path, &query));
            check(&query, status, &body)
        })
        .unwrap_or_else(|error| panic!("{error}"));
    run(async { assert_healthy(TestLedger::shared().await, &tenant).await });
}

#[test]
fn any_cursor_is_valid_or_refused() {
    let tenant = run(tenant());
    let id = run(tenant.calls())[0]["call_id"].as_str().expect("an id").to_owned();
    let events = format!("/v1/calls/{id}/events");
    TestRunner::new(cases(400))
        .run(&(cursor(), any::<bool>()), |(cursor, of_events)| {
            let path = if of_events { &events } else { "/v1/calls" };
            let query = [("cursor".to_owned(), cursor.clone())];
            let (status, body) = run(ask(&tenant, path, &query));
            check(&query, status, &body)?;
            if status == 200 && !cursor.is_empty() {
                // It has the format of a valid cursor and selects only this tenant's calls.
                let place = URL_SAFE_NO_PAD.decode(&cursor).expect("base64");
                let place: Value = serde_json::from_slice(&place).expect("JSON");
                let keys = if of_events { 2 } else { 3 };
                prop_assert_eq!(place.as_object().map(serde_json::Map::len), Some(keys));
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_cursor_of_another_tenant_or_filter_returns_own_rows_only() {
    run(async {
        let (one, other) = (tenant().await, tenant().await);
        let ids = |page: &Value| -> Vec<String> {
            let data = page["data"].as_array().expect("a page");
            data.iter().map(|call| call["call_id"].as_str().expect("an id").to_owned()).collect()
        };
        let own = ids(&one.get("/v1/calls").await);
        for query in ["limit=1", "limit=4", "limit=1&outcome=voicemail"] {
            let page = other.get(&format!("/v1/calls?{query}")).await;
            let cursor = page["next_cursor"].as_str().expect("there is more").to_owned();
            for filter in ["", "&status=ended", "&status=queued", "&phone=%2B15550100001"] {
                let page = one.get(&format!("/v1/calls?cursor={cursor}{filter}")).await;
                assert!(ids(&page).iter().all(|id| own.contains(id)), "{page}");
            }
        }
        let (status, body) = ask(&one, "/v1/calls", &twice("status", "ended", "queued")).await;
        assert_eq!((status, &body["errors"][0]["pointer"]), (400, &Value::from("/status")));
    });
}

fn twice(name: &str, one: &str, two: &str) -> Vec<(String, String)> {
    [one, two].map(|value| (name.to_owned(), value.to_owned())).to_vec()
}

#[test]
fn any_analytics_query_is_answered_or_refused_with_a_code() {
    const OF_SUMS: [&str; 7] =
        ["timezone", "interval", "group_by", "by", "compare", "month", "colour"];
    const PATHS: [&str; 6] = [
        "/v1/analytics/summary",
        "/v1/analytics/timeseries",
        "/v1/analytics/breakdown",
        "/v1/analytics/funnel",
        "/v1/agents",
        "/v1/usage",
    ];
    let tenant = run(tenant());
    let said = select(vec![
        "Europe/London",
        "UTC",
        "hour",
        "week",
        "month",
        "outcome",
        "heatmap",
        "previous",
        "any",
        "2026-11",
        "0000-01",
        "9999-12",
    ]);
    let name = prop_oneof![1 => name(), 1 => select(OF_SUMS.to_vec()).prop_map(str::to_owned)];
    let value = prop_oneof![1 => value(), 1 => said.prop_map(str::to_owned)];
    let query = prop::collection::vec((name, value), 0..4);
    TestRunner::new(cases(500))
        .run(&(query, select(PATHS.to_vec())), |(query, path)| {
            let (status, body) = run(ask(&tenant, path, &query));
            prop_assert!(matches!(status, 200 | 400), "{status} {body}");
            if status == 200 {
                prop_assert!(body["as_of"].is_string(), "{body}");
                return Ok(());
            }
            prop_assert!(body["errors"][0]["pointer"].is_string(), "{body}");
            let values = query.iter().map(|(_, value)| value);
            for value in values.filter(|value| value.chars().count() > 14) {
                prop_assert!(!body["detail"].to_string().contains(value.as_str()), "{body}");
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    run(async { assert_healthy(TestLedger::shared().await, &tenant).await });
}
