//! Analytics: sums over calls are exact for every query, zone and number of repeated reports.

mod agree;
mod clocks;
mod figures;
mod filters;
mod plans;
mod refused;
mod sums;
mod usage;

use chrono::{DateTime, TimeDelta, Utc};
use ledger_tests::TestTenant;
use ledger_tests::fixtures::Message;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Number of concurrent webhooks.
const AT_ONCE: usize = 400;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// Formats a time for a query.
fn format_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// A report of a call with its start and duration.
fn report(call: &str, started_at: DateTime<Utc>, duration_ms: i64) -> Message {
    let ended_at = started_at + TimeDelta::milliseconds(duration_ms);
    Message::report(call)
        .field("startedAt", json!(format_time(started_at)))
        .field("endedAt", json!(format_time(ended_at)))
        .field("endedReason", json!("customer-ended-call"))
}

/// Posts all messages concurrently and waits until the read models have applied them.
async fn post_all(tenant: &TestTenant, messages: &[Message]) {
    for some in messages.chunks(AT_ONCE) {
        let mut posts = JoinSet::new();
        for message in some {
            let request = tenant.webhook(message.body());
            posts.spawn(async move { request.send().await.expect("an answer").status().as_u16() });
        }
        assert!(posts.join_all().await.iter().all(|status| *status == 200));
    }
    tenant.settle().await;
}

/// Returns the key for a query: a search for a person needs the scope `personal`, all else only
/// `read`.
fn key_for<'t>(tenant: &'t TestTenant, query: &str) -> &'t str {
    let is_search = query.contains("phone=") || query.contains("email=");
    if is_search { &tenant.key } else { &tenant.read_key }
}

/// Gets a path of the API with the weakest sufficient key; the status must be 200.
async fn ask(tenant: &TestTenant, path: &str) -> Value {
    let (status, answer) = tenant.get_with(key_for(tenant, path), path).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

async fn summary(tenant: &TestTenant, query: &str) -> Value {
    ask(tenant, &format!("/v1/analytics/summary?{query}")).await
}

/// Returns the rows of a breakdown.
async fn breakdown(tenant: &TestTenant, by: &str, query: &str) -> Vec<Value> {
    rows(&ask(tenant, &format!("/v1/analytics/breakdown?by={by}&{query}")).await)
}

/// Returns the points of a series.
async fn series(tenant: &TestTenant, query: &str) -> Vec<Value> {
    rows(&ask(tenant, &format!("/v1/analytics/timeseries?{query}")).await)
}

fn rows(answer: &Value) -> Vec<Value> {
    assert!(answer["as_of"].is_string(), "{answer}");
    answer["data"].as_array().expect("rows").clone()
}

/// Sums an integer field over some rows.
fn total(rows: &[Value], field: &str) -> i64 {
    rows.iter().map(|row| row[field].as_i64().expect("a whole number")).sum()
}
