//! The vault export: one file with every table of the vault and what else epoch keys seal, from one
//! snapshot of the database. It has wrapped keys and blind indexes, and opens nothing without the
//! keyring.
//!
//! A backup of the database that is older than an epoch roll has keys under an epoch that no longer
//! exists. After its restore, [`Store::import_vault`] takes the keys of the newest export.

mod file;
mod import;
mod prove;
mod rows;
mod tables;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger_core::ids::TenantId;
use thiserror::Error;

pub use self::import::VaultImport;
pub use self::prove::VaultProof;
pub use self::tables::{EXPORTED, ExportedTable, LEFT_OUT};
use crate::Store;
use crate::keyring::KeyringError;

/// Number of exports to keep: an older one has keys that were destroyed since.
pub const KEPT_EXPORTS: usize = 2;
/// Begin and end of the file name of an export; the time is between them, so that names are in the
/// order of time.
const PREFIX: &str = "vault-";
const SUFFIX: &str = ".export";

/// A written vault export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultExport {
    /// Path of the file.
    pub path: PathBuf,
    /// Number of subjects with a key, destroyed ones included.
    pub subjects: u64,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// The reason why a vault export was not written, proved or imported.
#[derive(Debug, Error)]
pub enum VaultExportError {
    /// A file operation failed. No file that looks complete was left.
    #[error("cannot {action} {path}; check the path and the space left", path = .path.display())]
    Io {
        /// The attempted operation as a verb: `write`, `read`.
        action: &'static str,
        /// The path of the operation.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The file is no export, or is incomplete or altered.
    #[error(
        "{path} is not a complete vault export: {what}; use the one before it",
        path = .path.display()
    )]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// The first difference from the format.
        what: String,
    },
    /// The file has a table, a column or a format that this build does not know.
    #[error("{path} is of another build: {what}; use the build that wrote it", path = .path.display())]
    OtherBuild {
        /// Path of the file.
        path: PathBuf,
        /// What is not known.
        what: String,
    },
    /// Keys of the export are not those that the database was filled with.
    #[error(
        "{path} does not belong to this database: {what} of tenant {tenant_id} differs",
        path = .path.display()
    )]
    Foreign {
        /// Path of the file.
        path: PathBuf,
        /// The tenant of the key.
        tenant_id: TenantId,
        /// The value that differs.
        what: &'static str,
    },
    /// Wrapped keys or secrets do not open with the keyring.
    #[error(
        "{failed} of {all} keys and secrets of {path} do not open; the first is {first}",
        path = .path.display()
    )]
    DoesNotOpen {
        /// Path of the file.
        path: PathBuf,
        /// Number of keys and secrets that do not open.
        failed: u64,
        /// Number of keys and secrets that should open.
        all: u64,
        /// The first of them, by ids.
        first: String,
    },
    /// Servers use the database.
    #[error("{sessions} sessions of call-ledger use the database; stop the servers first")]
    InUse {
        /// Number of their sessions.
        sessions: i64,
    },
    /// The keyring cannot be read.
    #[error("the keys are not available")]
    Keyring(#[from] KeyringError),
    /// The database did not answer, or refused a statement. Nothing was changed.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

impl VaultExportError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}

impl Store {
    /// Writes the vault of all tenants into a new file in `dir`, which is created if it is missing.
    /// The file is complete and durable on return, and appears under its name only then. Memory does
    /// not depend on the number of keys.
    ///
    /// # Errors
    /// [`VaultExportError::Io`] and [`VaultExportError::Database`]
    pub async fn export_vault(&self, dir: &Path) -> Result<VaultExport, VaultExportError> {
        let now = self.clock.now_micros();
        let name = now.format("%Y%m%dT%H%M%S%.6fZ");
        let nonce = &self.ids.random().simple().to_string()[..8];
        let path = dir.join(format!("{PREFIX}{name}-{nonce}{SUFFIX}"));
        write::export(&self.owner, now, path).await
    }

    /// Reads an export to its end and opens every key in it that is not destroyed, and the secrets of
    /// sources, with the keyring of this store.
    ///
    /// # Errors
    /// [`VaultExportError::DoesNotOpen`] with the first key that does not open, and the errors of
    /// reading.
    pub async fn prove_vault_export(&self, path: &Path) -> Result<VaultProof, VaultExportError> {
        prove::prove(Arc::clone(&self.keyring), path.to_owned()).await
    }

    /// Brings the vault of a restored database to the state of an export, in one transaction:
    ///
    /// - A destroyed key or epoch, and a fence, never return to an earlier state, whichever of the
    ///   two has it.
    /// - Of each key the copy under the newer epoch is kept.
    /// - A tenant with a newer epoch in the export takes over the export's handles, contacts and
    ///   secrets of sources. Another tenant keeps its own, so nothing that was recorded after the
    ///   export is lost.
    ///
    /// Open the store with an `application_name` of its own: sessions of other names count as
    /// running servers.
    ///
    /// # Errors
    /// [`VaultExportError::InUse`] while servers run, [`VaultExportError::Foreign`] for an export of
    /// another installation. Nothing was changed.
    pub async fn import_vault(&self, path: &Path) -> Result<VaultImport, VaultExportError> {
        import::import(&self.owner, path.to_owned()).await
    }
}

/// The complete exports in a directory, oldest first; empty if there is no such directory.
///
/// # Errors
/// [`VaultExportError::Io`]
pub fn vault_exports(dir: &Path) -> Result<Vec<PathBuf>, VaultExportError> {
    let failed = |source| VaultExportError::io("read", dir)(source);
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let is_export =
            name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if is_export {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Removes all but the newest exports of a directory, and what interrupted ones left; returns the
/// number of removed exports. The removal is durable on return.
///
/// # Errors
/// [`VaultExportError::Io`]
pub fn keep_newest_exports(dir: &Path, kept: usize) -> Result<usize, VaultExportError> {
    let found = vault_exports(dir)?;
    let old = &found[..found.len().saturating_sub(kept)];
    for path in old {
        fs::remove_file(path).map_err(VaultExportError::io("remove", path))?;
    }
    file::remove_unfinished(dir)?;
    if dir.exists() {
        file::sync_dir(dir)?;
    }
    Ok(old.len())
}
