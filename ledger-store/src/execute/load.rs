//! Reads for the command path: the streams of commands, and the events that they recorded before.

use std::collections::HashMap;

use ledger_core::envelope::Recorded;
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, Position, StreamId, StreamVersion, TenantId};
use serde::Deserialize;
use sqlx::PgConnection;

use super::context::MAX_EVENTS;
use crate::error::StoreError;
use crate::read::StoredEvent;
use crate::tenant_tx::TenantTx;

/// Reads all events of the streams in the order of the log, without their sections.
pub(crate) async fn events(
    tx: &mut TenantTx,
    streams: &[StreamId],
) -> Result<Vec<Recorded>, StoreError> {
    let mut all: Vec<_> = streams.iter().map(|id| (*id, StreamVersion::default())).collect();
    all.sort_unstable();
    all.dedup();
    events_from(tx, &all).await
}

/// Reads the events of each stream from a version on, in the order of the log, without their sections.
/// Each stream is named once.
pub(super) async fn events_from(
    tx: &mut TenantTx,
    streams: &[(StreamId, StreamVersion)],
) -> Result<Vec<Recorded>, StoreError> {
    let tenant_id = tx.tenant_id();
    let ids: Vec<_> = streams.iter().map(|(stream_id, _)| stream_id.0).collect();
    let from: Vec<_> = streams.iter().map(|(_, version)| version.0).collect();
    // One index scan for each stream: with a list, the generic plan of an empty table reads the whole
    // log of the tenant.
    let mut rows = sqlx::query_as!(
        StoredEvent,
        r#"
        select e.position, e.stream_id, e.stream_kind, e.stream_version, e.event_id, e.event_type,
               e.schema_version, e.occurred_at, e.recorded_at, e.facts as "facts!",
               null::bytea as sections, null::bytea as bulk, e.subjects
          from unnest($2::uuid[], $3::bigint[]) s (stream_id, first)
         cross join lateral (
           select position, stream_id, stream_kind, stream_version, event_id, event_type,
                  schema_version, occurred_at, recorded_at, facts::text as facts, subjects
             from ledger.events
            where tenant_id = $1 and stream_id = s.stream_id and stream_version >= s.first
            order by stream_version) e
        "#,
        tenant_id.0,
        &ids,
        &from,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.sort_unstable_by_key(|row| row.position);
    rows.iter().map(StoredEvent::decode).collect()
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
#[derive(Debug, Clone)]
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

/// Looks for the events of several commands: of most commands, which are new, in one query.
pub(super) async fn earlier_of(
    tx: &mut TenantTx,
    commands: &[CommandId],
) -> Result<HashMap<CommandId, Earlier>, StoreError> {
    let tenant_id = tx.tenant_id();
    let first = |command_id: &CommandId| tenant_id.command_event(*command_id, 0).0;
    let ids: Vec<_> = commands.iter().map(first).collect();
    let known = sqlx::query_scalar!(
        r#"
        select i.event_id as "event_id!"
          from unnest($2::uuid[]) i (event_id)
         where exists (
           select from ledger.events e where e.tenant_id = $1 and e.event_id = i.event_id)
        "#,
        tenant_id.0,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut found = HashMap::new();
    for (command_id, _) in commands.iter().zip(&ids).filter(|(_, id)| known.contains(id)) {
        if let Some(earlier) = earlier(tx.conn(), tenant_id, *command_id).await? {
            found.insert(*command_id, earlier);
        }
    }
    Ok(found)
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
