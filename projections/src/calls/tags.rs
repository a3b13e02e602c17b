//! Stores the tags of each call, to page through the calls with a tag.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::contribution::Contribution;
use super::update::{CallKey, RollupChange};
use crate::projector::ProjectError;

/// Writes the `call_tags` rows of calls that changed.
pub(super) async fn write(
    conn: &mut PgConnection,
    calls: &[RollupChange],
) -> Result<(), ProjectError> {
    let (mut stale, mut new) = (Vec::new(), Vec::new());
    for call in calls {
        let (before, now) = (call.before.as_ref(), call.now.as_ref());
        let has = |one: Option<&Contribution>, tag: &String| {
            one.is_some_and(|one| one.tags.contains(tag))
        };
        let tags = |one: Option<&Contribution>| one.map(|one| one.tags.clone()).unwrap_or_default();
        let is_moved = before.map(|one| one.started_at) != now.map(|one| one.started_at);
        let gone = tags(before).into_iter().filter(|tag| !has(now, tag));
        stale.extend(gone.map(|tag| (call.key, tag)));
        let Some(started_at) = now.map(|one| one.started_at) else { continue };
        let added = tags(now).into_iter().filter(|tag| is_moved || !has(before, tag));
        new.extend(added.map(|tag| (call.key, tag, started_at)));
    }
    delete(conn, &stale).await?;
    upsert(conn, &new).await
}

async fn upsert(
    conn: &mut PgConnection,
    rows: &[(CallKey, String, DateTime<Utc>)],
) -> Result<(), ProjectError> {
    if rows.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Uuid> = rows.iter().map(|(key, ..)| key.0.0).collect();
    let calls: Vec<Uuid> = rows.iter().map(|(key, ..)| key.1).collect();
    let tags: Vec<String> = rows.iter().map(|(_, tag, _)| tag.clone()).collect();
    let starts: Vec<DateTime<Utc>> = rows.iter().map(|(.., started_at)| *started_at).collect();
    sqlx::query!(
        "insert into call_tags (tenant_id, tag, call_id, started_at)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[])
             on conflict (tenant_id, tag, call_id) do update
            set started_at = excluded.started_at",
        &tenants,
        &tags,
        &calls,
        &starts,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the rows of tags that a call no longer has, and those of removed calls.
async fn delete(conn: &mut PgConnection, rows: &[(CallKey, String)]) -> Result<(), ProjectError> {
    if rows.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Uuid> = rows.iter().map(|(key, _)| key.0.0).collect();
    let calls: Vec<Uuid> = rows.iter().map(|(key, _)| key.1).collect();
    let tags: Vec<String> = rows.iter().map(|(_, tag)| tag.clone()).collect();
    sqlx::query!(
        "delete from call_tags
          where ctid = any (array (select t.ctid
                                     from unnest($1::uuid[], $2::text[], $3::uuid[])
                                       as k (tenant_id, tag, call_id)
                                    cross join lateral (select ctid from call_tags
                                                         where tenant_id = k.tenant_id
                                                           and tag = k.tag
                                                           and call_id = k.call_id
                                                        offset 0) t))",
        &tenants,
        &tags,
        &calls,
    )
    .execute(conn)
    .await?;
    Ok(())
}
