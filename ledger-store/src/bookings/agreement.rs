//! The check that the appointments of a tenant and the schedules of its resources agree.

use std::collections::BTreeSet;

use ledger_core::booking::agreement::{Appointments, Difference, differences, occupied};
use ledger_core::booking::appointment::Appointment;
use ledger_core::booking::schedule::{self, Schedule};
use ledger_core::event::Event;
use ledger_core::ids::{AppointmentId, StreamId, TenantId};

use crate::Store;
use crate::error::StoreError;
use crate::execute::events_of;
use crate::tenant_tx::TenantTx;

/// Number of the last events of a log that are looked at.
pub(super) const MAX_EVENTS: i64 = 100_000;
/// Number of streams that are compared, and of those that are read at once.
const MAX_STREAMS: i64 = 20_000;
const READ_AT_ONCE: usize = 500;

/// The result of the check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BookingsCheck {
    /// Number of compared appointments that occupy a resource.
    pub appointments: usize,
    /// Number of compared entries of schedules.
    pub entries: usize,
    /// The differences, sorted by appointment.
    pub differences: Vec<Difference>,
}

impl Store {
    /// Compares the appointments and the schedules that the last 100 000 events of a tenant changed,
    /// at most 20 000 of them, in one state of the log.
    ///
    /// # Errors
    /// The database did not answer, or this build cannot read an event.
    pub async fn check_bookings(&self, tenant_id: TenantId) -> Result<BookingsCheck, StoreError> {
        let mut tx = TenantTx::begin_snapshot(&self.app, tenant_id).await?;
        let changed = changed(&mut tx).await?;
        let mut appointments = Appointments::new();
        load_appointments(&mut tx, &changed.appointments, &mut appointments).await?;
        let complete: BTreeSet<_> = appointments.keys().copied().collect();

        let stream = |(resource, day)| schedule::stream(tenant_id, resource, day).stream_id;
        let of_appointments = appointments.values().flatten().flat_map(occupied).map(stream);
        let days: BTreeSet<StreamId> = changed.days.into_iter().chain(of_appointments).collect();
        let schedule = load_schedule(&mut tx, days.into_iter().collect()).await?;

        let is_new = |id: &AppointmentId| !appointments.contains_key(id);
        let named = schedule.appointments().map(|(_, _, id, _)| id).filter(is_new);
        let named: BTreeSet<StreamId> = named.map(|id| StreamId(id.0)).collect();
        let named: Vec<_> = named.into_iter().collect();
        load_appointments(&mut tx, &named, &mut appointments).await?;
        let occupies = |one: &&Appointment| occupied(one).next().is_some();
        Ok(BookingsCheck {
            appointments: appointments.values().flatten().filter(occupies).count(),
            entries: schedule.appointments().count(),
            differences: differences(&appointments, &complete, &schedule),
        })
    }
}

/// The streams of the last events.
#[derive(Default)]
struct Changed {
    appointments: Vec<StreamId>,
    days: Vec<StreamId>,
}

async fn changed(tx: &mut TenantTx) -> Result<Changed, StoreError> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "select e.stream_id, e.stream_kind = 'appointment' as \"is_appointment!\"
           from ledger.events e
          where e.tenant_id = $1 and e.stream_kind in ('appointment', 'schedule')
            and e.position > (select l.position from ledger.events l
                               where l.tenant_id = $1 order by l.position desc limit 1) - $2
          group by e.stream_id, e.stream_kind
          order by max(e.position) desc
          limit $3",
        tenant_id.0,
        MAX_EVENTS,
        MAX_STREAMS,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut changed = Changed::default();
    for row in rows {
        let streams =
            if row.is_appointment { &mut changed.appointments } else { &mut changed.days };
        streams.push(StreamId(row.stream_id));
    }
    Ok(changed)
}

/// Adds the appointments of the streams; one without events is absent.
async fn load_appointments(
    tx: &mut TenantTx,
    streams: &[StreamId],
    appointments: &mut Appointments,
) -> Result<(), StoreError> {
    for streams in streams.chunks(READ_AT_ONCE) {
        for recorded in events_of(tx, streams).await? {
            if let Event::Appointment(event) = &recorded.event {
                let state = appointments.entry(AppointmentId(recorded.stream_id.0)).or_default();
                Appointment::evolve(state, event);
            }
        }
    }
    Ok(())
}

async fn load_schedule(tx: &mut TenantTx, streams: Vec<StreamId>) -> Result<Schedule, StoreError> {
    let mut schedule = Schedule::default();
    for streams in streams.chunks(READ_AT_ONCE) {
        for recorded in events_of(tx, streams).await? {
            if let Event::Schedule(event) = &recorded.event {
                schedule.evolve(event);
            }
        }
    }
    Ok(schedule)
}
