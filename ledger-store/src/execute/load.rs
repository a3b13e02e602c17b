//! Reads for the command path: the streams of a command, and the events that it recorded before.

use std::collections::{HashMap, HashSet};

use ledger_core::aggregate::Stream;
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, Position, StreamId, StreamVersion, TenantId};
use serde::Deserialize;
use sqlx::PgConnection;

use super::context::MAX_EVENTS;
use crate::append::AppendRequest;
use crate::error::StoreError;
use crate::read::StoredEvent;
use crate::tenant_tx::TenantTx;

/// The events of the streams of a command, with the version of each stream.
pub(super) struct Loaded {
    streams: Vec<Stream>,
    versions: HashMap<StreamId, StreamVersion>,
    events: Vec<Event>,
}

impl Loaded {
    /// The version of a stream; 0 for one without events.
    pub(super) fn version(&self, stream_id: StreamId) -> StreamVersion {
        self.versions.get(&stream_id).copied().unwrap_or_default()
    }

    /// The events that the aggregate folds, in the order of the log.
    pub(super) fn events<E: TryFrom<Event>>(&self) -> impl Iterator<Item = E> {
        self.events.iter().filter_map(|event| event.clone().try_into().ok())
    }

    /// The loaded streams that get no event of the request and must not have changed, with their
    /// versions: those outside alternatives, and those of the alternatives that the request writes.
    pub(super) fn unwritten(&self, request: &AppendRequest) -> Vec<(StreamId, StreamVersion)> {
        let written: HashSet<_> = request.streams.iter().map(|append| append.stream_id).collect();
        let is_written = |stream: &&Stream| written.contains(&stream.stream_id);
        let chosen: HashSet<u16> =
            self.streams.iter().filter(is_written).map(|stream| stream.group).collect();
        let must_stay = |stream: &&Stream| stream.group == 0 || chosen.contains(&stream.group);
        let unwritten = self.streams.iter().filter(|stream| !is_written(stream)).filter(must_stay);
        unwritten.map(|stream| (stream.stream_id, self.version(stream.stream_id))).collect()
    }
}

/// Loads all events of the streams, without their sections.
pub(super) async fn streams(tx: &mut TenantTx, streams: &[Stream]) -> Result<Loaded, StoreError> {
    let tenant_id = tx.tenant_id();
    let mut ids: Vec<_> = streams.iter().map(|stream| stream.stream_id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    // One index scan for each stream: with a list, the generic plan of an empty table reads the whole
    // log of the tenant.
    let mut rows = sqlx::query_as!(
        StoredEvent,
        r#"
        select e.position, e.stream_id, e.stream_kind, e.stream_version, e.event_id, e.event_type,
               e.schema_version, e.occurred_at, e.recorded_at, e.facts as "facts!",
               null::bytea as sections, null::bytea as bulk, e.subjects
          from unnest($2::uuid[]) s (stream_id)
         cross join lateral (
           select position, stream_id, stream_kind, stream_version, event_id, event_type,
                  schema_version, occurred_at, recorded_at, facts::text as facts, subjects
             from ledger.events
            where tenant_id = $1 and stream_id = s.stream_id
            order by stream_version) e
        "#,
        tenant_id.0,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.sort_unstable_by_key(|row| row.position);
    let mut loaded =
        Loaded { streams: streams.to_vec(), versions: HashMap::new(), events: Vec::new() };
    for row in rows {
        let recorded = row.decode()?;
        loaded.versions.insert(recorded.stream_id, recorded.stream_version);
        loaded.events.push(recorded.event);
    }
    Ok(loaded)
}

/// The current versions of streams; one without events is absent.
pub(super) async fn versions(
    tx: &mut TenantTx,
    streams: &[StreamId],
) -> sqlx::Result<HashMap<StreamId, StreamVersion>> {
    let tenant_id = tx.tenant_id();
    let ids: Vec<_> = streams.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"
        select s.stream_id as "stream_id!", h.stream_version
          from unnest($2::uuid[]) s (stream_id)
         cross join lateral (
           select e.stream_version from ledger.events e
            where e.tenant_id = $1 and e.stream_id = s.stream_id
            order by e.stream_version desc limit 1) h
        "#,
        tenant_id.0,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let version = |row: i64| StreamVersion(row);
    Ok(rows.into_iter().map(|row| (StreamId(row.stream_id), version(row.stream_version))).collect())
}

/// The events that an earlier run of a command recorded.
pub(super) struct Earlier {
    /// Digest of the command's content, in hexadecimal.
    pub(super) content: Option<String>,
    /// The events in the order of the decision.
    pub(super) events: Vec<(Position, Event)>,
}

#[derive(Deserialize)]
struct StoredMeta {
    #[serde(default)]
    content: Option<String>,
}

/// Looks for the events of a command. The first one is looked up alone, because most commands are
/// new.
pub(super) async fn earlier(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    command_id: CommandId,
) -> Result<Option<Earlier>, StoreError> {
    let meta = sqlx::query_scalar!(
        r#"select meta::text as "meta!" from ledger.events where tenant_id = $1 and event_id = $2"#,
        tenant_id.0,
        tenant_id.command_event(command_id, 0).0,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(meta) = meta else { return Ok(None) };
    let corrupt = |_| StoreError::Corrupt { table: "ledger.events", column: "meta" };
    let StoredMeta { content } = serde_json::from_str(&meta).map_err(corrupt)?;
    let last = u16::try_from(MAX_EVENTS).unwrap_or(u16::MAX);
    let ids: Vec<_> = (0..last).map(|nth| tenant_id.command_event(command_id, nth).0).collect();
    let mut rows = sqlx::query_as!(
        StoredEvent,
        r#"
        select e.position, e.stream_id, e.stream_kind, e.stream_version, e.event_id, e.event_type,
               e.schema_version, e.occurred_at, e.recorded_at, e.facts as "facts!",
               null::bytea as sections, null::bytea as bulk, e.subjects
          from unnest($2::uuid[]) i (event_id)
         cross join lateral (
           select position, stream_id, stream_kind, stream_version, event_id, event_type,
                  schema_version, occurred_at, recorded_at, facts::text as facts, subjects
             from ledger.events
            where tenant_id = $1 and event_id = i.event_id
            limit 1) e
        "#,
        tenant_id.0,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    rows.sort_by_key(|row| ids.iter().position(|id| *id == row.event_id));
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        let recorded = row.decode()?;
        events.push((recorded.position, recorded.event));
    }
    Ok(Some(Earlier { content, events }))
}
