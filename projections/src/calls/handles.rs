//! Stores the handles of each call, to page through the calls of a number or an address.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::contribution::Contribution;
use super::update::{CallKey, RollupChange};
use crate::copy::{MIN_COPY_ROWS, copy_in};
use crate::projector::{ProjectError, WriteMode};

/// Writes the `call_handles` rows of calls that changed, with the handles of their carriers' calls.
pub(super) async fn write(
    conn: &mut PgConnection,
    calls: &[RollupChange],
    mode: WriteMode,
) -> Result<(), ProjectError> {
    delete(conn, calls).await?;
    let rows: Vec<(CallKey, Uuid, DateTime<Utc>)> = calls
        .iter()
        .filter_map(|call| Some((call, call.now.as_ref()?)))
        .flat_map(|(call, now)| {
            let is_stored = |handle: &&Uuid| {
                let before = call.before.as_ref();
                before.is_some_and(|before| {
                    before.started_at == now.started_at && before.handles.contains(*handle)
                })
            };
            let new = now.handles.iter().filter(move |handle| !is_stored(handle));
            new.map(|handle| (call.key, *handle, now.started_at))
        })
        .collect();
    let is_new = calls.iter().all(|call| call.before.is_none());
    if mode == WriteMode::Copy && is_new && rows.len() >= MIN_COPY_ROWS {
        let statement = "copy call_handles (tenant_id, handle_id, call_id, started_at) from stdin";
        return copy_in(conn, statement, rows, |(key, handle, started_at), row| {
            row.plain(Some(key.0.0));
            row.plain(Some(handle));
            row.plain(Some(key.1));
            row.time(Some(started_at));
        })
        .await;
    }
    upsert(conn, &rows).await
}

async fn upsert(
    conn: &mut PgConnection,
    rows: &[(CallKey, Uuid, DateTime<Utc>)],
) -> Result<(), ProjectError> {
    if rows.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Uuid> = rows.iter().map(|(key, ..)| key.0.0).collect();
    let handles: Vec<Uuid> = rows.iter().map(|(_, handle, _)| *handle).collect();
    let calls: Vec<Uuid> = rows.iter().map(|(key, ..)| key.1).collect();
    let starts: Vec<DateTime<Utc>> = rows.iter().map(|(.., started_at)| *started_at).collect();
    sqlx::query!(
        "insert into call_handles (tenant_id, handle_id, call_id, started_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[])
             on conflict (tenant_id, handle_id, call_id) do update
            set started_at = excluded.started_at",
        &tenants,
        &handles,
        &calls,
        &starts,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the rows of handles that a call no longer has, and those of removed calls.
async fn delete(conn: &mut PgConnection, calls: &[RollupChange]) -> Result<(), ProjectError> {
    let stale = calls.iter().flat_map(|call| {
        let is_kept =
            |handle: &Uuid| call.now.as_ref().is_some_and(|now| now.handles.contains(handle));
        let before = call.before.iter().flat_map(|before: &Contribution| &before.handles);
        before.filter(move |handle| !is_kept(handle)).map(|handle| (call.key, *handle))
    });
    let stale: Vec<(CallKey, Uuid)> = stale.collect();
    if stale.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Uuid> = stale.iter().map(|(key, _)| key.0.0).collect();
    let handles: Vec<Uuid> = stale.iter().map(|(_, handle)| *handle).collect();
    let calls: Vec<Uuid> = stale.iter().map(|(key, _)| key.1).collect();
    sqlx::query!(
        "delete from call_handles
          where ctid = any (array (select h.ctid
                                     from unnest($1::uuid[], $2::uuid[], $3::uuid[])
                                       as k (tenant_id, handle_id, call_id)
                                    cross join lateral (select ctid from call_handles
                                                         where tenant_id = k.tenant_id
                                                           and handle_id = k.handle_id
                                                           and call_id = k.call_id
                                                        offset 0) h))",
        &tenants,
        &handles,
        &calls,
    )
    .execute(conn)
    .await?;
    Ok(())
}
