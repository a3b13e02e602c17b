//! `projection` and `parked`: a rebuild next to a server, a killed one, one without keys, and
//! parked keys.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Client;
use serde_json::{Value, json};

use crate::test_dir::{CommandOutput, DirectAccess, Serving, TestDir};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// A tenant with a source.
struct Clinic {
    tenant_id: String,
    path: String,
    secret: String,
}

impl Clinic {
    fn new(test_dir: &TestDir, slug: &str) -> Self {
        let tenant = test_dir.json(&["tenant", "create", "--slug", slug]);
        let source = test_dir.json(&["source", "create", "--tenant", slug, "--provider", "vapi"]);
        Self {
            tenant_id: text(&tenant, "tenant_id").to_owned(),
            path: text(&source, "path").to_owned(),
            secret: text(&source, "secret").to_owned(),
        }
    }

    /// Posts the start of a call; returns its log position.
    async fn post_call_start(&self, serving: &Serving, call: &str) -> i64 {
        let body = json!({ "message": {
            "type": "status-update", "status": "in-progress", "call": { "id": call },
        } });
        let sent = Client::new()
            .post(format!("{}{}", serving.url, self.path))
            .header("x-vapi-secret", &self.secret)
            .json(&body)
            .send();
        let answer: Value = sent.await.expect("an answer").json().await.expect("a document");
        assert_eq!(answer["status"], "recorded", "{answer}");
        answer["position"].as_i64().expect("a position")
    }
}

/// Returns the versions of a read model in a state.
fn versions(test_dir: &TestDir, name: &str, state: &str) -> Vec<Value> {
    let listed = test_dir.json(&["projection", "list"]);
    let all = listed.as_array().expect("a list").iter();
    all.filter(|one| one["name"] == name && one["state"] == state).cloned().collect()
}

/// Returns the only version of a read model in a state.
fn version(test_dir: &TestDir, name: &str, state: &str) -> Value {
    let mut found = versions(test_dir, name, state);
    assert_eq!(found.len(), 1, "{name} {state}: {found:?}");
    found.remove(0)
}

/// Returns whether a version is active and current.
fn shows(test_dir: &TestDir, name: &str, version: i32) -> bool {
    versions(test_dir, name, "current").iter().any(|one| one["version"] == version)
}

/// Polls until a condition holds.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_mins(2), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn spawn(test_dir: &TestDir, args: &[&str]) -> Child {
    let mut command = test_dir.command(&[&["--output", "json"], args].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

fn ended(child: Child) -> CommandOutput {
    let output = child.wait_with_output().expect("it ends");
    CommandOutput {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).expect("it runs");
}

/// Waits until every active version has caught up.
fn settled(test_dir: &TestDir) {
    until("the read models have caught up", || {
        let listed = test_dir.json(&["projection", "list", "--no-checksum"]);
        listed.as_array().expect("a list").iter().all(|one| one["lag_events"] == 0)
    });
}

#[tokio::test]
async fn a_rebuild_beside_a_server_is_promoted_under_load_and_can_be_rolled_back() {
    let test_dir = TestDir::new();
    let clinic = Clinic::new(&test_dir, "acme");
    let serving = test_dir.serve(&[]);
    for nth in 0..20 {
        clinic.post_call_start(&serving, &format!("before-{nth}")).await;
    }
    let before = version(&test_dir, "calls", "current");
    let running = spawn(&test_dir, &["projection", "rebuild", "calls"]);
    let running = tokio::task::spawn_blocking(|| ended(running));
    let mut arrived = 0;
    while !running.is_finished() {
        clinic.post_call_start(&serving, &format!("during-{arrived}")).await;
        arrived += 1;
    }
    let ran = running.await.expect("it ran");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("filling version 3 of calls"), "{}", ran.stderr);
    let rebuilt: Value = serde_json::from_str(&ran.stdout).expect("one document");
    assert_eq!((text(&rebuilt, "name"), &rebuilt["version"]), ("calls", &json!(3)), "{rebuilt}");
    assert!(rebuilt["events"].as_i64() > Some(20), "{rebuilt}");
    for field in ["seconds", "events_per_second", "checksum"] {
        assert!(!rebuilt[field].is_null(), "{rebuilt}");
    }

    settled(&test_dir);
    let (shown, previous) =
        (version(&test_dir, "calls", "current"), version(&test_dir, "calls", "previous"));
    assert_eq!((&shown["version"], &previous["version"]), (&json!(3), &before["version"]));
    assert_eq!(shown["checksum"], previous["checksum"], "folded anew, the same");
    assert_eq!(shown["rows"], previous["rows"]);
    let diff = test_dir.json(&["projection", "diff", "calls"]);
    assert_eq!(
        (&diff["here"], &diff["there"], &diff["rows"], &diff["tenants"], &diff["not_compared"]),
        (&json!(3), &json!(2), &json!(0), &json!(1), &json!(0)),
        "{diff}"
    );

    for version in [2, 3] {
        let back = test_dir.json(&["projection", "rollback", "calls"]);
        assert_eq!(back, json!({ "name": "calls", "version": version, "state": "active" }));
    }
    let again = test_dir.json(&["projection", "rebuild", "calls", "--no-promote"]);
    assert_eq!((&again["version"], text(&again, "state")), (&json!(4), "building"), "{again}");
    assert_eq!(test_dir.json(&["projection", "diff", "calls"])["there"], 4);
    let promoted = test_dir.json(&["projection", "promote", "calls"]);
    assert_eq!(promoted, json!({ "name": "calls", "version": 4, "state": "active" }));
    assert_eq!(
        version(&test_dir, "calls", "previous")["version"],
        3,
        "the one before that is gone"
    );

    let one = test_dir.json(&["projection", "rebuild", "calls", "--tenant", "acme"]);
    assert_eq!(
        (&one["version"], text(&one, "tenant_id")),
        (&json!(4), &*clinic.tenant_id),
        "{one}"
    );
    assert_eq!(version(&test_dir, "calls", "current")["checksum"], shown["checksum"]);
    assert_eq!(serving.end(Signal::SIGTERM).code, 0);
    assert_eq!(test_dir.postgres(), None);
}

#[tokio::test]
async fn a_killed_rebuild_resumes_at_its_checkpoint_without_any_key() {
    let test_dir = TestDir::new();
    let (one, two) = (Clinic::new(&test_dir, "one"), Clinic::new(&test_dir, "two"));
    let serving = test_dir.serve(&[]);
    for nth in 0..10 {
        one.post_call_start(&serving, &format!("call-{nth}")).await;
        two.post_call_start(&serving, &format!("call-{nth}")).await;
    }
    settled(&test_dir);
    assert_eq!(serving.end(Signal::SIGTERM).code, 0);
    let live = version(&test_dir, "calls", "current");
    for file in ["keyring", "root.key"] {
        std::fs::rename(test_dir.data().join(file), test_dir.dir().join(file)).expect("it moves");
    }

    // The trigger suppresses the checkpoint of the second tenant, so its log is not applied.
    let mut direct = DirectAccess::new(&test_dir).await;
    direct
        .execute(&format!(
            "create function public.pass_over() returns trigger language plpgsql as
             'begin return null;end'; \
             create trigger pass_over before insert on projection.checkpoints for each row
             when (new.version = 3 and new.tenant_id = '{}') execute function public.pass_over()",
            two.tenant_id
        ))
        .await;
    let running = spawn(&test_dir, &["projection", "rebuild", "calls"]);
    until("half of it is filled", || {
        let building = versions(&test_dir, "calls", "building");
        building.iter().any(|one| one["events"].as_i64() > Some(0))
    });
    signal(&running, Signal::SIGKILL);
    assert_eq!(ended(running).code, -1);

    let half = version(&test_dir, "calls", "building");
    assert_eq!(half["lag_events"], half["events"], "one of two: {half}");
    let refused = test_dir.run(&["projection", "rebuild", "calls"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("--resume"), "{}", refused.stderr);
    let refused = test_dir.run(&["projection", "promote", "calls"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("has not caught up") || refused.stderr.contains("being filled"),
        "{}",
        refused.stderr
    );

    let resumed = spawn(&test_dir, &["projection", "rebuild", "calls", "--resume"]);
    std::thread::sleep(Duration::from_secs(1));
    signal(&resumed, Signal::SIGINT);
    let interrupted = ended(resumed);
    assert_eq!((interrupted.code, interrupted.stdout.as_str()), (1, ""));
    for said in ["version 3 of calls stays", "--resume", "projection cancel calls --yes"] {
        assert!(interrupted.stderr.contains(said), "{}", interrupted.stderr);
    }

    direct.execute("drop trigger pass_over on projection.checkpoints").await;
    let rebuilt = test_dir.json(&["projection", "rebuild", "calls", "--resume"]);
    assert_eq!((&rebuilt["version"], &rebuilt["checksum"]), (&json!(3), &live["checksum"]));
    assert_eq!(test_dir.json(&["projection", "diff", "calls"])["rows"], 0);

    direct
        .execute(
            "create trigger pass_over before insert on projection.checkpoints for each row
               when (new.version = 4) execute function public.pass_over()",
        )
        .await;
    let running = spawn(&test_dir, &["projection", "rebuild", "calls"]);
    until("it began", || !versions(&test_dir, "calls", "building").is_empty());
    let gone = test_dir.json(&["projection", "cancel", "calls", "--yes"]);
    assert_eq!(gone, json!({ "name": "calls", "version": 4, "state": "cancelled" }));
    let given_up = ended(running);
    assert_eq!(given_up.code, 1);
    assert!(given_up.stderr.contains("somebody gave it up"), "{}", given_up.stderr);
    direct.close().await;
    assert_eq!(version(&test_dir, "calls", "current")["version"], 3);
}

#[tokio::test]
async fn a_parked_key_prevents_promotion_until_a_retry_or_drop() {
    let test_dir = TestDir::new();
    let clinic = Clinic::new(&test_dir, "acme");
    let serving = test_dir.serve(&[]);
    clinic.post_call_start(&serving, "sound").await;
    let position = clinic.post_call_start(&serving, "poison").await;
    settled(&test_dir);
    // New versions inherit the constraint; existing rows are not checked.
    let mut direct = DirectAccess::new(&test_dir).await;
    direct
        .execute(
            "alter table calls_v2.calls add constraint poisoned
               check (provider_call_id <> 'poison') not valid",
        )
        .await;

    let held = test_dir.run(&["projection", "rebuild", "calls"]);
    assert_eq!((held.code, held.stdout.as_str()), (1, ""), "{}", held.stderr);
    for said in ["1 keys are parked", "parked list", "promote calls --yes"] {
        assert!(held.stderr.contains(said), "{}", held.stderr);
    }
    let refused = test_dir.run(&["projection", "promote", "calls"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("1 parked keys"), "{}", refused.stderr);
    let parked = test_dir.json(&["parked", "list", "--tenant", "acme"]);
    assert_eq!(parked.as_array().map(Vec::len), Some(1), "{parked}");
    assert_eq!(
        (&parked[0]["version"], &parked[0]["position"], &parked[0]["waiting_events"]),
        (&json!(3), &json!(position), &json!(0)),
        "{parked}"
    );
    let id = text(&parked[0], "parked_id");
    let again = test_dir.run(&["--output", "json", "parked", "retry", id]);
    assert_eq!(again.code, 1, "{}", again.stderr);
    let state: Value = serde_json::from_str(&again.stdout).expect("one document");
    assert_eq!(state, json!([{ "parked_id": id, "state": "parked" }]));

    direct.execute("alter table calls_v3.calls drop constraint poisoned").await;
    let mended = test_dir.json(&["parked", "retry", "--all"]);
    assert_eq!(mended, json!([{ "parked_id": id, "state": "folded" }]));
    // Nothing prevents promotion any more, and the server may be faster than the command.
    until("it is shown", || shows(&test_dir, "calls", 3));
    assert_eq!(
        test_dir.json(&["projection", "diff", "calls"])["rows"],
        0,
        "nothing is missing in it"
    );

    direct
        .execute(
            "alter table calls_v3.calls add constraint poisoned
               check (provider_call_id <> 'poison') not valid",
        )
        .await;
    assert_eq!(test_dir.run(&["projection", "rebuild", "calls"]).code, 1);
    let parked = test_dir.json(&["parked", "list"]);
    let id = text(&parked[0], "parked_id");
    let why = ["--reason", "a message of a test", "--yes"];
    let dropped = test_dir.json(&[&["parked", "drop", id], &why[..]].concat());
    assert_eq!(
        (&dropped["state"], &dropped["already_dropped"], &dropped["position"]),
        (&json!("folded"), &json!(false), &json!(position)),
        "{dropped}"
    );
    assert_eq!(test_dir.json(&["parked", "list"]), json!([]));
    until("it is shown", || shows(&test_dir, "calls", 4));
    // The previous version had folded the event, and has to remove it as well.
    until("both have it", || test_dir.json(&["projection", "diff", "calls"])["rows"] == 0);
    let event = text(&dropped, "event_id");
    let by_event = ["parked", "drop", event, "--projection", "calls", "--tenant", "acme"];
    let again = test_dir.json(&[&by_event[..], &why[..]].concat());
    assert_eq!((&again["event_id"], &again["already_dropped"]), (&json!(event), &json!(true)));
    direct.execute("delete from calls_v3.calls").await;
    let diff = test_dir.json(&["projection", "diff", "calls", "--limit", "1"]);
    assert!(diff["rows"].as_i64() > Some(0), "{diff}");
    assert_eq!(diff["differences"].as_array().map(Vec::len), Some(1), "{diff}");
    assert!(!diff.to_string().contains("sound"), "ids only: {diff}");
    let facts: String = direct
        .query(
            "select facts::text from ledger.events where event_type = 'projection.event_dropped'",
        )
        .await;
    let facts: Value = serde_json::from_str(&facts).expect("facts are JSON");
    assert_eq!(
        (&facts["projection"], &facts["position"], &facts["reason"]),
        (&json!("calls"), &json!(position), &json!("a message of a test"))
    );

    assert_eq!(serving.end(Signal::SIGTERM).code, 0);
    direct.close().await;
}
