//! The appointments of a person, from the log.
//!
//! The schedule has the digest of each live wish, which is derived from the random id of the contact,
//! the start and the service. So the days of all resources tell which entries may be the person's,
//! and the streams of those appointments confirm it. No index by person is needed, and nothing of a
//! read model is trusted.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use ledger_core::aggregate::{Aggregate, Stream};
use ledger_core::booking::appointment::Appointment;
use ledger_core::booking::command::wish;
use ledger_core::booking::schedule::{self, Occupant};
use ledger_core::booking::{BookingEvent, BookingSettings, BookingState, Bookings, local};
use ledger_core::envelope::StreamKind;
use ledger_core::ids::{AppointmentId, StreamId, SubjectId, TenantId};
use ledger_core::tools::When;

use super::{Asked, ToolError};
use crate::Store;
use crate::execute::load_streams;
use crate::tenant_tx::TenantTx;

/// Days that are searched if the day was not told.
const SEARCHED_DAYS: usize = 120;
/// Maximum number of streams of one search.
const MAX_STREAMS: usize = 600;

/// An appointment of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) appointment_id: AppointmentId,
    pub(super) appointment: Appointment,
}

impl Store {
    /// The open appointments of a person, and of contacts that were merged into it, that are still to come, in the order of their starts.
    pub(super) async fn appointments_of(
        &self,
        asked: &Asked<'_>,
        contact_id: SubjectId,
        when: When,
    ) -> Result<Vec<Found>, ToolError> {
        let tenant_id = asked.delivery.origin.tenant_id;
        let settings = &asked.settings;
        let resources = settings.resources.as_slice();
        let days = days(settings, when, asked.now);
        let days = days.into_iter().take((MAX_STREAMS / resources.len().max(1)).max(1));
        let streams: Vec<Stream> = days
            .flat_map(|day| {
                resources.iter().map(move |one| schedule::stream(tenant_id, &one.id, day))
            })
            .collect();
        let persons = self.vault.members_of(tenant_id, contact_id).await?;
        let mut tx = TenantTx::begin(&self.commands, tenant_id).await?;
        let state = fold(&load_streams::<BookingEvent>(&mut tx, &streams).await?);
        let mut found = BTreeMap::new();
        for id in candidates(settings, &state, &persons, asked.now) {
            if let Some(appointment) = load(&mut tx, id).await?
                && persons.contains(&appointment.contact_id)
                && appointment.status.is_open()
                && is_at(&appointment, when, settings)
            {
                found.insert((appointment.slot.starts_at, id), appointment);
            }
        }
        let found = found.into_iter();
        Ok(found
            .map(|((_, appointment_id), appointment)| Found { appointment_id, appointment })
            .collect())
    }

    /// An appointment by its id.
    pub(super) async fn appointment(
        &self,
        tenant_id: TenantId,
        id: AppointmentId,
    ) -> Result<Option<Appointment>, ToolError> {
        let mut tx = TenantTx::begin(&self.commands, tenant_id).await?;
        load(&mut tx, id).await
    }
}

async fn load(tx: &mut TenantTx, id: AppointmentId) -> Result<Option<Appointment>, ToolError> {
    let stream = Stream::new(StreamId(id.0), StreamKind::Appointment);
    Ok(fold(&load_streams::<BookingEvent>(tx, &[stream]).await?).appointment)
}

fn fold(events: &[BookingEvent]) -> BookingState {
    let mut state = BookingState::default();
    for event in events {
        Bookings::evolve(&mut state, event);
    }
    state
}

/// The UTC days to search.
fn days(settings: &BookingSettings, when: When, now: DateTime<Utc>) -> Vec<NaiveDate> {
    match when {
        When::At(at) => vec![at.date_naive()],
        When::Day(date) => {
            local::day(settings.zone, date).map_or_else(Vec::new, |day| day.utc_days().collect())
        }
        When::Any => now.date_naive().iter_days().take(SEARCHED_DAYS).collect(),
    }
}

/// Appointments whose wish is one of the person's contacts.
fn candidates(
    settings: &BookingSettings,
    state: &BookingState,
    persons: &[SubjectId],
    now: DateTime<Utc>,
) -> Vec<AppointmentId> {
    let services = || settings.services.as_slice().iter().map(|service| Some(&service.id));
    let mut found = Vec::new();
    for resource in settings.resources.as_slice() {
        for entry in state.schedule.live(&resource.id, now).into_values() {
            let (Occupant::Appointment { appointment_id, wish: known }, Some(slot)) =
                (&entry.occupant, &entry.slot)
            else {
                continue;
            };
            let is_wish = |service| {
                persons.iter().any(|contact_id| {
                    let person = (*contact_id, known.is_known);
                    wish(person, None, slot.starts_at, service).contact == known.contact
                })
            };
            if slot.ends_at > now && services().chain([None]).any(is_wish) {
                found.push(*appointment_id);
            }
        }
    }
    found
}

fn is_at(appointment: &Appointment, when: When, settings: &BookingSettings) -> bool {
    let starts_at = appointment.slot.starts_at;
    match when {
        When::Any => true,
        When::At(at) => starts_at == at,
        When::Day(date) => local::date(settings.zone, starts_at) == date,
    }
}
