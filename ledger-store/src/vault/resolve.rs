//! The worker that finds or creates subjects: many messages at a time, one commit per tenant.

mod lookup;
mod new_rows;
mod read;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ledger_core::clock::Clock;
use ledger_core::identity::{self, HandleContacts, PersonIdentifiers, Resolution};
use ledger_core::ids::{Ids, StreamId, SubjectId, TenantId};
use lookup::Lookup;
use new_rows::NewRows;
use sqlx::PgPool;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use super::keys::{KeyState, Keys, ResolvedPerson, current_epoch, load_keys};
use super::{Resolved, Subject, VaultError, database};
use crate::keyring::{EpochKeys, Keyring};
use crate::stage;
use crate::tenant_tx::TenantTx;

const MAX_BATCH: usize = 256;
/// Tenants resolved concurrently. The intake pool has one connection more, for looking up sources.
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

/// The newest key of each subject, with its generation.
type NewestKeys = HashMap<SubjectId, (u32, Arc<KeyState>)>;

/// Whether nothing new may be sealed for a subject.
fn is_fenced(latest: &NewestKeys, subject: SubjectId) -> bool {
    let state = latest.get(&subject).map(|(_, state)| state.as_ref());
    matches!(state, Some(KeyState::Gone | KeyState::Restricted(_)))
}

/// Runs until the vault is dropped.
pub(super) async fn run(worker: Worker, mut queue: mpsc::Receiver<PendingResolution>) {
    let worker = Arc::new(worker);
    let permits = Arc::new(Semaphore::new(TENANTS_AT_ONCE));
    let mut running = JoinSet::new();
    while let Some(first) = queue.recv().await {
        let mut batch: BTreeMap<TenantId, Vec<PendingResolution>> = BTreeMap::new();
        let mut len = 1;
        batch.entry(first.tenant_id).or_default().push(first);
        while len < MAX_BATCH
            && let Ok(next) = queue.try_recv()
        {
            batch.entry(next.tenant_id).or_default().push(next);
            len += 1;
        }
        // Each tenant has its own concurrent transaction, so that a blocked tenant delays no other.
        // While all permits are taken, the next batch gathers in the queue.
        for (tenant_id, waiting) in batch {
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
        let epoch = current_epoch(&self.keys, &self.keyring, &mut tx).await?;
        let lookups: Vec<Lookup> =
            waiting.iter().map(|one| Lookup::of(one.stream_id, &one.given, &epoch)).collect();
        let mut new_rows = NewRows::new(read::known(&mut tx, &lookups).await?);
        let mut latest = NewestKeys::new();
        self.load_latest(&mut tx, new_rows.subjects(), &mut latest).await?;
        let people: Vec<ResolvedPerson> =
            lookups.iter().map(|one| new_rows.decide(one, &latest, &*self.ids)).collect();
        if !new_rows.is_empty() {
            let Some(made) = write::write(&new_rows, &mut tx, &epoch, &*self.clock).await? else {
                return Ok(None);
            };
            tx.commit().await.map_err(database)?;
            for (subject_id, key) in made {
                self.keys.subjects.insert((tenant_id, subject_id, 1), Arc::clone(&key));
                latest.insert(subject_id, (1, key));
            }
        }
        let resolve = |lookup: &Lookup, person: ResolvedPerson| {
            let subject_id = person.subject_id;
            // A missing row is not a new person: a row is kept as fence and has been removed by
            // another program.
            let (generation, state) =
                latest.get(&subject_id).ok_or(VaultError::Corrupt { subject_id })?;
            let subject = subject(subject_id, *generation, state)?;
            if !is_fenced(&latest, subject_id) {
                let key = lookup.cache_key(person.facts.contact);
                self.keys.found.insert((tenant_id, key), Arc::new(person.clone()));
            }
            Ok(Resolved { subject, person: person.facts })
        };
        let people = lookups.iter().zip(people);
        Ok(Some(people.map(|(lookup, person)| resolve(lookup, person)).collect()))
    }

    /// Loads the newest keys of some subjects.
    async fn load_latest(
        &self,
        tx: &mut TenantTx,
        subjects: Vec<Uuid>,
        latest: &mut NewestKeys,
    ) -> Result<(), VaultError> {
        if subjects.is_empty() {
            return Ok(());
        }
        load_keys(&self.keys, &self.keyring, tx, &subjects, |(subject_id, generation), state| {
            latest.insert(subject_id, (generation, state));
        })
        .await
    }
}

/// Returns the cached result for an equal message, without queue and query.
pub(super) fn known(
    keys: &Keys,
    tenant_id: TenantId,
    stream_id: StreamId,
    given: &PersonIdentifiers,
) -> Option<Resolved> {
    let epoch = keys.epochs.get(&tenant_id)?;
    let lookup = Lookup::of(stream_id, given, &epoch);
    let found = |is_contact| keys.found.get(&(tenant_id, lookup.cache_key(is_contact)));
    let person = found(true).or_else(|| found(false))?;
    // The cache covers generation 1 only; later ones exist only after an erasure.
    let state = keys.subjects.get(&(tenant_id, person.subject_id, 1))?;
    let subject = subject(person.subject_id, 1, &state).ok()?;
    subject.sealing_key()?;
    Some(Resolved { subject, person: person.facts.clone() })
}

/// Decides about a message without writing.
pub(super) async fn recognize(
    tx: &mut TenantTx,
    stream_id: StreamId,
    given: &PersonIdentifiers,
    epoch: &EpochKeys,
) -> Result<Resolution, VaultError> {
    let lookup = Lookup::of(stream_id, given, epoch);
    let known = read::known(tx, std::slice::from_ref(&lookup)).await?;
    let contacts = |handle: &lookup::HandleKey| {
        let contacts = known.handles.get(handle).map(|known| known.contacts.as_slice());
        let contacts = contacts.unwrap_or_default().iter();
        HandleContacts {
            kind: handle.0,
            contacts: contacts.filter_map(|id| known.contacts.get(id).copied()).collect(),
        }
    };
    let handles: Vec<_> = lookup.handles.iter().map(contacts).collect();
    Ok(identity::resolve(&handles, lookup.name))
}

fn subject(
    subject_id: SubjectId,
    generation: u32,
    state: &Arc<KeyState>,
) -> Result<Subject, VaultError> {
    let key = match state.as_ref() {
        KeyState::Usable(key) => Some(Arc::clone(key)),
        KeyState::Restricted(_) | KeyState::Gone => None,
        KeyState::Corrupt => return Err(VaultError::Corrupt { subject_id }),
    };
    Ok(Subject { subject_id, generation, key })
}
