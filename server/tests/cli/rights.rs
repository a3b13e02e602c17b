//! Credentials and tenants, revoked from the command line while a server runs.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::{Value, json};

use crate::test_dir::{Serving, TestDir};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

async fn get(serving: &Serving, key: &str, path: &str) -> u16 {
    let request = Client::new().get(format!("{}{path}", serving.url)).bearer_auth(key);
    request.send().await.expect("an answer").status().as_u16()
}

/// Posts a status of a call; returns status and response.
async fn post(serving: &Serving, path: &str, secret: &str, call: &str) -> (u16, Value) {
    let body = json!({ "message": { "type": "status-update", "status": "in-progress",
        "call": { "id": call, "customer": { "number": "+15550100123" } } } });
    let request = Client::new().post(format!("{}{path}", serving.url));
    let answer = request.header("x-vapi-secret", secret).json(&body).send().await;
    let answer = answer.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

/// Longest time until a change by a command takes effect in a running server; its caches expire after 5 s.
const EFFECT: Duration = Duration::from_secs(10);

/// Repeats a request until it has the status that a change leads to.
async fn until<F: Future<Output = u16>>(expected: u16, mut request: impl FnMut(u32) -> F) {
    let begun = Instant::now();
    for nth in 0.. {
        let status = request(nth).await;
        if status == expected {
            return;
        }
        assert!(begun.elapsed() < EFFECT, "still {status}, not {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_read(serving: &Serving, key: &str, expected: u16) {
    until(expected, |_| get(serving, key, "/v1/calls")).await;
}

/// Each attempt reports a call of its own: a repeated one would be answered as such.
async fn until_reported(serving: &Serving, path: &str, secret: &str, expected: u16) {
    let report =
        |nth: u32| async move { post(serving, path, secret, &format!("try-{nth}")).await.0 };
    until(expected, report).await;
}

#[tokio::test]
async fn a_running_server_refuses_credentials_revoked_from_the_command_line() {
    let test_dir = TestDir::new();
    test_dir.json(&["tenant", "create", "--slug", "acme"]);
    let scopes = ["key", "create", "--tenant", "acme", "--scopes", "read,personal"];
    let key = test_dir.json(&scopes);
    let brief = test_dir.json(&[&scopes[..], &["--expires", "30d", "--name", "Brief"]].concat());
    assert!(text(&brief, "expires_at").ends_with('Z'), "{brief}");
    let source = test_dir.json(&["source", "create", "--tenant", "acme", "--provider", "vapi"]);
    let (id, path) = (text(&source, "source_id"), text(&source, "path"));
    let (key_id, api_key) = (text(&key, "key_id"), text(&key, "api_key"));
    let secret = text(&source, "secret");

    let serving = test_dir.serve(&[]);
    let first = post(&serving, path, secret, "first").await;
    assert_eq!(first.0, 200, "{}", first.1);
    assert_eq!(get(&serving, api_key, "/v1/calls").await, 200);

    let rotated = test_dir.json(&["source", "rotate-secret", id, "--overlap", "1h"]);
    assert!(text(&rotated, "old_secret_until").ends_with('Z'), "{rotated}");
    let new = text(&rotated, "secret");
    until_reported(&serving, path, new, 200).await;
    assert_eq!(post(&serving, path, secret, "first").await.0, 200, "both for an hour");
    let again = test_dir.json(&["source", "rotate-secret", id]);
    assert_eq!(again["old_secret_until"], Value::Null);
    until_reported(&serving, path, new, 401).await;
    let secret = text(&again, "secret");

    let frozen = test_dir.json(&["tenant", "freeze", "acme"]);
    assert_eq!(frozen["state"], "frozen");
    assert!(frozen["tenant_id"].is_string());
    until_reported(&serving, path, secret, 403).await;
    let known = post(&serving, path, secret, "first").await;
    assert_eq!(known.1, json!({ "status": "duplicate", "position": first.1["position"] }));
    assert_eq!(get(&serving, api_key, "/v1/calls").await, 200, "reads go on");
    assert_eq!(test_dir.json(&["tenant", "close", "acme"])["state"], "closed");
    until_read(&serving, api_key, 403).await;
    assert_eq!(
        test_dir.json(&["key", "revoke", key_id]),
        json!({ "key_id": key_id, "state": "revoked" })
    );
    until_read(&serving, api_key, 401).await;
    assert_eq!(test_dir.json(&["tenant", "thaw", "acme"])["state"], "active");
    until_read(&serving, text(&brief, "api_key"), 200).await;

    assert_eq!(test_dir.json(&["source", "disable", id])["state"], "disabled");
    until_reported(&serving, path, secret, 404).await;
    let listed = test_dir.json(&["source", "list"]);
    assert_eq!((&listed[0]["source_id"], &listed[0]["state"]), (&json!(id), &json!("disabled")));
    assert!(!listed.to_string().contains(secret), "never again");
    assert_eq!(test_dir.json(&["source", "enable", id])["state"], "enabled");
    until_reported(&serving, path, secret, 200).await;

    let keys = test_dir.json(&["key", "list", "--tenant", "acme"]);
    let states: Vec<_> = keys.as_array().expect("a list").iter().map(|key| &key["state"]).collect();
    assert_eq!(states, ["revoked", "live"]);
    assert!(keys[0]["last_used_at"].is_string() && keys[1]["last_used_at"].is_string());
    assert_eq!(keys[1]["expires_at"], brief["expires_at"]);
    assert!(!keys.to_string().contains(api_key), "never again");
    assert_eq!(serving.end(Signal::SIGINT).code, 0);
    assert_eq!(test_dir.json(&["verify"])["ok"], true);
}

#[test]
fn settings_of_a_source_are_changed_from_the_command_line_and_the_rest_stays() {
    let test_dir = TestDir::new();
    test_dir.json(&["tenant", "create", "--slug", "acme"]);
    let create = ["source", "create", "--tenant", "acme", "--provider", "vapi", "--name", "Desk"];
    let source = test_dir.json(&[&create[..], &["--tool", "my tool=book"]].concat());
    let id = text(&source, "source_id");
    let listed = || test_dir.json(&["source", "list"])[0].clone();
    assert_eq!(listed()["tools"], json!({ "my tool": "book" }));
    let update = ["source", "update", id];
    let tools = ["--tool", "reserve_slot=book", "--tool", "ask_person=escalate"];
    let changed = test_dir.json(&[&update[..], &tools].concat());
    let names = json!({ "ask_person": "escalate", "reserve_slot": "book" });
    assert_eq!(changed["tools"], names, "all of them are replaced");
    let changed = test_dir.json(&[&update[..], &["--speech", "verbatim"]].concat());
    assert_eq!((&changed["tools"], &changed["speech"]), (&names, &json!("verbatim")));
    assert_eq!(changed["name"], "Desk");
    let changed = test_dir.json(&[&update[..], &["--no-tools", "--record", "all"]].concat());
    assert_eq!((&changed["tools"], &changed["record_all"]), (&json!({}), &json!(true)));
    let (listed, speech) = (listed(), json!("verbatim"));
    assert_eq!((&listed["tools"], &listed["speech"]), (&json!({}), &speech), "{listed}");
    assert_eq!(test_dir.json(&["verify"])["ok"], true);
}

#[test]
fn an_unknown_credential_cannot_be_revoked_and_weak_secrets_are_refused() {
    let test_dir = TestDir::new();
    let nobody = "00000000-0000-4000-8000-000000000001";
    for (args, code, said) in [
        (&["key", "revoke", nobody][..], 1, "key list"),
        (&["source", "disable", nobody], 1, "source list"),
        (&["source", "enable", nobody], 1, "source list"),
        (&["source", "rotate-secret", nobody], 1, "source list"),
        (&["source", "update", nobody, "--speech", "model"], 1, "source list"),
        (&["source", "update", nobody], 2, "say what changes"),
        (&["source", "update", nobody, "--speech", "loud"], 2, "verbatim"),
        (&["source", "update", nobody, "--tool", "pay"], 2, "NAME=TOOL"),
        (&["source", "update", nobody, "--tool", "a=pay"], 2, "look_up"),
        (&["source", "update", nobody, "--tool", "+15550100123=book"], 2, "--tool"),
        (&["source", "update", nobody, "--tool", "a=book", "--no-tools"], 2, "cannot be used with"),
        (&["tenant", "freeze", "nobody"], 1, "no tenant nobody"),
        (&["key", "revoke", "not-an-id"], 2, "not-an-id"),
        (&["source", "rotate-secret", nobody, "--overlap", "31d"], 2, "30d"),
        (&["source", "rotate-secret", nobody, "--overlap", "1"], 2, "a unit"),
        (&["source", "rotate-secret", nobody, "--secret", "aaaaaaaa"], 2, "16"),
        (&["source", "rotate-secret", nobody, "--secret", "aaaaaaaaaaaaaaaaaaaa"], 2, "repeats"),
        (&["key", "create", "--tenant", "x", "--scopes", "read", "--expires", "soon"], 2, "a unit"),
    ] {
        let ran = test_dir.run(args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("aaaaaaaa") || ran.stderr.contains("--secret <"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn the_embedded_database_started_by_command_runs_until_stopped_by_command() {
    let test_dir = TestDir::new();
    let url = test_dir.json(&["db", "url"]);
    assert!(text(&url, "url").starts_with("postgres:///ledger?host="), "{url}");
    assert_eq!(test_dir.postgres(), None, "asking where it is starts nothing");
    let started = test_dir.json(&["db", "start"]);
    assert_eq!((&started["url"], &started["state"]), (&url["url"], &json!("running")));
    let postgres = test_dir.postgres().expect("it runs");
    test_dir.json(&["tenant", "create", "--slug", "acme"]);
    assert_eq!(test_dir.postgres(), Some(postgres), "a command that adopts it leaves it running");
    let ran = test_dir.run(&["db", "psql", "--", "-tAc", "select slug from ledger.tenants"]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, "acme"), "{}", ran.stderr);
    assert_eq!(test_dir.run(&["db", "psql", "--", "-c", "select nonsense"]).code, 1);

    let serving = test_dir.serve(&[]);
    let refused = test_dir.run(&["db", "stop"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("other processes use"), "{}", refused.stderr);
    assert_eq!(serving.end(Signal::SIGINT).code, 0);
    assert_eq!(test_dir.postgres(), None, "the last of them ended it, as it was told");

    test_dir.json(&["db", "start"]);
    assert_eq!(test_dir.json(&["db", "stop"])["state"], "stopped");
    assert_eq!(test_dir.postgres(), None);
    assert_eq!(test_dir.json(&["db", "stop"])["state"], "stopped", "again is no fault");
    let other = ["db", "url", "--database-url", "postgres://ledger@127.0.0.1:1/x"];
    assert_eq!(test_dir.run(&other).code, 2);
}

#[test]
fn the_demo_ends_with_commands_that_work_as_they_are_printed() {
    let test_dir = TestDir::new();
    let data = test_dir.dir().join("else where");
    let args = ["demo", "--calls", "20", "--days", "3", "--exit", "--listen", "127.0.0.1:18080"];
    let ran = test_dir.run(&[&args[..], &["--data-dir", data.to_str().expect("a text")]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let dir = data.display();
    let serve = format!("call-ledger --data-dir '{dir}' serve --listen 127.0.0.1:18080");
    assert!(ran.stdout.contains(&serve), "{}", ran.stdout);
    assert!(
        ran.stdout.contains(&format!("call-ledger --data-dir '{dir}' verify")),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("http://127.0.0.1:18080/v1/calls"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(":8080"), "{}", ran.stdout);
}
