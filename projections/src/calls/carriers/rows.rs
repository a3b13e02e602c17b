//! Statements of joined calls.

use ledger_core::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::calls::contribution::Contribution;
use crate::calls::update::{CallKey, RollupChange};
use crate::copy::{MIN_COPY_ROWS, copy_in};
use crate::projector::{ProjectError, WriteMode};

/// Updates the names of carriers' calls by the changes of the calls that state them.
pub(super) async fn write_names(
    conn: &mut PgConnection,
    changes: &[RollupChange],
    mode: WriteMode,
) -> Result<(), ProjectError> {
    let (mut stale, mut new) = (Vec::new(), Vec::new());
    for change in changes {
        let of = |one: &Option<Contribution>| one.as_ref()?.carrier_call_id;
        let (before, now) = (of(&change.before), of(&change.now));
        if before != now {
            stale.extend(before.map(|carrier| (change.key, carrier)));
            new.extend(now.map(|carrier| (change.key, carrier)));
        }
    }
    delete_names(conn, &stale).await?;
    if mode == WriteMode::Copy && new.len() >= MIN_COPY_ROWS {
        let statement = "copy call_carriers (tenant_id, carrier_call_id, call_id) from stdin";
        return copy_in(conn, statement, new, |(key, carrier), row| {
            row.plain(Some(key.0.0));
            row.plain(Some(carrier));
            row.plain(Some(key.1));
        })
        .await;
    }
    let (tenants, carriers, calls) = columns(&new);
    if !calls.is_empty() {
        sqlx::query!(
            "insert into call_carriers (tenant_id, carrier_call_id, call_id)
             select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])",
            &tenants,
            &carriers,
            &calls,
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Returns columns of tenants, carriers' calls, and the calls that name them.
fn columns(names: &[(CallKey, Uuid)]) -> (Vec<Uuid>, Vec<Uuid>, Vec<Uuid>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for (key, carrier) in names {
        columns.0.push(key.0.0);
        columns.1.push(*carrier);
        columns.2.push(key.1);
    }
    columns
}

async fn delete_names(
    conn: &mut PgConnection,
    names: &[(CallKey, Uuid)],
) -> Result<(), ProjectError> {
    let (tenants, carriers, calls) = columns(names);
    if calls.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "delete from call_carriers
          where ctid = any (array (select n.ctid
                                     from unnest($1::uuid[], $2::uuid[], $3::uuid[])
                                       as k (tenant_id, carrier_call_id, call_id)
                                    cross join lateral (select ctid from call_carriers
                                                         where tenant_id = k.tenant_id
                                                           and carrier_call_id = k.carrier_call_id
                                                           and call_id = k.call_id
                                                        offset 0) n))",
        &tenants,
        &carriers,
        &calls,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns, for each of these carriers' calls, the calls that name it.
pub(super) async fn names(
    conn: &mut PgConnection,
    carriers: &[CallKey],
) -> Result<Vec<CallKey>, ProjectError> {
    if carriers.is_empty() {
        return Ok(Vec::new());
    }
    let (tenants, calls) = keys(carriers);
    let rows = sqlx::query!(
        r#"select n.tenant_id as "tenant_id!", n.call_id as "call_id!"
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, carrier_call_id)
            cross join lateral (select tenant_id, call_id from call_carriers
                                 where tenant_id = k.tenant_id
                                   and carrier_call_id = k.carrier_call_id
                                offset 0) n"#,
        &tenants,
        &calls,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (TenantId(row.tenant_id), row.call_id)).collect())
}

fn keys(keys: &[CallKey]) -> (Vec<Uuid>, Vec<Uuid>) {
    keys.iter().map(|(tenant_id, call_id)| (tenant_id.0, call_id)).unzip()
}

/// Deletes rows of `carrier_calls`.
pub(crate) async fn delete_parts(
    conn: &mut PgConnection,
    parts: &[CallKey],
) -> Result<(), ProjectError> {
    let (tenants, calls) = keys(parts);
    sqlx::query!(
        "delete from carrier_calls
          where ctid = any (array (select c.ctid
                                     from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, call_id)
                                    cross join lateral (select ctid from carrier_calls
                                                         where tenant_id = k.tenant_id
                                                           and call_id = k.call_id
                                                        offset 0) c))",
        &tenants,
        &calls,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves rows from `calls` to `carrier_calls`.
pub(super) async fn hide(conn: &mut PgConnection, calls: &[CallKey]) -> Result<(), ProjectError> {
    if calls.is_empty() {
        return Ok(());
    }
    let (tenants, calls) = keys(calls);
    sqlx::query!(
        "with moved as (
           delete from calls
            where ctid = any (array (select c.ctid
                                       from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, call_id)
                                      cross join lateral (select ctid from calls
                                                           where tenant_id = k.tenant_id
                                                             and call_id = k.call_id
                                                          offset 0) c))
           returning *)
         insert into carrier_calls select * from moved",
        &tenants,
        &calls,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves rows from `carrier_calls` to `calls`.
pub(super) async fn show(conn: &mut PgConnection, calls: &[CallKey]) -> Result<(), ProjectError> {
    if calls.is_empty() {
        return Ok(());
    }
    let (tenants, calls) = keys(calls);
    sqlx::query!(
        "with moved as (
           delete from carrier_calls
            where ctid = any (array (select c.ctid
                                       from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, call_id)
                                      cross join lateral (select ctid from carrier_calls
                                                           where tenant_id = k.tenant_id
                                                             and call_id = k.call_id
                                                          offset 0) c))
           returning *)
         insert into calls select * from moved",
        &tenants,
        &calls,
    )
    .execute(conn)
    .await?;
    Ok(())
}
