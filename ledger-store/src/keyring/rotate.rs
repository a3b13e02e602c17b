//! Rotation of the root key: all key files are wrapped again, while servers use them.
//!
//! With a root key in a file, the new one is `root.key.next` until every key file is wrapped by it,
//! then it becomes `root.key`, and the former one is destroyed. Each step can be repeated, and an
//! interrupted rotation is continued by the next one. Servers read the root key for each key file, so
//! they need no restart.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_core::ids::TenantId;
use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;
use tokio::time::sleep;
use uuid::Uuid;

use super::{Keyring, KeyringError, LOOKUP_KEY};
use crate::root_key::{FileRootKey, RootKey, RootKeyError, replace};

/// Time in which a server that read the former root key finishes the key file it creates with it.
const CREATION: Duration = Duration::from_secs(2);

/// The result of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Number of key files.
    pub files: usize,
    /// Number of those that were wrapped again by this call.
    pub rewrapped: usize,
    /// Id of the root key, in hexadecimal.
    pub root_id: String,
}

/// The reason for which a rotation stopped. Every key file opens, and the rotation can be repeated.
#[derive(Debug, Error)]
pub enum RotationError {
    /// A key file or a root key cannot be used.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The root key is in Vault, which makes its versions itself.
    #[error(
        "the root key is in Vault: rotate it there, then repeat this without --prepare to wrap the \
         key files by its newest version"
    )]
    InVault,
    /// An interrupted rotation has to be finished first.
    #[error("a rotation of the root key was interrupted: repeat it without --prepare first")]
    Unfinished,
}

impl From<RootKeyError> for RotationError {
    fn from(error: RootKeyError) -> Self {
        Self::Keyring(error.into())
    }
}

impl Keyring {
    /// Creates the new root key, `root.key.next`, and changes nothing else. Machines that have the root
    /// key's file of their own, beside a shared keyring, need a copy of it before the rotation. Returns its
    /// path; an existing file stays.
    ///
    /// # Errors
    /// [`RotationError`] when the root key is in Vault or cannot be used.
    pub fn prepare_rotation(&self) -> Result<PathBuf, RotationError> {
        let Some(path) = self.roots.file() else { return Err(RotationError::InVault) };
        FileRootKey::open(path)?;
        if exists(&self.roots.former())? {
            return Err(RotationError::Unfinished);
        }
        let next = self.roots.next();
        match FileRootKey::create(&next) {
            Ok(_) => {}
            Err(RootKeyError::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
                FileRootKey::open(&next)?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(next)
    }

    /// Replaces the root key: wraps all key files by the new one, then destroys the former one. With a root
    /// key in Vault, wraps all key files by the newest version of that key, also those that a root key in a
    /// file wrapped before.
    ///
    /// # Errors
    /// [`RotationError`] with the cause; repeating continues.
    pub async fn rotate_root(&self) -> Result<Rotation, RotationError> {
        let _lock = self.lock()?;
        let Some(path) = self.roots.file() else { return self.rewrap(Which::All).await };
        let rewrapped = self.exchange(path).await?;
        sleep(CREATION).await;
        let last = self.rewrap(Which::OfOtherRoots).await?;
        destroy(&self.roots.former())?;
        Ok(Rotation { rewrapped: rewrapped + last.rewrapped, ..last })
    }

    /// Makes the new root key the one in `path`, and keeps the former one beside it. Does nothing when an
    /// interrupted rotation has come this far. Returns the number of key files that were wrapped again.
    async fn exchange(&self, path: &Path) -> Result<usize, RotationError> {
        let (next, former) = (self.roots.next(), self.roots.former());
        if exists(&former)? {
            if FileRootKey::open(&former)?.id() != FileRootKey::open(path)?.id() {
                return Ok(0);
            }
            // A second name of the same file, made just before the interruption.
            fs::remove_file(&former).map_err(|source| io(&former, source))?;
        }
        self.prepare_rotation()?;
        let done = self.rewrap(Which::OfOtherRoots).await?;
        fs::hard_link(path, &former).map_err(|source| io(&former, source))?;
        fs::rename(&next, path).map_err(|source| io(path, source))?;
        sync_parent(path)?;
        Ok(done.rewrapped)
    }

    /// Locks the keyring against other rotations and destructions of key files, in any process.
    ///
    /// # Errors
    /// [`KeyringError::Locked`]
    pub(super) fn lock(&self) -> Result<Flock<fs::File>, KeyringError> {
        let path = self.dir.join(".lock");
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| io(&path, source))?;
        let locked = Flock::lock(file, FlockArg::LockExclusiveNonblock);
        locked.map_err(|_| KeyringError::Locked { path })
    }

    /// Wraps key files by the current root key.
    async fn rewrap(&self, which: Which) -> Result<Rotation, RotationError> {
        let current = self.root()?.id();
        let files = self.files()?;
        let mut rewrapped = 0;
        for (tenant_id, name) in &files {
            let file = self.load(*tenant_id, name)?;
            if which == Which::OfOtherRoots && file.root_id == current {
                continue;
            }
            let path = file.path.clone();
            let key = self.open(*tenant_id, name, file).await?;
            let contents = self.wrap(*tenant_id, name, &key).await?;
            replace(&path, &contents).map_err(|source| io(&path, source))?;
            rewrapped += 1;
        }
        Ok(Rotation { files: files.len(), rewrapped, root_id: hex::encode(current) })
    }

    /// All key files, sorted.
    fn files(&self) -> Result<Vec<(TenantId, String)>, KeyringError> {
        let mut files = Vec::new();
        for (tenant, dir) in entries(&self.dir)? {
            let Ok(tenant_id) = Uuid::try_parse(&tenant).map(TenantId) else { continue };
            for (name, _) in entries(&dir)? {
                if name == "digest.key"
                    || name == LOOKUP_KEY
                    || name.strip_suffix(".tek").is_some_and(is_number)
                {
                    files.push((tenant_id, name));
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

/// The key files that are wrapped again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    OfOtherRoots,
    All,
}

fn is_number(text: &str) -> bool {
    text.parse::<i32>().is_ok()
}

fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>, KeyringError> {
    let failed = |source| io(dir, source);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

fn exists(path: &Path) -> Result<bool, KeyringError> {
    path.try_exists().map_err(|source| io(path, source))
}

/// Overwrites and removes a file.
fn destroy(path: &Path) -> Result<(), KeyringError> {
    let failed = |source| io(path, source);
    let mut file = fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
    let length = usize::try_from(file.metadata().map_err(failed)?.len()).unwrap_or(0);
    file.write_all(&vec![0; length]).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::remove_file(path).map_err(failed)?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> Result<(), KeyringError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    fs::File::open(parent).and_then(|dir| dir.sync_all()).map_err(|source| io(parent, source))
}

fn io(path: &Path, source: std::io::Error) -> KeyringError {
    KeyringError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
