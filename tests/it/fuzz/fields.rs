//! Captured bodies with one field changed to another type, thousands of them, over HTTP.

use std::collections::BTreeSet;

use ledger_core::json::Json;
use ledger_tests::fixtures::{self, Message};
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{assert_healthy, halted};

/// One value of each type; the last is replaced by a value of the maximum depth.
const WRONG: [&str; 9] = ["null", "true", "-1", "1e400", "\"\"", "\"x\"", "[]", "{}", "deep"];

/// Sampling interval over all fields of all captures with each value: 2,300 of 49,000 are posted.
const EVERY: usize = 21;
/// Number of concurrent posts. Each group also has one valid report, which must stay readable.
const AT_ONCE: usize = 24;

#[test]
fn captures_with_a_field_of_another_type_are_accepted_or_refused_and_stay_readable() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let all_in = ledger.source(tenant.tenant_id, "example-secret", true).await;
        let bodies = changed_captures();
        assert!(bodies.len() > 2_000, "{}", bodies.len());
        let (mut recorded, mut duplicates, mut neighbours) = (BTreeSet::new(), 0, 0);
        for together in bodies.chunks(AT_ONCE) {
            let neighbour = Message::report(&format!("neighbour-{neighbours}")).body().into();
            let mut posts = JoinSet::new();
            for body in together.iter().cloned().chain([neighbour]) {
                let request = tenant.webhook_at(all_in, "example-secret", body.clone());
                posts.spawn(async move { (request.send().await.expect("an answer"), body) });
            }
            neighbours += 1;
            while let Some(answered) = posts.join_next().await {
                let (response, body) = answered.expect("no panic");
                match post_result(response, &body).await {
                    PostResult::Recorded(position) => {
                        assert!(recorded.insert(position), "{position} was given twice");
                    }
                    PostResult::Answered => duplicates += 1,
                    PostResult::Refused => {}
                }
            }
        }
        // Equal tool calls repeat in many bodies and are recorded once.
        assert!(
            recorded.len() + duplicates > bodies.len() * 9 / 10,
            "{} {duplicates}",
            recorded.len()
        );
        let events = tenant.recorded().await.len();
        assert!((recorded.len()..=recorded.len() + 2 * duplicates).contains(&events), "{events}");
        tenant.settle().await;
        assert_eq!(halted(&tenant).await, None);
        let calls = readable(&tenant).await;
        for nth in 0..neighbours {
            assert!(calls.contains(&format!("neighbour-{nth}")), "neighbour {nth} is lost");
        }
        assert_healthy(ledger, &tenant).await;
    });
}

/// The result of posting a body.
enum PostResult {
    /// Stored as an event at this position.
    Recorded(i64),
    /// A duplicate, or answered in the provider's format; its content is in the log.
    Answered,
    /// No longer a valid message.
    Refused,
}

async fn post_result(response: reqwest::Response, body: &[u8]) -> PostResult {
    let status = response.status().as_u16();
    let position = response.headers().get("ledger-position").cloned();
    let answer: Value = response.json().await.expect("JSON");
    let body = String::from_utf8_lossy(body);
    match status {
        200 => {
            assert!(position.is_some(), "not recorded: {answer} {body}");
            match answer["position"].as_i64().filter(|_| answer["status"] == "recorded") {
                Some(position) => PostResult::Recorded(position),
                None => PostResult::Answered,
            }
        }
        400 => {
            assert_eq!(answer["code"], "unrecognized-message", "{body}");
            PostResult::Refused
        }
        _ => panic!("{status} {answer} {body}"),
    }
}

/// Returns the provider's ids of all calls, after reading each in detail with both kinds of keys.
async fn readable(tenant: &TestTenant) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut path = "/v1/calls?limit=200".to_owned();
    loop {
        let page = tenant.get(&path).await;
        for call in page["data"].as_array().expect("a page") {
            let provider_call_id = call["provider_call_id"].as_str().expect("an id");
            ids.insert(provider_call_id.to_owned());
            if provider_call_id.starts_with("neighbour-") {
                continue;
            }
            let detail = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
            for path in [&detail, &format!("{detail}/events?limit=200")] {
                for key in [&tenant.key, &tenant.read_key] {
                    let response = tenant.request(key, path).send().await.expect("an answer");
                    // As text: bodies hold numbers that no JSON parser represents.
                    let (status, text) = (response.status(), response.text().await);
                    assert_eq!(status, 200, "{path}: {text:?}");
                    assert!(!text.expect("a body").contains("\"corrupt\":true"), "{path}");
                }
            }
        }
        let Some(cursor) = page["next_cursor"].as_str() else { return ids };
        path = format!("/v1/calls?limit=200&cursor={cursor}");
    }
}

fn changed_captures() -> Vec<Vec<u8>> {
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let wrong = WRONG.map(|text| if text == "deep" { deep.as_str() } else { text });
    let mut bodies = Vec::new();
    let mut turn = 0;
    for name in ["vapi", "vapi-legacy"].iter().flat_map(|folder| fixtures::names(folder)) {
        let bytes = fixtures::bytes(&name);
        let tree = Json::parse(&bytes).expect("JSON");
        for nth in 0..count(&tree) {
            for with in wrong {
                turn += 1;
                if turn % EVERY == 0 {
                    let mut changed = tree.clone();
                    let with = Json::parse(with.as_bytes()).expect("JSON");
                    assert!(put(&mut changed, &mut nth.clone(), &with), "it is there");
                    bodies.push(changed.to_compact());
                }
            }
        }
    }
    bodies
}

/// Returns the number of values below this one.
fn count(value: &Json<'_>) -> usize {
    match value {
        Json::Array(items) => items.iter().map(|item| 1 + count(item)).sum(),
        Json::Object(fields) => fields.iter().map(|(_, value)| 1 + count(value)).sum(),
        _ => 0,
    }
}

/// Replaces the value with index `nth` in reading order.
fn put<'a>(value: &mut Json<'a>, nth: &mut usize, with: &Json<'a>) -> bool {
    let below: Vec<&mut Json<'a>> = match value {
        Json::Array(items) => items.iter_mut().collect(),
        Json::Object(fields) => fields.iter_mut().map(|(_, value)| value).collect(),
        _ => return false,
    };
    for place in below {
        if *nth == 0 {
            *place = with.clone();
            return true;
        }
        *nth -= 1;
        if put(place, nth, with) {
            return true;
        }
    }
    false
}
