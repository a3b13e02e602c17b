//! The start gate: compares the erasure journal with the entries that were applied to the database.
//! A database that is behind is an older copy with keys of erased persons, so its vault is not used
//! until `call-ledger restore reconcile` has destroyed them again. See
//! `docs/decisions/0052-journal.md`.

mod compare;

use self::compare::Pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sqlx::PgPool;
use thiserror::Error;
use tokio::time::{sleep, timeout};

use crate::journal::{Journal, JournalError};
use crate::vault::{Destroyer, VaultError};

/// Time between two comparisons of a running process.
const INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait for the database and the journal.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The reason for which the vault of a database is not used.
#[derive(Debug, Clone, Error)]
pub enum GateError {
    /// The journal cannot be read, or is not valid, or is an older copy.
    #[error(transparent)]
    Journal(Arc<JournalError>),
    /// The database does not have an entry of the journal.
    #[error(
        "the database is older than the erasure journal: entry {entry} of {entries} was not applied \
             to it, so it may have keys of erased persons; run call-ledger restore reconcile"
    )]
    DatabaseBehind {
        /// Number of the first missing entry.
        entry: u64,
        /// Number of entries of the journal.
        entries: u64,
    },
    /// A process ended between journal and destruction, and the destruction is not repeated yet.
    #[error("entry {entry} of the erasure journal is being applied; try again")]
    Incomplete {
        /// Number of the entry.
        entry: u64,
    },
    /// The log does not tell an erasure that was applied to the vault.
    #[error(
        "the log is older than the vault: it does not tell the erasure of entry {entry} of the \
             journal; run call-ledger restore reconcile"
    )]
    LogBehind {
        /// Number of the entry.
        entry: u64,
    },
    /// Another entry was applied to the database than the journal has.
    #[error(
        "entry {entry} of the erasure journal is not the one that was applied to this database: \
             put the journal of this installation back"
    )]
    OtherJournal {
        /// Number of the entry.
        entry: u64,
    },
}

impl GateError {
    /// The sentence of the readiness probe, without paths.
    #[must_use]
    pub const fn public(&self) -> &'static str {
        match self {
            Self::Journal(_) => "cannot be used; see the log",
            Self::DatabaseBehind { .. } | Self::LogBehind { .. } => {
                "the database is an older copy: run call-ledger restore reconcile"
            }
            Self::Incomplete { .. } => "an erasure is being completed",
            Self::OtherJournal { .. } => "is not the journal of this database; see the log",
        }
    }
}

/// The state of the gate in this process. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

struct Shared {
    journal: Journal,
    destroyer: Destroyer,
    /// Whether the last comparison found the database up to date.
    is_open: AtomicBool,
    /// The reason for which the gate is closed; `None` before the first comparison.
    refusal: Mutex<Option<GateError>>,
    /// One comparison at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Gate {
    pub(crate) fn new(journal: Journal, destroyer: Destroyer) -> Self {
        let shared = Shared {
            journal,
            destroyer,
            is_open: AtomicBool::new(false),
            refusal: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Whether the vault may be used, by the last comparison.
    pub(crate) fn is_open(&self) -> bool {
        self.shared.is_open.load(Ordering::Acquire)
    }

    /// Returns if the vault may be used. Compares database and journal if that was not done yet.
    ///
    /// # Errors
    /// [`VaultError::Refused`] with the reason.
    pub async fn pass(&self) -> Result<(), VaultError> {
        if self.is_open() {
            return Ok(());
        }
        match self.refusal() {
            Some(refusal) => Err(VaultError::Refused(refusal)),
            None => self.check().await,
        }
    }

    /// [`Gate::pass`] within a transaction that may hold the vault of a tenant: completes no
    /// erasure, which would wait for that transaction.
    pub(crate) async fn require(&self) -> Result<(), VaultError> {
        if self.is_open() {
            return Ok(());
        }
        match self.refusal() {
            Some(refusal) => Err(VaultError::Refused(refusal)),
            None => self.compare(Pending::Refuse).await,
        }
    }

    /// Compares database and journal now. Erasures that a process did not complete after it
    /// journaled them are completed.
    ///
    /// # Errors
    /// [`VaultError::Refused`] with the reason; [`VaultError::Database`] without a result, and the
    /// gate stays as it was.
    pub async fn check(&self) -> Result<(), VaultError> {
        self.compare(Pending::Complete).await
    }

    async fn compare(&self, pending: Pending) -> Result<(), VaultError> {
        let _turn = self.shared.turn.lock().await;
        let Shared { destroyer, journal, .. } = &*self.shared;
        let compared = compare::compare(destroyer, journal, pending).await?;
        self.set(compared.clone().err());
        compared.map_err(VaultError::Refused)
    }

    fn refusal(&self) -> Option<GateError> {
        self.shared.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, refusal: Option<GateError>) {
        let is_open = refusal.is_none();
        let mut known = self.shared.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        match (&refusal, &*known) {
            (Some(error), None) => tracing::error!(error = %error, "gate.closed"),
            (None, Some(_)) => tracing::info!("gate.opened"),
            _ => {}
        }
        *known = refusal;
        self.shared.is_open.store(is_open, Ordering::Release);
    }

    /// Compares every second, until the vault is dropped or the pool is closed. A database that is
    /// exchanged under a running server is noticed by this.
    pub(crate) async fn watch(pool: PgPool, gate: WeakGate) {
        let compared = async {
            loop {
                sleep(INTERVAL).await;
                let Some(shared) = gate.0.upgrade() else { return };
                let gate = Self { shared };
                // The first use of the vault makes the first comparison: a store that uses none
                // connects to no database.
                let is_used = gate.is_open() || gate.refusal().is_some();
                if is_used
                    && let Ok(Err(VaultError::Database(error))) =
                        timeout(TIMEOUT, gate.check()).await
                {
                    tracing::debug!(error = %error, "gate.not_compared");
                }
            }
        };
        let _ = pool.close_event().do_until(compared).await;
    }

    pub(crate) fn downgrade(&self) -> WeakGate {
        WeakGate(Arc::downgrade(&self.shared))
    }
}

/// A gate that does not keep its store.
pub(crate) struct WeakGate(Weak<Shared>);
