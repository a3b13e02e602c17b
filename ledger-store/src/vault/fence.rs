//! Fences of erasures, and the destruction of keys. The log decides; these are the effects.

use ledger_core::ids::{ErasureId, StreamId, SubjectId, TenantId};
use sqlx::PgPool;
use thiserror::Error;
use uuid::Uuid;

use super::keys::{SubjectKeys, forget};
use super::{Vault, VaultError, database};
use crate::journal::{JournalEntry, JournaledErasure};
use crate::tenant_tx::TenantTx;

/// The reason for which a fence was not changed. Nothing was changed.
#[derive(Debug, Error)]
pub enum FenceError {
    /// One of the subjects has no key.
    #[error("a subject of the erasure is not known")]
    UnknownSubject,
    /// One of the subjects is fenced by another erasure.
    #[error("a subject of the erasure is fenced by another one")]
    OtherErasure,
    /// Keys of the erasure are destroyed.
    #[error("keys of the erasure are destroyed")]
    Destroyed,
    /// The vault is not available.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<sqlx::Error> for FenceError {
    fn from(error: sqlx::Error) -> Self {
        Self::Vault(database(error))
    }
}

impl Vault {
    /// Fences all keys of the subjects: nothing new is sealed for them and no section of theirs
    /// opens, at once in this process, and within [`FENCE_EFFECT`](super::FENCE_EFFECT) in every
    /// process. A repetition changes nothing.
    ///
    /// # Errors
    /// [`FenceError`]
    pub async fn place_fence(
        &self,
        tenant_id: TenantId,
        erasure_id: ErasureId,
        subjects: &[SubjectId],
    ) -> Result<(), FenceError> {
        self.keys.gate.pass().await?;
        let ids: Vec<Uuid> = subjects.iter().map(|subject_id| subject_id.0).collect();
        let mut tx = TenantTx::begin_exclusive(&self.pool, tenant_id).await?;
        let outcome = sqlx::query_scalar!(
            r#"select vault.place_fence($1, $2, $3) as "outcome!""#,
            tenant_id.0,
            erasure_id.0,
            &ids,
        )
        .fetch_one(tx.conn())
        .await?;
        match outcome.as_str() {
            "placed" => tx.commit().await?,
            "unknown" => return Err(FenceError::UnknownSubject),
            _ => return Err(FenceError::OtherErasure),
        }
        let fenced = self.fences_of(tenant_id, erasure_id).await?;
        for (subject_id, generation) in fenced {
            forget(&self.keys.subjects, tenant_id, subject_id, generation);
        }
        Ok(())
    }

    /// Lifts the fence of an erasure that is not to be carried out: the keys are restricted, so they
    /// open sections, at once in this process and within a minute in every process, and seal none.
    /// Words of names are not found again until the contact is described again. A repetition
    /// changes nothing.
    ///
    /// # Errors
    /// [`FenceError`]
    pub async fn lift_fence(
        &self,
        tenant_id: TenantId,
        erasure_id: ErasureId,
    ) -> Result<(), FenceError> {
        self.keys.gate.pass().await?;
        let fenced = self.fences_of(tenant_id, erasure_id).await?;
        let mut tx = TenantTx::begin_exclusive(&self.pool, tenant_id).await?;
        let is_lifted = sqlx::query_scalar!(
            r#"select vault.lift_fence($1, $2) as "is_lifted!""#,
            tenant_id.0,
            erasure_id.0,
        )
        .fetch_one(tx.conn())
        .await?;
        if !is_lifted {
            return Err(FenceError::Destroyed);
        }
        tx.commit().await?;
        for (subject_id, generation) in fenced {
            forget(&self.keys.subjects, tenant_id, subject_id, generation);
        }
        Ok(())
    }

    /// Destroys the keys of an erasure in the database and records that the entry of the journal
    /// was applied, in one transaction. Returns the number of destroyed keys. Keys that the entry
    /// names and this database does not have are fenced, so that they never return. Copies in
    /// backups end with their epoch key. A repetition changes nothing.
    ///
    /// # Errors
    /// [`FenceError`]
    pub async fn destroy_keys(&self, journaled: &JournalEntry) -> Result<u64, FenceError> {
        let JournaledErasure { tenant_id, request, .. } = &journaled.erasure;
        let stream_id = tenant_id.subject_stream(request.subject_id);
        self.destroyer().destroy(journaled, Some(stream_id)).await
    }

    /// What destroys keys without the rest of the vault.
    pub(crate) fn destroyer(&self) -> Destroyer {
        Destroyer { pool: self.pool.clone(), subjects: self.keys.subjects.clone() }
    }

    /// Returns the subjects that an erasure fences, with the newest fenced generation.
    async fn fences_of(
        &self,
        tenant_id: TenantId,
        erasure_id: ErasureId,
    ) -> Result<Vec<(SubjectId, u32)>, FenceError> {
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await?;
        let rows = sqlx::query!(
            "select subject_id, generation from vault.fences
              where tenant_id = $1 and erasure_id = $2",
            tenant_id.0,
            erasure_id.0,
        )
        .fetch_all(tx.conn())
        .await?;
        let fence = |id, generation: i32| (SubjectId(id), generation.cast_unsigned());
        Ok(rows.into_iter().map(|row| fence(row.subject_id, row.generation)).collect())
    }
}

/// Applies entries of the journal, also while the vault is refused.
#[derive(Clone)]
pub(crate) struct Destroyer {
    pub(super) pool: PgPool,
    pub(super) subjects: SubjectKeys,
}

impl Destroyer {
    /// The pool of the role `ledger_app`.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// [`Vault::destroy_keys`], without a stream for a log that cannot tell the erasure.
    pub(crate) async fn destroy(
        &self,
        journaled: &JournalEntry,
        stream_id: Option<StreamId>,
    ) -> Result<u64, FenceError> {
        let JournalEntry { entry, digest, erasure } = journaled;
        let tenant_id = erasure.tenant_id;
        let subjects: Vec<Uuid> = erasure.keys.iter().map(|key| key.subject_id.0).collect();
        let generations: Vec<i32> =
            erasure.keys.iter().map(|key| key.generation.cast_signed()).collect();
        let mut tx = TenantTx::begin_exclusive(&self.pool, tenant_id).await?;
        let keys = sqlx::query_scalar!(
            r#"select vault.destroy_keys($1, $2, $3, $4, $5, $6, $7) as "keys!""#,
            tenant_id.0,
            erasure.erasure_id().0,
            i64::try_from(*entry).expect("a number of a line"),
            &digest.0,
            stream_id.map(|stream_id| stream_id.0),
            &subjects,
            &generations,
        )
        .fetch_one(tx.conn())
        .await?;
        tx.commit().await?;
        for key in &erasure.keys {
            forget(&self.subjects, tenant_id, key.subject_id, key.generation);
        }
        Ok(u64::try_from(keys).expect("a count"))
    }
}
