//! `quarantine` during a running server, `probe`, and the notifications to systemd.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::{Value, json};

use crate::pipes::run_with_closed_pipe;
use crate::test_dir::TestDir;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[tokio::test]
async fn a_delivery_without_a_route_stays_in_quarantine_until_an_operator_assigns_it() {
    let test_dir = TestDir::new();
    let notify_socket = UnixDatagram::bind(test_dir.dir().join("notify")).expect("a socket");
    notify_socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut command = test_dir.command(&["serve", "--listen", "127.0.0.1:0", "--output", "json"]);
    command.env("NOTIFY_SOCKET", test_dir.dir().join("notify"));
    let serving = TestDir::start(command);
    let mut state = [0; 32];
    let len = notify_socket.recv(&mut state).expect("systemd gets a message");
    assert_eq!(&state[..len], b"READY=1");
    assert_eq!(test_dir.json(&["probe", "--url", &serving.url])["ready"], true);

    test_dir.json(&["tenant", "create", "--slug", "acme"]);
    let source = test_dir.json(&["source", "create", "--shared", "--provider", "vapi"]);
    let body = json!({ "message": {
        "type": "status-update", "status": "in-progress", "assistant": { "id": "assistant-1" },
        "call": { "id": "cli", "assistantId": "assistant-1" },
        "customer": { "number": "+15550100123", "name": "Robin Example" },
    } });
    let sent = Client::new()
        .post(format!("{}{}", serving.url, text(&source, "path")))
        .header("x-vapi-secret", text(&source, "secret"))
        .json(&body);
    assert_eq!(sent.send().await.expect("an answer").status(), 202);

    let waiting = test_dir.json(&["quarantine", "list"]);
    assert_eq!(waiting.as_array().map(Vec::len), Some(1), "{waiting}");
    assert_eq!(waiting[0]["state"], "waiting");
    let id = text(&waiting[0], "quarantine_id").to_owned();
    let shown = test_dir.json(&["quarantine", "show", &id]);
    assert_eq!(
        (&shown["kind"], &shown["assistant_id"], &shown["claimed_by"]),
        (&json!("status-update"), &json!("assistant-1"), &json!([])),
        "{shown}"
    );
    assert!(!shown.to_string().contains("Robin") && !shown.to_string().contains("0100123"));

    let refused = test_dir.run(&["quarantine", "replay", &id]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("source route"), "{}", refused.stderr);
    let stays = test_dir.json(&["quarantine", "replay", "--all"]);
    assert_eq!(
        (&stays[0]["status"], &stays[0]["code"]),
        (&json!("waiting"), &json!("no-single-route"))
    );
    let unknown = test_dir.run(&["quarantine", "show", "00000000-0000-4000-8000-000000000001"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("no such quarantine entry"), "{}", unknown.stderr);

    let source_id = text(&source, "source_id");
    test_dir.json(&[
        "source",
        "route",
        "--source",
        source_id,
        "--tenant",
        "acme",
        "--assistant-id",
        "assistant-1",
    ]);
    assert_eq!(
        test_dir.json(&["quarantine", "show", &id])["claimed_by"].as_array().map(Vec::len),
        Some(1)
    );
    let replayed = test_dir.json(&["quarantine", "replay", "--all"]);
    assert_eq!(replayed[0]["status"], "recorded", "{replayed}");
    let again = test_dir.json(&["quarantine", "replay", &id]);
    assert_eq!(
        (&again[0]["status"], &again[0]["position"]),
        (&json!("duplicate"), &replayed[0]["position"])
    );
    assert_eq!(test_dir.json(&["quarantine", "list"]), json!([]));
    assert_eq!(test_dir.json(&["quarantine", "list", "--all"])[0]["state"], "replayed");

    let key = test_dir.json(&["key", "create", "--installation", "--scopes", "admin"]);
    let url = format!("{}/v1/quarantine", serving.url);
    let listed = Client::new().get(url).bearer_auth(text(&key, "api_key")).send().await;
    let listed: Value = listed.expect("an answer").json().await.expect("a document");
    assert_eq!(listed["data"][0]["quarantine_id"], json!(id));

    for args in [&["export", "events"][..], &["tenant", "list"], &["verify"]] {
        assert_eq!(run_with_closed_pipe(&test_dir, args), (Some(0), String::new()), "{args:?}");
    }
    let url = serving.url.clone();
    assert_eq!(serving.end(Signal::SIGTERM).code, 0);
    let len = notify_socket.recv(&mut state).expect("systemd gets a message");
    assert_eq!(&state[..len], b"STOPPING=1");
    let gone = test_dir.run(&["probe", "--url", &url]);
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains(&url) && gone.stderr.contains("serve"), "{}", gone.stderr);
}
