//! Writes the rows of a batch.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Key;
use super::appointment::Reminded;
use super::task::Task;
use crate::projector::ProjectError;

/// A row of `tasks`, with the names of the columns.
#[derive(Serialize)]
struct TaskColumns {
    tenant_id: Uuid,
    task_id: Uuid,
    kind: &'static str,
    status: &'static str,
    due_at: DateTime<Utc>,
    contact_id: Option<Uuid>,
    call_id: Option<Uuid>,
    appointment_id: Option<Uuid>,
    origin: &'static str,
    created_position: i64,
    position: i64,
    created_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

/// A row of `open_appointments`.
#[derive(Serialize)]
struct AppointmentColumns {
    tenant_id: Uuid,
    appointment_id: Uuid,
    contact_id: Uuid,
    call_id: Option<Uuid>,
    starts_at: DateTime<Utc>,
}

/// A row of `reminders`.
#[derive(Serialize)]
struct ReminderColumns {
    tenant_id: Uuid,
    appointment_id: Uuid,
    offset_minutes: u32,
    due_at: DateTime<Utc>,
    starts_at: DateTime<Utc>,
    contact_id: Uuid,
    call_id: Option<Uuid>,
}

fn json<T: Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("rows are plain data")
}

pub(super) async fn tasks(
    conn: &mut PgConnection,
    rows: &[(TenantId, Task)],
) -> Result<(), ProjectError> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = |(tenant_id, task): &(TenantId, Task)| TaskColumns {
        tenant_id: tenant_id.0,
        task_id: task.task_id,
        kind: task.kind.as_str(),
        status: task.status.as_str(),
        due_at: task.due_at,
        contact_id: task.contact_id,
        call_id: task.call_id,
        appointment_id: task.appointment_id,
        origin: task.origin.as_str(),
        created_position: task.created_position,
        position: task.position,
        created_at: task.created_at,
        closed_at: task.closed_at,
    };
    let rows: Vec<TaskColumns> = rows.iter().map(columns).collect();
    sqlx::query!(
        "insert into tasks
         select * from json_populate_recordset(null::tasks, $1::text::json)
             on conflict (tenant_id, task_id) do update
            set kind = excluded.kind, status = excluded.status, due_at = excluded.due_at,
                contact_id = excluded.contact_id, call_id = excluded.call_id,
                appointment_id = excluded.appointment_id, origin = excluded.origin,
                created_position = excluded.created_position, position = excluded.position,
                created_at = excluded.created_at, closed_at = excluded.closed_at",
        json(&rows),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Replaces the rows of appointments and their reminders; `None` removes them.
pub(super) async fn appointments(
    conn: &mut PgConnection,
    changed: &BTreeMap<Key, Option<Reminded>>,
) -> Result<(), ProjectError> {
    let replaced: Vec<(Key, &Reminded)> = changed
        .iter()
        .filter_map(|(key, row)| Some((*key, row.as_ref()?)))
        .filter(|(_, row)| row.reminders.is_some())
        .collect();
    let is_gone = |row: &Option<Reminded>| row.as_ref().is_none_or(|row| row.reminders.is_some());
    let gone: Vec<Key> =
        changed.iter().filter(|(_, row)| is_gone(row)).map(|(key, _)| *key).collect();
    remove_appointments(conn, &gone).await?;
    if replaced.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = replaced.iter().map(|(key, row)| appointment(*key, row)).collect();
    sqlx::query!(
        "insert into open_appointments
         select * from json_populate_recordset(null::open_appointments, $1::text::json)",
        json(&rows),
    )
    .execute(&mut *conn)
    .await?;
    let rows: Vec<_> = replaced.iter().flat_map(|(key, row)| reminders(*key, row)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into reminders
         select * from json_populate_recordset(null::reminders, $1::text::json)",
        json(&rows),
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn appointment((tenant_id, appointment_id): Key, row: &Reminded) -> AppointmentColumns {
    AppointmentColumns {
        tenant_id: tenant_id.0,
        appointment_id,
        contact_id: row.appointment.contact_id,
        call_id: row.appointment.call_id,
        starts_at: row.appointment.starts_at,
    }
}

fn reminders((tenant_id, appointment_id): Key, row: &Reminded) -> Vec<ReminderColumns> {
    let due = row.reminders.as_deref().unwrap_or_default();
    let columns = |(offset_minutes, due_at): &(u32, DateTime<Utc>)| ReminderColumns {
        tenant_id: tenant_id.0,
        appointment_id,
        offset_minutes: *offset_minutes,
        due_at: *due_at,
        starts_at: row.appointment.starts_at,
        contact_id: row.appointment.contact_id,
        call_id: row.appointment.call_id,
    };
    due.iter().map(columns).collect()
}

/// Removes appointments with their reminders.
pub(super) async fn remove_appointments(
    conn: &mut PgConnection,
    keys: &[Key],
) -> Result<(), ProjectError> {
    if keys.is_empty() {
        return Ok(());
    }
    let (tenants, ids): (Vec<Uuid>, Vec<Uuid>) =
        keys.iter().map(|(tenant_id, id)| (tenant_id.0, *id)).unzip();
    sqlx::query!(
        "delete from reminders r using unnest($1::uuid[], $2::uuid[]) as k (tenant_id, appointment_id)
          where r.tenant_id = k.tenant_id and r.appointment_id = k.appointment_id",
        &tenants,
        &ids,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from open_appointments o
          using unnest($1::uuid[], $2::uuid[]) as k (tenant_id, appointment_id)
          where o.tenant_id = k.tenant_id and o.appointment_id = k.appointment_id",
        &tenants,
        &ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}
