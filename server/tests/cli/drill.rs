//! The drill of docs/operations/backup.md, executed from the page: a backup taken while the server
//! runs restores a complete ledger.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::Value;

use crate::docs::page;
use crate::test_dir::TestDir;

/// Returns the commands below `<!-- drill: name -->` of the page.
fn commands(name: &str) -> String {
    let page = page("docs/operations/backup.md");
    let marked = page.split_once(&format!("<!-- drill: {name} -->\n```sh\n"));
    let block = marked.and_then(|(_, rest)| rest.split_once("```"));
    block.unwrap_or_else(|| panic!("no drill {name} in the page")).0.to_owned()
}

/// Runs the commands with this program and PostgreSQL's programs on the path.
fn run(test_dir: &TestDir, commands: &str) {
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_call-ledger"));
    let postgres = fs::read_dir("/usr/lib/postgresql").expect("Debian's place for them");
    let major = fs::read_to_string(test_dir.data().join("pg/PG_VERSION")).expect("it has one");
    let mut dirs = vec![ours.parent().expect("a directory").to_owned()];
    dirs.extend(
        postgres
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy() == major.trim())
            .map(|entry| entry.path().join("bin")),
    );
    dirs.extend(["/usr/bin", "/bin"].map(PathBuf::from));
    let ran = Command::new("sh")
        .args(["-euc", commands])
        .env_clear()
        .env("PATH", std::env::join_paths(dirs).expect("a path"))
        .current_dir(test_dir.dir())
        .output()
        .expect("a shell");
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(ran.status.success(), "{commands}\n{}\n{}", said[0], said[1]);
}

async fn calls(url: &str, key: &str) -> Value {
    let url = format!("{url}/v1/calls?limit=200");
    let answer = Client::new().get(url).bearer_auth(key).send().await.expect("an answer");
    answer.json().await.expect("a document")
}

#[tokio::test]
async fn a_backup_of_a_running_server_restores_a_complete_ledger() {
    let test_dir = TestDir::new();
    let demo = test_dir.json(&["demo", "--calls", "10", "--days", "2", "--exit"]);
    let key = demo["api_key"].as_str().expect("a key");
    let serving = test_dir.serve(&[]);
    let before = calls(&serving.url, key).await;
    run(&test_dir, &commands("backup"));
    assert_eq!(serving.end(Signal::SIGTERM).code, 0);
    fs::remove_dir_all(test_dir.data().join("keyring")).expect("the machine is lost");
    fs::remove_file(test_dir.data().join("root.key")).expect("the machine is lost");

    run(&test_dir, &commands("restore"));
    let serving = test_dir.serve(&["--data-dir", "restored"]);
    let after = calls(&serving.url, key).await;
    assert!(before["data"].as_array().is_some_and(|calls| !calls.is_empty()));
    assert!(
        before.to_string().contains(r#""phone":"+1"#),
        "personal fields are in the clear: {before}"
    );
    assert_eq!(after, before, "with what only the keys can open");
    assert_eq!(serving.end(Signal::SIGTERM).code, 0);
}
