//! Directories of backups: the lock, free space, durable copies.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::BackupError;

/// Name of the archive of the write-ahead log below the directory of backups.
pub const WAL_DIR: &str = "wal";
const LOCK: &str = "backup.lock";

/// Held by the process that makes, verifies or removes backups of a directory.
#[derive(Debug)]
pub struct BackupLock(#[expect(dead_code, reason = "closing the file ends the lock")] File);

impl BackupLock {
    /// Creates the directory if it is missing, and takes the lock.
    ///
    /// # Errors
    /// [`BackupError::Busy`] while another process has it.
    pub fn acquire(dir: &Path) -> Result<Self, BackupError> {
        make_dir(dir, if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 })?;
        let path = dir.join(LOCK);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(BackupError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(BackupError::Busy { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(BackupError::io("lock", &path)(source)),
        }
    }
}

/// Creates a directory with its parents; one that exists keeps its mode.
pub(super) fn make_dir(dir: &Path, mode: u32) -> Result<(), BackupError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(dir)
        .map_err(BackupError::io("create", dir))
}

/// Removes a directory, if it exists.
///
/// # Errors
/// [`BackupError::Io`]
pub fn remove_dir(dir: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(BackupError::io("remove", dir)(error))
        }
        _ => Ok(()),
    }
}

/// Size of all files below a directory, in bytes; 0 if there is none.
pub(super) fn size_of(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size_of(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Copies a directory of files and directories with mode 0600 and 0700.
///
/// # Errors
/// [`BackupError::Io`]
pub(super) fn copy_dir(from: &Path, to: &Path) -> Result<(), BackupError> {
    make_dir(to, 0o700)?;
    for entry in fs::read_dir(from).map_err(BackupError::io("read", from))? {
        let entry = entry.map_err(BackupError::io("read", from))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let found = entry.metadata().map_err(BackupError::io("look at", &path))?;
        if found.is_dir() {
            copy_dir(&path, &copy)?;
        } else if found.is_file() {
            fs::copy(&path, &copy).map_err(BackupError::io("copy", &path))?;
        }
    }
    Ok(())
}

/// Flushes a file or a directory with everything below it.
///
/// # Errors
/// [`BackupError::Io`]
pub(super) fn sync_tree(path: &Path) -> Result<(), BackupError> {
    let found = fs::symlink_metadata(path).map_err(BackupError::io("look at", path))?;
    if found.is_dir() {
        for entry in fs::read_dir(path).map_err(BackupError::io("read", path))? {
            sync_tree(&entry.map_err(BackupError::io("read", path))?.path())?;
        }
    }
    sync(path)
}

/// Flushes a file or the entries of a directory.
pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(BackupError::io("flush", path))
}
