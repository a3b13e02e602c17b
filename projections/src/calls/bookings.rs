//! The appointments that were booked in a call, each folded from its own events.
//!
//! `call_appointments` has a row for each appointment that was booked in a call. Only the event of
//! the booking has to name that call; later events of the appointment are joined by its id. Booking
//! and call may arrive in any order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use ledger_core::event::{AppointmentEvent, AppointmentStatus, Event};
use ledger_core::ids::TenantId;
use ledger_store::StoreError;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::revenue::{Priced, Revenue};
use super::update::CallKey;
use crate::projector::{LogEvent, ProjectError};

/// Key of an appointment: tenant id and appointment id.
pub(super) type AppointmentKey = (TenantId, Uuid);

/// The newest state of an appointment that was booked in a call. The fields are columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Booking {
    pub(super) status: AppointmentStatus,
    pub(super) scheduled_at: DateTime<Utc>,
    pub(super) service: Option<String>,
    pub(super) price_cents: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) booked_position: i64,
    pub(super) position: i64,
}

impl Booking {
    /// Applies an event of the appointment. Only a booking in a call begins the state.
    fn evolve(state: &mut Option<(Uuid, Self)>, event: &AppointmentEvent, position: i64) {
        if let AppointmentEvent::Booked(booked) = event {
            *state = booked.call_id.map(|call_id| {
                let booking = Self {
                    status: booked.status,
                    scheduled_at: booked.slot.starts_at,
                    service: booked.service.as_ref().map(|service| service.as_str().to_owned()),
                    price_cents: booked.price_cents,
                    currency: booked.currency.clone(),
                    booked_position: position,
                    position,
                };
                (call_id.0, booking)
            });
            return;
        }
        let Some((_, booking)) = state else { return };
        booking.position = position;
        match event {
            AppointmentEvent::Booked(_) => {}
            AppointmentEvent::Confirmed(_) => booking.status = AppointmentStatus::Confirmed,
            AppointmentEvent::Rescheduled(moved) => booking.scheduled_at = moved.slot.starts_at,
            AppointmentEvent::Cancelled(_) => booking.status = AppointmentStatus::Cancelled,
            AppointmentEvent::Completed(_) => booking.status = AppointmentStatus::Completed,
            AppointmentEvent::NoShow(_) => booking.status = AppointmentStatus::NoShow,
        }
    }
}

/// The appointments of one call, by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Bookings(BTreeMap<Uuid, Booking>);

impl Bookings {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the appointment that was booked last, with its id.
    pub(super) fn last(&self) -> Option<(Uuid, &Booking)> {
        let last = self.0.iter().max_by_key(|(_, booking)| booking.booked_position);
        last.map(|(appointment_id, booking)| (*appointment_id, booking))
    }

    /// Returns true if one of the appointments took place.
    pub(super) fn is_attended(&self) -> bool {
        self.0.values().any(|booking| booking.status == AppointmentStatus::Completed)
    }

    /// Returns the sums of the prices, without those of appointments that are cancelled or that the
    /// person did not come to.
    pub(super) fn revenue(&self) -> Revenue {
        use AppointmentStatus::{Cancelled, NoShow};
        let mut revenue = Revenue::default();
        for booking in self.0.values() {
            let price = booking.currency.as_ref().zip(booking.price_cents);
            let is_kept = !matches!(booking.status, Cancelled | NoShow);
            if let Some((currency, cents)) = price.filter(|_| is_kept) {
                let priced = Priced { appointments: 1, cents: cents.into() };
                revenue.add(currency, priced).expect("a call has fewer than 2^63 appointments");
            }
        }
        revenue
    }

    pub(super) fn insert(&mut self, appointment_id: Uuid, booking: Booking) {
        self.0.insert(appointment_id, booking);
    }

    pub(super) fn remove(&mut self, appointment_id: Uuid) {
        self.0.remove(&appointment_id);
    }

    pub(super) fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().map(|(id, booking)| (*id, booking.clone())));
    }
}

/// Events of appointments in a batch, in log order.
#[derive(Default)]
pub(super) struct AppointmentEvents<'e>(BTreeMap<AppointmentKey, Vec<(&'e AppointmentEvent, i64)>>);

impl<'e> AppointmentEvents<'e> {
    /// Adds an event of an appointment's stream.
    pub(super) fn push(
        &mut self,
        tenant_id: TenantId,
        event: &'e LogEvent,
    ) -> Result<(), ProjectError> {
        if let Event::Appointment(change) = &event.recorded()?.event {
            let changes = self.0.entry((tenant_id, event.stream())).or_default();
            changes.push((change, event.stored.position));
        }
        Ok(())
    }
}

/// Appointments whose state a batch changes, with the call that each was booked in.
pub(super) type Changed = BTreeMap<AppointmentKey, (Uuid, Booking)>;

/// Folds events of appointments into their stored states. Appointments that were not booked in a
/// call are left out.
pub(super) async fn fold(
    conn: &mut PgConnection,
    events: AppointmentEvents<'_>,
) -> Result<Changed, ProjectError> {
    if events.0.is_empty() {
        return Ok(Changed::new());
    }
    let mut known = load(conn, events.0.keys()).await?;
    let mut changed = Changed::new();
    for (key, events) in events.0 {
        let mut state = known.remove(&key);
        for (event, position) in events {
            Booking::evolve(&mut state, event, position);
        }
        changed.extend(state.map(|state| (key, state)));
    }
    Ok(changed)
}

/// Returns the keys of the calls that these appointments were booked in.
pub(super) fn calls_of(changed: &Changed) -> BTreeSet<CallKey> {
    changed.iter().map(|((tenant_id, _), (call_id, _))| (*tenant_id, *call_id)).collect()
}

/// A row of `call_appointments`.
#[derive(Serialize, Deserialize)]
pub(super) struct BookingRow {
    tenant_id: Uuid,
    call_id: Uuid,
    appointment_id: Uuid,
    #[serde(flatten)]
    booking: Booking,
}

impl BookingRow {
    /// Decodes a row, as `row_to_json` writes it.
    pub(super) fn parse(row: &str) -> Result<Self, StoreError> {
        let corrupt = |_| StoreError::Corrupt { table: "call_appointments", column: "status" };
        serde_json::from_str(row).map_err(corrupt)
    }

    /// Adds the appointment to those of its call.
    pub(super) fn add_to(self, bookings: &mut Bookings) {
        bookings.insert(self.appointment_id, self.booking);
    }
}

/// Loads the states of appointments that were booked in a call, with that call.
async fn load(
    conn: &mut PgConnection,
    keys: impl Iterator<Item = &AppointmentKey>,
) -> Result<HashMap<AppointmentKey, (Uuid, Booking)>, ProjectError> {
    let (tenants, appointments): (Vec<Uuid>, Vec<Uuid>) =
        keys.map(|(tenant_id, appointment_id)| (tenant_id.0, appointment_id)).unzip();
    let rows = sqlx::query_scalar!(
        r#"select row_to_json(b)::text as "booking!"
             from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, appointment_id)
            cross join lateral (select * from call_appointments
                                 where tenant_id = k.tenant_id
                                   and appointment_id = k.appointment_id
                                offset 0) b"#,
        &tenants,
        &appointments,
    )
    .fetch_all(conn)
    .await?;
    let mut loaded = HashMap::with_capacity(rows.len());
    for row in rows {
        let row = BookingRow::parse(&row)?;
        loaded.insert((TenantId(row.tenant_id), row.appointment_id), (row.call_id, row.booking));
    }
    Ok(loaded)
}

/// Writes the states of appointments.
pub(super) async fn write(conn: &mut PgConnection, changed: &Changed) -> Result<(), ProjectError> {
    if changed.is_empty() {
        return Ok(());
    }
    let row =
        |((tenant_id, appointment_id), (call_id, booking)): (&AppointmentKey, &(Uuid, Booking))| {
            BookingRow {
                tenant_id: tenant_id.0,
                call_id: *call_id,
                appointment_id: *appointment_id,
                booking: booking.clone(),
            }
        };
    let rows: Vec<BookingRow> = changed.iter().map(row).collect();
    sqlx::query!(
        "insert into call_appointments
         select * from json_populate_recordset(null::call_appointments, $1::text::json)
             on conflict (tenant_id, call_id, appointment_id) do update
            set status = excluded.status, scheduled_at = excluded.scheduled_at,
                service = excluded.service, price_cents = excluded.price_cents,
                currency = excluded.currency, booked_position = excluded.booked_position,
                position = excluded.position",
        serde_json::to_string(&rows).expect("rows are plain data"),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the call that an appointment was booked in.
pub(super) async fn call_of(
    conn: &mut PgConnection,
    key: AppointmentKey,
) -> Result<Option<Uuid>, ProjectError> {
    let mut known = load(conn, std::iter::once(&key)).await?;
    Ok(known.remove(&key).map(|(call_id, _)| call_id))
}

/// Deletes the state of an appointment.
pub(super) async fn delete(
    conn: &mut PgConnection,
    (tenant_id, appointment_id): AppointmentKey,
) -> Result<(), ProjectError> {
    sqlx::query!(
        "delete from call_appointments where tenant_id = $1 and appointment_id = $2",
        tenant_id.0,
        appointment_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The columns of a call about its appointments.
#[derive(Debug, Serialize)]
pub(super) struct BookedColumns {
    pub(super) is_booked: bool,
    pub(super) is_attended: bool,
    pub(super) revenue_currencies: Vec<String>,
    pub(super) revenue_cents: Vec<i128>,
    pub(super) revenue_counts: Vec<i64>,
    pub(super) appointment_id: Option<Uuid>,
    pub(super) appointment_scheduled_at: Option<DateTime<Utc>>,
    pub(super) appointment_status: Option<&'static str>,
    pub(super) appointment_service: Option<String>,
}

impl BookedColumns {
    pub(super) fn of(bookings: &Bookings) -> Self {
        let last = bookings.last();
        let (revenue_currencies, revenue_cents, revenue_counts) = bookings.revenue().columns();
        Self {
            is_booked: !bookings.is_empty(),
            is_attended: bookings.is_attended(),
            revenue_currencies,
            revenue_cents,
            revenue_counts,
            appointment_id: last.map(|(appointment_id, _)| appointment_id),
            appointment_scheduled_at: last.map(|(_, booking)| booking.scheduled_at),
            appointment_status: last.map(|(_, booking)| booking.status.as_str()),
            appointment_service: last.and_then(|(_, booking)| booking.service.clone()),
        }
    }
}

/// A call whose columns about appointments are to be written.
#[derive(Debug)]
pub(super) struct Rebooked {
    pub(super) key: CallKey,
    /// True if the row is one of `carrier_calls`.
    pub(super) is_part: bool,
    pub(super) bookings: Bookings,
}

/// Key and columns of an update.
#[derive(Serialize)]
struct RebookedRow {
    tenant_id: Uuid,
    call_id: Uuid,
    #[serde(flatten)]
    columns: BookedColumns,
}

/// Updates the columns about appointments of calls whose rows exist.
pub(super) async fn write_columns(
    conn: &mut PgConnection,
    calls: &[Rebooked],
) -> Result<(), ProjectError> {
    let json_of = |is_part: bool| {
        let of_table = calls.iter().filter(|call| call.is_part == is_part);
        let row = |call: &Rebooked| RebookedRow {
            tenant_id: call.key.0.0,
            call_id: call.key.1,
            columns: BookedColumns::of(&call.bookings),
        };
        let rows: Vec<RebookedRow> = of_table.map(row).collect();
        let json = || serde_json::to_string(&rows).expect("rows are plain data");
        (!rows.is_empty()).then(json)
    };
    if let Some(rows) = json_of(false) {
        sqlx::query!(
            "update calls c
                set is_booked = r.is_booked, is_attended = r.is_attended,
                    revenue_currencies = r.revenue_currencies, revenue_cents = r.revenue_cents,
                    revenue_counts = r.revenue_counts,
                    appointment_id = r.appointment_id,
                    appointment_scheduled_at = r.appointment_scheduled_at,
                    appointment_status = r.appointment_status,
                    appointment_service = r.appointment_service
               from json_populate_recordset(null::calls, $1::text::json) r
              where c.tenant_id = r.tenant_id and c.call_id = r.call_id",
            rows,
        )
        .execute(&mut *conn)
        .await?;
    }
    if let Some(rows) = json_of(true) {
        sqlx::query!(
            "update carrier_calls c
                set is_booked = r.is_booked, is_attended = r.is_attended,
                    revenue_currencies = r.revenue_currencies, revenue_cents = r.revenue_cents,
                    revenue_counts = r.revenue_counts,
                    appointment_id = r.appointment_id,
                    appointment_scheduled_at = r.appointment_scheduled_at,
                    appointment_status = r.appointment_status,
                    appointment_service = r.appointment_service
               from json_populate_recordset(null::carrier_calls, $1::text::json) r
              where c.tenant_id = r.tenant_id and c.call_id = r.call_id",
            rows,
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}
