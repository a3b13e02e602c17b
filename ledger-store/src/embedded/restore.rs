//! Restores a base backup into an empty data directory, and replays the write-ahead log to a time.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use tokio::process::Child;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::archive::shell_quoted;
use super::cluster_settings::Settings;
use super::error::Error;
use super::identity::ServerUser;
use super::lock::StartLock;
use super::paths::ClusterPaths;
use super::{initdb, process, server};

const POLL: Duration = Duration::from_millis(50);
/// PostgreSQL ends with this when the log has nothing at or after the time.
const NOT_REACHED: &str = "recovery ended before configured recovery target was reached";

/// What is restored.
#[derive(Debug, Clone)]
pub struct Restoration {
    /// The base backup, as [`base_backup`](fn@super::base_backup) wrote it.
    pub base: PathBuf,
    /// Directories with segments of the write-ahead log, searched in this order.
    pub wal: Vec<PathBuf>,
    /// Time to restore to; `None` is the end of the log.
    pub until: Option<DateTime<Utc>>,
}

/// The state that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Time of the last replayed commit; `None` when none was replayed.
    pub last_commit: Option<DateTime<Utc>>,
    /// Whether the log ended before the asked time.
    pub is_log_exhausted: bool,
}

/// Restores into the data directory of `settings`, which must have no data yet, and replays the
/// write-ahead log. The server is stopped on return.
///
/// # Errors
/// [`Error::NotEmpty`] when there is data, which is never overwritten; [`Error::Start`] with the end
/// of the server's log when the log cannot be replayed.
pub async fn restore(settings: &Settings, restoration: &Restoration) -> Result<Recovered, Error> {
    let paths = ClusterPaths::open(&settings.data_dir)?;
    let lock = StartLock::acquire(&paths.root).await?;
    if paths.pgdata.exists() {
        return Err(Error::NotEmpty { pgdata: paths.pgdata });
    }
    let user = ServerUser::choose(settings.user.as_deref(), &paths.pgdata)?;
    initdb::remove_unfinished(&paths).await?;
    let (from, to, owner) = (restoration.base.clone(), paths.unfinished.clone(), user.clone());
    spawn_blocking(move || copy_data(&from, &to, &owner)).await.expect("copying does not panic")?;
    fs::write(paths.unfinished.join("recovery.signal"), "")
        .map_err(Error::io("write", &paths.unfinished))?;
    fs::rename(&paths.unfinished, &paths.pgdata).map_err(Error::io("rename", &paths.unfinished))?;
    let replayed = replay_all(&paths, settings, restoration, &user).await;
    drop(lock);
    if replayed.is_err() {
        // Half replayed data must not be taken for a ledger.
        let _ = fs::rename(&paths.pgdata, &paths.unfinished);
    }
    replayed
}

async fn replay_all(
    paths: &ClusterPaths,
    settings: &Settings,
    restoration: &Restoration,
    user: &ServerUser,
) -> Result<Recovered, Error> {
    match replay(paths, settings, restoration, user).await {
        // Everything in the log is before the time, so all of it belongs to the restored state.
        Err(Error::Start { tail, .. }) if tail.contains(NOT_REACHED) => {
            let all = Restoration { until: None, ..restoration.clone() };
            let last_commit = replay(paths, settings, &all, user).await?;
            Ok(Recovered { last_commit, is_log_exhausted: true })
        }
        replayed => {
            Ok(Recovered { last_commit: replayed?, is_log_exhausted: restoration.until.is_none() })
        }
    }
}

/// Starts the server, waits until it has replayed and left recovery, and stops it.
async fn replay(
    paths: &ClusterPaths,
    settings: &Settings,
    restoration: &Restoration,
    user: &ServerUser,
) -> Result<Option<DateTime<Utc>>, Error> {
    paths.make_socket_dir(user)?;
    let without_archive = Settings { archive: None, ..settings.clone() };
    let binaries = server::prepare_data(paths, &without_archive, user).await?;
    let mut options = vec![
        format!("restore_command={}", restore_command(&restoration.wal)),
        "recovery_target_action=promote".into(),
        "archive_mode=off".into(),
    ];
    if let Some(until) = restoration.until {
        options.push(format!("recovery_target_time={}", until.format("%F %T%.6f+00")));
    }
    process::remove_stale_locks(paths)?;
    let mut child = server::spawn(paths, user, &binaries, &options)?;
    let last_commit = until_promoted(paths, &mut child).await?;
    server::shut_down(paths).await?;
    let _ = child.wait().await;
    Ok(last_commit)
}

/// Waits until the server accepts writes; returns the time of the last replayed commit.
async fn until_promoted(
    paths: &ClusterPaths,
    child: &mut Child,
) -> Result<Option<DateTime<Utc>>, Error> {
    loop {
        if let Some(status) = child.try_wait().map_err(Error::io("wait for", &paths.pgdata))? {
            return Err(Error::Start { status, log: paths.log.clone(), tail: paths.log_tail() });
        }
        // Errors are those of a server that starts; its end is noticed above.
        if let Ok((false, last_commit)) = recovery(paths).await {
            return Ok(last_commit);
        }
        sleep(POLL).await;
    }
}

async fn recovery(paths: &ClusterPaths) -> sqlx::Result<(bool, Option<DateTime<Utc>>)> {
    let mut conn = PgConnection::connect_with(&paths.connect_options("postgres")).await?;
    let found = sqlx::query_as("select pg_is_in_recovery(), pg_last_xact_replay_timestamp()")
        .fetch_one(&mut conn)
        .await?;
    conn.close().await?;
    Ok(found)
}

/// The command by which the server gets a segment.
fn restore_command(wal: &[PathBuf]) -> String {
    let copies: Vec<String> = wal
        .iter()
        .map(|dir| {
            let dir = shell_quoted(dir).replace('%', "%%");
            format!("cp {dir}/%f \"%p\" 2>/dev/null")
        })
        .collect();
    if copies.is_empty() { "false".into() } else { copies.join(" || ") }
}

/// Copies a directory for the server's user. Links are not followed: a base backup of ours has none.
fn copy_data(from: &Path, to: &Path, owner: &ServerUser) -> Result<(), Error> {
    fs::DirBuilder::new().mode(0o700).create(to).map_err(Error::io("create", to))?;
    owner.make_owner_of(to)?;
    for entry in fs::read_dir(from).map_err(Error::io("read", from))? {
        let entry = entry.map_err(Error::io("read", from))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let found = fs::symlink_metadata(&path).map_err(Error::io("look at", &path))?;
        if found.is_dir() {
            copy_data(&path, &copy, owner)?;
            continue;
        }
        if !found.is_file() {
            return Err(Error::NotData { pgdata: path });
        }
        fs::copy(&path, &copy).map_err(Error::io("copy", &path))?;
        let mode = found.mode() & 0o700;
        fs::set_permissions(&copy, fs::Permissions::from_mode(mode))
            .map_err(Error::io("write", &copy))?;
        owner.make_owner_of(&copy)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_searched_in_order_and_paths_are_quoted() {
        let dirs = [PathBuf::from("/the archive"), PathBuf::from("/100%")];
        assert_eq!(
            restore_command(&dirs),
            "cp '/the archive'/%f \"%p\" 2>/dev/null || cp '/100%%'/%f \"%p\" 2>/dev/null"
        );
    }
}
