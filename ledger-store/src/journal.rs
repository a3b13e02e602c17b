//! The erasure journal: one line for each erasure, in a file outside PostgreSQL and its backups. A
//! restored database is compared with it, and what it names is destroyed again.
//!
//! ```text
//! journal/erasures.jsonl   {"erasure":{…},"previous":"…","sequence":1,"signature":"…","v":1}
//! ```
//!
//! A line has the digest of the line before and a signature of the installation's signing key. It
//! is durable before [`Journal::append`] returns. Several processes append under a lock of the
//! file. See `docs/decisions/0052-journal.md`.

mod file;
mod line;
mod reader;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::SHA256;
use chrono::{DateTime, Utc};
use ledger_core::canonical::CanonicalError;
use ledger_core::event::{ErasurePlanned, ErasureRequested, HexDigest};
use ledger_core::ids::{ErasureId, Position, SubjectId, TenantId};
use ledger_core::note::NoteKey;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::file::Known;
pub use self::reader::Entries;
use crate::signing::{Signing, SigningKeyError};

/// Name of the file in the directory of the journal.
const FILE: &str = "erasures.jsonl";

/// A key that an erasure destroys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JournaledKey {
    /// The subject.
    pub subject_id: SubjectId,
    /// Generation of the key, from 1.
    pub generation: u32,
    /// Fingerprint of the key, as in the vault.
    pub fingerprint: HexDigest,
}

/// An erasure, with all that a restored database needs to repeat it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournaledErasure {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The request, with the end of its term after an extension.
    pub request: ErasureRequested,
    /// The manifest.
    pub plan: ErasurePlanned,
    /// Time from which no process seals or opens a section.
    pub fenced_at: DateTime<Utc>,
    /// The keys.
    pub keys: Vec<JournaledKey>,
    /// Position of the log of the tenant at that time.
    pub position: Position,
    /// Time of the entry.
    pub at: DateTime<Utc>,
}

impl JournaledErasure {
    /// The erasure.
    #[must_use]
    pub fn erasure_id(&self) -> ErasureId {
        self.request.erasure_id
    }
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Number of the entry, from 1.
    pub entry: u64,
    /// SHA-256 of the line.
    pub digest: HexDigest,
    /// The erasure, as it was journaled first.
    pub erasure: JournaledErasure,
}

/// The last entry of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalHead {
    /// Number of the entry, from 1.
    pub entry: u64,
    /// SHA-256 of the line.
    pub digest: HexDigest,
}

/// The reason for which the journal cannot be used. Nothing was written.
#[derive(Debug, Error)]
pub enum JournalError {
    /// A line is forged, altered, moved or missing.
    #[error(
        "line {line} of the erasure journal {path} is not valid: {reason}; \
             put the newest copy of the journal back"
    )]
    Invalid {
        /// Path of the file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// The journal ends before an entry that was applied to the database.
    #[error(
        "the erasure journal {path} has {found} entries, and entry {applied} was applied to this \
             database: put the newest copy of the journal back"
    )]
    Behind {
        /// Path of the file.
        path: PathBuf,
        /// Number of entries of the journal.
        found: u64,
        /// Number of the last applied entry.
        applied: u64,
    },
    /// The signing key cannot be used.
    #[error(transparent)]
    Signing(#[from] SigningKeyError),
    /// The file cannot be read or written.
    #[error(
        "the erasure journal {path} cannot be read or written: check the path, who may use it, \
             and the space left"
    )]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// A number of the erasure has more than 53 bits.
    #[error("the erasure cannot be written to the journal")]
    Content(#[from] CanonicalError),
}

/// The erasure journal of an installation. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

struct Shared {
    dir: PathBuf,
    signing: Signing,
    /// What was verified, so that each look reads new lines only.
    known: Mutex<Known>,
    /// Number of the last entry that the database is known to have.
    applied: AtomicU64,
}

impl Journal {
    /// The journal in a directory, signed with the key in a file. Reads nothing.
    #[must_use]
    pub fn new(dir: PathBuf, signing_key: PathBuf) -> Self {
        let known = Mutex::new(Known::default());
        let signing = Signing::new(signing_key);
        Self { shared: Arc::new(Shared { dir, signing, known, applied: AtomicU64::new(0) }) }
    }

    /// Directory of the journal.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.shared.dir
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.shared.dir.join(FILE)
    }

    /// Whether there is a file that is not empty, or that cannot be examined.
    pub(crate) fn has_lines(&self) -> bool {
        match std::fs::metadata(self.path()) {
            Ok(meta) => meta.len() > 0,
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// The signing key.
    #[must_use]
    pub fn signing(&self) -> &Signing {
        &self.shared.signing
    }

    /// Appends an erasure durably. An erasure that was journaled before is not written again: its
    /// first entry is returned.
    ///
    /// # Errors
    /// [`JournalError`]: the erasure is not in the journal.
    pub async fn append(&self, erasure: &JournaledErasure) -> Result<JournalEntry, JournalError> {
        let erasure = erasure.clone();
        self.blocking(move |journal| journal.append_now(&erasure)).await
    }

    /// Returns the last entry after verifying what was added since the last look; `None` for a
    /// journal without entries, or without a file.
    ///
    /// # Errors
    /// [`JournalError`]
    pub async fn head(&self) -> Result<Option<JournalHead>, JournalError> {
        self.blocking(|journal| {
            let mut known = journal.lock();
            journal.look(&mut known)?;
            Ok(known.head())
        })
        .await
    }

    /// Returns the entry of an erasure.
    ///
    /// # Errors
    /// [`JournalError`]
    pub async fn find(
        &self,
        tenant_id: TenantId,
        erasure_id: ErasureId,
    ) -> Result<Option<JournalEntry>, JournalError> {
        self.blocking(move |journal| {
            let mut known = journal.lock();
            journal.look(&mut known)?;
            let entry = known.entry_of(tenant_id, erasure_id);
            entry.map(|entry| journal.read_at(&known, entry)).transpose()
        })
        .await
    }

    /// Returns an entry by its number, from 1; `None` after the last one.
    ///
    /// # Errors
    /// [`JournalError`]
    pub async fn entry(&self, entry: u64) -> Result<Option<JournalEntry>, JournalError> {
        self.blocking(move |journal| {
            let mut known = journal.lock();
            journal.look(&mut known)?;
            let is_known = known.head().is_some_and(|head| (1..=head.entry).contains(&entry));
            is_known.then(|| journal.read_at(&known, entry)).transpose()
        })
        .await
    }

    /// Reads the whole journal from its first line and verifies it, in the calling thread. Empty
    /// without a file.
    ///
    /// # Errors
    /// [`JournalError`] if file or key cannot be read.
    pub fn entries(&self) -> Result<Option<Entries>, JournalError> {
        self.open_entries(reader::Place::default())
    }

    /// [`Journal::entries`], verified with a public key instead of the signing key.
    ///
    /// # Errors
    /// [`JournalError::Io`]
    pub fn entries_signed_by(&self, key: NoteKey) -> Result<Option<Entries>, JournalError> {
        self.open_with(key, reader::Place::default())
    }

    /// Digests of all entries, in their order, after a look.
    pub(crate) async fn digests(&self) -> Result<Vec<HexDigest>, JournalError> {
        self.blocking(|journal| {
            let mut known = journal.lock();
            journal.look(&mut known)?;
            Ok(known.digests())
        })
        .await
    }

    /// Remembers the last entry that was applied to the database: a journal that ends before it is
    /// an older copy, and nothing is appended to it.
    pub(crate) fn expect(&self, applied: u64) {
        self.shared.applied.fetch_max(applied, Ordering::AcqRel);
    }

    fn applied(&self) -> u64 {
        self.shared.applied.load(Ordering::Acquire)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs file operations off the threads of the runtime.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let journal = self.clone();
        match tokio::task::spawn_blocking(move || work(&journal)).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => {
                    let source = std::io::Error::other("the runtime is shutting down");
                    Err(JournalError::Io { path: self.path(), source })
                }
            },
        }
    }
}

/// SHA-256 of a line or another text.
pub(crate) fn digest(line: &[u8]) -> HexDigest {
    let digest = aws_lc_rs::digest::digest(&SHA256, line);
    HexDigest(digest.as_ref().try_into().expect("SHA-256 is 32 bytes"))
}
