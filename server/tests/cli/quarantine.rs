//! `quarantine` during a running server, `probe`, and the notifications to systemd.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::{Value, json};

use crate::pipes::unread;
use crate::world::World;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[tokio::test]
async fn what_no_route_names_waits_until_an_operator_says_whose_it_is() {
    let world = World::new();
    let told = UnixDatagram::bind(world.dir().join("notify")).expect("a socket");
    told.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut command = world.command(&["serve", "--listen", "127.0.0.1:0", "--output", "json"]);
    command.env("NOTIFY_SOCKET", world.dir().join("notify"));
    let serving = World::start(command);
    let mut state = [0; 32];
    let len = told.recv(&mut state).expect("systemd is told");
    assert_eq!(&state[..len], b"READY=1");
    assert_eq!(world.json(&["probe", "--url", &serving.url])["ready"], true);

    world.json(&["tenant", "create", "--slug", "acme"]);
    let source = world.json(&["source", "create", "--shared", "--provider", "vapi"]);
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

    let waiting = world.json(&["quarantine", "list"]);
    assert_eq!(waiting.as_array().map(Vec::len), Some(1), "{waiting}");
    assert_eq!(waiting[0]["state"], "waiting");
    let id = text(&waiting[0], "quarantine_id").to_owned();
    let shown = world.json(&["quarantine", "show", &id]);
    assert_eq!(
        (&shown["kind"], &shown["assistant_id"], &shown["claimed_by"]),
        (&json!("status-update"), &json!("assistant-1"), &json!([])),
        "{shown}"
    );
    assert!(!shown.to_string().contains("Robin") && !shown.to_string().contains("0100123"));

    let refused = world.run(&["quarantine", "replay", &id]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("source route"), "{}", refused.stderr);
    let stays = world.json(&["quarantine", "replay", "--all"]);
    assert_eq!(
        (&stays[0]["status"], &stays[0]["code"]),
        (&json!("waiting"), &json!("no-single-route"))
    );
    let unknown = world.run(&["quarantine", "show", "00000000-0000-4000-8000-000000000001"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("no such quarantine entry"), "{}", unknown.stderr);

    let source_id = text(&source, "source_id");
    world.json(&[
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
        world.json(&["quarantine", "show", &id])["claimed_by"].as_array().map(Vec::len),
        Some(1)
    );
    let replayed = world.json(&["quarantine", "replay", "--all"]);
    assert_eq!(replayed[0]["status"], "recorded", "{replayed}");
    let again = world.json(&["quarantine", "replay", &id]);
    assert_eq!(
        (&again[0]["status"], &again[0]["position"]),
        (&json!("duplicate"), &replayed[0]["position"])
    );
    assert_eq!(world.json(&["quarantine", "list"]), json!([]));
    assert_eq!(world.json(&["quarantine", "list", "--all"])[0]["state"], "replayed");

    let key = world.json(&["key", "create", "--installation", "--scopes", "admin"]);
    let url = format!("{}/v1/quarantine", serving.url);
    let listed = Client::new().get(url).bearer_auth(text(&key, "api_key")).send().await;
    let listed: Value = listed.expect("an answer").json().await.expect("a document");
    assert_eq!(listed["data"][0]["quarantine_id"], json!(id));

    for args in [&["export", "events"][..], &["tenant", "list"], &["verify"]] {
        assert_eq!(unread(&world, args), (Some(0), String::new()), "{args:?}");
    }
    let url = serving.url.clone();
    assert_eq!(serving.end(Signal::SIGTERM).code, 0);
    let len = told.recv(&mut state).expect("systemd is told");
    assert_eq!(&state[..len], b"STOPPING=1");
    let gone = world.run(&["probe", "--url", &url]);
    assert_eq!(gone.code, 1);
    assert!(gone.stderr.contains(&url) && gone.stderr.contains("serve"), "{}", gone.stderr);
}
