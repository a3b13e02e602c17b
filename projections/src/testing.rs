//! Given events, then rows: tests of one projector on PostgreSQL, without a log and an engine.
//!
//! The events are applied in one batch, and again one by one; a difference fails the test. All
//! changes are rolled back.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use ledger_core::envelope::StreamKind;
use ledger_core::event::Event;
use ledger_core::ids::{Position, StreamId, TenantId};
use ledger_store::read::StoredEvent;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::projector::{
    LeftOut, LogEvent, Precomputed, ProjectError, Projector, TenantContext, TenantKeys, WriteMode,
};

/// A projector, its tables, and the events it is given.
pub struct Given<'p> {
    projector: &'p dyn Projector,
    tables: &'static str,
    tenant: TenantContext,
    start: DateTime<Utc>,
    events: Vec<LogEvent>,
}

/// Begins a test of a projector for one tenant in UTC, with a log that starts at 2026-01-01.
#[must_use]
pub fn given(projector: &dyn Projector) -> Given<'_> {
    let tenant = TenantContext { tenant_id: TenantId(Uuid::from_u128(1)), zone: Tz::UTC };
    let start = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default();
    Given { projector, tables: "", tenant, start, events: Vec::new() }
}

impl Given<'_> {
    /// Creates these tables first. Without them the search path of the connection has to lead to a
    /// version of the read model.
    #[must_use]
    pub fn tables(mut self, statements: &'static str) -> Self {
        self.tables = statements;
        self
    }

    /// Returns the tenant that the events belong to.
    #[must_use]
    pub fn tenant(&self) -> TenantContext {
        self.tenant
    }

    /// Returns the events, in log order.
    #[must_use]
    pub fn events(&self) -> &[LogEvent] {
        &self.events
    }

    /// Sets the tenant's time zone.
    #[must_use]
    pub fn zone(mut self, zone: Tz) -> Self {
        self.tenant.zone = zone;
        self
    }

    /// Adds the next event of the log, one second after the one before.
    #[must_use]
    pub fn event(self, kind: StreamKind, stream: StreamId, event: &Event) -> Self {
        let nth = i64::try_from(self.events.len()).unwrap_or(i64::MAX);
        let at = self.start + TimeDelta::seconds(nth);
        self.event_at(at, kind, stream, event)
    }

    /// Adds the next event of the log, recorded at a time.
    #[must_use]
    pub fn event_at(
        mut self,
        at: DateTime<Utc>,
        kind: StreamKind,
        stream: StreamId,
        event: &Event,
    ) -> Self {
        let position = i64::try_from(self.events.len()).map_or(i64::MAX, |before| before + 1);
        let of_stream = self.events.iter().filter(|one| one.stream() == stream.0).count();
        let stored = StoredEvent {
            position,
            stream_id: stream.0,
            stream_kind: kind.as_str().to_owned(),
            stream_version: i64::try_from(of_stream).map_or(i64::MAX, |before| before + 1),
            event_id: Uuid::from_u128(u128::from(position.unsigned_abs())),
            event_type: event.event_type().to_owned(),
            schema_version: event.schema_version(),
            occurred_at: at,
            recorded_at: at,
            facts: event.to_facts(),
            sections: None,
            bulk: None,
            subjects: None,
        };
        self.events.push(LogEvent::new(stored, at));
        self
    }

    /// Sets the actor of the last event, for projectors that read metadata.
    #[must_use]
    pub fn by(mut self, actor: &str) -> Self {
        let meta = json!({ "actor": actor, "request_id": Uuid::nil() }).to_string();
        if let Some(last) = self.events.last_mut() {
            last.set_meta(Some(meta));
        }
        self
    }

    /// Returns the rows of a query over the projector's tables, as JSON objects.
    ///
    /// # Errors
    /// As the projector; its changes are rolled back.
    ///
    /// # Panics
    /// If the rows depend on how the events are divided into batches.
    pub async fn then(
        &self,
        conn: &mut PgConnection,
        query: &str,
    ) -> Result<Vec<Value>, ProjectError> {
        let together = self.rows(conn, self.events.len(), None, query).await?;
        let one_by_one = self.rows(conn, 1, None, query).await?;
        assert_eq!(together, one_by_one, "rows depend on the size of batches");
        Ok(together)
    }

    /// Returns the rows as [`Given::then`] does, after an event was left out by an operator.
    ///
    /// # Errors
    /// As the projector; its changes are rolled back.
    pub async fn then_without(
        &self,
        conn: &mut PgConnection,
        position: Position,
        query: &str,
    ) -> Result<Vec<Value>, ProjectError> {
        self.rows(conn, self.events.len(), Some(position), query).await
    }

    async fn rows(
        &self,
        conn: &mut PgConnection,
        batch: usize,
        left_out: Option<Position>,
        query: &str,
    ) -> Result<Vec<Value>, ProjectError> {
        let mut tx = conn.begin().await?;
        if !self.tables.is_empty() {
            tx.execute("create schema projector_test").await?;
            tx.execute("set local search_path = projector_test").await?;
            tx.execute(sqlx::raw_sql(self.tables)).await?;
        }
        let handled = |event: &&LogEvent| self.projector.handles(&event.stored.stream_kind);
        let events: Vec<&LogEvent> = self.events.iter().filter(handled).collect();
        for part in events.chunks(batch.max(1)) {
            self.apply(&mut tx, part).await?;
        }
        if let Some(event) = events.iter().find(|one| Some(one.position()) == left_out) {
            let until = events.last().map_or(Position(0), |last| last.position());
            let one = LeftOut { tenant: self.tenant, version: 1, until, event };
            if self.projector.leave_out(&mut tx, one).await? == crate::Again::Key {
                let key = self.projector.key(event);
                let rest = events.iter().copied().filter(|one| {
                    self.projector.key(one) == key && Some(one.position()) != left_out
                });
                self.apply(&mut tx, &rest.collect::<Vec<_>>()).await?;
            }
        }
        let query = format!("select to_jsonb(row)::text from ({query}) as row");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&mut *tx).await?;
        tx.rollback().await?;
        let parsed = rows.iter().map(|row| serde_json::from_str(row));
        parsed.collect::<Result<_, _>>().map_err(|error| ProjectError::Poison(error.to_string()))
    }

    async fn apply(
        &self,
        conn: &mut PgConnection,
        events: &[&LogEvent],
    ) -> Result<(), ProjectError> {
        let keys = TenantKeys::of(self.projector, self.tenant, events.iter().copied());
        let mut batch = self.projector.load(conn, &[keys], Precomputed::default()).await?;
        for event in events {
            batch.apply(self.tenant.tenant_id, event)?;
        }
        batch.write(conn, WriteMode::Upsert).await
    }
}
