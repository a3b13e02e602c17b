//! Loads and writes the rows of `appointments`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger_core::event::AppointmentStatus;
use ledger_core::ids::TenantId;
use ledger_store::StoreError;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::row::{Appointment, HistoryEntry};
use crate::copy::bytea;
use crate::projector::{ProjectError, TenantKeys};

/// Key of an appointment: tenant id and appointment id.
pub(super) type AppointmentKey = (TenantId, Uuid);

/// A row, with the names of the columns.
#[derive(Serialize)]
struct Columns<'a> {
    tenant_id: Uuid,
    appointment_id: Uuid,
    contact_id: Uuid,
    booked_by_contact_id: Option<Uuid>,
    service: Option<&'a str>,
    resource: &'a str,
    scheduled_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    duration_minutes: i64,
    status: &'static str,
    call_id: Option<Uuid>,
    price_cents: Option<i64>,
    currency: Option<&'a str>,
    settings_version: i64,
    history: String,
    party: Option<String>,
    booked_position: i64,
    position: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl<'a> Columns<'a> {
    fn of(tenant_id: TenantId, row: &'a Appointment) -> Self {
        Self {
            tenant_id: tenant_id.0,
            appointment_id: row.appointment_id,
            contact_id: row.contact_id,
            booked_by_contact_id: row.booked_by_contact_id,
            service: row.service.as_deref(),
            resource: &row.resource,
            scheduled_at: row.scheduled_at,
            ends_at: row.ends_at,
            duration_minutes: row.minutes(),
            status: row.status.as_str(),
            call_id: row.call_id,
            price_cents: row.price_cents,
            currency: row.currency.as_deref(),
            settings_version: row.settings_version,
            history: serde_json::to_string(&row.history).expect("entries are plain data"),
            party: row.party.as_deref().map(bytea),
            booked_position: row.booked_position,
            position: row.position,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The columns of a stored row.
pub(super) struct StoredAppointment {
    pub(super) tenant_id: Uuid,
    pub(super) appointment_id: Uuid,
    pub(super) contact_id: Uuid,
    pub(super) booked_by_contact_id: Option<Uuid>,
    pub(super) service: Option<String>,
    pub(super) resource: String,
    pub(super) scheduled_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) status: String,
    pub(super) call_id: Option<Uuid>,
    pub(super) price_cents: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) settings_version: i64,
    pub(super) history: String,
    pub(super) party: Option<Vec<u8>>,
    pub(super) booked_position: i64,
    pub(super) position: i64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

impl StoredAppointment {
    /// Decodes the row.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if status or history are not as this code writes them.
    pub(super) fn open(self) -> Result<Appointment, StoreError> {
        let history = history(&self.history)?;
        Ok(Appointment {
            appointment_id: self.appointment_id,
            contact_id: self.contact_id,
            booked_by_contact_id: self.booked_by_contact_id,
            service: self.service,
            resource: self.resource,
            scheduled_at: self.scheduled_at,
            ends_at: self.ends_at,
            status: status(&self.status)?,
            call_id: self.call_id,
            price_cents: self.price_cents,
            currency: self.currency,
            settings_version: self.settings_version,
            history,
            party: self.party,
            booked_position: self.booked_position,
            position: self.position,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

pub(super) fn history(stored: &str) -> Result<Vec<HistoryEntry>, StoreError> {
    let corrupt = |_| StoreError::Corrupt { table: "appointments", column: "history" };
    serde_json::from_str(stored).map_err(corrupt)
}

fn status(stored: &str) -> Result<AppointmentStatus, StoreError> {
    let known = AppointmentStatus::ALL.into_iter().find(|status| status.as_str() == stored);
    known.ok_or(StoreError::Corrupt { table: "appointments", column: "status" })
}

/// Loads the stored rows of these appointments.
pub(super) async fn load(
    conn: &mut PgConnection,
    wanted: &[TenantKeys],
) -> Result<HashMap<AppointmentKey, Appointment>, ProjectError> {
    let all = || wanted.iter().flat_map(|one| one.keys.iter().map(|key| (one.tenant, *key)));
    let tenants: Vec<Uuid> = all().map(|(tenant, _)| tenant.tenant_id.0).collect();
    let keys: Vec<Uuid> = all().map(|(_, key)| key).collect();
    // `offset 0` forces one index lookup per key, as for `calls`.
    let rows = sqlx::query_as!(
        StoredAppointment,
        r#"select k.tenant_id as "tenant_id!", a.appointment_id as "appointment_id!",
                  a.contact_id as "contact_id!", a.booked_by_contact_id, a.service,
                  a.resource as "resource!", a.scheduled_at as "scheduled_at!", a.ends_at as "ends_at!",
                  a.status as "status!", a.call_id, a.price_cents, a.currency,
                  a.settings_version as "settings_version!", a.history as "history!", a.party,
                  a.booked_position as "booked_position!", a.position as "position!",
                  a.created_at as "created_at!", a.updated_at as "updated_at!"
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, appointment_id)
            cross join lateral (select * from appointments
                                 where tenant_id = k.tenant_id and appointment_id = k.appointment_id
                                offset 0) a"#,
        &tenants,
        &keys,
    )
    .fetch_all(conn)
    .await?;
    let mut loaded = HashMap::with_capacity(rows.len());
    for row in rows {
        let key = (TenantId(row.tenant_id), row.appointment_id);
        loaded.insert(key, row.open()?);
    }
    Ok(loaded)
}

pub(super) async fn upsert(
    conn: &mut PgConnection,
    rows: &[(TenantId, Appointment)],
) -> Result<(), ProjectError> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<Columns<'_>> =
        rows.iter().map(|(tenant_id, row)| Columns::of(*tenant_id, row)).collect();
    sqlx::query!(
        "insert into appointments
         select * from json_populate_recordset(null::appointments, $1::text::json)
             on conflict (tenant_id, appointment_id) do update
            set contact_id = excluded.contact_id,
                booked_by_contact_id = excluded.booked_by_contact_id, service = excluded.service,
                resource = excluded.resource, scheduled_at = excluded.scheduled_at,
                ends_at = excluded.ends_at, duration_minutes = excluded.duration_minutes,
                status = excluded.status, call_id = excluded.call_id,
                price_cents = excluded.price_cents, currency = excluded.currency,
                settings_version = excluded.settings_version, history = excluded.history,
                party = excluded.party, booked_position = excluded.booked_position,
                position = excluded.position, created_at = excluded.created_at,
                updated_at = excluded.updated_at",
        serde_json::to_string(&rows).expect("rows are plain data"),
    )
    .execute(conn)
    .await?;
    Ok(())
}
