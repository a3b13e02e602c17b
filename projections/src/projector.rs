//! What a read model is to the engine: which events it wants, what it knows of the keys they are
//! about, and how it writes down what they come to.
//!
//! A key is the stream an event belongs to. The engine owns transaction, order, checkpoint, and what
//! happens to a key that cannot go on; a projector owns its rows.

use std::any::Any;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ledger_core::envelope::Recorded;
use ledger_core::event::{DecodeError, Event};
use ledger_core::ids::{Position, TenantId};
use ledger_store::StoreError;
use ledger_store::read::StoredEvent;
use sqlx::PgConnection;
use thiserror::Error;
use uuid::Uuid;

/// Why something could not be folded or written.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// The database did not answer; the batch is tried again.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
    /// An event or a row that will never do: its key is parked. No personal data.
    #[error("{0}")]
    Poison(String),
}

impl From<StoreError> for ProjectError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(error) => Self::Database(error),
            error => Self::Poison(reason(&error)),
        }
    }
}

/// An error and what caused it, in one line.
#[must_use]
pub fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Whose events are folded, and what their rows depend on besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenant {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The zone its hours, days and months are counted in.
    pub zone: Tz,
}

/// A tenant and the keys that its events are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantKeys {
    /// The tenant.
    pub tenant: Tenant,
    /// The keys, each once.
    pub keys: Vec<Uuid>,
}

impl TenantKeys {
    /// The keys of these events.
    #[must_use]
    pub fn of<'e>(tenant: Tenant, events: impl Iterator<Item = &'e LogEvent>) -> Self {
        let mut keys: Vec<Uuid> = events.map(LogEvent::key).collect();
        keys.sort_unstable();
        keys.dedup();
        Self { tenant, keys }
    }
}

/// An event as it is stored, read once for every read model that wants it.
#[derive(Debug)]
pub struct LogEvent {
    /// The row.
    pub stored: StoredEvent,
    /// The log's own time at its position, which never runs back: when a row changed by it.
    pub updated_at: DateTime<Utc>,
    recorded: Result<Recorded, StoreError>,
}

impl LogEvent {
    /// Reads a row, at the log's own time.
    #[must_use]
    pub fn new(stored: StoredEvent, updated_at: DateTime<Utc>) -> Self {
        Self { recorded: stored.decode(), stored, updated_at }
    }

    /// What it waits with when it cannot be folded, and what follows it.
    #[must_use]
    pub fn key(&self) -> Uuid {
        self.stored.stream_id
    }

    /// The event.
    ///
    /// # Errors
    /// [`ProjectError::Poison`]: its facts are not of the shape they promise.
    pub fn recorded(&self) -> Result<&Recorded, ProjectError> {
        self.recorded.as_ref().map_err(|error| ProjectError::Poison(reason(error)))
    }

    /// The read model and the position of the event that it decides to drop.
    #[must_use]
    pub fn drops(&self) -> Option<(&str, Position)> {
        match &self.recorded {
            Ok(Recorded { event: Event::EventDropped(one), .. }) => {
                Some((&one.projection, Position(one.position)))
            }
            _ => None,
        }
    }

    /// Why only a newer build can read it, when that is so: what it means cannot even be guessed, so
    /// nobody who wants it goes on.
    #[must_use]
    pub fn is_beyond_this_build(&self) -> Option<String> {
        match &self.recorded {
            Err(error @ StoreError::Decode { source, .. })
                if !matches!(source, DecodeError::Malformed { .. }) =>
            {
                Some(reason(error))
            }
            _ => None,
        }
    }
}

/// A read model.
#[async_trait]
pub trait Projector: Send + Sync {
    /// Its name: of its schemas, its views and its checkpoints.
    fn name(&self) -> &'static str;

    /// Which tables and which fold this is. A migration that makes other tables, or a fold that comes
    /// to other rows, counts one more; this build fills versions of its own shape only.
    fn shape(&self) -> i32;

    /// Whether it folds events of this kind of stream.
    fn wants(&self, stream_kind: &str) -> bool;

    /// Whether it looks into the facts: then an event that this build cannot read stops it.
    fn reads_facts(&self) -> bool {
        true
    }

    /// What can be made of a batch before it is known what came before it. While a version is filled,
    /// this is done beside the writing of the batch before, and [`Projector::load`] gets it. What panics
    /// here is done without.
    fn prepare(&self, _: Tenant, _: &[LogEvent]) -> Prepared {
        Prepared::default()
    }

    /// What is known of these keys of some tenants, for their next events to be folded into. Tables are
    /// named without a schema: the engine's search path leads to the version that is filled. What was
    /// prepared may be of more events than are folded, or of none; it is of one tenant, then the only one.
    ///
    /// # Errors
    /// [`ProjectError`].
    async fn load<'e>(
        &self,
        conn: &mut PgConnection,
        wanted: &[TenantKeys],
        prepared: Prepared,
    ) -> Result<Box<dyn Fold<'e> + 'e>, ProjectError>;

    /// Takes out of the rows what an event has come to. The same again changes nothing more, and an event
    /// that was never folded is left out as well as one that was.
    ///
    /// # Errors
    /// [`ProjectError`]; nothing of it is kept.
    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError>;
}

/// What a projector made of a batch ahead of its turn; of its own type.
#[derive(Debug, Default)]
pub struct Prepared(Option<Box<dyn Any + Send + Sync>>);

impl Prepared {
    /// Wraps it.
    #[must_use]
    pub fn new<T: Any + Send + Sync>(made: T) -> Self {
        Self(Some(Box::new(made)))
    }

    /// It again, if there is any.
    #[must_use]
    pub fn into<T: Any>(self) -> Option<T> {
        self.0.and_then(|made| made.downcast().ok()).map(|made| *made)
    }
}

/// An event that is left out of a version from now on, perhaps after it was folded.
#[derive(Clone, Copy)]
pub struct LeftOut<'a> {
    /// The tenant that the event is of.
    pub tenant: Tenant,
    /// The version that the search path leads to.
    pub version: i32,
    /// Up to where that version is filled.
    pub until: Position,
    /// The event.
    pub event: &'a LogEvent,
}

/// What is folded again after an event was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// All other events of its key: what the rows held of the key is removed.
    Key,
    /// Nothing: the rows are what they are without the event.
    Nothing,
}

/// How rows get into their tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By statements.
    Statements,
    /// Where they are many and new, by `COPY`: the version is being filled and nobody sees it, so that
    /// its tables have no row security yet, which would forbid it.
    Copy,
}

/// A batch being folded in memory.
#[async_trait]
pub trait Fold<'e>: Send {
    /// Takes in one event of one of the tenants; it may be folded only when the batch is written, while the database takes in
    /// what came before. After an error the whole fold is thrown away.
    ///
    /// # Errors
    /// [`ProjectError::Poison`]: the event's key is parked.
    fn take(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError>;

    /// Writes down what changed, all keys of all tenants at once.
    ///
    /// # Errors
    /// [`ProjectError`]; nothing of the batch is kept.
    async fn write(&mut self, conn: &mut PgConnection, way: Way) -> Result<(), ProjectError>;
}
