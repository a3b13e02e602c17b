//! The two lock files of the data directory: one serializes starts and stops, one counts the
//! processes that use the server.
//!
//! The kernel releases both when their process ends in any way, so no lock outlives its holder.

use std::{
    fs::{File, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::error::Error;

const START_WAIT: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(20);

/// Exclusive lock held while the server is started, adopted or stopped.
#[derive(Debug)]
pub(super) struct StartLock(File);

impl StartLock {
    /// Waits until no other process starts or stops this cluster.
    ///
    /// # Errors
    /// [`Error::Locked`] after 30 s.
    pub(super) async fn acquire(root: &Path) -> Result<Self, Error> {
        let (file, path) = open(root, "start.lock")?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
                Err(TryLockError::WouldBlock) if started.elapsed() > START_WAIT => {
                    return Err(Error::Locked { lock: path, waited_s: START_WAIT.as_secs() });
                }
                Err(TryLockError::WouldBlock) => sleep(START_POLL).await,
            }
        }
    }

    /// Returns a second handle on the same lock, which stays held until both are closed.
    pub(super) fn share(&self) -> std::io::Result<File> {
        self.0.try_clone()
    }
}

/// Shared lock that a process holds as long as it uses the cluster.
#[derive(Debug)]
pub(super) struct UserLock {
    file: File,
    path: PathBuf,
}

impl UserLock {
    /// Registers this process as a user. Never waits: the exclusive lock is only taken under the
    /// start lock.
    pub(super) fn acquire(root: &Path, _starting: &StartLock) -> Result<Self, Error> {
        let (file, path) = open(root, "users.lock")?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { file, path }),
            Err(TryLockError::Error(source)) => Err(Error::io("lock", path)(source)),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { lock: path, waited_s: 0 }),
        }
    }

    /// Ends the registration. Returns whether no other process is registered; none can register
    /// while the start lock is held.
    pub(super) fn release(self, _stopping: &StartLock) -> Result<bool, Error> {
        self.file.unlock().map_err(Error::io("unlock", &self.path))?;
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(Error::io("lock", &self.path)(source)),
        }
    }
}

fn open(root: &Path, name: &str) -> Result<(File, PathBuf), Error> {
    let path = root.join(name);
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        // Any process that can open the file can take the lock, so only the owner may open it.
        .mode(0o600)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    Ok((file, path))
}
