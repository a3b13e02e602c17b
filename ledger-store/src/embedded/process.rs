//! Reads the process id from the server's lock files, and checks whether that process is the
//! server.

use std::{fs, io::ErrorKind, os::unix::fs::MetadataExt, path::Path};

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};

use super::{
    error::Error,
    paths::{ClusterPaths, PORT},
};

/// The process id in `postmaster.pid`. A server that was killed leaves the file behind.
pub(super) fn recorded_pid(paths: &ClusterPaths) -> Option<i32> {
    first_line(&paths.pgdata.join("postmaster.pid"))
}

/// Whether the server with process id `pid` has ended. A regular end removes the file as its last
/// step.
pub(super) fn has_ended(paths: &ClusterPaths, pid: i32) -> bool {
    recorded_pid(paths) != Some(pid) || !is_server(pid, &paths.pgdata)
}

/// Removes the lock files of a server that was killed.
///
/// PostgreSQL does this itself, unless the process id in the file is in use by a process of its
/// user: a later process, or the killed server as a zombie, which some containers never reap.
/// Surviving children of a killed server are no danger: PostgreSQL finds them by the shared memory
/// segment and refuses to start.
///
/// Call only under the start lock, and when nothing answers on the socket.
pub(super) fn remove_stale_locks(paths: &ClusterPaths) -> Result<(), Error> {
    let socket = format!(".s.PGSQL.{PORT}.lock");
    for file in [paths.pgdata.join("postmaster.pid"), paths.socket_dir.join(socket)] {
        if first_line(&file).is_some_and(|pid| !is_server(pid, &paths.pgdata)) {
            fs::remove_file(&file).map_err(Error::io("remove", file))?;
        }
    }
    Ok(())
}

fn first_line(file: &Path) -> Option<i32> {
    let number: i32 = fs::read_to_string(file).ok()?.lines().next()?.parse().ok()?;
    // The single-user mode of PostgreSQL writes a negative id, which `kill` would take for a
    // process group.
    number.checked_abs().filter(|pid| *pid > 0)
}

/// Compares the working directory: a server has its data directory, a zombie none, and another
/// process with this id a different one.
fn is_server(pid: i32, pgdata: &Path) -> bool {
    match (fs::metadata(format!("/proc/{pid}/cwd")), fs::metadata(pgdata)) {
        (Ok(cwd), Ok(data)) => (cwd.dev(), cwd.ino()) == (data.dev(), data.ino()),
        (Err(error), _)
            if error.kind() == ErrorKind::NotFound && Path::new("/proc/self").exists() =>
        {
            false
        }
        // No /proc, or no permission to read it.
        _ => kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH),
    }
}
