//! The interface between the engine and a read model: which events it handles, what it loads for
//! their keys, and how it writes rows.
//!
//! A key is the stream of an event, unless a projector chooses another. The engine owns transaction, order, checkpoint and the
//! parking of keys; a projector owns its rows.

use std::any::Any;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ledger_core::envelope::Recorded;
use ledger_core::event::{DecodeError, Event, ProjectionEvent};
use ledger_core::ids::{Position, TenantId};
use ledger_store::StoreError;
use ledger_store::read::{EventMeta, StoredEvent};
use sqlx::PgConnection;
use thiserror::Error;
use uuid::Uuid;

/// Error of loading, applying or writing a batch.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// The database failed or did not answer; the batch is retried.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
    /// An event or row that can never be applied; its key is parked. Contains no personal data.
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

/// Returns the messages of an error and its causes, in one line.
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

/// The tenant of a batch, with the settings its rows depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantContext {
    /// Id of the tenant.
    pub tenant_id: TenantId,
    /// Time zone in which the tenant's hours, days and months are counted.
    pub zone: Tz,
}

/// A tenant and the keys of its events in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantKeys {
    /// The tenant that owns the keys.
    pub tenant: TenantContext,
    /// Keys in ascending order, without duplicates.
    pub keys: Vec<Uuid>,
}

impl TenantKeys {
    /// Returns the distinct keys of these events.
    #[must_use]
    pub fn of<'e>(
        projector: &dyn Projector,
        tenant: TenantContext,
        events: impl Iterator<Item = &'e LogEvent>,
    ) -> Self {
        let mut keys: Vec<Uuid> = events.map(|event| projector.key(event)).collect();
        keys.sort_unstable();
        keys.dedup();
        Self { tenant, keys }
    }
}

/// A stored event, decoded once for all read models that handle it.
#[derive(Debug)]
pub struct LogEvent {
    /// The row of the log.
    pub stored: StoredEvent,
    /// Log time at the event's position, strictly increasing; the time at which a row changes by
    /// this event.
    pub updated_at: DateTime<Utc>,
    recorded: Result<Recorded, StoreError>,
    /// The stored metadata, if a projector of the engine reads it.
    meta: Option<String>,
}

impl LogEvent {
    /// Decodes a row, with the log time of its position.
    #[must_use]
    pub fn new(stored: StoredEvent, updated_at: DateTime<Utc>) -> Self {
        Self { recorded: stored.decode(), stored, updated_at, meta: None }
    }

    /// Returns the event with its stored metadata.
    #[must_use]
    pub fn with_meta(self, meta: Option<String>) -> Self {
        Self { meta, ..self }
    }

    /// Sets the stored metadata.
    pub(crate) fn set_meta(&mut self, meta: Option<String>) {
        self.meta = meta;
    }

    /// Returns the position of the event.
    #[must_use]
    pub fn position(&self) -> Position {
        Position(self.stored.position)
    }

    /// Returns the event's stream, the default of [`Projector::key`].
    #[must_use]
    pub fn stream(&self) -> Uuid {
        self.stored.stream_id
    }

    /// Returns source, actor and request of the event.
    ///
    /// # Errors
    /// [`ProjectError::Poison`] if the stored metadata cannot be parsed, or was not read because no
    /// projector asks for it ([`Projector::reads_meta`]).
    pub fn meta(&self) -> Result<EventMeta, ProjectError> {
        let poison = |reason: &str| ProjectError::Poison(reason.to_owned());
        let text = self.meta.as_deref().ok_or_else(|| poison("the metadata was not read"))?;
        serde_json::from_str(text).map_err(|_| poison("the metadata cannot be parsed"))
    }

    /// Returns the decoded event.
    ///
    /// # Errors
    /// [`ProjectError::Poison`] if the facts do not match the event type.
    pub fn recorded(&self) -> Result<&Recorded, ProjectError> {
        self.recorded.as_ref().map_err(|error| ProjectError::Poison(reason(error)))
    }

    /// Returns the read model and the position of the event that this event decides to drop.
    #[must_use]
    pub fn drops(&self) -> Option<(&str, Position)> {
        match &self.recorded {
            Ok(Recorded {
                event: Event::Projection(ProjectionEvent::EventDropped(one)), ..
            }) => Some((&one.projection, Position(one.position))),
            _ => None,
        }
    }

    /// Returns why only a newer build can read the event, if so. Its meaning is unknown, so every
    /// read model that handles it halts here.
    #[must_use]
    pub fn requires_newer_build(&self) -> Option<String> {
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

/// A read model, as the engine sees it.
#[async_trait]
pub trait Projector: Send + Sync {
    /// Returns the name, used for schemas, views and checkpoints.
    fn name(&self) -> &'static str;

    /// Returns the schema version of tables and fold. A migration that changes the tables, or a
    /// change of the fold that leads to other rows, increments it. A build fills only versions of
    /// its own schema version.
    fn schema_version(&self) -> i32;

    /// Returns whether events of this kind of stream are handled.
    fn handles(&self, stream_kind: &str) -> bool;

    /// Returns whether the facts of events are read. If so, an event this build cannot decode halts
    /// it.
    fn reads_facts(&self) -> bool {
        true
    }

    /// Returns whether [`LogEvent::meta`] is needed. It costs a statement per batch and tenant.
    fn reads_meta(&self) -> bool {
        false
    }

    /// Returns the key of an event. Stored rows are loaded by key, and if an event cannot be
    /// applied, later events of its key wait.
    fn key(&self, event: &LogEvent) -> Uuid {
        event.stream()
    }

    /// Returns whether [`Projector::key`] differs from the stream. The events of such a key are
    /// found by a scan of the log when a parked one is retried or an event is dropped.
    fn has_own_keys(&self) -> bool {
        false
    }

    /// Precomputes a batch independently of stored rows. During a rebuild this runs while the
    /// previous batch is written; [`Projector::load`] receives the result. A panic here only loses
    /// the precomputation.
    fn precompute(&self, _: TenantContext, _: &[LogEvent]) -> Precomputed {
        Precomputed::default()
    }

    /// Loads the stored state of these keys, to which a batch is applied.
    ///
    /// Table names have no schema: the engine's search path selects the version. `precomputed` is of
    /// one tenant, the only one in `wanted`, and may cover more events than are applied, or none.
    ///
    /// # Errors
    /// [`ProjectError`] if the database fails or stored state cannot be decoded.
    async fn load<'e>(
        &self,
        conn: &mut PgConnection,
        wanted: &[TenantKeys],
        precomputed: Precomputed,
    ) -> Result<Box<dyn ProjectionBatch<'e> + 'e>, ProjectError>;

    /// Removes the contribution of an event from the rows. Idempotent, also for an event that was
    /// never folded.
    ///
    /// # Errors
    /// [`ProjectError`]; the savepoint is rolled back.
    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError>;
}

/// A value a projector precomputed for a batch, of a type of its own. Empty by default.
#[derive(Debug, Default)]
pub struct Precomputed(Option<Box<dyn Any + Send + Sync>>);

impl Precomputed {
    /// Wraps a precomputed value.
    #[must_use]
    pub fn new<T: Any + Send + Sync>(made: T) -> Self {
        Self(Some(Box::new(made)))
    }

    /// Returns the precomputed value, or `None` if there is none of type `T`.
    #[must_use]
    pub fn into<T: Any>(self) -> Option<T> {
        self.0.and_then(|made| made.downcast().ok()).map(|made| *made)
    }
}

/// An event that a version leaves out, whether it has folded it or not.
#[derive(Clone, Copy)]
pub struct LeftOut<'a> {
    /// The tenant of the event.
    pub tenant: TenantContext,
    /// The version that the search path selects.
    pub version: i32,
    /// The position up to which that version is filled.
    pub until: Position,
    /// The dropped event.
    pub event: &'a LogEvent,
}

/// The events to fold again after an event was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// All other events of its key, because the rows of the key were deleted.
    Key,
    /// None, because the rows are already correct without the event.
    Nothing,
}

/// How rows get into their tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// By upsert and delete statements.
    Upsert,
    /// By `COPY` where rows are many and new. Used while a version is filled: it is not served, so
    /// its tables have no row security yet, which would forbid `COPY`.
    Copy,
}

/// A batch of events, applied in memory before it is written.
#[async_trait]
pub trait ProjectionBatch<'e>: Send {
    /// Applies one event of one of the tenants, or queues it to be applied by `write` while the
    /// database reads earlier rows. After an error the whole batch is discarded.
    ///
    /// # Errors
    /// [`ProjectError::Poison`] if the event cannot be applied; its key is parked.
    fn apply(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError>;

    /// Writes all changed rows of all tenants.
    ///
    /// # Errors
    /// [`ProjectError`] if writing fails; the caller rolls the batch back.
    async fn write(&mut self, conn: &mut PgConnection, mode: WriteMode)
    -> Result<(), ProjectError>;
}
