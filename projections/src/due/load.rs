//! Loads the rows that a batch changes.

use std::collections::HashMap;

use ledger_core::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Key;
use super::appointment::OpenAppointment;
use super::task::{StoredTask, Task};
use crate::projector::{ProjectError, TenantKeys};

/// Tenants and keys as two arrays of the same length.
fn arrays(wanted: &[TenantKeys]) -> (Vec<Uuid>, Vec<Uuid>) {
    let pairs =
        wanted.iter().flat_map(|one| one.keys.iter().map(|key| (one.tenant.tenant_id.0, *key)));
    pairs.unzip()
}

pub(super) async fn tasks(
    conn: &mut PgConnection,
    wanted: &[TenantKeys],
) -> Result<HashMap<Key, Task>, ProjectError> {
    let (tenants, keys) = arrays(wanted);
    // `offset 0` forces one index lookup per key, as for `calls`.
    let rows = sqlx::query!(
        r#"select k.tenant_id as "tenant_id!", t.task_id as "task_id!", t.kind as "kind!",
                  t.status as "status!", t.due_at as "due_at!", t.contact_id, t.call_id,
                  t.appointment_id, t.origin as "origin!",
                  t.created_position as "created_position!", t.position as "position!",
                  t.created_at as "created_at!", t.closed_at
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, task_id)
            cross join lateral (select * from tasks
                                 where tenant_id = k.tenant_id and task_id = k.task_id
                                offset 0) t"#,
        &tenants,
        &keys,
    )
    .fetch_all(conn)
    .await?;
    let mut loaded = HashMap::with_capacity(rows.len());
    for row in rows {
        let key = (TenantId(row.tenant_id), row.task_id);
        let stored = StoredTask {
            task_id: row.task_id,
            kind: row.kind,
            status: row.status,
            due_at: row.due_at,
            contact_id: row.contact_id,
            call_id: row.call_id,
            appointment_id: row.appointment_id,
            origin: row.origin,
            created_position: row.created_position,
            position: row.position,
            created_at: row.created_at,
            closed_at: row.closed_at,
        };
        loaded.insert(key, stored.open()?);
    }
    Ok(loaded)
}

pub(super) async fn appointments(
    conn: &mut PgConnection,
    wanted: &[TenantKeys],
) -> Result<HashMap<Key, OpenAppointment>, ProjectError> {
    let (tenants, keys) = arrays(wanted);
    let rows = sqlx::query!(
        r#"select k.tenant_id as "tenant_id!", o.appointment_id as "appointment_id!",
                  o.contact_id as "contact_id!", o.call_id, o.starts_at as "starts_at!"
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, appointment_id)
            cross join lateral (select * from open_appointments
                                 where tenant_id = k.tenant_id and appointment_id = k.appointment_id
                                offset 0) o"#,
        &tenants,
        &keys,
    )
    .fetch_all(conn)
    .await?;
    let mut loaded = HashMap::with_capacity(rows.len());
    for row in rows {
        let key = (TenantId(row.tenant_id), row.appointment_id);
        let open = OpenAppointment {
            contact_id: row.contact_id,
            call_id: row.call_id,
            starts_at: row.starts_at,
        };
        loaded.insert(key, open);
    }
    Ok(loaded)
}
