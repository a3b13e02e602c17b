//! The events that concern a person, found in the log alone: by the subjects of events, the streams
//! of the person, and the ids in the facts of bookings and tasks. No read model is asked.
//!
//! The statements read windows of positions, so that each ends within its time limit, whatever the
//! size of the log. Events up to a position never change, so the windows need no common snapshot.

use ledger_core::ids::Position;
use uuid::Uuid;

use crate::tenant_tx::TenantTx;

/// A stream with events about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAbout {
    /// Id of the stream.
    pub stream_id: Uuid,
    /// Kind of the stream.
    pub kind: String,
    /// Whether an event names the person as its subject, or as that of a booking or a task. False
    /// if events only name the person as one of several that share a handle.
    pub is_about: bool,
}

/// Positions after the first and up to the second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The last position before the window.
    pub after: Position,
    /// The last position of the window.
    pub to: Position,
}

/// The events of streams, and those of subjects in any other stream.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// Ids of the streams.
    pub streams: &'a [Uuid],
    /// The subjects.
    pub subjects: &'a [Uuid],
}

/// Returns the streams with events in a window that name these contacts. Accesses to personal data
/// are left out: their streams are those of actors.
///
/// # Errors
/// The database did not answer.
pub async fn streams_about(
    tx: &mut TenantTx,
    contacts: &[Uuid],
    window: Window,
) -> sqlx::Result<Vec<StreamAbout>> {
    let tenant_id = tx.tenant_id();
    sqlx::query_as!(
        StreamAbout,
        r#"
        select stream_id, stream_kind as kind, bool_or(is_about) as "is_about!"
          from (select stream_id, stream_kind,
                       coalesce(subjects && $4, false)
                       or case when event_type in ('appointment.booked', 'task.created')
                               then coalesce((facts ->> 'contact_id')::uuid = any ($4), false)
                                    or coalesce((facts ->> 'booked_by_contact_id')::uuid = any ($4), false)
                               else false end as is_about,
                       case when event_type like 'call.%'
                            then exists (select from json_array_elements_text(facts #> '{person,candidates}') c
                                          where c::uuid = any ($4))
                            else false end as is_candidate
                  from ledger.events
                 where tenant_id = $1 and position > $2 and position <= $3
                   and stream_kind <> 'access') e
         where is_about or is_candidate
         group by stream_id, stream_kind
        "#,
        tenant_id.0,
        window.after.0,
        window.to.0,
        contacts,
    )
    .fetch_all(tx.conn())
    .await
}

/// Returns the positions of the selected events of a window, in order, at most `limit` of them, each
/// with the bytes of its sections. The sections are not read.
///
/// # Errors
/// The database did not answer.
pub async fn positions_about(
    tx: &mut TenantTx,
    selection: Selection<'_>,
    window: Window,
    limit: i64,
) -> sqlx::Result<Vec<(i64, usize)>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"
        select position, coalesce(octet_length(sections), 0) + coalesce(octet_length(bulk), 0) as "bytes!"
          from ledger.events
         where tenant_id = $1 and position > $2 and position <= $3
           and (stream_id = any ($4) or subjects && $5)
         order by position
         limit $6
        "#,
        tenant_id.0,
        window.after.0,
        window.to.0,
        selection.streams,
        selection.subjects,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let bytes = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    Ok(rows.into_iter().map(|row| (row.position, bytes(row.bytes))).collect())
}

/// Returns the number of events of each stream up to a position, from the versions of the stream,
/// which are dense. A stream without events is missing.
///
/// # Errors
/// The database did not answer.
pub async fn stream_lengths(
    tx: &mut TenantTx,
    streams: &[Uuid],
    to: Position,
) -> sqlx::Result<Vec<(Uuid, i64)>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"
        select s.stream_id as "stream_id!", e.stream_version
          from unnest($2::uuid[]) s (stream_id)
         cross join lateral (
           select stream_version from ledger.events
            where tenant_id = $1 and stream_id = s.stream_id and position <= $3
            order by stream_version desc
            limit 1) e
        "#,
        tenant_id.0,
        streams,
        to.0,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.stream_id, row.stream_version)).collect())
}

/// Returns the number of events of a window that name one of the subjects, in other streams than
/// these.
///
/// # Errors
/// The database did not answer.
pub async fn count_elsewhere(
    tx: &mut TenantTx,
    selection: Selection<'_>,
    window: Window,
) -> sqlx::Result<i64> {
    let tenant_id = tx.tenant_id();
    sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
          from ledger.events
         where tenant_id = $1 and position > $2 and position <= $3
           and subjects && $5 and stream_id <> all ($4)
        "#,
        tenant_id.0,
        window.after.0,
        window.to.0,
        selection.streams,
        selection.subjects,
    )
    .fetch_one(tx.conn())
    .await
}
