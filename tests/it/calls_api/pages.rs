//! Pages return each row once, and a read can wait for a write.

use std::collections::HashSet;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};

use super::report;
use crate::bad_input::problem;

/// A tenant with `calls` calls that share five start times.
async fn tenant_with_ties(calls: u32) -> TestTenant {
    let tenant = TestLedger::shared().await.tenant().await;
    for nth in 0..calls {
        let reason = if nth % 2 == 0 { "voicemail" } else { "hangup" };
        tenant.post_ok(report(&format!("c-{nth}"), nth % 5 + 1, reason).body()).await;
    }
    tenant.settle().await;
    tenant
}

async fn page(tenant: &TestTenant, query: &str) -> (Vec<Value>, Option<String>) {
    let (status, page) = tenant.get_with(&tenant.read_key, &format!("/v1/calls?{query}")).await;
    assert_eq!(status, 200, "{page}");
    let data = page["data"].as_array().expect("a page").clone();
    (data, page["next_cursor"].as_str().map(str::to_owned))
}

/// Reads all pages of a query and runs `between` after each page.
async fn walk(tenant: &TestTenant, query: &str, between: impl AsyncFn(usize)) -> Vec<Value> {
    let (mut all, mut next) = page(tenant, query).await;
    let mut pages = 1;
    while let Some(cursor) = next {
        between(pages).await;
        let (more, after) = page(tenant, &format!("{query}&cursor={cursor}")).await;
        assert!(!more.is_empty(), "a cursor to nothing");
        all.extend(more);
        next = after;
        pages += 1;
    }
    all
}

fn ids(calls: &[Value]) -> Vec<&str> {
    calls.iter().map(|call| call["call_id"].as_str().expect("an id")).collect()
}

#[test]
fn cursors_return_every_row_once_in_order_also_for_equal_times() {
    run(async {
        let tenant = tenant_with_ties(25).await;
        let (all, next) = page(&tenant, "limit=200").await;
        assert_eq!((all.len(), next), (25, None));
        let key = |call: &Value| (call["started_at"].to_string(), call["call_id"].to_string());
        assert!(all.windows(2).all(|pair| key(&pair[0]) > key(&pair[1])));
        for limit in [1, 4, 5, 24, 25] {
            let walked = walk(&tenant, &format!("limit={limit}"), async |_| {}).await;
            assert_eq!(walked, all, "limit {limit}");
        }
        let filtered = walk(&tenant, "limit=3&outcome=voicemail", async |_| {}).await;
        assert_eq!(filtered.len(), 13);
        assert_eq!(ids(&filtered).iter().collect::<HashSet<_>>().len(), 13);
    });
}

#[test]
fn calls_that_arrive_between_two_pages_change_no_page() {
    run(async {
        let tenant = tenant_with_ties(12).await;
        let (all, _) = page(&tenant, "limit=200").await;
        let arrive = async |pages: usize| {
            tenant.post_ok(report(&format!("new-{pages}"), 20, "hangup").body()).await;
            tenant.settle().await;
        };
        assert_eq!(walk(&tenant, "limit=3", arrive).await, all);
    });
}

#[test]
fn the_last_full_page_has_no_cursor() {
    run(async {
        let tenant = tenant_with_ties(4).await;
        assert!(page(&tenant, "limit=4").await.1.is_none());
        assert!(page(&tenant, "limit=3").await.1.is_some());
        let nobody = TestLedger::shared().await.tenant().await;
        assert_eq!(page(&nobody, "").await, (Vec::new(), None));
    });
}

#[test]
fn an_invalid_cursor_is_refused() {
    run(async {
        let tenant = tenant_with_ties(3).await;
        let (_, next) = page(&tenant, "limit=1").await;
        let ours = next.expect("more");
        let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let id = "6a1f2b54-93d0-5c1e-8d27-4f0b91ce77a3";
        for cursor in [
            "x".to_owned(),
            ours[1..].to_owned(),
            ours[..ours.len() - 2].to_owned(),
            format!("{ours}AAAA"),
            encoded(json!({})),
            encoded(json!({ "s": "2026-03-01T10:00:00Z" })),
            encoded(json!({ "s": 1, "c": id })),
            encoded(json!({ "s": "2026-03-01T10:00:00Z", "c": "1 or true" })),
            encoded(json!(["2026-03-01T10:00:00Z; drop", id])),
            encoded(json!({ "s": "+262142-12-31T23:59:59Z", "c": id })),
            encoded(json!({ "s": "-4800-01-01T00:00:00Z", "c": id })),
        ] {
            let path = format!("/v1/calls?cursor={cursor}");
            let response = tenant.request(&tenant.read_key, &path).send().await.expect("an answer");
            let problem = problem(response, 400, "invalid-parameter").await;
            assert_eq!(problem["errors"][0]["pointer"], "/cursor");
        }
    });
}

#[test]
fn no_changed_cursor_causes_an_internal_error() {
    run(async {
        let tenant = tenant_with_ties(3).await;
        let ours = page(&tenant, "limit=1").await.1.expect("more");
        for nth in 0..ours.len() {
            for other in ["A", "z", "-"] {
                let changed = format!("{}{other}{}", &ours[..nth], &ours[nth + 1..]);
                let path = format!("/v1/calls?cursor={changed}");
                let (status, _) = tenant.get_with(&tenant.read_key, &path).await;
                assert!(status == 200 || status == 400, "{changed}: {status}");
            }
        }
    });
}

#[test]
fn a_read_waits_for_the_given_position() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for nth in 0..10 {
            let posted = tenant.post_ok(Message::report(&format!("c-{nth}")).body()).await;
            let position = posted["position"].as_i64().expect("a position");
            let path = format!("/v1/calls?min_position={position}&provider_call_id=c-{nth}");
            let response = tenant.request(&tenant.read_key, &path).send().await.expect("an answer");
            let reached =
                response.headers()["ledger-position"].to_str().expect("ASCII").parse::<i64>();
            assert!(reached.expect("a position") >= position);
            let page: Value = response.json().await.expect("JSON");
            assert_eq!(page["data"][0]["position"], position);
            let call_id = page["data"][0]["call_id"].as_str().expect("an id");
            for path in ["", "/events"] {
                let path = format!("/v1/calls/{call_id}{path}?min_position={position}");
                let response = tenant.request(&tenant.read_key, &path).send().await;
                let response = response.expect("an answer");
                assert_eq!(response.status(), 200);
                assert!(response.headers().contains_key("ledger-position"));
            }
        }
    });
}

#[test]
fn a_read_of_a_future_position_times_out_after_five_seconds() {
    run(async {
        let tenant = tenant_with_ties(1).await;
        let call_id = page(&tenant, "").await.0[0]["call_id"].as_str().expect("an id").to_owned();
        let begun = Instant::now();
        let ask = async |path: String| {
            let response = tenant.request(&tenant.read_key, &path).send().await.expect("an answer");
            assert_eq!(response.headers()["retry-after"], "1");
            problem(response, 503, "projection-behind").await;
        };
        tokio::join!(
            ask("/v1/calls?min_position=1000".to_owned()),
            ask(format!("/v1/calls/{call_id}?min_position={}", i64::MAX)),
            ask(format!("/v1/calls/{call_id}/events?min_position=1000")),
        );
        let waited = begun.elapsed().as_secs_f64();
        assert!((5.0..15.0).contains(&waited), "{waited}");
    });
}
