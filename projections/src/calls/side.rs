//! What is kept beside the calls: the tools of each, to page through the calls that used one, and how
//! many calls each person has.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Changed;
use super::contribution::Contribution;
use crate::projector::ProjectError;

pub(super) async fn write(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    calls: &[Changed],
) -> Result<(), ProjectError> {
    write_tools(conn, tenant_id, calls).await?;
    write_callers(conn, tenant_id, calls).await
}

async fn write_tools(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    calls: &[Changed],
) -> Result<(), ProjectError> {
    let listed =
        |one: &Contribution| (one.started_at, one.tools.keys().cloned().collect::<Vec<_>>());
    let stale: Vec<Uuid> = calls
        .iter()
        .filter(|call| {
            call.before.as_ref().is_some_and(|before| {
                !before.tools.is_empty() && listed(before) != listed(&call.now)
            })
        })
        .map(|call| call.call_id)
        .collect();
    if !stale.is_empty() {
        sqlx::query!(
            "delete from call_tools where tenant_id = $1 and call_id = any ($2)",
            tenant_id.0,
            &stale,
        )
        .execute(&mut *conn)
        .await?;
    }
    let mut ids: Vec<Uuid> = Vec::new();
    let mut tools: Vec<String> = Vec::new();
    let mut starts: Vec<DateTime<Utc>> = Vec::new();
    for call in calls {
        let is_listed =
            call.before.as_ref().is_some_and(|before| listed(before) == listed(&call.now));
        for tool in call.now.tools.keys().filter(|_| !is_listed) {
            ids.push(call.call_id);
            tools.push(tool.clone());
            starts.push(call.now.started_at);
        }
    }
    if !ids.is_empty() {
        sqlx::query!(
            "insert into call_tools (tenant_id, call_id, tool, started_at)
             select $1, * from unnest($2::uuid[], $3::text[], $4::timestamptz[])",
            tenant_id.0,
            &ids,
            &tools,
            &starts,
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

async fn write_callers(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    calls: &[Changed],
) -> Result<(), ProjectError> {
    let mut counts: BTreeMap<(bool, Uuid), i64> = BTreeMap::new();
    for call in calls {
        let caller = |one: &Contribution| one.subject_id.map(|subject| (one.is_test, subject));
        if let Some(caller) = call.before.as_ref().and_then(caller) {
            *counts.entry(caller).or_default() -= 1;
        }
        if let Some(caller) = caller(&call.now) {
            *counts.entry(caller).or_default() += 1;
        }
    }
    counts.retain(|_, count| *count != 0);
    if counts.is_empty() {
        return Ok(());
    }
    let tests: Vec<bool> = counts.keys().map(|(is_test, _)| *is_test).collect();
    let subjects: Vec<Uuid> = counts.keys().map(|(_, subject)| *subject).collect();
    let calls: Vec<i64> = counts.values().copied().collect();
    sqlx::query!(
        "insert into callers (tenant_id, is_test, subject_id, calls)
         select $1, * from unnest($2::boolean[], $3::uuid[], $4::bigint[])
             on conflict (tenant_id, is_test, subject_id) do update
            set calls = callers.calls + excluded.calls",
        tenant_id.0,
        &tests,
        &subjects,
        &calls,
    )
    .execute(&mut *conn)
    .await?;
    if calls.iter().any(|count| *count < 0) {
        sqlx::query!(
            "delete from callers
              where tenant_id = $1 and subject_id = any ($2) and calls = 0",
            tenant_id.0,
            &subjects,
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}
