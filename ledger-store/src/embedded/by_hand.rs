//! Start and stop of the private PostgreSQL by an operator. A server started by hand keeps running
//! until it is stopped by hand, even after the last process that used it has ended.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{
    Cluster, cluster_settings::Settings, error::Error, lock::StartLock, lock::UserLock,
    paths::ClusterPaths, process, server,
};

/// File with the process id of the server to keep running. An id of an ended server has no effect.
const KEPT_FILE: &str = "kept.pid";

/// The result of a stop by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoppedByHand {
    /// The server has ended or was not running.
    Ended,
    /// Other processes use the server; the last of them stops it.
    InUse,
}

impl Cluster {
    /// Keeps the server running after this process and every other one has ended its use.
    ///
    /// # Errors
    /// [`Error::Io`] when the file for the server's process id cannot be replaced.
    pub fn keep_running(&self) -> Result<(), Error> {
        let file = self.paths.root.join(KEPT_FILE);
        let pid = self.pid().map_or_else(String::new, |pid| pid.to_string());
        fs::write(&file, pid).map_err(Error::io("write", file))
    }
}

/// The connection URL of the private PostgreSQL of a data directory, whether or not the server
/// runs.
///
/// # Errors
/// The directory cannot be created or opened.
pub fn url(data_dir: &Path) -> Result<String, Error> {
    Ok(ClusterPaths::open(data_dir)?.url())
}

/// Stops the server that was started by hand, unless another process uses it.
///
/// # Errors
/// [`Error::Locked`] when another process took too long to start or stop; [`Error::Stop`] when the
/// server does not end.
pub async fn stop(settings: &Settings) -> Result<StoppedByHand, Error> {
    let paths = ClusterPaths::open(&settings.data_dir)?;
    let lock = StartLock::acquire(&paths.root).await?;
    remove_kept_file(&paths)?;
    let users = UserLock::acquire(&paths.root, &lock)?;
    if !users.release(&lock)? {
        return Ok(StoppedByHand::InUse);
    }
    server::shut_down(&paths).await?;
    Ok(StoppedByHand::Ended)
}

/// Whether the running server was started by hand.
pub(super) fn is_kept(paths: &ClusterPaths) -> bool {
    let kept = fs::read_to_string(paths.root.join(KEPT_FILE)).ok().and_then(|pid| pid.parse().ok());
    kept.is_some() && kept == process::recorded_pid(paths)
}

fn remove_kept_file(paths: &ClusterPaths) -> Result<(), Error> {
    let file: PathBuf = paths.root.join(KEPT_FILE);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", file)(error)),
        _ => Ok(()),
    }
}
