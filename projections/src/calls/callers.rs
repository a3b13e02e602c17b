//! Stores each combination of handles and name of the calls once, with its number of calls.
//!
//! A combination that shares no handle with another is one person, so a count of people compares
//! only the others.

use std::collections::{BTreeMap, BTreeSet};

use ledger_core::call::CallerIdentity;
use ledger_core::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::update::RollupChange;
use crate::projector::ProjectError;

/// Key of a combination: tenant, whether the calls are test calls, and the id of the combination.
type CallerKey = (TenantId, bool, Uuid);

/// Change of the number of calls per combination.
type Differences<'c> = BTreeMap<CallerKey, (i64, &'c CallerIdentity)>;

pub(super) async fn write(
    conn: &mut PgConnection,
    calls: &[RollupChange],
) -> Result<(), ProjectError> {
    let differences = differences(calls);
    if differences.is_empty() {
        return Ok(());
    }
    let new = add(conn, &differences).await?;
    if !new.is_empty() {
        add_handles(conn, &handles_of(&differences, &new)).await?;
    }
    if differences.values().any(|(difference, _)| *difference < 0) {
        let unused = remove_unused(conn, &differences).await?;
        if !unused.is_empty() {
            remove_handles(conn, &handles_of(&differences, &unused)).await?;
        }
    }
    Ok(())
}

fn differences(calls: &[RollupChange]) -> Differences<'_> {
    let mut differences = Differences::new();
    for call in calls {
        for (one, difference) in [(call.before.as_ref(), -1), (call.now.as_ref(), 1)] {
            let Some((one, caller)) = one.and_then(|one| Some((one, one.caller.as_ref()?))) else {
                continue;
            };
            let key = (call.key.0, one.is_test, caller.caller_id);
            differences.entry(key).or_insert((0, caller)).0 += difference;
        }
    }
    differences.retain(|_, (difference, _)| *difference != 0);
    differences
}

/// Adds the changes to the stored counts, and returns the combinations that are new.
async fn add(
    conn: &mut PgConnection,
    differences: &Differences<'_>,
) -> Result<Vec<CallerKey>, ProjectError> {
    let rows: Vec<serde_json::Value> = differences
        .iter()
        .map(|((tenant_id, is_test, person_id), (calls, caller))| {
            serde_json::json!({
                "tenant_id": tenant_id.0, "is_test": is_test, "person_id": person_id, "calls": calls,
                "handles": (!caller.handles.is_empty()).then_some(&caller.handles),
                "holders": (!caller.holders.is_empty()).then_some(&caller.holders),
                "has_external_id": caller.has_external_id,
            })
        })
        .collect();
    // `xmax` is 0 for an inserted row, and for an updated one the id of the transaction that locked
    // it.
    let rows = sqlx::query!(
        r#"
        insert into callers
          (tenant_id, is_test, person_id, calls, handles, holders, has_external_id)
        select tenant_id, is_test, person_id, calls, handles, holders, has_external_id
          from json_to_recordset($1::text::json)
            as n (tenant_id uuid, is_test boolean, person_id uuid, calls bigint, handles uuid[],
                  holders uuid[], has_external_id boolean)
            on conflict (tenant_id, is_test, person_id) do update
           set calls = callers.calls + excluded.calls
        returning tenant_id, is_test, person_id, (xmax::text = '0') as "is_new!"
        "#,
        serde_json::to_string(&rows).expect("rows are plain data"),
    )
    .fetch_all(conn)
    .await?;
    let new = rows.into_iter().filter(|row| row.is_new);
    Ok(new.map(|row| (TenantId(row.tenant_id), row.is_test, row.person_id)).collect())
}

/// Deletes those of the combinations that have no call left, and returns them.
async fn remove_unused(
    conn: &mut PgConnection,
    differences: &Differences<'_>,
) -> Result<Vec<CallerKey>, ProjectError> {
    let tenants: Vec<Uuid> = differences.keys().map(|(tenant, ..)| tenant.0).collect();
    let tests: Vec<bool> = differences.keys().map(|(_, is_test, _)| *is_test).collect();
    let people: Vec<Uuid> = differences.keys().map(|(.., person)| *person).collect();
    let rows = sqlx::query!(
        "delete from callers
          where ctid = any (array (select c.ctid
                                     from unnest($1::uuid[], $2::boolean[], $3::uuid[])
                                       as k (tenant_id, is_test, person_id)
                                    cross join lateral (select ctid from callers
                                                         where tenant_id = k.tenant_id
                                                           and is_test = k.is_test
                                                           and person_id = k.person_id
                                                           and calls = 0
                                                        offset 0) c))
         returning tenant_id, is_test, person_id",
        &tenants,
        &tests,
        &people,
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter();
    Ok(rows.map(|row| (TenantId(row.tenant_id), row.is_test, row.person_id)).collect())
}

/// Pairs of handle and combination as column arrays.
#[derive(Default)]
struct Handles {
    tenants: Vec<Uuid>,
    handles: Vec<Uuid>,
    people: Vec<Uuid>,
}

fn handles_of(differences: &Differences<'_>, keys: &[CallerKey]) -> Handles {
    let rows = keys.iter().flat_map(|key| {
        let (_, caller) = differences[key];
        caller.handles.iter().map(move |handle| (key.0.0, handle.0, key.2))
    });
    // Test calls and other calls may have the same combination.
    let rows: BTreeSet<(Uuid, Uuid, Uuid)> = rows.collect();
    let mut of = Handles::default();
    for (tenant, handle, person) in rows {
        of.tenants.push(tenant);
        of.handles.push(handle);
        of.people.push(person);
    }
    of
}

/// Stores the pairs of handle and combination, and marks all pairs of a handle with several
/// combinations.
async fn add_handles(conn: &mut PgConnection, of: &Handles) -> Result<(), ProjectError> {
    if of.handles.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with added as materialized (
           select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])
             as n (tenant_id, handle_id, person_id)
         ), new as (
           insert into caller_handles (tenant_id, handle_id, person_id, is_shared)
           select n.tenant_id, n.handle_id, n.person_id,
                  exists (select from caller_handles h
                           where h.tenant_id = n.tenant_id and h.handle_id = n.handle_id
                             and h.person_id <> n.person_id)
               or exists (select from added o
                           where o.tenant_id = n.tenant_id and o.handle_id = n.handle_id
                             and o.person_id <> n.person_id)
             from added n
               on conflict do nothing
         )
         update caller_handles h set is_shared = true
           from added n
          where h.tenant_id = n.tenant_id and h.handle_id = n.handle_id
            and h.person_id <> n.person_id and not h.is_shared",
        &of.tenants,
        &of.handles,
        &of.people,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the pairs of removed combinations, and unmarks a pair that is the last of its handle.
async fn remove_handles(conn: &mut PgConnection, of: &Handles) -> Result<(), ProjectError> {
    sqlx::query!(
        "delete from caller_handles h
          using unnest($1::uuid[], $2::uuid[], $3::uuid[]) as n (tenant_id, handle_id, person_id)
          where h.tenant_id = n.tenant_id and h.handle_id = n.handle_id
            and h.person_id = n.person_id
            and not exists (select from callers c
                             where c.tenant_id = n.tenant_id and c.is_test in (true, false)
                               and c.person_id = n.person_id)",
        &of.tenants,
        &of.handles,
        &of.people,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update caller_handles h set is_shared = false
           from unnest($1::uuid[], $2::uuid[]) as n (tenant_id, handle_id)
          where h.tenant_id = n.tenant_id and h.handle_id = n.handle_id and h.is_shared
            and not exists (select from caller_handles o
                             where o.tenant_id = h.tenant_id and o.handle_id = h.handle_id
                               and o.person_id <> h.person_id)",
        &of.tenants,
        &of.handles,
    )
    .execute(conn)
    .await?;
    Ok(())
}
