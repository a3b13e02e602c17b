//! Reads of the log: a stream, a tenant's events after a position, and the last position.

mod about;
mod event_size;
mod full;
mod latest;
mod meta;
mod page;
mod stream_kind;

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use ledger_core::envelope::Recorded;
use ledger_core::event::Event;
use ledger_core::event::upcast::decode;
use ledger_core::ids::{EventId, Position, StreamId, StreamVersion, SubjectId, TenantId};
use ledger_core::plausible::remove_implausible;
use sqlx::PgConnection;
use uuid::Uuid;

pub use about::{
    Selection, StreamAbout, Window, count_elsewhere, positions_about, stream_lengths, streams_about,
};
pub use event_size::{EventSize, event_sizes};
pub use full::{FullEvent, full_after};
pub use latest::latest;
pub use meta::{EventMeta, metadata};
pub use page::{Page, PageSize, page_of};
pub use stream_kind::has_stream;

use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

/// A row of the log in stored form. Readers leave out sections they do not need.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Position in the tenant's log, from 1.
    pub position: i64,
    /// Id of the stream.
    pub stream_id: Uuid,
    /// The stored kind of the stream, such as `call`.
    pub stream_kind: String,
    /// Version within the stream, from 1.
    pub stream_version: i64,
    /// Id of the event.
    pub event_id: Uuid,
    /// The stored name of the type.
    pub event_type: String,
    /// Version of the facts' schema.
    pub schema_version: i16,
    /// Time by the provider's clock.
    pub occurred_at: DateTime<Utc>,
    /// Time by this installation's clock.
    pub recorded_at: DateTime<Utc>,
    /// The facts as JSON, byte for byte as stored.
    pub facts: String,
    /// Small sealed sections; `None` also in readers that leave them out.
    pub sections: Option<Vec<u8>>,
    /// Large sealed sections; `None` also in readers that leave them out.
    pub bulk: Option<Vec<u8>>,
    /// The subjects of the sealed sections; the first is the subject of the event.
    pub subjects: Option<Vec<Uuid>>,
}

impl StoredEvent {
    /// Decodes the event and upcasts it to the current schema version.
    ///
    /// # Errors
    /// [`StoreError::Decode`] when this build cannot decode it: the reader stops at this position.
    pub fn decode(&self) -> Result<Recorded, StoreError> {
        let position = Position(self.position);
        let mut event = decode(&self.event_type, self.schema_version, &self.facts)
            .map_err(|source| StoreError::Decode { position, source })?;
        // Removes implausible values that older builds stored.
        let occurred_at = match &mut event {
            Event::Call(event) => remove_implausible(event, self.occurred_at, self.recorded_at),
            _ => self.occurred_at,
        };
        Ok(Recorded {
            position,
            stream_id: StreamId(self.stream_id),
            stream_version: StreamVersion(self.stream_version),
            event_id: EventId(self.event_id),
            occurred_at,
            recorded_at: self.recorded_at,
            event,
        })
    }

    /// The subject of the event's sections: the first stored one.
    #[must_use]
    pub fn subject(&self) -> Option<SubjectId> {
        self.subjects.as_ref().and_then(|subjects| subjects.first()).copied().map(SubjectId)
    }
}

/// Returns the events of a tenant after a position, in order, without large sections. For
/// projectors: `conn` sees every tenant.
///
/// # Errors
/// The database did not answer.
pub async fn events_after(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    after: Position,
    limit: i64,
) -> sqlx::Result<Vec<StoredEvent>> {
    sqlx::query_as!(
        StoredEvent,
        r#"
        select position, stream_id, stream_kind, stream_version, event_id, event_type, schema_version,
               occurred_at, recorded_at, facts::text as "facts!", sections, null::bytea as bulk, subjects
          from ledger.events
         where tenant_id = $1 and position > $2
         order by position
         limit $3
        "#,
        tenant_id.0,
        after.0,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Number of rows after which a scan yields to other tasks.
const YIELD_EVERY: usize = 128;

/// Streams the events of a tenant after a position, in order, without large sections, until `take`
/// breaks. For readers with bounded memory.
///
/// # Errors
/// The database did not answer.
pub async fn scan_after(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    after: Position,
    limit: i64,
    mut take: impl FnMut(StoredEvent) -> ControlFlow<()>,
) -> sqlx::Result<()> {
    let mut rows = sqlx::query_as!(
        StoredEvent,
        r#"
        select position, stream_id, stream_kind, stream_version, event_id, event_type, schema_version,
               occurred_at, recorded_at, facts::text as "facts!", sections, null::bytea as bulk, subjects
          from ledger.events
         where tenant_id = $1 and position > $2
         order by position
         limit $3
        "#,
        tenant_id.0,
        after.0,
        limit,
    )
    .fetch(conn);
    let mut taken = 0_usize;
    while let Some(row) = rows.try_next().await? {
        if take(row).is_break() {
            break;
        }
        taken += 1;
        if taken.is_multiple_of(YIELD_EVERY) {
            // Rows arrive faster than they are consumed, so the loop would otherwise never yield.
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// Returns the events of one stream between two positions, both included, in order, without large
/// sections. For projectors, with a connection that reads every tenant.
///
/// # Errors
/// The database did not answer.
pub async fn stream_between(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    stream_id: Uuid,
    from: Position,
    to: Position,
) -> sqlx::Result<Vec<StoredEvent>> {
    sqlx::query_as!(
        StoredEvent,
        r#"
        select position, stream_id, stream_kind, stream_version, event_id, event_type, schema_version,
               occurred_at, recorded_at, facts::text as "facts!", sections, null::bytea as bulk, subjects
          from ledger.events
         where tenant_id = $1 and stream_id = $2 and position between $3 and $4
         order by stream_version
        "#,
        tenant_id.0,
        stream_id,
        from.0,
        to.0,
    )
    .fetch_all(conn)
    .await
}

/// Returns a page of one stream after a version, without any sections. The bytes of the page are
/// those of the facts.
///
/// # Errors
/// The database did not answer.
pub async fn stream_after(
    tx: &mut TenantTx,
    stream_id: StreamId,
    after: i64,
    size: PageSize,
) -> sqlx::Result<Page<StoredEvent>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        StoredEvent,
        r#"
        select position, stream_id, stream_kind, stream_version, event_id, event_type, schema_version,
               occurred_at, recorded_at, facts::text as "facts!", null::bytea as sections,
               null::bytea as bulk, subjects
          from ledger.events
         where tenant_id = $1 and stream_id = $2 and stream_version > $3
         order by stream_version
         limit $4
        "#,
        tenant_id.0,
        stream_id.0,
        after,
        size.limit(),
    )
    .fetch(tx.conn());
    page_of(rows, size, |event| event.facts.len()).await
}

/// Streams the events of one stream from its first, without large sections, until `take` breaks.
///
/// # Errors
/// The database did not answer.
pub async fn scan_stream(
    tx: &mut TenantTx,
    stream_id: StreamId,
    mut take: impl FnMut(StoredEvent) -> ControlFlow<()>,
) -> sqlx::Result<()> {
    let tenant_id = tx.tenant_id();
    let mut rows = sqlx::query_as!(
        StoredEvent,
        r#"
        select position, stream_id, stream_kind, stream_version, event_id, event_type, schema_version,
               occurred_at, recorded_at, facts::text as "facts!", sections, null::bytea as bulk, subjects
          from ledger.events
         where tenant_id = $1 and stream_id = $2
         order by stream_version
        "#,
        tenant_id.0,
        stream_id.0,
    )
    .fetch(tx.conn());
    while let Some(row) = rows.try_next().await? {
        if take(row).is_break() {
            break;
        }
    }
    Ok(())
}

/// Returns the events at these positions, in order, with their large sections.
///
/// # Errors
/// The database did not answer.
pub async fn at_positions(tx: &mut TenantTx, positions: &[i64]) -> sqlx::Result<Vec<StoredEvent>> {
    let tenant_id = tx.tenant_id();
    sqlx::query_as!(
        StoredEvent,
        r#"
        select position, stream_id, stream_kind, stream_version, event_id, event_type, schema_version,
               occurred_at, recorded_at, facts::text as "facts!", sections, bulk, subjects
          from ledger.events
         where tenant_id = $1 and position = any ($2)
         order by position
        "#,
        tenant_id.0,
        positions,
    )
    .fetch_all(tx.conn())
    .await
}

/// Returns the ids and positions of those events that are already in the log.
///
/// # Errors
/// The database did not answer.
pub async fn find_existing(
    tx: &mut TenantTx,
    event_ids: &[EventId],
) -> sqlx::Result<Vec<(EventId, Position)>> {
    let tenant_id = tx.tenant_id();
    let mut ids: Vec<Uuid> = event_ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = sqlx::query!(
        r#"
        select i.event_id as "event_id!", e.position
          from unnest($2::uuid[]) i (event_id)
         cross join lateral (
           select position from ledger.events
            where tenant_id = $1 and event_id = i.event_id
            limit 1) e
        "#,
        tenant_id.0,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (EventId(row.event_id), Position(row.position))).collect())
}

/// Returns the last position of the transaction's tenant; 0 if its log is empty.
///
/// # Errors
/// The database did not answer.
pub async fn head(tx: &mut TenantTx) -> sqlx::Result<Position> {
    let tenant_id = tx.tenant_id();
    let head = sqlx::query_scalar!(
        "select position from ledger.events where tenant_id = $1 order by position desc limit 1",
        tenant_id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(Position(head.unwrap_or(0)))
}
