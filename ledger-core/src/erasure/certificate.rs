//! Certificates of erasures: what they state, as canonical JSON. Neither personal data nor the id of
//! the subject. The store signs the text; see `docs/decisions/0053-certificates.md`.

mod residuals;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

pub use self::residuals::Residual;
use crate::canonical::{CanonicalError, parse_canonical, to_canonical};
use crate::event::{ErasurePlanned, Ground, HexDigest};
use crate::ids::{ErasureId, TenantId};
use crate::note::{NoteError, NoteKey};

/// Version of the text.
const VERSION: u8 = 1;

/// The kind of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateKind {
    /// The keys are destroyed in the vault of the installation.
    Live,
    /// No copy of a key can be opened, also in backups.
    Final,
}

impl CertificateKind {
    /// Both kinds, in the order in which they are issued.
    pub const ALL: [Self; 2] = [Self::Live, Self::Final];

    /// Returns the word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Final => "final",
        }
    }
}

/// Where the keys are held, which decides how their destruction can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// Files: epoch keys are wrapped by a root key in a file, overwritten and unlinked.
    File,
    /// As [`Self::File`], with a root key in a Vault server.
    Vault,
}

/// A destroyed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CertifiedKey {
    /// Fingerprint of the key: SHA-256 of `cl/fpr/1` and the key.
    pub fingerprint: HexDigest,
    /// Generation of the key of its subject, from 1.
    pub generation: u32,
}

/// A destroyed epoch key, by number and check value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CertifiedEpoch {
    /// Hexadecimal check value of the epoch key.
    pub check_value: String,
    /// Number of the epoch.
    pub epoch: i32,
}

/// The counts of the manifest, and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedManifest {
    /// Number of calls with several candidates, which were not erased.
    pub ambiguous_calls: u32,
    /// Digest of the rows.
    pub digest: HexDigest,
    /// Number of events with sections of the subjects.
    pub events: u64,
    /// Number of keys.
    pub keys: u32,
    /// Number of recipients.
    pub recipients: u32,
    /// Number of subjects.
    pub subjects: u32,
}

impl From<&ErasurePlanned> for CertifiedManifest {
    fn from(plan: &ErasurePlanned) -> Self {
        Self {
            ambiguous_calls: plan.ambiguous_calls,
            digest: plan.digest,
            events: plan.events,
            keys: plan.keys,
            recipients: plan.recipients,
            subjects: plan.subjects,
        }
    }
}

/// The entry of the erasure in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedEntry {
    /// Digest of the entry.
    pub digest: HexDigest,
    /// Number of the entry, from 1.
    pub entry: u64,
}

/// The content of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Where the keys are held.
    pub assurance: Assurance,
    /// The kind.
    pub certificate: CertificateKind,
    /// Destruction of the keys in the vault.
    pub destroyed_at: DateTime<Utc>,
    /// End of the term.
    pub due_at: DateTime<Utc>,
    /// Destroyed epoch keys; empty in a live certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<CertifiedEpoch>,
    /// The erasure.
    pub erasure_id: ErasureId,
    /// Time from which no process sealed or opened a section.
    pub fenced_at: DateTime<Utc>,
    /// The ground.
    pub ground: Ground,
    /// The entry in the journal.
    pub journal: CertifiedEntry,
    /// The destroyed keys, sorted.
    pub keys: Vec<CertifiedKey>,
    /// The manifest.
    pub manifest: CertifiedManifest,
    /// Receipt of the request.
    pub received_at: DateTime<Utc>,
    /// Recipients of data of the subject, by id, sorted.
    pub recipients: Vec<Uuid>,
    /// Data that remain after the erasure.
    pub residuals: Vec<Residual>,
    /// Keyed pseudonym of the subject, equal in every certificate of the subject.
    pub subject: HexDigest,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Version of the text.
    pub v: u8,
    /// Digest of the report of verification; of a final certificate only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<HexDigest>,
}

/// The reason for which a certificate is not valid.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The note is not valid.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The signature is valid, and the text is not a certificate that this build can read.
    #[error("the signed text is not a certificate of version {VERSION}: {0}")]
    NotACertificate(String),
}

impl Statement {
    /// Version of the texts of this build.
    pub const VERSION: u8 = VERSION;

    /// Returns the text to be signed, with a line break at its end. Equal statements have equal
    /// texts.
    ///
    /// # Errors
    /// A number has more than 53 bits.
    pub fn text(&self) -> Result<String, CanonicalError> {
        let mut ordered = self.clone();
        ordered.keys.sort_unstable();
        ordered.recipients.sort_unstable();
        ordered.epochs.sort_unstable();
        Ok(to_canonical(&ordered)? + "\n")
    }

    /// Verifies a certificate, and returns what it states.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn verify(note: &str, key: &NoteKey) -> Result<Self, CertificateError> {
        Self::read(key.verify(note)?)
    }

    fn read(text: &str) -> Result<Self, CertificateError> {
        let other = |why: &str| CertificateError::NotACertificate(why.to_owned());
        let line = text.strip_suffix('\n').unwrap_or(text);
        let value = parse_canonical(line).ok_or_else(|| other("it is not canonical JSON"))?;
        if value.get("v").and_then(Value::as_u64) != Some(u64::from(VERSION)) {
            return Err(other("it is of another version"));
        }
        let statement: Self = serde_json::from_value(value)
            .map_err(|error| CertificateError::NotACertificate(error.to_string()))?;
        let is_final = statement.certificate == CertificateKind::Final;
        if is_final != statement.verification.is_some() {
            return Err(other("only a final certificate has a report of verification"));
        }
        Ok(statement)
    }
}

#[cfg(test)]
mod tests;
