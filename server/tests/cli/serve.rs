//! `serve` together with other commands, and its shutdown.

use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::{Value, json};

use crate::test_dir::TestDir;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

async fn get(url: &str, key: &str) -> Value {
    let answer = Client::new().get(url).bearer_auth(key).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{url}");
    answer.json().await.expect("a document")
}

#[tokio::test]
async fn commands_beside_a_server_share_its_database_and_sigterm_drains_it() {
    let test_dir = TestDir::new();
    let serving = test_dir.serve(&[]);
    let postgres = test_dir.postgres().expect("it runs");
    let ready = get(&format!("{}/readyz", serving.url), "").await;
    assert_eq!(ready["status"], "ready");

    test_dir.json(&["tenant", "create", "--slug", "beside"]);
    let key = test_dir.json(&["key", "create", "--tenant", "beside", "--scopes", "read"]);
    let source = test_dir.json(&["source", "create", "--tenant", "beside", "--provider", "vapi"]);
    assert_eq!(test_dir.postgres(), Some(postgres), "they adopted it and left it running");

    let body = json!({ "message": {
        "type": "status-update", "status": "in-progress", "call": { "id": "cli" },
    } });
    let taken = Client::new()
        .post(format!("{}{}", serving.url, text(&source, "path")))
        .header("x-vapi-secret", text(&source, "secret"))
        .json(&body)
        .send()
        .await
        .expect("an answer");
    let taken: Value = taken.json().await.expect("a document");
    assert_eq!(taken, json!({ "status": "recorded", "position": 4 }));
    let url = format!("{}/v1/calls?min_position=4", serving.url);
    let calls = get(&url, text(&key, "api_key")).await;
    assert_eq!(calls["data"][0]["provider_call_id"], "cli");

    let ended = serving.end(Signal::SIGINT);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.stdout, "", "one document was all");
    assert_eq!(test_dir.postgres(), None, "it ended what it started");
    assert_eq!(test_dir.json(&["tenant", "list"])[0]["events"], 4);
    assert_eq!(test_dir.json(&["verify"])["ok"], true);
}

#[tokio::test]
async fn a_server_started_after_a_kill_continues_with_the_same_data() {
    let test_dir = TestDir::new();
    let first = test_dir.serve(&[]);
    test_dir.json(&["tenant", "create", "--slug", "survivor"]);
    assert_eq!(first.end(Signal::SIGKILL).code, -1);
    assert!(test_dir.postgres().is_some(), "nobody told the database");

    let second = test_dir.serve(&[]);
    assert_eq!(get(&format!("{}/readyz", second.url), "").await["status"], "ready");
    assert_eq!(second.end(Signal::SIGTERM).code, 0);
    assert_eq!(test_dir.postgres(), None);
    assert_eq!(test_dir.json(&["tenant", "list"])[0]["slug"], "survivor");
}

#[tokio::test]
async fn a_port_in_use_is_reported_and_no_process_stays() {
    let test_dir = TestDir::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let ran = test_dir.run(&["serve", "--listen", &address]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(&address) && ran.stderr.contains("--listen"), "{}", ran.stderr);
    assert_eq!(test_dir.postgres(), None);
}

#[tokio::test]
async fn a_server_without_its_root_key_starts_and_reports_it() {
    let test_dir = TestDir::new();
    test_dir.json(&["tenant", "create", "--slug", "locked-out"]);
    std::fs::rename(test_dir.data().join("root.key"), test_dir.dir().join("away"))
        .expect("it moves");
    let ran = test_dir.run(&["tenant", "create", "--slug", "another"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("root.key"), "{}", ran.stderr);
    assert!(!test_dir.data().join("root.key").exists(), "no other key takes its place");

    let serving = test_dir.serve(&[]);
    let readiness = Client::new().get(format!("{}/readyz", serving.url)).send().await;
    assert_eq!(readiness.expect("an answer").status(), 503);
    assert_eq!(serving.end(Signal::SIGINT).code, 0);
}
