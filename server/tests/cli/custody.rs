//! The root key is replaced while a server runs.

use reqwest::Client;
use serde_json::{Value, json};

use crate::test_dir::TestDir;

async fn post(url: &str, source: &Value, call: &str) -> u16 {
    let body = json!({ "message": {
        "type": "status-update", "status": "in-progress",
        "call": { "id": call, "customer": { "number": "+15550100123", "name": "Root Person" } },
    } });
    let path = source["path"].as_str().expect("a path");
    let request = Client::new()
        .post(format!("{url}{path}"))
        .header("x-vapi-secret", source["secret"].as_str().expect("a secret"))
        .json(&body);
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn the_root_key_is_replaced_while_a_server_runs_and_the_former_one_opens_nothing() {
    let test_dir = TestDir::new();
    let serving = test_dir.serve(&[]);
    test_dir.json(&["tenant", "create", "--slug", "custody"]);
    let source = test_dir.json(&["source", "create", "--tenant", "custody", "--provider", "vapi"]);
    assert_eq!(post(&serving.url, &source, "before").await, 200);
    let root = test_dir.data().join("root.key");
    let former = std::fs::read(&root).expect("a root key");

    let refused = test_dir.run(&["key", "rotate-root"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let prepared = test_dir.json(&["key", "rotate-root", "--prepare"]);
    assert!(prepared["prepared"].as_str().expect("a path").ends_with("root.key.next"));
    let done = test_dir.json(&["key", "rotate-root", "--yes"]);
    assert_eq!((&done["files"], &done["rewrapped"]), (&json!(4), &json!(4)));
    assert_eq!(post(&serving.url, &source, "after").await, 200);
    test_dir.json(&["tenant", "create", "--slug", "later"]);
    drop(serving);

    let again = test_dir.serve(&[]);
    assert_eq!(post(&again.url, &source, "restarted").await, 200);
    drop(again);
    std::fs::write(&root, former).expect("the former root key");
    let checked = test_dir.run(&["doctor", "--output", "json"]);
    assert_eq!(checked.code, 1);
    assert!(checked.stdout.contains("another root key"), "{}", checked.stdout);
}
