//! The process that the server wrote into its lock files, and whether it is still that server.

use std::{fs, io::ErrorKind, os::unix::fs::MetadataExt, path::Path};

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};

use super::{
    Error,
    place::{PORT, Place},
};

/// The number in the file, which outlives a server that was killed.
pub(super) fn written(place: &Place) -> Option<i32> {
    first_line(&place.pgdata.join("postmaster.pid"))
}

/// Whether the server that was process `pid` has ended. It removes its file last, unless it was killed.
pub(super) fn is_gone(place: &Place, pid: i32) -> bool {
    written(place) != Some(pid) || !is_server(pid, &place.pgdata)
}

/// Removes the lock files of a server that was killed. PostgreSQL does so itself unless their number belongs to a
/// process of its user: a later one, or the killed one as a zombie, which in some containers nobody ever reaps. The
/// children that a killed server may have left are no danger: PostgreSQL finds them by the memory they share with it,
/// and refuses to start.
///
/// Only under the start lock, and when nobody answers on the socket.
pub(super) fn forget_killed(place: &Place) -> Result<(), Error> {
    let socket = format!(".s.PGSQL.{PORT}.lock");
    for file in [place.pgdata.join("postmaster.pid"), place.socket_dir.join(socket)] {
        if first_line(&file).is_some_and(|pid| !is_server(pid, &place.pgdata)) {
            fs::remove_file(&file).map_err(Error::io("remove", file))?;
        }
    }
    Ok(())
}

fn first_line(file: &Path) -> Option<i32> {
    let number: i32 = fs::read_to_string(file).ok()?.lines().next()?.parse().ok()?;
    // PostgreSQL's single-user mode writes it negative, which `kill` would take for a group.
    number.checked_abs().filter(|pid| *pid > 0)
}

/// A server works in its data directory; a zombie works nowhere, and a later process of that number elsewhere.
fn is_server(pid: i32, pgdata: &Path) -> bool {
    match (fs::metadata(format!("/proc/{pid}/cwd")), fs::metadata(pgdata)) {
        (Ok(cwd), Ok(data)) => (cwd.dev(), cwd.ino()) == (data.dev(), data.ino()),
        (Err(error), _)
            if error.kind() == ErrorKind::NotFound && Path::new("/proc/self").exists() =>
        {
            false
        }
        // No /proc, or not ours to read.
        _ => kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH),
    }
}
