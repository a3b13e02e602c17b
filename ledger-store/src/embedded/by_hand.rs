//! The private PostgreSQL started and stopped by hand: it then runs until it is stopped by hand, whoever
//! uses it meanwhile.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{
    Cluster, Error, Settings, lock::StartLock, lock::UserLock, place::Place, process, server,
};

/// Names the server that is to be left running. One that has ended since is not meant any more.
const KEPT: &str = "kept.pid";

/// How a stop by hand ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoppedByHand {
    /// It has ended, or did not run.
    Ended,
    /// Other processes use it; the last of them ends it.
    InUse,
}

impl Cluster {
    /// Lets the server run when this process and every other has ended its use.
    ///
    /// # Errors
    /// [`Error::Io`] when that cannot be written down.
    pub fn keep_running(&self) -> Result<(), Error> {
        let file = self.place.root.join(KEPT);
        let pid = self.pid().map_or_else(String::new, |pid| pid.to_string());
        fs::write(&file, pid).map_err(Error::io("write", file))
    }
}

/// Where the private PostgreSQL of a data directory is reached, whether or not it runs.
///
/// # Errors
/// The directory cannot be made or opened.
pub fn url(data_dir: &Path) -> Result<String, Error> {
    Ok(Place::open(data_dir)?.url())
}

/// Ends the server that was started by hand, unless a process uses it.
///
/// # Errors
/// [`Error::Locked`] when another process took too long to start or stop; [`Error::Stop`] when the server
/// does not end.
pub async fn stop(settings: &Settings) -> Result<StoppedByHand, Error> {
    let place = Place::open(&settings.data_dir)?;
    let lock = StartLock::acquire(&place.root).await?;
    forget(&place)?;
    let users = UserLock::acquire(&place.root, &lock)?;
    if !users.release(&lock)? {
        return Ok(StoppedByHand::InUse);
    }
    server::halt(&place).await?;
    Ok(StoppedByHand::Ended)
}

/// Whether the running server was started by hand.
pub(super) fn is_kept(place: &Place) -> bool {
    let kept = fs::read_to_string(place.root.join(KEPT)).ok().and_then(|pid| pid.parse().ok());
    kept.is_some() && kept == process::written(place)
}

fn forget(place: &Place) -> Result<(), Error> {
    let file: PathBuf = place.root.join(KEPT);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", file)(error)),
        _ => Ok(()),
    }
}
