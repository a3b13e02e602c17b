//! Certificates of erasures: signed, stored once, and returned as they were issued. What they state
//! is built in [`ledger_core::erasure::certificate`], which verifies them without a database.

use chrono::{DateTime, SubsecRound, Utc};
use ledger_core::canonical::CanonicalError;
use ledger_core::erasure::certificate::{
    Assurance, CertificateKind, CertifiedEntry, CertifiedEpoch, CertifiedKey, CertifiedManifest,
    Residual, Statement,
};
use ledger_core::event::HexDigest;
use ledger_core::ids::{ErasureId, TenantId};
use thiserror::Error;
use uuid::Uuid;

use crate::journal::JournalEntry;
use crate::keyring::KeyringError;
use crate::signing::SigningKeyError;
use crate::tenant_tx::TenantTx;
use crate::{Store, StoreError};

/// What a certificate is made from.
#[derive(Debug, Clone)]
pub struct CertificateFacts {
    /// The entry of the erasure in the journal: request, manifest, keys.
    pub entry: JournalEntry,
    /// Destruction of the keys in the vault.
    pub destroyed_at: DateTime<Utc>,
    /// Recipients of data of the subject, by id.
    pub recipients: Vec<Uuid>,
    /// What a final certificate states in addition; absent for a live one.
    pub closing: Option<ClosingFacts>,
}

/// What a final certificate states in addition.
#[derive(Debug, Clone)]
pub struct ClosingFacts {
    /// Epochs whose keys were destroyed.
    pub epochs: Vec<CertifiedEpoch>,
    /// Digest of the report of verification, which had no findings.
    pub verification: HexDigest,
}

impl CertificateFacts {
    /// The kind of the certificate.
    #[must_use]
    pub fn kind(&self) -> CertificateKind {
        if self.closing.is_some() { CertificateKind::Final } else { CertificateKind::Live }
    }
}

/// An issued certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The signed note.
    pub text: String,
    /// SHA-256 of the text.
    pub digest: HexDigest,
}

/// The reason for which a certificate was not issued.
#[derive(Debug, Error)]
pub enum CertifyError {
    /// The signing key cannot be used.
    #[error(transparent)]
    Signing(#[from] SigningKeyError),
    /// The keys of the tenant are not available.
    #[error("the keys are not available")]
    Keyring(#[from] KeyringError),
    /// A number of the facts has more than 53 bits.
    #[error("the facts have no canonical text")]
    Content(#[from] CanonicalError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CertifyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Issues a certificate and stores it. A certificate of this kind that the erasure has is
    /// returned as it was issued.
    ///
    /// # Errors
    /// [`CertifyError`]
    pub async fn certify(&self, facts: &CertificateFacts) -> Result<Certificate, CertifyError> {
        let (tenant_id, erasure_id) =
            (facts.entry.erasure.tenant_id, facts.entry.erasure.erasure_id());
        let kind = facts.kind();
        if let Some(issued) = self.certificate(tenant_id, erasure_id, kind).await? {
            return Ok(issued);
        }
        let text = self.statement(facts).await?.text()?;
        let text = self.signing().key()?.note(&text);
        let digest = crate::journal::digest(text.as_bytes());
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        sqlx::query!(
            "insert into ledger.certificates (tenant_id, erasure_id, kind, text, digest, made_at)
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            tenant_id.0,
            erasure_id.0,
            kind.as_str(),
            text,
            &digest.0,
            self.clock.now_micros(),
        )
        .execute(tx.conn())
        .await?;
        tx.commit().await?;
        // Another server may have issued it first.
        let issued = self.certificate(tenant_id, erasure_id, kind).await?;
        Ok(issued.unwrap_or(Certificate { text, digest }))
    }

    /// Returns an issued certificate.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn certificate(
        &self,
        tenant_id: TenantId,
        erasure_id: ErasureId,
        kind: CertificateKind,
    ) -> Result<Option<Certificate>, StoreError> {
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let row = sqlx::query!(
            "select text, digest from ledger.certificates
              where tenant_id = $1 and erasure_id = $2 and kind = $3",
            tenant_id.0,
            erasure_id.0,
            kind.as_str(),
        )
        .fetch_optional(tx.conn())
        .await?;
        let certificate = |text, digest: Vec<u8>| {
            let corrupt = StoreError::Corrupt { table: "ledger.certificates", column: "digest" };
            let digest = HexDigest(digest.try_into().map_err(|_| corrupt)?);
            Ok(Certificate { text, digest })
        };
        row.map(|row| certificate(row.text, row.digest)).transpose()
    }

    fn assurance(&self) -> Assurance {
        if self.keyring.roots().is_in_vault() { Assurance::Vault } else { Assurance::File }
    }

    async fn statement(&self, facts: &CertificateFacts) -> Result<Statement, CertifyError> {
        let JournalEntry { entry, digest, erasure } = &facts.entry;
        let request = &erasure.request;
        let pseudonyms = self.keyring.digest_key(erasure.tenant_id).await?;
        let key = |key: &crate::journal::JournaledKey| CertifiedKey {
            fingerprint: key.fingerprint,
            generation: key.generation,
        };
        Ok(Statement {
            assurance: self.assurance(),
            certificate: facts.kind(),
            destroyed_at: facts.destroyed_at.trunc_subsecs(6),
            due_at: request.due_at,
            epochs: facts.closing.iter().flat_map(|closing| closing.epochs.clone()).collect(),
            erasure_id: request.erasure_id,
            fenced_at: erasure.fenced_at,
            ground: request.ground,
            journal: CertifiedEntry { digest: *digest, entry: *entry },
            keys: erasure.keys.iter().map(key).collect(),
            manifest: CertifiedManifest::from(&erasure.plan),
            received_at: request.received_at,
            recipients: facts.recipients.clone(),
            residuals: Residual::at(facts.kind()),
            subject: HexDigest(pseudonyms.pseudonym(request.subject_id)),
            tenant_id: erasure.tenant_id,
            v: Statement::VERSION,
            verification: facts.closing.as_ref().map(|closing| closing.verification),
        })
    }
}
