//! Starts in separate processes: as another user, under a quota, in another mount namespace.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use ledger_store::embedded::{Cluster, Settings};
use nix::unistd::geteuid;

use super::{Data, disposable};

/// Variables with the data directory and the server user for [`one_start_and_stop`].
const DATA_DIR: &str = "LEDGER_TEST_ONE_START";
const SERVER_USER: &str = "LEDGER_TEST_ONE_START_AS";
/// The user id of `nobody`, which exists on every system.
pub(super) const UNPRIVILEGED_UID: u32 = 65534;

/// Helper process, not a test: starts the server once, prints the result, and stops it.
#[tokio::test]
#[ignore = "runs as another process of other tests"]
async fn one_start_and_stop() {
    let Some(data_dir) = env::var_os(DATA_DIR) else { return };
    let user = env::var(SERVER_USER).ok();
    match Cluster::start_or_adopt(Settings { user, ..disposable(data_dir.into()) }).await {
        Ok(cluster) => {
            println!("started, {}", if cluster.was_adopted() { "adopted" } else { "anew" });
            cluster.stop().await.unwrap();
        }
        Err(refused) => {
            let source = std::error::Error::source(&refused);
            println!(
                "refused: {refused}: {}",
                source.map_or_else(String::new, ToString::to_string)
            );
        }
    }
}

/// Returns a copy of this test binary that every user can run.
fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let here = env::current_exe().unwrap();
        if !geteuid().is_root() || runs(&[&as_unprivileged()[..], &["test", "-x"]].concat(), &here)
        {
            return here;
        }
        let shared = tempfile::tempdir().unwrap().keep();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
        let there = shared.join("it");
        fs::copy(here, &there).unwrap();
        there
    });
    &PROGRAM
}

fn runs(command: &[&str], argument: &Path) -> bool {
    let ran = Command::new(command[0]).args(&command[1..]).arg(argument).output();
    ran.is_ok_and(|ran| ran.status.success())
}

/// Returns a command prefix that switches to an ordinary user; empty without root rights.
pub(super) fn as_unprivileged() -> Vec<&'static str> {
    if geteuid().is_root() {
        vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    } else {
        Vec::new()
    }
}

/// Returns whether this process may create a private mount namespace.
pub(super) fn may_mount() -> bool {
    geteuid().is_root() && runs(&["unshare", "--mount"], Path::new("true"))
}

/// Runs one start in `data_dir` with the command prefix `before` and the server user `user`;
/// returns its output.
pub(super) fn start_behind(before: &[&str], data_dir: &Path, user: Option<&str>) -> String {
    let words: Vec<_> = before.iter().map(AsRef::as_ref).chain([program().as_os_str()]).collect();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .args([
            "--ignored",
            "--exact",
            "embedded::separate_process::one_start_and_stop",
            "--nocapture",
        ])
        .env(DATA_DIR, data_dir)
        .current_dir("/");
    if let Some(user) = user {
        command.env(SERVER_USER, user);
    }
    said(&mut command)
}

/// Runs a script in a private mount namespace. `$DIR` is the directory, and `$START` a program that
/// starts once in `$DIR/data` and prints the result.
pub(super) fn script_with_mounts(script: &str, dir: &Path) -> String {
    let start = format!(
        "\"{}\" --ignored --exact embedded::separate_process::one_start_and_stop --nocapture",
        program().display()
    );
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-e", "-c", script])
        .env("DIR", dir)
        .env("START", start)
        .env(DATA_DIR, dir.join("data"));
    said(&mut command)
}

/// Returns the output lines with results of starts.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    let lines =
        text.lines().skip_while(|line| !line.contains("started") && !line.contains("refused"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Creates a directory owned by the ordinary user.
pub(super) fn unprivileged_data() -> Data {
    let data = Data::new();
    if geteuid().is_root() {
        chown(data.dir(), Some(UNPRIVILEGED_UID), Some(UNPRIVILEGED_UID)).unwrap();
    }
    data
}
