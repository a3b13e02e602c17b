//! Checks of this machine: program, data directory, disk, PostgreSQL's programs, open files and
//! memory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ledger_store::embedded::installed;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;
use nix::unistd::{Uid, User, geteuid};

use super::check::Check;
use crate::config::Config;

const MEGABYTE: u64 = 1 << 20;
/// Free space below which writes may fail.
const DISK_FAILED: u64 = 512 * MEGABYTE;
/// Free space below which an operator should act; enough for days of webhooks in most
/// installations.
const DISK_WARNING: u64 = 5 * 1024 * MEGABYTE;
const MEMORY_WARNING: u64 = 512 * MEGABYTE;
/// Each connection and each webhook in progress needs a file descriptor.
const FILES_WARNING: u64 = 4_096;

pub(super) async fn checks(config: &Config) -> Vec<Check> {
    let mut checks = vec![program(), data_dir(&config.data_dir), disk(&config.data_dir)];
    if config.database_url.is_none() {
        checks.push(binaries(config).await);
    }
    checks.extend([open_files(), memory()]);
    checks
}

fn program() -> Check {
    let profile = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    let found = format!(
        "{} ({profile}, {} {})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    if cfg!(debug_assertions) {
        let todo = "build with --release before anything depends on it";
        return Check::warning("version", "call-ledger", found, todo);
    }
    Check::ok("version", "call-ledger", found)
}

fn data_dir(dir: &Path) -> Check {
    let (name, place) = ("data_dir", dir.display().to_string());
    let meta = match fs::metadata(dir) {
        Ok(meta) if meta.is_dir() => meta,
        Ok(_) => {
            let todo = "choose another --data-dir";
            return Check::failed(name, place, "it is no directory", todo);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Check::ok(name, place, "not there yet");
        }
        Err(error) => {
            let todo = "check that this user may enter it";
            return Check::failed(name, place, error.to_string(), todo);
        }
    };
    let mode = meta.mode() & 0o7777;
    let owner = User::from_uid(Uid::from_raw(meta.uid())).ok().flatten();
    let owner = owner.map_or_else(|| meta.uid().to_string(), |user| user.name);
    let found = format!("owner {owner}, mode {mode:o}");
    let own = geteuid();
    if meta.uid() != own.as_raw() && !own.is_root() {
        let todo = format!("run as {owner}, or choose another --data-dir");
        return Check::failed(name, place, found, todo);
    }
    if meta.uid() != own.as_raw() {
        let todo = format!("run as {owner}: a key file that root makes, {owner} cannot read");
        return Check::warning(name, place, found, todo);
    }
    if mode & 0o022 != 0 {
        let todo = format!("others may write in it: chmod go-w {place}");
        return Check::failed(name, place, found, todo);
    }
    Check::ok(name, place, found)
}

/// Checks the free space of the file system that holds the data directory, or will hold it.
fn disk(dir: &Path) -> Check {
    let dir = dir.ancestors().find(|dir| dir.exists() && !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or_else(|| Path::new("."));
    let (name, place) = ("disk", dir.display().to_string());
    let disk = match statvfs(dir) {
        Ok(disk) => disk,
        Err(error) => {
            let todo = "check that the disk is mounted";
            return Check::failed(name, place, error.to_string(), todo);
        }
    };
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let found = format!("{} MB free", free / MEGABYTE);
    let todo = "make room: a full disk takes no webhooks; docs/operations/alerts/disk-full.md";
    match free {
        0..DISK_FAILED => Check::failed(name, place, found, todo),
        DISK_FAILED..DISK_WARNING => Check::warning(name, place, found, todo),
        _ => Check::ok(name, place, found),
    }
}

async fn binaries(config: &Config) -> Check {
    let name = "postgres_programs";
    let place =
        config.pg_bin.as_ref().map_or("this machine".into(), |dir| dir.display().to_string());
    let found = match installed(config.pg_bin.as_deref()).await {
        Ok(found) => found,
        Err(error) => return Check::failed(name, place, "none", error.to_string()),
    };
    let majors: Vec<String> =
        found.iter().map(|one| format!("{} in {}", one.major, one.dir.display())).collect();
    let majors = majors.join(", ");
    let data = fs::read_to_string(config.data_dir.join("pg/PG_VERSION")).ok();
    match data.and_then(|text| text.trim().parse::<u32>().ok()) {
        Some(wanted) if !found.iter().any(|one| one.major == wanted) => {
            let todo =
                format!("install PostgreSQL {wanted}, which wrote the data, or pg_upgrade it");
            Check::failed(name, place, majors, todo)
        }
        _ => Check::ok(name, place, majors),
    }
}

fn open_files() -> Check {
    let (name, place) = ("open_files", "this process");
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < FILES_WARNING => {
            let todo = format!("ulimit -n {FILES_WARNING}, or LimitNOFILE= of the service");
            Check::warning(name, place, format!("{soft} (at most {hard})"), todo)
        }
        Ok((soft, _)) => Check::ok(name, place, soft.to_string()),
        Err(error) => Check::warning(name, place, error.to_string(), "look at ulimit -n"),
    }
}

/// Checks the available memory of the machine, or of the container if its limit is lower.
fn memory() -> Check {
    let (name, place) = ("memory", "this machine");
    let Some(available) = available_memory() else {
        return Check::ok(name, place, "the system does not say");
    };
    let found = format!("{} MB available", available / MEGABYTE);
    if available < MEMORY_WARNING {
        let todo = "give the machine or the container more; PostgreSQL and the server want 512 MB";
        return Check::warning(name, place, found, todo);
    }
    Check::ok(name, place, found)
}

fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let machine = line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024;
    let read = |name| fs::read_to_string(Path::new("/sys/fs/cgroup").join(name)).ok();
    let number = |text: String| text.trim().parse::<u64>().ok();
    let container =
        read("memory.max").and_then(number).zip(read("memory.current").and_then(number));
    Some(container.map_or(machine, |(most, used)| machine.min(most.saturating_sub(used))))
}
