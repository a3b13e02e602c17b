//! Reads: pages end at their byte budget, and waiting costs nothing.

use std::time::{Duration, Instant};

use ledger_tests::{OwnDatabase, TestLedger, TestTenant, messages, run};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{TIMEOUT, refused};

/// A report with a transcript of `bytes` bytes, which compresses to almost nothing.
fn long_report(call: &str, bytes: usize) -> String {
    let transcript = "AI: still there? ".repeat(bytes / 17);
    let artifact = json!({ "transcript": transcript });
    let report = json!({ "endedReason": "customer-ended-call", "artifact": artifact });
    messages::message(call, "end-of-call-report", &report).to_string()
}

async fn call_id(tenant: &TestTenant) -> String {
    tenant.calls().await[0]["call_id"].as_str().expect("calls have ids").to_owned()
}

async fn transactions(own: &OwnDatabase) -> i64 {
    // PostgreSQL publishes the statistics of a connection when it is idle.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    sqlx::query_scalar(
        "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()",
    )
    .fetch_one(&mut own.superuser().await)
    .await
    .expect("a count")
}

#[test]
fn a_page_of_large_events_ends_early_and_its_cursor_continues() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        for nth in 0..5 {
            let large = json!({ "nth": nth, "x": "x".repeat(1_900_000) });
            tenant.post_ok(messages::message("large", "hang", &large).to_string()).await;
        }
        let path = format!("/v1/calls/{}/events", call_id(&tenant).await);
        let (mut seen, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let page = tenant.get(&format!("{path}?limit=200{cursor}")).await;
            for event in page["data"].as_array().expect("a page has data") {
                let raw = &event["personal"]["raw"]["message"]["x"];
                assert_eq!(raw.as_str().map(str::len), Some(1_900_000));
                seen.push(event["position"].as_i64().expect("a position"));
            }
            pages += 1;
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert!(pages > 1, "ten megabytes in one page");
        let mut once = seen.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!((once.len(), &once), (5, &seen), "each once, in order");
        // Without their bodies they fit one page.
        let (_, page) = tenant.get_with(&tenant.read_key, &format!("{path}?limit=200")).await;
        assert_eq!(page["data"].as_array().map(Vec::len), Some(5));
        assert_eq!(page["next_cursor"], Value::Null);
        ledger.stop().await;
    });
}

#[test]
fn a_list_of_large_calls_is_complete_and_streamed() {
    run(async {
        let ledger = TestLedger::start().await;
        let tenant = ledger.tenant().await;
        for nth in 0..8 {
            tenant.post_ok(long_report(&format!("large-{nth}"), 2_000_000)).await;
        }
        tenant.settle().await;
        let answer = tenant.request(&tenant.key, "/call?limit=1000").send().await.expect("it");
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("ledger-position"));
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.content_length(), None, "it is sent while it is made");
        let calls: Vec<Value> = answer.json().await.expect("a whole list");
        assert_eq!(calls.len(), 8);
        for call in &calls {
            assert!(call["transcript"].as_str().is_some_and(|text| text.len() > 1_900_000));
        }
        let looks = tenant.facts_of("access.personal_data_read").await;
        let of_list = |look: &&Value| look["action"] == "vapi.calls.list";
        let counted: Vec<_> =
            looks.iter().filter(of_list).map(|look| look["count"].as_u64()).collect();
        assert_eq!(counted, [Some(8)], "recorded once");
        for (key, expected) in [(&tenant.key, 0), (&tenant.read_key, 0)] {
            let (_, none) = tenant.get_with(key, "/call?createdAtLt=2001-01-01").await;
            assert_eq!(none.as_array().map(Vec::len), Some(expected));
        }
        ledger.stop().await;
    });
}

#[test]
fn the_opened_sections_of_one_call_have_a_size_limit() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        for nth in 0..9 {
            let tool = json!({ "id": format!("tool-{nth}"), "type": "function",
                "function": { "name": "lookupPrice", "arguments": { "x": "x".repeat(4_000_000) } } });
            let body = messages::message("much", "tool-calls", &json!({ "toolCallList": [tool] }));
            tenant.post_ok(body.to_string()).await;
        }
        let path = format!("/v1/calls/{}", call_id(&tenant).await);
        let answer = tenant.request(&tenant.key, &path).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let text = answer.bytes().await.expect("a body");
        assert!(text.len() > 4_000_000 && text.len() < 24_000_000, "{} bytes", text.len());
        let call: Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(call["tool_calls"].as_array().map(Vec::len), Some(9), "each is listed");
        ledger.stop().await;
    });
}

#[test]
fn hundreds_of_waiting_reads_cost_little_and_delay_no_other() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let (many, other) = (ledger.tenant().await, ledger.tenant().await);
        other.post_ok(messages::report("c").to_string()).await;
        assert_eq!((many.calls().await.len(), other.calls().await.len()), (0, 1));
        let quiet = {
            let before = transactions(&own).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            transactions(&own).await - before
        };
        let mut waiting = JoinSet::new();
        for _ in 0..400 {
            let request = many.request(&many.read_key, "/v1/calls?min_position=100000").send();
            waiting.spawn(async { request.await.expect("an answer") });
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        let before = transactions(&own).await;
        let since = Instant::now();
        let (status, page) = other.get_with(&other.read_key, "/v1/calls").await;
        assert_eq!((status, page["data"].as_array().map(Vec::len)), (200, Some(1)));
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let busy = transactions(&own).await - before;
        // One query for all waiting requests, twenty times a second.
        assert!(busy < quiet + 400, "{busy} transactions, {quiet} when nobody waited");
        // A request that waits for a new position is answered as soon as the position is applied.
        let to_come = many.request(&many.read_key, "/v1/calls?min_position=2").send();
        let pending = tokio::spawn(async { to_come.await.expect("an answer").status().as_u16() });
        let answer = many.post_ok(messages::report("arrives").to_string()).await;
        assert!(answer["position"].as_i64().is_some_and(|position| position >= 2), "{answer}");
        assert_eq!(pending.await.expect("a task"), 200);
        let late = tokio::time::timeout(TIMEOUT, waiting.join_next()).await.expect("in time");
        assert_eq!(refused(late.expect("many").expect("a task")).await, "projection-behind");
        ledger.stop().await;
    });
}

/// Records calls with large rows: each has many tools.
async fn calls_with_tools(tenant: &TestTenant, calls: usize, tools: usize) {
    for call in 0..calls {
        let tool = |nth: usize| {
            let name = format!("tool-{nth:05}-{}", "x".repeat(180));
            json!({ "id": format!("id-{nth:05}-{}", "y".repeat(180)), "type": "function",
                "function": { "name": name, "arguments": {} } })
        };
        let call = format!("tools-{call}");
        let all: Vec<Value> = (0..tools).map(tool).collect();
        for list in all.chunks(1_000) {
            let body = messages::message(&call, "tool-calls", &json!({ "toolCallList": list }));
            tenant.post_ok(body.to_string()).await;
        }
    }
    tenant.settle().await;
}

/// Reads every page of a list: returns the bytes of each page, and the ids of all of them.
async fn pages_of(tenant: &TestTenant, path: &str, id: &str) -> (Vec<usize>, Vec<String>) {
    let (mut sizes, mut seen, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let path = format!("{path}?limit=200{cursor}");
        let answer = tenant.request(&tenant.read_key, &path).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let text = answer.bytes().await.expect("a page");
        sizes.push(text.len());
        let page: Value = serde_json::from_slice(&text).expect("JSON");
        let data = page["data"].as_array().expect("a page has data");
        assert!(!data.is_empty(), "a page has at least one row");
        seen.extend(data.iter().map(|row| row[id].to_string()));
        let Some(next) = page["next_cursor"].as_str() else { return (sizes, seen) };
        cursor = format!("&cursor={next}");
    }
}

fn count_once(mut seen: Vec<String>) -> usize {
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all, "each once");
    all
}

#[test]
fn a_page_of_large_calls_ends_early_and_its_cursor_goes_on() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        calls_with_tools(&tenant, 7, 3_000).await;
        let (sizes, seen) = pages_of(&tenant, "/v1/calls", "call_id").await;
        assert_eq!(count_once(seen), 7);
        assert!(sizes.len() > 2, "{sizes:?} bytes in pages of a list of large calls");
        ledger.stop().await;
    });
}

#[test]
fn a_page_of_events_with_large_facts_ends_early_too() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        for nth in 0..14 {
            let tools: Vec<Value> = (0..5_000)
                .map(|tool| {
                    json!({ "role": "tool_calls", "toolCalls": [{
                    "id": format!("{nth}-{tool}-{}", "y".repeat(180)), "type": "function",
                    "function": { "name": "x".repeat(180), "arguments": "{}" } }] })
                })
                .collect();
            let report = json!({ "endedReason": "customer-ended-call", "nth": nth,
                "artifact": { "messages": tools } });
            tenant
                .post_ok(messages::message("facts", "end-of-call-report", &report).to_string())
                .await;
        }
        tenant.settle().await;
        let path = format!("/v1/calls/{}/events", call_id(&tenant).await);
        let (sizes, seen) = pages_of(&tenant, &path, "position").await;
        assert_eq!(count_once(seen), 14);
        assert!(sizes.iter().all(|bytes| *bytes < 8 << 20), "{sizes:?}");
        assert!(sizes.len() > 1, "{sizes:?}");
        ledger.stop().await;
    });
}
