//! Subjects and their keys: resolves the subject of a message, and seals and opens its sections.
//!
//! A subject's key is durable before the event that needs it. New subjects are group-committed: one
//! worker takes everything that waits into one transaction per tenant. A known caller needs no
//! write.

mod contact;
mod contacts;
mod describe;
mod epochs;
pub mod export;
mod fence;
mod fence_watch;
#[cfg(test)]
mod golden_tests;
mod keys;
mod open;
mod processes;
mod resolve;
mod resolved_persons;

use std::fmt;
use std::sync::Arc;

use ledger_core::clock::Clock;
use ledger_core::event::PersonFacts;
use ledger_core::identity::{Handle, PersonIdentifiers, Resolution};
use ledger_core::ids::{HandleId, Ids, StreamId, SubjectId, TenantId};
use ledger_core::section::SectionSubject;
use sqlx::PgPool;
use thiserror::Error;
use tokio::sync::{Notify, mpsc, oneshot};

pub use self::contacts::{ContactFacts, MAX_FOUND};
pub use self::describe::{DescribeError, Described, Description};
pub use self::epochs::TenantKeys;
use self::epochs::read_epochs;
pub use self::fence::FenceError;
pub use self::fence_watch::FENCE_EFFECT;
use self::fence_watch::FenceWatch;
pub(crate) use self::fence_watch::LOOK;
use self::keys::Keys;
pub(crate) use self::keys::wrap_aad;
pub use self::open::{OpenedSection, SectionColumn};
pub use self::resolve::make::MadeContact;
pub(crate) use self::resolved_persons::{CHANGED_CONTACTS, ResolvedPersons};
use crate::caches;
use crate::keyring::{Keyring, KeyringError};
use crate::seal::KeyBytes;
use crate::stage::{self, Stage};
use crate::tenant_tx::TenantTx;

const MAX_QUEUED: usize = 4_096;

/// The reason why a subject is not available.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The tenant's keys are not available, so no event about a person can be recorded.
    #[error("the keys are not available")]
    Keyring(#[source] Arc<KeyringError>),
    /// The database did not answer in time.
    #[error("the vault could not be reached")]
    Database(#[source] Arc<sqlx::Error>),
    /// A wrapped key does not open under its epoch key, because it was altered or moved.
    #[error("the key of subject {subject_id} is corrupt")]
    Corrupt {
        /// The subject of the key.
        subject_id: SubjectId,
    },
    /// The queue of new subjects is full, or the store is closing.
    #[error("too many subjects are waiting")]
    Overloaded,
}

/// A subject with its sealing key, unless it is fenced.
#[derive(Clone)]
pub struct Subject {
    /// Id of the subject.
    pub subject_id: SubjectId,
    /// Generation of its key, from 1.
    pub generation: u32,
    key: Option<Arc<KeyBytes>>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({}, ..)", self.subject_id)
    }
}

impl Subject {
    /// The key, or `None` when the subject is fenced (restricted or erased). Nothing new is sealed
    /// for it then, and events are recorded without their sections.
    #[must_use]
    pub fn sealing_key(&self) -> Option<&KeyBytes> {
        self.key.as_deref()
    }
}

/// The subject of a message.
#[derive(Clone)]
pub struct Resolved {
    /// The contact, or the call's own subject.
    pub subject: Subject,
    /// The subject as facts of an event: which handles were given, by their ids.
    pub person: PersonFacts,
}

impl Resolved {
    /// The subject whose key seals a section.
    #[must_use]
    pub fn subject_of(&self, section: SectionSubject) -> &Subject {
        match section {
            SectionSubject::Person => &self.subject,
        }
    }
}

/// The result of a look-up of a handle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HandleMatches {
    /// Id of the handle; `None` if the tenant has no such handle.
    pub handle_id: Option<HandleId>,
    /// Every contact with this handle, oldest first.
    pub contacts: Vec<SubjectId>,
}

/// The subjects and keys of all tenants, with their caches. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    pool: PgPool,
    /// Pool for queries that a webhook waits for.
    intake: PgPool,
    keyring: Arc<Keyring>,
    keys: Keys,
    resolver: mpsc::Sender<resolve::PendingResolution>,
}

impl Vault {
    pub(crate) fn start(
        (pool, intake): (PgPool, PgPool),
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        let keys = Keys {
            subjects: caches::SUBJECT_KEYS.build(),
            found: ResolvedPersons::new(),
            epochs: caches::CURRENT_EPOCHS.build(),
            fences: Arc::new(FenceWatch::new()),
        };
        let (resolver, waiting) = mpsc::channel(MAX_QUEUED);
        let process_id = ids.random();
        let vault = Self { pool, intake, keyring, keys, resolver };
        let worker = resolve::run(vault.worker(clock, ids), waiting);
        tokio::spawn(stage::drive(Stage::Vault, worker));
        let Keys { subjects, fences, .. } = &vault.keys;
        let watch = Arc::downgrade(fences);
        tokio::spawn(fence_watch::run(vault.intake.clone(), process_id, subjects.clone(), watch));
        vault
    }

    /// The persons that messages were resolved to, to be resolved again after a change.
    pub(crate) fn resolved_persons(&self) -> ResolvedPersons {
        self.keys.found.clone()
    }

    /// Lets this process look for fences at once when it is notified.
    pub(crate) fn waker(&self) -> Arc<Notify> {
        self.keys.fences.waker()
    }

    /// Builds the worker without the sender, which would keep the worker's own queue open.
    fn worker(&self, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> resolve::Worker {
        resolve::Worker {
            pool: self.intake.clone(),
            keyring: Arc::clone(&self.keyring),
            keys: self.keys.clone(),
            clock,
            ids,
        }
    }

    /// Resolves the subject of a message: the contact of its handles and name, else the call's own
    /// subject. A new subject's key is durable on return.
    ///
    /// # Errors
    /// [`VaultError`]: no event about the person may be appended.
    pub async fn resolve(
        &self,
        tenant_id: TenantId,
        stream_id: StreamId,
        given: PersonIdentifiers,
    ) -> Result<Resolved, VaultError> {
        if let Some(known) = resolve::known(&self.keys, tenant_id, stream_id, &given) {
            return Ok(known);
        }
        let (reply, answer) = oneshot::channel();
        let waiting = resolve::PendingResolution { tenant_id, stream_id, given, reply };
        self.resolver.try_send(waiting).map_err(|_| VaultError::Overloaded)?;
        answer.await.map_err(|_| VaultError::Overloaded)?
    }

    /// Looks up which contact a message is about, by the rules of [`Vault::resolve`], and writes
    /// nothing.
    ///
    /// # Errors
    /// [`VaultError`] when the keys are not available or the database did not answer.
    pub async fn recognize(
        &self,
        tenant_id: TenantId,
        stream_id: StreamId,
        given: &PersonIdentifiers,
    ) -> Result<Resolution, VaultError> {
        let mut tx = TenantTx::begin_exclusive(&self.intake, tenant_id).await.map_err(database)?;
        let epoch = read_epochs(&self.keys, &self.keyring, &mut tx).await?;
        resolve::recognize::recognize(&mut tx, stream_id, given, epoch).await
    }

    /// Looks up a handle and every contact with it.
    ///
    /// # Errors
    /// [`VaultError`] when the keys are not available or the database did not answer.
    pub async fn find(
        &self,
        tenant_id: TenantId,
        handle: &Handle,
    ) -> Result<HandleMatches, VaultError> {
        // In one snapshot the rows are of the epochs that were read.
        let mut tx = TenantTx::begin_snapshot(&self.pool, tenant_id).await.map_err(database)?;
        let epoch = read_epochs(&self.keys, &self.keyring, &mut tx).await?;
        let kind = handle.kind().as_str();
        let indexes = epoch.indexes(kind, handle.value());
        let rows = sqlx::query!(
            r#"
            select h.handle_id, c.contact_id as "contact_id?"
              from vault.handles h
              left join vault.contact_handles x
                on x.tenant_id = h.tenant_id and x.handle_id = h.handle_id
              left join vault.contacts c
                on c.tenant_id = x.tenant_id and c.contact_id = x.contact_id
             where h.tenant_id = $1 and h.kind = $2 and h.blind_index in ($3, $4)
             group by h.handle_id, c.contact_id, c.created_at
             order by c.created_at, c.contact_id
            "#,
            tenant_id.0,
            kind,
            &indexes.current,
            &indexes.old,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        Ok(HandleMatches {
            handle_id: rows.first().map(|row| HandleId(row.handle_id)),
            contacts: rows.iter().filter_map(|row| row.contact_id).map(SubjectId).collect(),
        })
    }
}

fn database(error: sqlx::Error) -> VaultError {
    VaultError::Database(Arc::new(error))
}
