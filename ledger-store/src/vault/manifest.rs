//! The keys of an erasure: those that it destroys, and what became of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger_core::ids::{ErasureId, SubjectId, TenantId};
use serde::Serialize;
use serde_json::Value;
use sqlx::query;
use uuid::Uuid;

use super::{Vault, VaultError, database};
use crate::tenant_tx::TenantTx;

/// One generation of a subject's key, as an erasure names it. Ordered by subject and generation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyFacts {
    /// The subject.
    pub subject_id: SubjectId,
    /// Generation of the key, from 1.
    pub generation: u32,
    /// SHA-256 of the key under a label; it stays after the destruction.
    pub fingerprint: Vec<u8>,
    /// The epoch that wraps it, or did before its destruction.
    pub epoch: i32,
    /// `active`, `restricted`, `fenced` or `destroyed`.
    pub state: String,
}

/// A row of the canonical list of keys, of which the manifest has the digest.
#[derive(Serialize)]
struct ListedKey {
    fingerprint: String,
    generation: u32,
    subject_id: Uuid,
}

/// Returns the canonical JSON (RFC 8785) of the keys of a manifest.
#[must_use]
pub fn canonical(keys: &[KeyFacts]) -> Vec<u8> {
    let mut keys: Vec<&KeyFacts> = keys.iter().collect();
    keys.sort();
    let listed = keys.into_iter().map(|key| ListedKey {
        fingerprint: hex::encode(&key.fingerprint),
        generation: key.generation,
        subject_id: key.subject_id.0,
    });
    let listed: Vec<Value> =
        listed.map(|key| serde_json::to_value(key).expect("a key is plain data")).collect();
    serde_json::to_vec(&listed).expect("keys are plain data")
}

/// The epochs of an erasure after a roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolledEpochs {
    /// The newest epoch that wrapped a key of the erasure. It is destroyed, and so are all before it.
    pub destroyed: i32,
    /// The live epoch.
    pub current: i32,
}

impl Vault {
    /// Returns subjects of calls that were linked to these persons by releases before 0.2. Each of
    /// them is no contact.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn linked_subjects(
        &self,
        tenant_id: TenantId,
        persons: &[SubjectId],
    ) -> Result<Vec<SubjectId>, VaultError> {
        let ids: Vec<Uuid> = persons.iter().map(|person| person.0).collect();
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let linked = sqlx::query_scalar!(
            "select l.subject_id
               from vault.links l
              where l.tenant_id = $1 and l.linked_to = any ($2)
                and not exists (select from vault.contacts c
                                 where c.tenant_id = $1 and c.contact_id = l.subject_id)
              order by l.subject_id",
            tenant_id.0,
            &ids,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        Ok(linked.into_iter().map(SubjectId).collect())
    }

    /// Returns which of these subjects are no contacts: own subjects of calls.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn without_contacts(
        &self,
        tenant_id: TenantId,
        subjects: &[SubjectId],
    ) -> Result<Vec<SubjectId>, VaultError> {
        let facts = self.contact_facts(tenant_id, &ids_of(subjects)).await?;
        let is_own = |subject: &&SubjectId| !facts.contains_key(&subject.0);
        Ok(subjects.iter().filter(is_own).copied().collect())
    }

    /// Returns the keys of subjects, in order. A subject without a key is absent.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn key_facts(
        &self,
        tenant_id: TenantId,
        subjects: &[SubjectId],
    ) -> Result<Vec<KeyFacts>, VaultError> {
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let rows = query!(
            "select subject_id, generation, fingerprint, epoch, state
               from vault.subject_keys
              where tenant_id = $1 and subject_id = any ($2)
              order by subject_id, generation",
            tenant_id.0,
            &ids_of(subjects),
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        let key = |subject_id, generation: i32, fingerprint, epoch, state| KeyFacts {
            subject_id: SubjectId(subject_id),
            generation: generation.cast_unsigned(),
            fingerprint,
            epoch,
            state,
        };
        let keys = rows
            .into_iter()
            .map(|row| key(row.subject_id, row.generation, row.fingerprint, row.epoch, row.state));
        Ok(keys.collect())
    }

    /// Returns the keys that the fence of an erasure covers, in order: fenced or destroyed ones.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn fenced_keys(
        &self,
        tenant_id: TenantId,
        erasure_id: ErasureId,
    ) -> Result<Vec<KeyFacts>, VaultError> {
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let rows = query!(
            "select k.subject_id, k.generation, k.fingerprint, k.epoch, k.state
               from vault.fences f
               join vault.subject_keys k
                 on k.tenant_id = f.tenant_id and k.subject_id = f.subject_id
                and k.generation <= f.generation
              where f.tenant_id = $1 and f.erasure_id = $2
              order by k.subject_id, k.generation",
            tenant_id.0,
            erasure_id.0,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        let keys = rows.into_iter().map(|row| KeyFacts {
            subject_id: SubjectId(row.subject_id),
            generation: row.generation.cast_unsigned(),
            fingerprint: row.fingerprint,
            epoch: row.epoch,
            state: row.state,
        });
        Ok(keys.collect())
    }

    /// Waits until the fence of an erasure takes effect in every process. Returns the time from which
    /// it does, by the clock of the database; `None` if the erasure has no fence.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn wait_for_fence(
        &self,
        tenant_id: TenantId,
        erasure_id: ErasureId,
    ) -> Result<Option<DateTime<Utc>>, VaultError> {
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let placed = sqlx::query_scalar!(
            "select max(placed_at) from vault.fences where tenant_id = $1 and erasure_id = $2",
            tenant_id.0,
            erasure_id.0,
        )
        .fetch_one(tx.conn())
        .await
        .map_err(database)?;
        drop(tx);
        match placed {
            Some(placed_at) => self.wait_until_fenced(placed_at).await.map(Some),
            None => Ok(None),
        }
    }

    /// Restricts subjects, whose keys then seal nothing new, or frees them again; at once in this
    /// process, and within [`FENCE_EFFECT`](super::FENCE_EFFECT) in every process. Fenced and destroyed keys stay. A
    /// repetition changes nothing.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn restrict(
        &self,
        tenant_id: TenantId,
        subjects: &[SubjectId],
        is_restricted: bool,
    ) -> Result<(), VaultError> {
        let mut tx = TenantTx::begin_exclusive(&self.pool, tenant_id).await.map_err(database)?;
        sqlx::query_scalar!(
            r#"select vault.restrict_keys($1, $2, $3) as "changed!""#,
            tenant_id.0,
            &ids_of(subjects),
            is_restricted,
        )
        .fetch_one(tx.conn())
        .await
        .map_err(database)?;
        tx.commit().await.map_err(database)?;
        for key in self.key_facts(tenant_id, subjects).await? {
            self.keys.subjects.invalidate(&(tenant_id, key.subject_id, key.generation));
        }
        Ok(())
    }

    /// Returns those of the erasures of which no copy of a key can be opened any more, because every
    /// epoch that wrapped one is destroyed.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn rolled_erasures(
        &self,
        tenant_id: TenantId,
        erasures: &[ErasureId],
    ) -> Result<HashMap<ErasureId, RolledEpochs>, VaultError> {
        let ids: Vec<Uuid> = erasures.iter().map(|erasure| erasure.0).collect();
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let rows = query!(
            r#"select erasure_id as "erasure_id!", destroyed as "destroyed!", current
                 from vault.rolled_erasures($1, $2)"#,
            tenant_id.0,
            &ids,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        let rolled = rows.into_iter().map(|row| {
            let current = row.current.unwrap_or(row.destroyed);
            (ErasureId(row.erasure_id), RolledEpochs { destroyed: row.destroyed, current })
        });
        Ok(rolled.collect())
    }

    /// Returns the epochs that wrapped a key of an erasure, in order, each with the hexadecimal check
    /// value of its key.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn epochs_of_erasure(
        &self,
        tenant_id: TenantId,
        erasure_id: ErasureId,
    ) -> Result<Vec<(i32, String)>, VaultError> {
        let mut epochs: Vec<i32> =
            self.fenced_keys(tenant_id, erasure_id).await?.iter().map(|key| key.epoch).collect();
        epochs.sort_unstable();
        epochs.dedup();
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let rows = query!(
            "select epoch, check_value from vault.epochs
              where tenant_id = $1 and epoch = any ($2)
              order by epoch",
            tenant_id.0,
            &epochs,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        Ok(rows.into_iter().map(|row| (row.epoch, hex::encode(row.check_value))).collect())
    }

    /// Returns how many tokens of the words of names these subjects have. A fence deletes them.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn name_tokens(
        &self,
        tenant_id: TenantId,
        subjects: &[SubjectId],
    ) -> Result<u64, VaultError> {
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let tokens = sqlx::query_scalar!(
            r#"select count(*) as "tokens!" from vault.contact_names
                where tenant_id = $1 and contact_id = any ($2)"#,
            tenant_id.0,
            &ids_of(subjects),
        )
        .fetch_one(tx.conn())
        .await
        .map_err(database)?;
        Ok(tokens.unsigned_abs())
    }
}

fn ids_of(subjects: &[SubjectId]) -> Vec<Uuid> {
    subjects.iter().map(|subject| subject.0).collect()
}
