//! Sums over calls: exact, whatever is asked, in whichever zone, however often a call was told of.

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

/// So many webhooks are under way at once.
const AT_ONCE: usize = 400;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// A time as it stands in a query.
fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// The report of a call.
fn report(call: &str, started_at: DateTime<Utc>, duration_ms: i64) -> Message {
    let ended_at = started_at + TimeDelta::milliseconds(duration_ms);
    Message::report(call)
        .told("startedAt", json!(shown(started_at)))
        .told("endedAt", json!(shown(ended_at)))
        .told("endedReason", json!("customer-ended-call"))
}

/// Posts all of these, many at once, and waits until they are in the read models.
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

/// Facts are asked for with a key for facts; a search for a person takes another.
fn key_for<'t>(tenant: &'t TestTenant, query: &str) -> &'t str {
    let is_search = query.contains("phone=") || query.contains("email=");
    if is_search { &tenant.key } else { &tenant.read_key }
}

/// What a path of the API answers with a key that sees no persons.
async fn ask(tenant: &TestTenant, path: &str) -> Value {
    let (status, answer) = tenant.get_with(key_for(tenant, path), path).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

async fn summary(tenant: &TestTenant, query: &str) -> Value {
    ask(tenant, &format!("/v1/analytics/summary?{query}")).await
}

/// The rows of a breakdown.
async fn breakdown(tenant: &TestTenant, by: &str, query: &str) -> Vec<Value> {
    rows(&ask(tenant, &format!("/v1/analytics/breakdown?by={by}&{query}")).await)
}

/// The points of a series.
async fn series(tenant: &TestTenant, query: &str) -> Vec<Value> {
    rows(&ask(tenant, &format!("/v1/analytics/timeseries?{query}")).await)
}

fn rows(answer: &Value) -> Vec<Value> {
    assert!(answer["as_of"].is_string(), "{answer}");
    answer["data"].as_array().expect("rows").clone()
}

/// The sum of a whole number over some rows.
fn total(rows: &[Value], field: &str) -> i64 {
    rows.iter().map(|row| row[field].as_i64().expect("a whole number")).sum()
}
