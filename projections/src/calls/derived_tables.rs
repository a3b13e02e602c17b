//! Tables derived from calls: the tools of each call, to page through the calls of a tool and to
//! count their people; the combinations of handles and name; the handles and tags of each call; and
//! sums by contact.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::contribution::Contribution;
use super::update::{CallKey, RollupChange};
use super::{callers, contacts, handles, tags};
use crate::copy::{MIN_COPY_ROWS, copy_in};
use crate::projector::{ProjectError, WriteMode};

pub(super) async fn write(
    conn: &mut PgConnection,
    calls: &[RollupChange],
    mode: WriteMode,
) -> Result<(), ProjectError> {
    write_tools(conn, calls, mode).await?;
    tags::write(conn, calls).await?;
    handles::write(conn, calls, mode).await?;
    contacts::write(conn, calls).await?;
    callers::write(conn, calls).await
}

/// Returns whether the `call_tools` rows of a call stay unchanged.
fn is_unchanged(call: &RollupChange) -> bool {
    call.before.as_ref().zip(call.now.as_ref()).is_some_and(|(before, now)| {
        (before.started_at, before.person_id(), before.is_test, &before.tools)
            == (now.started_at, now.person_id(), now.is_test, &now.tools)
    })
}

/// Deletes the `call_tools` rows of calls that changed.
async fn remove_stale_tools(
    conn: &mut PgConnection,
    calls: &[RollupChange],
) -> Result<(), ProjectError> {
    let had_tools =
        |call: &&RollupChange| call.before.as_ref().is_some_and(|before| !before.tools.is_empty());
    let stale = || calls.iter().filter(had_tools).filter(|call| !is_unchanged(call));
    let tenants: Vec<Uuid> = stale().map(|call| call.key.0.0).collect();
    let stale: Vec<Uuid> = stale().map(|call| call.key.1).collect();
    if !stale.is_empty() {
        sqlx::query!(
            "delete from call_tools
              where ctid = any (array (select t.ctid
                                         from unnest($1::uuid[], $2::uuid[])
                                           as k (tenant_id, call_id)
                                        cross join lateral (select ctid from call_tools
                                                             where tenant_id = k.tenant_id
                                                               and call_id = k.call_id
                                                            offset 0) t))",
            &tenants,
            &stale,
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

async fn write_tools(
    conn: &mut PgConnection,
    calls: &[RollupChange],
    mode: WriteMode,
) -> Result<(), ProjectError> {
    remove_stale_tools(conn, calls).await?;
    let rows: Vec<(CallKey, &Contribution, &String, i64)> = calls
        .iter()
        .filter(|call| !is_unchanged(call))
        .filter_map(|call| Some((call.key, call.now.as_ref()?)))
        .flat_map(|(key, now)| now.tools.iter().map(move |(tool, count)| (key, now, tool, *count)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    if mode == WriteMode::Copy && rows.len() >= MIN_COPY_ROWS {
        let statement = "copy call_tools (tenant_id, call_id, tool, started_at, calls, person_id, \
                         is_test) from stdin";
        return copy_in(conn, statement, rows, |(key, now, tool, count), row| {
            row.plain(Some(key.0.0));
            row.plain(Some(key.1));
            row.text(Some(tool));
            row.time(Some(now.started_at));
            row.plain(Some(count));
            row.plain(now.person_id());
            row.plain(Some(now.is_test));
        })
        .await;
    }
    let tenants: Vec<Uuid> = rows.iter().map(|(key, ..)| key.0.0).collect();
    let ids: Vec<Uuid> = rows.iter().map(|(key, ..)| key.1).collect();
    let tools: Vec<String> = rows.iter().map(|(.., tool, _)| (*tool).clone()).collect();
    let starts: Vec<DateTime<Utc>> = rows.iter().map(|(_, now, ..)| now.started_at).collect();
    let counts: Vec<i64> = rows.iter().map(|(.., count)| *count).collect();
    let people: Vec<Option<Uuid>> = rows.iter().map(|(_, now, ..)| now.person_id()).collect();
    let tests: Vec<bool> = rows.iter().map(|(_, now, ..)| now.is_test).collect();
    sqlx::query!(
        "insert into call_tools (tenant_id, call_id, tool, started_at, calls, person_id, is_test)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bigint[],
                              $6::uuid[], $7::boolean[])",
        &tenants,
        &ids,
        &tools,
        &starts,
        &counts,
        &people as _,
        &tests,
    )
    .execute(conn)
    .await?;
    Ok(())
}
