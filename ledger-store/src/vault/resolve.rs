//! The worker that finds or makes subjects, many at a time, one commit for all of them.

mod plan;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ledger_core::clock::Clock;
use ledger_core::ids::{Ids, StreamId, SubjectId, TenantId};
use plan::{Plan, links, write_links};
use sqlx::PgPool;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use super::keys::{KeyState, Keys, current_epoch, load_keys};
use super::{Identifier, Subject, VaultError, database};
use crate::keyring::{EpochKeys, Keyring};
use crate::stage;
use crate::tenant_tx::TenantTx;

const MAX_BATCH: usize = 256;
/// Tenants resolved side by side; the webhooks' pool has a connection more, to find sources with.
const TENANTS_AT_ONCE: usize = 3;
/// A database that goes silent holds up a tenant's messages for this long, and the worker no longer.
const PATIENCE: Duration = Duration::from_secs(5);

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
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
}

/// A blind index with its kind: how one identifier is looked up.
type Handle = (&'static str, [u8; 16]);

/// The newest key of each subject, and its generation.
type Latest = HashMap<SubjectId, (u32, Arc<KeyState>)>;

/// Whether nothing about a subject may be sealed any more.
fn is_fenced(latest: &Latest, subject: SubjectId) -> bool {
    let state = latest.get(&subject).map(|(_, state)| state.as_ref());
    matches!(state, Some(KeyState::Gone | KeyState::Restricted(_)))
}

/// Answers until the vault is dropped.
pub(super) async fn run(worker: Worker, mut queue: mpsc::Receiver<Waiting>) {
    let worker = Arc::new(worker);
    let places = Arc::new(Semaphore::new(TENANTS_AT_ONCE));
    let mut under_way = JoinSet::new();
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
        // Tenants commit each for itself, side by side: a tenant that is held up holds back nobody
        // else, and the next batch gathers while all places are taken.
        for (tenant_id, waiting) in batch {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let worker = Arc::clone(&worker);
            under_way.spawn(stage::carried(async move {
                let _place = place;
                let resolved = timeout(PATIENCE, worker.resolve(tenant_id, &waiting)).await;
                let silent = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
                answer(waiting, resolved.unwrap_or_else(|_| Err(database(silent()))));
            }));
        }
        while let Some(ended) = under_way.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(error = %error, "vault.resolve_panicked");
            }
        }
    }
    while under_way.join_next().await.is_some() {}
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
    ) -> Result<Vec<Result<Subject, VaultError>>, VaultError> {
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let epoch = current_epoch(&self.keys, &self.keyring, &mut tx).await?;
        let handles: Vec<Handles> = waiting
            .iter()
            .map(|one| Handles::of(one.stream_id, &one.identifiers, &epoch))
            .collect();
        let mut found = lookup(&mut tx, &handles).await?;
        let mut latest = Latest::new();
        self.load_latest(&mut tx, &found, &mut latest).await?;
        let plan = Plan::make(&handles, &found, &latest, &*self.ids);
        let mut made = Latest::new();
        if !plan.handles.is_empty() {
            made = plan.write(&mut tx, &epoch, &*self.clock, &mut found).await?;
            latest.extend(made.iter().map(|(subject, key)| (*subject, key.clone())));
            self.load_latest(&mut tx, &found, &mut latest).await?;
        }
        write_links(&mut tx, &*self.clock, &links(&handles, &found)).await?;
        tx.commit().await.map_err(database)?;
        for (subject_id, (generation, key)) in made {
            self.keys.subjects.insert((tenant_id, subject_id, generation), key);
        }
        for handles in &handles {
            for handle in handles.all() {
                if let Some(subject_id) = found.get(handle) {
                    self.keys.found.insert((tenant_id, handle.1), *subject_id);
                }
            }
        }
        let answer = |handles: &Handles| {
            let subject_id = handles.subject(&found);
            // No row at all is not a new person: somebody removed what must stay as a fence.
            let (generation, state) =
                latest.get(&subject_id).ok_or(VaultError::Corrupt { subject_id })?;
            let mut subject = subject(subject_id, *generation, state)?;
            // Whoever is fenced under one of the names in a message is fenced under all of them.
            let names = handles.all().filter_map(|handle| found.get(handle));
            if names.into_iter().any(|named| is_fenced(&latest, *named)) {
                subject.key = None;
            }
            Ok(subject)
        };
        Ok(handles.iter().map(answer).collect())
    }

    /// The newest keys of the subjects that were found, but for those there already.
    async fn load_latest(
        &self,
        tx: &mut TenantTx,
        found: &HashMap<Handle, SubjectId>,
        latest: &mut Latest,
    ) -> Result<(), VaultError> {
        let mut missing: Vec<Uuid> = found
            .values()
            .filter(|subject| !latest.contains_key(subject))
            .map(|subject| subject.0)
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        load_keys(&self.keys, &self.keyring, tx, &missing, |(subject_id, generation), state| {
            latest.insert(subject_id, (generation, state));
        })
        .await
    }
}

/// The answer when every name in a message is known: no queue, and no round trip at all.
pub(super) fn known(
    keys: &Keys,
    tenant_id: TenantId,
    stream_id: StreamId,
    identifiers: &[Identifier],
) -> Option<Subject> {
    let epoch = keys.epochs.get(&tenant_id)?;
    let handles = Handles::of(stream_id, identifiers, &epoch);
    let known: Option<Vec<SubjectId>> =
        handles.all().map(|handle| keys.found.get(&(tenant_id, handle.1))).collect();
    let known = known?;
    let subject_id = *known.first()?;
    // Two subjects of one message are to be linked, which only a write can do.
    if known.iter().any(|other| *other != subject_id) {
        return None;
    }
    // Generation 1 is all there is until a person comes back after an erasure.
    let state = keys.subjects.get(&(tenant_id, subject_id, 1))?;
    subject(subject_id, 1, &state).ok().filter(|known| known.sealing_key().is_some())
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
    fn of(stream_id: StreamId, identifiers: &[Identifier], epoch: &EpochKeys) -> Self {
        let person = identifiers
            .iter()
            .map(|one| (one.kind(), epoch.blind_index(one.kind(), one.value())))
            .collect();
        let stream = ("call", epoch.blind_index("call", &stream_id.to_string()));
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
    // One look-up a name, whatever the planner thinks of a table without statistics: it would read all
    // names of the tenant for each batch.
    let rows = sqlx::query!(
        r#"
        select w.nth as "nth!", l.subject_id as "subject_id!"
          from unnest($2::text[], $3::bytea[]) with ordinality as w (kind, blind_index, nth)
         cross join lateral (select subject_id from vault.lookups
                              where tenant_id = $1 and kind = w.kind and blind_index = w.blind_index
                             offset 0) l
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
