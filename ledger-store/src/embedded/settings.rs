//! The server settings of the private PostgreSQL, rewritten at each start so that an upgrade can
//! change them.
//!
//! The file is outside of the data directory, where the server can read it and not rewrite it.
//! Settings below our `include` line in `postgresql.conf`, or set with `alter system`, take
//! precedence.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use nix::sys::statvfs::statvfs;

use super::{
    archive,
    cluster_settings::{Durability, Settings},
    error::Error,
    identity::ServerUser,
    paths::ClusterPaths,
};

const FILE: &str = "call-ledger.conf";
/// The line added to `postgresql.conf`. Not `include_if_exists`: without our file the server would
/// open a TCP port.
pub(super) const INCLUDE: &str = "include = '../call-ledger.conf'";

/// The settings that do not depend on the machine. No statement or parameter may reach the server's
/// log.
const FIXED: &str = "\
listen_addresses = ''
wal_compression = on
max_wal_size = '4GB'
timezone = 'UTC'
log_timezone = 'UTC'
jit = off
random_page_cost = 1.1
password_encryption = 'scram-sha-256'
idle_in_transaction_session_timeout = '60s'
log_statement = none
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
";

/// Writes the settings for the next start.
pub(super) fn write(
    paths: &ClusterPaths,
    settings: &Settings,
    user: &ServerUser,
) -> Result<(), Error> {
    let path = paths.root.join(FILE);
    let fresh = path.with_extension("conf.tmp");
    let text = text(paths, settings) + &archive::prepare(paths, settings, user)?;
    fs::write(&fresh, text).map_err(Error::io("write", &fresh))?;
    // Readable regardless of our umask: the server may run as another user, and the file holds no
    // secret.
    fs::set_permissions(&fresh, Permissions::from_mode(0o644))
        .and_then(|()| fs::rename(&fresh, &path))
        .map_err(Error::io("write", path))
}

fn text(paths: &ClusterPaths, settings: &Settings) -> String {
    let (durable, shared_mb) = match settings.durability {
        Durability::Durable => ("on", shared_buffers_mb(memory_mb())),
        Durability::Disposable => ("off", 128),
    };
    // A quoted string that holds a list of quoted names.
    let socket_dir = paths.socket_dir.to_string_lossy();
    let socket_dir = socket_dir.replace('"', "\"\"").replace('\\', "\\\\").replace('\'', "''");
    format!(
        "# Written by call-ledger at each start; change postgresql.conf, below its include line, instead.\n\
         {FIXED}\
         unix_socket_directories = '\"{socket_dir}\"'\n\
         port = {port}\n\
         fsync = {durable}\n\
         full_page_writes = {durable}\n\
         synchronous_commit = {durable}\n\
         max_connections = {connections}\n\
         shared_buffers = '{shared_mb}MB'\n\
         dynamic_shared_memory_type = {shared_memory}\n",
        port = super::paths::PORT,
        connections = settings.max_connections,
        shared_memory = shared_memory_type(),
    )
}

/// A quarter of the memory, within limits: the operating system's page cache uses the rest.
fn shared_buffers_mb(memory_mb: u64) -> u64 {
    (memory_mb / 4).clamp(128, 1024)
}

/// Memory of this machine or of our container, in MB. Zero when the system does not report it.
fn memory_mb() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    });
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    let machine = machine.map_or(0, |kilobytes| kilobytes / 1024);
    container.map_or(machine, |bytes| machine.min(bytes / 1024 / 1024))
}

/// The type of shared memory. Containers often have 64 MB of `/dev/shm`, which a parallel query can
/// exceed; then files in the data directory are used.
fn shared_memory_type() -> &'static str {
    match statvfs("/dev/shm") {
        Ok(shm) if shm.blocks().saturating_mul(shm.fragment_size()) < 256 * 1024 * 1024 => "mmap",
        _ => "posix",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_takes_a_quarter_of_the_memory_within_bounds() {
        assert_eq!([0, 2048, 65_536].map(shared_buffers_mb), [128, 512, 1024]);
    }
}
