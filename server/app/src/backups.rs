//! Backups of the ledger in two sets that are kept apart.
//!
//! ```text
//! <backup_dir>/<name>/base/           set L: a base backup of the private PostgreSQL
//! <backup_dir>/<name>/manifest.json   what belongs to it, with checksums
//! <backup_dir>/wal/                   set L: the archived write-ahead log
//! <vault_backup_dir>/vault-….export   set K: the vault, newest two
//! <vault_backup_dir>/journal-<name>/  set K: a copy of the erasure journal, newest two
//! ```
//!
//! Neither set has the keyring, the root key or the signing key. Set K does not go into the same
//! place as set L: an old vault with an old keyring opens what was erased since.

mod create;
mod manifest;
mod places;
mod restore;

use std::io;
use std::path::{Path, PathBuf};

use ledger_store::StoreError;
use ledger_store::embedded;
use ledger_store::vault::export::VaultExportError;
use thiserror::Error;

pub use create::{Created, create};
pub use manifest::{BASE_DIR, Manifest, ManifestLog, VaultFile, backups, find, read};
pub use places::{BackupLock, WAL_DIR, remove_dir};
pub use restore::{Restored, Source, check, replay_into, restore};

/// The reason why a backup was not made, found or restored.
#[derive(Debug, Error)]
pub enum BackupError {
    /// A file operation failed.
    #[error("cannot {action} {path}", path = .path.display())]
    Io {
        /// The attempted operation as a verb.
        action: &'static str,
        /// The path of the operation.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The disk of the backups is too small.
    #[error(
        "the backup needs {needed_mb} MB and {free_mb} MB are free in {dir}; make room, keep fewer \
         backups, or name another directory with backup_dir or --to",
        dir = .dir.display()
    )]
    NoSpace {
        /// Space for a copy of the data and a reserve, in MB.
        needed_mb: u64,
        /// Free space in MB.
        free_mb: u64,
        /// Directory of the backups.
        dir: PathBuf,
    },
    /// Another process makes, verifies or removes backups.
    #[error("another backup command runs in {dir}; wait for it", dir = .dir.display())]
    Busy {
        /// Directory of the backups.
        dir: PathBuf,
    },
    /// There is no such backup.
    #[error("there is no complete backup {name} in {dir}; call-ledger backup list shows those there are", dir = .dir.display())]
    NotFound {
        /// The name, or `latest`.
        name: String,
        /// Directory of the backups.
        dir: PathBuf,
    },
    /// The manifest is not the one that was written.
    #[error("the manifest {path} was altered or damaged; use another backup", path = .path.display())]
    Damaged {
        /// Path of the manifest.
        path: PathBuf,
    },
    /// There is no vault export for the restore.
    #[error(
        "there is no vault export in {dir}; name the directory with --vault-backups. Without one, persons \
         that were erased since may be readable, and keys that were rolled since do not open",
        dir = .dir.display()
    )]
    NoVaultExport {
        /// Directory of the vault exports.
        dir: PathBuf,
    },
    /// The data directory has a ledger already.
    #[error("{path} exists; restore into a --data-dir without a ledger", path = .path.display())]
    NotEmpty {
        /// The path that exists.
        path: PathBuf,
    },
    /// The private PostgreSQL or one of its programs failed.
    #[error(transparent)]
    Cluster(#[from] embedded::Error),
    /// The vault could not be exported or imported.
    #[error(transparent)]
    Vault(#[from] VaultExportError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
