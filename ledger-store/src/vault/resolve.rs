//! The worker that finds or creates subjects: all messages that wait, of every tenant, in one
//! transaction. Tenants for which that is not possible have transactions of their own.

mod batch;
pub(super) mod lookup;
pub(super) mod make;
mod new_rows;
pub(super) mod newest;
mod read;
pub(super) mod recognize;
mod tenant_batch;
mod together;
mod write;

use std::sync::Arc;
use std::time::Duration;

use ledger_core::clock::Clock;
use ledger_core::identity::PersonIdentifiers;
use ledger_core::ids::{Ids, StreamId, TenantId};
use sqlx::PgPool;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::lookup::CacheKeys;
use self::newest::subject;
use self::tenant_batch::TenantBatch;
use self::together::{Together, Waiting};
use super::epochs::read_epochs;
use super::keys::Keys;
use super::{Resolved, VaultError, database};
use crate::keyring::Keyring;
use crate::stage;
use crate::tenant_tx::TenantTx;

const MAX_BATCH: usize = 256;
/// Tenants resolved concurrently in transactions of their own. The intake pool has two connections
/// more: for the transaction of all tenants, and for looking up sources.
const TENANTS_AT_ONCE: usize = 3;
/// Timeout of one tenant's transaction, so that a database that stopped responding does not block
/// the worker.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A message that waits for its subject.
pub(super) struct PendingResolution {
    pub(super) tenant_id: TenantId,
    pub(super) stream_id: StreamId,
    pub(super) given: PersonIdentifiers,
    pub(super) reply: oneshot::Sender<Result<Resolved, VaultError>>,
}

/// The dependencies of the worker: the vault without the sender of its own queue.
pub(super) struct Worker {
    pub(super) pool: PgPool,
    pub(super) keyring: Arc<Keyring>,
    pub(super) keys: Keys,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
}

/// Attempts to resolve a batch when another process wrote the same rows first. The advisory lock
/// prevents that, except with servers older than this lock.
const MAX_ATTEMPTS: usize = 3;

/// The streams of messages, with the identifiers that they state.
fn messages(waiting: &[PendingResolution]) -> impl Iterator<Item = (StreamId, &PersonIdentifiers)> {
    waiting.iter().map(|one| (one.stream_id, &one.given))
}

/// Runs until the vault is dropped.
pub(super) async fn run(worker: Worker, mut queue: mpsc::Receiver<PendingResolution>) {
    let worker = Arc::new(worker);
    let mut together = Together::new(&worker);
    let permits = Arc::new(Semaphore::new(TENANTS_AT_ONCE));
    let mut running = JoinSet::new();
    while let Some(first) = together.next(&mut queue).await {
        let mut batch = Waiting::new();
        let mut len = 1;
        batch.entry(first.tenant_id).or_default().push(first);
        while len < MAX_BATCH
            && let Ok(next) = queue.try_recv()
        {
            batch.entry(next.tenant_id).or_default().push(next);
            len += 1;
        }
        let alone = together.resolve(batch).await;
        // Each tenant that is left has its own concurrent transaction, so that a blocked tenant
        // delays no other. While all permits are taken, the next batch gathers in the queue.
        for (tenant_id, waiting) in alone {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let worker = Arc::clone(&worker);
            running.spawn(stage::in_current_stage(async move {
                let _permit = permit;
                let resolved = timeout(TIMEOUT, worker.resolve(tenant_id, &waiting)).await;
                let timed_out = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
                answer(waiting, resolved.unwrap_or_else(|_| Err(database(timed_out()))));
            }));
        }
        while let Some(ended) = running.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(error = %error, "vault.resolve_panicked");
            }
        }
    }
    while running.join_next().await.is_some() {}
}

fn answer(
    waiting: Vec<PendingResolution>,
    resolved: Result<Vec<Result<Resolved, VaultError>>, VaultError>,
) {
    match resolved {
        Ok(subjects) => {
            for (waiting, subject) in waiting.into_iter().zip(subjects) {
                if let Err(error) = &subject {
                    tracing::error!(error = %error, "vault.subject_corrupt");
                }
                let _ = waiting.reply.send(subject);
            }
        }
        Err(error) => {
            tracing::warn!(error = %error, requests = waiting.len(), "vault.resolve_failed");
            for waiting in waiting {
                let _ = waiting.reply.send(Err(copy_of(&error)));
            }
        }
    }
}

fn copy_of(error: &VaultError) -> VaultError {
    match error {
        VaultError::Keyring(source) => VaultError::Keyring(Arc::clone(source)),
        VaultError::Database(source) => VaultError::Database(Arc::clone(source)),
        VaultError::Corrupt { subject_id } => VaultError::Corrupt { subject_id: *subject_id },
        VaultError::Refused(refusal) => VaultError::Refused(refusal.clone()),
        VaultError::Overloaded => VaultError::Overloaded,
    }
}

impl Worker {
    /// Returns a result for each message. A corrupt key fails only the messages of its subject.
    async fn resolve(
        &self,
        tenant_id: TenantId,
        waiting: &[PendingResolution],
    ) -> Result<Vec<Result<Resolved, VaultError>>, VaultError> {
        if let Some(resolved) = self.resolve_together(tenant_id, waiting).await? {
            return Ok(resolved);
        }
        // After conflicts each message is resolved by itself, so that one conflict fails no other
        // message.
        let mut resolved = Vec::with_capacity(waiting.len());
        for one in waiting {
            let alone = self.resolve_together(tenant_id, std::slice::from_ref(one)).await?;
            let alone = alone.and_then(|mut alone| alone.pop());
            resolved.push(alone.unwrap_or(Err(VaultError::Overloaded)));
        }
        Ok(resolved)
    }

    /// Returns `None` after a conflict with another process in every attempt.
    async fn resolve_together(
        &self,
        tenant_id: TenantId,
        waiting: &[PendingResolution],
    ) -> Result<Option<Vec<Result<Resolved, VaultError>>>, VaultError> {
        for _ in 0..MAX_ATTEMPTS {
            if let Some(resolved) = self.try_resolve(tenant_id, waiting).await? {
                return Ok(Some(resolved));
            }
        }
        Ok(None)
    }

    /// Returns `None` after a conflict with another process; nothing was written, and all must be
    /// read again.
    async fn try_resolve(
        &self,
        tenant_id: TenantId,
        waiting: &[PendingResolution],
    ) -> Result<Option<Vec<Result<Resolved, VaultError>>>, VaultError> {
        let mut tx = TenantTx::begin_exclusive(&self.pool, tenant_id).await.map_err(database)?;
        let epoch = read_epochs(&self.keys, &self.keyring, &mut tx).await?;
        let batch = [TenantBatch::of(tenant_id, messages(waiting), epoch)];
        let decided = self.decide(tx.conn(), &batch).await?;
        let Some(decision) = decided.and_then(|mut decided| decided.pop().flatten()) else {
            return Ok(None);
        };
        tx.commit().await.map_err(database)?;
        Ok(Some(self.finish(&batch[0], decision)))
    }
}

/// Returns the cached result for an equal message, without queue and query.
pub(super) fn known(
    keys: &Keys,
    tenant_id: TenantId,
    stream_id: StreamId,
    given: &PersonIdentifiers,
) -> Option<Resolved> {
    let epoch = keys.cached_epochs(tenant_id)?;
    let cached = CacheKeys::of(stream_id, given, &epoch);
    let found = |is_contact| keys.found.get(tenant_id, cached.of_result(is_contact));
    let person = found(true).or_else(|| found(false))?;
    // The cache covers generation 1 only; later ones exist only after an erasure.
    let state = keys.cached(tenant_id, person.subject_id, 1)?;
    let subject = subject(person.subject_id, 1, &state).ok()?;
    subject.sealing_key()?;
    Some(Resolved { subject, person: person.facts })
}
