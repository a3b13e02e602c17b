//! `backup`: what is restored, what is found, and what is in no backup.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::SecondsFormat;
use ledger_core::clock::Clock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Client;
use serde_json::{Value, json};
use server::system::SystemClock;

use crate::test_dir::{Serving, TestDir};

/// A tenant with a source that webhooks are sent to.
struct Traffic {
    client: Client,
    url: String,
    path: String,
    secret: String,
}

impl Traffic {
    fn new(test_dir: &TestDir) -> Self {
        test_dir.json(&["tenant", "create", "--slug", "acme"]);
        let source = test_dir.json(&["source", "create", "--tenant", "acme", "--provider", "vapi"]);
        let text = |name: &str| source[name].as_str().expect("a text").to_owned();
        let (path, secret) = (text("path"), text("secret"));
        Self { client: Client::new(), url: String::new(), path, secret }
    }

    /// Sends the begin of a call; returns its position once it is acknowledged.
    async fn post(&self, nth: u32) -> i64 {
        let body = json!({ "message": {
            "type": "status-update", "status": "in-progress", "timestamp": 1_780_000_000_000_i64,
            "call": { "id": format!("call-{nth}"), "createdAt": "2026-12-01T00:00:00Z",
                      "customer": { "number": format!("+1555010{:04}", nth % 10_000) } },
        } });
        let sent = self.client.post(format!("{}{}", self.url, self.path));
        let sent = sent.header("x-vapi-secret", &self.secret).json(&body).send().await;
        let answer: Value = sent.expect("an answer").json().await.expect("a document");
        assert_eq!(answer["status"], "recorded", "{answer}");
        answer["position"].as_i64().expect("a position")
    }

    async fn post_all(&self, calls: std::ops::Range<u32>) -> BTreeSet<i64> {
        let mut positions = BTreeSet::new();
        for nth in calls {
            positions.insert(self.post(nth).await);
        }
        positions
    }
}

/// Positions of the events of calls in a ledger that no server uses.
fn recorded(test_dir: &TestDir, data_dir: &str) -> BTreeSet<i64> {
    let exported = test_dir.run(&["export", "events", "--tenant", "acme", "--data-dir", data_dir]);
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    let lines = exported.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let calls = lines.filter(|line: &Value| line["stream_kind"] == "call");
    calls.map(|line| line["position"].as_i64().expect("a position")).collect()
}

fn restore(test_dir: &TestDir, into: &str, name: &str, to: &str) -> Value {
    let args =
        ["--data-dir", into, "backup", "restore", name, "--from", "data", "--to", to, "--yes"];
    test_dir.json(&args)
}

fn name_of(created: &Value) -> String {
    created["name"].as_str().expect("a name").to_owned()
}

fn end(serving: Serving) {
    assert_eq!(serving.end(Signal::SIGTERM).code, 0);
}

#[tokio::test]
async fn a_restore_has_exactly_what_was_acknowledged_until_its_time() {
    let test_dir = TestDir::new();
    let mut traffic = Traffic::new(&test_dir);
    let serving = test_dir.serve(&[]);
    traffic.url.clone_from(&serving.url);
    let mut until_time = traffic.post_all(0..10).await;
    // A backup while webhooks arrive.
    let during = traffic.post_all(10..60);
    let create = tokio::task::spawn_blocking({
        let mut command = test_dir.command(&["--output", "json", "backup", "create"]);
        move || command.output().expect("it runs")
    });
    let (during, created) = tokio::join!(during, create);
    until_time.extend(during);
    let created = created.expect("it ends");
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let first = name_of(&serde_json::from_slice(&created.stdout).expect("a document"));

    until_time.extend(traffic.post_all(60..70).await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let time = SystemClock.now().to_rfc3339_opts(SecondsFormat::Micros, true);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut all = until_time.clone();
    all.extend(traffic.post_all(70..80).await);
    let second = name_of(&test_dir.json(&["backup", "create"]));
    all.extend(traffic.post_all(80..90).await);

    let early = test_dir.run(&[
        "--data-dir",
        "early",
        "backup",
        "restore",
        &second,
        "--from",
        "data",
        "--to",
        &time,
        "--yes",
    ]);
    assert!(early.stderr.contains(&format!("use {first}")), "{}", early.stderr);
    let restored = restore(&test_dir, "to-time", "latest", &time);
    assert_eq!(restored["is_log_exhausted"], false, "{restored}");
    // The end of the log is only in the live data directory: it is used while that is there.
    restore(&test_dir, "to-latest", "latest", "latest");
    let refused = test_dir.run(&[
        "--data-dir",
        "to-time",
        "backup",
        "restore",
        &first,
        "--from",
        "data",
        "--to",
        "latest",
        "--yes",
    ]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("to-time/pg exists"), "{}", refused.stderr);
    end(serving);
    assert_eq!(recorded(&test_dir, "to-time"), until_time);
    assert_eq!(recorded(&test_dir, "to-latest"), all);
    assert_eq!(test_dir.json(&["--data-dir", "to-time", "verify"])["ok"], true);
    for name in ["keyring", "root.key"] {
        let link = test_dir.dir().join("to-time").join(name);
        let found = fs::symlink_metadata(&link).expect("it is there");
        assert!(found.is_symlink(), "{name}: a copy of a key would survive its destruction");
    }
    let listed = test_dir.json(&["backup", "list"]);
    let names: Vec<_> = listed["backups"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, [json!(second), json!(first)], "{listed}");
    assert!(listed["rpo_seconds"].as_i64().is_some_and(|seconds| seconds < 60), "{listed}");
    assert_eq!(listed["archive"]["failing"], Value::Null, "{listed}");
    assert_eq!(listed["archive"]["gap"], Value::Null, "{listed}");
}

/// The largest file below a directory.
fn largest(dir: &Path) -> PathBuf {
    let mut all = Vec::new();
    files(dir, &mut all);
    all.into_iter().max_by_key(|path| fs::metadata(path).expect("a file").len()).expect("a file")
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[tokio::test]
async fn a_backup_is_verified_by_its_restore_and_every_damage_is_found() {
    let test_dir = TestDir::new();
    test_dir.json(&["demo", "--calls", "10", "--days", "2", "--exit"]);
    let name = name_of(&test_dir.json(&["backup", "create"]));
    let verified = test_dir.json(&["backup", "verify"]);
    assert_eq!((&verified["ok"], &verified["name"]), (&json!(true), &json!(name)), "{verified}");
    assert!(verified["events"].as_i64().is_some_and(|events| events > 20), "{verified}");
    let listed = test_dir.json(&["backup", "list"]);
    assert_eq!(listed["backups"][0]["ok"], true, "{listed}");
    assert!(listed["rto_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{listed}");
    let backup = test_dir.data().join("backups").join(&name);
    let left: Vec<_> = fs::read_dir(test_dir.data().join("backups"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|entry| entry.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "the restored copy is removed: {left:?}");

    // One byte of the largest file; a file that is missing; the manifest; the vault export.
    let path = largest(&backup.join("base/base"));
    let whole = fs::read(&path).expect("a file");
    let file = fs::File::options().write(true).open(&path).expect("a file");
    file.write_at(&[whole[5_000] ^ 1], 5_000).expect("it is altered");
    let found = test_dir.run(&["--output", "json", "backup", "verify"]);
    assert_eq!(found.code, 3, "{}", found.stderr);
    let file = path.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(found.stdout.contains(&file), "{}", found.stdout);
    assert_eq!(test_dir.json(&["backup", "list"])["backups"][0]["ok"], false);
    let args = [
        "--data-dir",
        "new",
        "backup",
        "restore",
        &name,
        "--from",
        "data",
        "--to",
        "latest",
        "--yes",
    ];
    let refused = test_dir.run(&args);
    assert_eq!(refused.code, 1, "a damaged backup is not restored");
    assert!(refused.stderr.contains(&file), "{}", refused.stderr);
    assert!(!test_dir.dir().join("new/pg").exists());
    fs::write(&path, &whole).expect("it is put back");
    let gone = largest(&backup.join("base/pg_wal"));
    fs::rename(&gone, test_dir.dir().join("gone")).expect("it is moved");
    assert_eq!(test_dir.run(&["backup", "verify"]).code, 3);
    fs::rename(test_dir.dir().join("gone"), &gone).expect("it is put back");

    let export = largest(&test_dir.data().join("vault-backups"));
    let whole = fs::read(&export).expect("a file");
    fs::write(&export, &whole[..whole.len() - 1]).expect("it is cut");
    let found = test_dir.run(&["--output", "json", "backup", "verify"]);
    assert_eq!(found.code, 3, "{}", found.stderr);
    assert!(found.stdout.contains("is not a complete vault export"), "{}", found.stdout);
    fs::write(&export, &whole).expect("it is put back");
    assert_eq!(test_dir.json(&["backup", "verify"])["ok"], true, "all is mended");

    let manifest = backup.join("manifest.json");
    let text = fs::read_to_string(&manifest).expect("a file");
    fs::write(&manifest, text.replacen("\"size\":", "\"size\":1", 1)).expect("it is altered");
    let refused = test_dir.run(&["backup", "verify", &name]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("was altered or damaged"), "{}", refused.stderr);
}

#[tokio::test]
async fn no_backup_has_a_key_and_an_interrupted_one_does_not_count() {
    let test_dir = TestDir::new();
    test_dir.json(&["demo", "--calls", "5", "--days", "1", "--exit"]);
    let backups = test_dir.data().join("backups");
    // Killed at several points.
    for millis in [20, 150, 400, 700] {
        let mut child = test_dir.command(&["backup", "create"]).spawn().expect("it starts");
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
        if child.wait().expect("it ends").success() {
            break;
        }
        let listed = test_dir.json(&["backup", "list"]);
        assert_eq!(listed["backups"], json!([]), "killed after {millis} ms");
    }
    let created = test_dir.json(&["backup", "create"]);
    let names: Vec<String> = fs::read_dir(&backups)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(names.is_empty(), "the next backup removes what is left: {names:?}");
    assert_eq!(
        created["vault_export"].as_str().map(|path| path.contains("vault-backups")),
        Some(true)
    );

    // Neither the root key nor a key file is in a backup, under any name.
    let mut secrets: Vec<(String, Vec<u8>)> = Vec::new();
    let root = fs::read_to_string(test_dir.data().join("root.key")).expect("the root key");
    let root = root.trim().to_owned();
    secrets.push(("root.key as bytes".into(), hex::decode(&root).expect("hexadecimal")));
    secrets.push(("root.key".into(), root.into_bytes()));
    let mut keys = Vec::new();
    files(&test_dir.data().join("keyring"), &mut keys);
    assert!(keys.len() >= 4, "{keys:?}");
    for path in keys {
        let contents = fs::read(&path).expect("a key file");
        secrets.push((path.display().to_string(), contents[12..].to_vec()));
    }
    let pattern: Vec<String> = secrets.iter().map(|(_, secret)| pattern_of(secret)).collect();
    let holding = |dir: PathBuf| {
        let args = ["-r", "--text", "--files-with-matches", "--perl-regexp", &pattern.join("|")];
        let ran =
            std::process::Command::new("grep").env("LC_ALL", "C").args(args).arg(dir).output();
        String::from_utf8_lossy(&ran.expect("grep").stdout).into_owned()
    };
    let found = holding(test_dir.data().join("keyring"));
    assert_eq!(found.lines().count(), secrets.len() - 2, "the search finds what is there: {found}");
    for dir in [backups, test_dir.data().join("vault-backups")] {
        assert_eq!(
            holding(dir),
            "",
            "of {:?}",
            secrets.iter().map(|(name, _)| name).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_backup_that_cannot_be_restored_is_refused_before_anything_is_written() {
    let test_dir = TestDir::new();
    test_dir.json(&["tenant", "create", "--slug", "acme"]);
    let restore = |more: &[&str]| {
        let args = ["--data-dir", "new", "backup", "restore", "latest", "--to", "latest"];
        test_dir.run(&[&args, more].concat())
    };
    for (more, code, said) in [
        (&["--yes"][..], 2, "--from"),
        (&["--from", "data", "--yes"], 1, "no complete backup latest"),
        (&["--from", "data"], 1, "--yes"),
        (&["--from", "data", "--yes", "--database-url", "postgres://localhost/x"], 2, "own tools"),
    ] {
        let ran = restore(more);
        assert_eq!(ran.code, code, "{more:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{more:?}: {}", ran.stderr);
    }
    test_dir.json(&["backup", "create"]);
    let exports = test_dir.data().join("vault-backups");
    fs::rename(&exports, test_dir.dir().join("elsewhere")).expect("it is moved");
    let refused = restore(&["--from", "data", "--yes"]);
    assert!(refused.stderr.contains("there is no vault export"), "{}", refused.stderr);
    assert!(!test_dir.dir().join("new/pg").exists());
    let named = restore(&["--from", "data", "--vault-backups", "elsewhere", "--yes"]);
    assert_eq!(named.code, 0, "{}", named.stderr);
    let misspelt = test_dir.run(&["backup", "restore", "latest", "--to", "yesterday"]);
    assert_eq!(misspelt.code, 2);
    assert_eq!(test_dir.run(&["backup", "verify", "nothing"]).code, 1);
}

/// A regular expression of bytes: of the longest part without a line feed, since the search is by lines.
fn pattern_of(bytes: &[u8]) -> String {
    let longest = bytes.split(|byte| *byte == b'\n').max_by_key(|part| part.len());
    let longest = longest.expect("a part");
    assert!(longest.len() >= 8, "long enough to be nowhere else");
    let mut pattern = String::new();
    for byte in longest {
        write!(pattern, "\\x{byte:02x}").expect("a text");
    }
    pattern
}
