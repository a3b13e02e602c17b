//! Processes by number: parents and children, and signals to stop, continue and kill them.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

/// Sends a signal; returns `false` if the process does not exist any more.
pub(super) fn signal(pid: i32, signal: Signal) -> bool {
    kill(Pid::from_raw(pid), signal).is_ok()
}

/// Returns the direct children of a process.
pub(super) fn children(parent: i32) -> Vec<i32> {
    let numbered = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(numbered);
    all.filter(|pid| status(*pid).is_some_and(|(_, its_parent)| its_parent == parent)).collect()
}

/// Returns whether the process runs; a zombie does not.
pub(super) fn is_alive(pid: i32) -> bool {
    status(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// Returns state and parent of a process from `/proc`.
fn status(pid: i32) -> Option<(char, i32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may contain any character.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Returns whether the process is part of a run: it works in the directory or has its path in the
/// environment.
pub(super) fn belongs_to(pid: i32, dir: &Path) -> bool {
    let proc = Path::new("/proc").join(pid.to_string());
    let works_there = std::fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    let environment = std::fs::read(proc.join("environ")).unwrap_or_default();
    let name = dir.as_os_str().as_encoded_bytes();
    works_there || environment.windows(name.len()).any(|part| part == name)
}

/// Kills a process and its children, so that none can clean up, and waits until they are gone.
pub(super) async fn kill_family(pid: i32) {
    // The parent is stopped first, so that it cannot start another child.
    signal(pid, Signal::SIGSTOP);
    let mut family = children(pid);
    family.push(pid);
    for member in &family {
        signal(*member, Signal::SIGKILL);
    }
    wait_gone(&family, Duration::from_secs(10)).await;
}

/// Waits until all of them have ended; `false` if some still run after `timeout`.
pub(super) async fn wait_gone(pids: &[i32], timeout: Duration) -> bool {
    let asked = Instant::now();
    while pids.iter().any(|pid| is_alive(*pid)) {
        if asked.elapsed() > timeout {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    true
}
