//! The worker that finds or makes subjects, many at a time, one commit for all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use ledger_core::clock::Clock;
use ledger_core::ids::{Ids, StreamId, SubjectId, TenantId};
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    Identifier, KeyState, Keys, Subject, VaultError, current_epoch, database, load_keys, wrap_place,
};
use crate::keyring::{EpochKeys, Keyring};
use crate::root_key;
use crate::tenant_tx::TenantTx;

const MAX_BATCH: usize = 256;

/// One message's question: whose data is this?
pub(super) struct Waiting {
    pub(super) tenant_id: TenantId,
    pub(super) stream_id: StreamId,
    pub(super) identifiers: Vec<Identifier>,
    pub(super) reply: oneshot::Sender<Result<Subject, VaultError>>,
}

/// What the worker works with: the vault but for its own queue.
pub(super) struct Worker {
    pub(super) pool: PgPool,
    pub(super) keyring: Arc<Keyring>,
    pub(super) keys: Keys,
}

/// A blind index with its kind: how one identifier is looked up.
type Handle = (&'static str, [u8; 16]);

/// Answers until the vault is dropped.
pub(super) async fn run(
    worker: Worker,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    mut queue: mpsc::Receiver<Waiting>,
) {
    while let Some(first) = queue.recv().await {
        let mut batch: BTreeMap<TenantId, Vec<Waiting>> = BTreeMap::new();
        let mut len = 1;
        batch.entry(first.tenant_id).or_default().push(first);
        while len < MAX_BATCH
            && let Ok(next) = queue.try_recv()
        {
            batch.entry(next.tenant_id).or_default().push(next);
            len += 1;
        }
        // Tenants commit one by one: a tenant whose keys are gone holds back nobody else, and the
        // usual batch is of known callers and writes nothing.
        for (tenant_id, waiting) in batch {
            let resolved = worker.resolve(tenant_id, &waiting, &*clock, &*ids).await;
            answer(waiting, resolved);
        }
    }
}

fn answer(waiting: Vec<Waiting>, resolved: Result<Vec<Result<Subject, VaultError>>, VaultError>) {
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
                let _ = waiting.reply.send(Err(repeat(&error)));
            }
        }
    }
}

fn repeat(error: &VaultError) -> VaultError {
    match error {
        VaultError::Keyring(source) => VaultError::Keyring(Arc::clone(source)),
        VaultError::Database(source) => VaultError::Database(Arc::clone(source)),
        VaultError::Corrupt { subject_id } => VaultError::Corrupt { subject_id: *subject_id },
        VaultError::Overloaded => VaultError::Overloaded,
    }
}

impl Worker {
    /// An answer for each that waits: one person's corrupt key holds up nobody else.
    async fn resolve(
        &self,
        tenant_id: TenantId,
        waiting: &[Waiting],
        clock: &dyn Clock,
        ids: &dyn Ids,
    ) -> Result<Vec<Result<Subject, VaultError>>, VaultError> {
        if let Some(known) = self.known(tenant_id, waiting) {
            return Ok(known.into_iter().map(Ok).collect());
        }
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let epoch = current_epoch(&self.keys, &self.keyring, &mut tx).await?;
        let handles: Vec<Handles> = waiting.iter().map(|one| Handles::of(one, &epoch)).collect();
        let mut found = lookup(&mut tx, &handles).await?;
        let plan = Plan::make(&handles, &found, ids);
        if !plan.handles.is_empty() {
            plan.write(&mut tx, &epoch, clock, &mut found).await?;
        }
        write_links(&mut tx, clock, &links(&handles, &found)).await?;
        let subjects: Vec<SubjectId> =
            handles.iter().map(|handles| handles.subject(&found)).collect();
        let raw: Vec<Uuid> = subjects.iter().map(|subject| subject.0).collect();
        let mut latest: HashMap<SubjectId, (u32, Arc<KeyState>)> = HashMap::new();
        load_keys(&self.keys, &self.keyring, &mut tx, &raw, |(subject_id, generation), state| {
            latest.insert(subject_id, (generation, state));
        })
        .await?;
        tx.commit().await.map_err(database)?;
        for handles in &handles {
            for handle in handles.all() {
                if let Some(subject_id) = found.get(handle) {
                    self.keys.found.insert((tenant_id, handle.1), *subject_id);
                }
            }
        }
        let answer = |subject_id| {
            // No row at all is not a new person: somebody removed what must stay as a fence.
            let (generation, state) =
                latest.get(&subject_id).ok_or(VaultError::Corrupt { subject_id })?;
            subject(subject_id, *generation, state)
        };
        Ok(subjects.into_iter().map(answer).collect())
    }

    /// The answer when every handle of every message is known: no round trip at all.
    fn known(&self, tenant_id: TenantId, waiting: &[Waiting]) -> Option<Vec<Subject>> {
        let epoch = self.keys.epochs.get(&tenant_id)?;
        let one = |waiting: &Waiting| {
            let handles = Handles::of(waiting, &epoch);
            let known: Option<Vec<SubjectId>> =
                handles.all().map(|handle| self.keys.found.get(&(tenant_id, handle.1))).collect();
            let known = known?;
            let subject_id = *known.first()?;
            // Two subjects of one message are to be linked, which only a write can do.
            if known.iter().any(|other| *other != subject_id) {
                return None;
            }
            // Generation 1 is all there is until a person comes back after an erasure.
            let state = self.keys.subjects.get(&(tenant_id, subject_id, 1))?;
            subject(subject_id, 1, &state).ok().filter(|known| known.sealing_key().is_some())
        };
        waiting.iter().map(one).collect()
    }
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

/// How one message's subject is looked up: by what identifies the person, and by its stream.
struct Handles {
    person: Vec<Handle>,
    stream: Handle,
}

impl Handles {
    fn of(waiting: &Waiting, epoch: &EpochKeys) -> Self {
        let person = waiting
            .identifiers
            .iter()
            .map(|one| (one.kind(), epoch.blind_index(one.kind(), one.value())))
            .collect();
        let stream = ("call", epoch.blind_index("call", &waiting.stream_id.to_string()));
        Self { person, stream }
    }

    /// The person first: who is identified outranks who the call was thought to be with.
    fn all(&self) -> impl Iterator<Item = &Handle> {
        self.person.iter().chain([&self.stream])
    }

    fn subject(&self, found: &HashMap<Handle, SubjectId>) -> SubjectId {
        self.all().find_map(|handle| found.get(handle)).copied().expect("the plan filled the gaps")
    }
}

async fn lookup(
    tx: &mut TenantTx,
    handles: &[Handles],
) -> Result<HashMap<Handle, SubjectId>, VaultError> {
    let wanted: Vec<Handle> = handles.iter().flat_map(Handles::all).copied().collect();
    read(tx, &wanted).await
}

async fn read(
    tx: &mut TenantTx,
    wanted: &[Handle],
) -> Result<HashMap<Handle, SubjectId>, VaultError> {
    let tenant_id = tx.tenant_id();
    let kinds: Vec<&str> = wanted.iter().map(|(kind, _)| *kind).collect();
    let indexes: Vec<Vec<u8>> = wanted.iter().map(|(_, index)| index.to_vec()).collect();
    let rows = sqlx::query!(
        r#"
        select w.nth as "nth!", l.subject_id
          from unnest($2::text[], $3::bytea[]) with ordinality as w (kind, blind_index, nth)
          join vault.lookups l
            on l.tenant_id = $1 and l.kind = w.kind and l.blind_index = w.blind_index
        "#,
        tenant_id.0,
        &kinds as _,
        &indexes,
    )
    .fetch_all(tx.conn())
    .await
    .map_err(database)?;
    let nth = |nth: i64| usize::try_from(nth - 1).expect("ordinality counts from 1");
    Ok(rows.into_iter().map(|row| (wanted[nth(row.nth)], SubjectId(row.subject_id))).collect())
}

/// What must be written before the batch can be answered.
#[derive(Default)]
struct Plan {
    /// Sorted, so that two processes never wait for each other.
    handles: BTreeMap<Handle, SubjectId>,
    /// The subjects that are new; only they get a key.
    new: BTreeSet<SubjectId>,
}

impl Plan {
    fn make(handles: &[Handles], found: &HashMap<Handle, SubjectId>, ids: &dyn Ids) -> Self {
        let mut plan = Self::default();
        for handles in handles {
            let known = |plan: &Self, handle: &Handle| {
                found.get(handle).or_else(|| plan.handles.get(handle)).copied()
            };
            let person = handles.person.iter().find_map(|handle| known(&plan, handle));
            let stream = known(&plan, &handles.stream);
            // A call that was nobody's keeps its own subject when a person appears; they are linked.
            let subject = match (person, stream) {
                (Some(person), _) => person,
                (None, Some(stream)) if handles.person.is_empty() => stream,
                (None, _) => {
                    let new = SubjectId(ids.random());
                    plan.new.insert(new);
                    new
                }
            };
            for handle in handles.all() {
                if known(&plan, handle).is_none() {
                    plan.handles.insert(*handle, subject);
                }
            }
        }
        plan
    }

    /// Writes it. Where another process was faster, its subject is taken instead of ours.
    async fn write(
        &self,
        tx: &mut TenantTx,
        epoch: &EpochKeys,
        clock: &dyn Clock,
        found: &mut HashMap<Handle, SubjectId>,
    ) -> Result<(), VaultError> {
        let tenant_id = tx.tenant_id();
        let now = clock.now_micros();
        let kinds: Vec<&str> = self.handles.keys().map(|(kind, _)| *kind).collect();
        let indexes: Vec<Vec<u8>> = self.handles.keys().map(|(_, index)| index.to_vec()).collect();
        let subjects: Vec<Uuid> = self.handles.values().map(|subject| subject.0).collect();
        let inserted = sqlx::query!(
            "insert into vault.lookups (tenant_id, kind, blind_index, subject_id, epoch, created_at)
             select $1, kind, blind_index, subject_id, $5, $6
               from unnest($2::text[], $3::bytea[], $4::uuid[]) as n (kind, blind_index, subject_id)
                 on conflict do nothing",
            tenant_id.0,
            &kinds as _,
            &indexes,
            &subjects,
            epoch.epoch,
            now,
        )
        .execute(tx.conn())
        .await
        .map_err(database)?;
        if inserted.rows_affected() == self.handles.len() as u64 {
            found.extend(&self.handles);
        } else {
            let wanted: Vec<Handle> = self.handles.keys().copied().collect();
            found.extend(read(tx, &wanted).await?);
        }
        let used: BTreeSet<SubjectId> = found.values().copied().collect();
        let new: Vec<Uuid> = self.new.intersection(&used).map(|subject| subject.0).collect();
        insert_keys(tx, epoch, clock, &new).await
    }
}

/// The subjects that one message shows to be the same person: a call's own and the person it turned
/// out to be, or two that were found by different identifiers until now. Told by what was found at
/// last: another process may have been faster to name the person.
fn links(
    handles: &[Handles],
    found: &HashMap<Handle, SubjectId>,
) -> BTreeSet<(SubjectId, SubjectId)> {
    let of_one = |handles: &Handles| {
        let subject = handles.subject(found);
        let all: Vec<SubjectId> =
            handles.all().filter_map(|handle| found.get(handle)).copied().collect();
        all.into_iter().filter(move |other| *other != subject).map(move |other| (other, subject))
    };
    handles.iter().flat_map(of_one).collect()
}

async fn write_links(
    tx: &mut TenantTx,
    clock: &dyn Clock,
    links: &BTreeSet<(SubjectId, SubjectId)>,
) -> Result<(), VaultError> {
    if links.is_empty() {
        return Ok(());
    }
    let tenant_id = tx.tenant_id();
    let from: Vec<Uuid> = links.iter().map(|(from, _)| from.0).collect();
    let to: Vec<Uuid> = links.iter().map(|(_, to)| to.0).collect();
    sqlx::query!(
        "insert into vault.links (tenant_id, subject_id, linked_to, created_at)
             select $1, subject_id, linked_to, $4
               from unnest($2::uuid[], $3::uuid[]) as n (subject_id, linked_to)
                 on conflict do nothing",
        tenant_id.0,
        &from,
        &to,
        clock.now_micros(),
    )
    .execute(tx.conn())
    .await
    .map_err(database)?;
    Ok(())
}

/// First keys for subjects that have none. One that has any key, even a destroyed one, gets no
/// other here: a fence stays a fence.
async fn insert_keys(
    tx: &mut TenantTx,
    epoch: &EpochKeys,
    clock: &dyn Clock,
    subjects: &[Uuid],
) -> Result<(), VaultError> {
    let tenant_id = tx.tenant_id();
    let mut wrapped = Vec::with_capacity(subjects.len());
    let mut fingerprints = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(key.as_mut_slice()).expect("the operating system gives randomness");
        let place = wrap_place(tenant_id, SubjectId(*subject), 1, epoch.epoch);
        wrapped.push(root_key::wrap(epoch.wrapping(), &place, &key));
        let named = Zeroizing::new([b"cl/fpr/1".as_slice(), key.as_slice()].concat());
        fingerprints.push(digest(&SHA256, &named).as_ref().to_vec());
    }
    sqlx::query!(
        "insert into vault.subject_keys
           (tenant_id, subject_id, generation, epoch, wrapped, fingerprint, created_at)
         select $1, n.subject_id, 1, $5, n.wrapped, n.fingerprint, $6
           from unnest($2::uuid[], $3::bytea[], $4::bytea[]) as n (subject_id, wrapped, fingerprint)
          where not exists (select from vault.subject_keys k
                             where k.tenant_id = $1 and k.subject_id = n.subject_id)
             on conflict do nothing",
        tenant_id.0,
        subjects,
        &wrapped,
        &fingerprints,
        epoch.epoch,
        clock.now_micros(),
    )
    .execute(tx.conn())
    .await
    .map_err(database)?;
    Ok(())
}
