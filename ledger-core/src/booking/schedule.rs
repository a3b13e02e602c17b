//! Occupied times of resources, folded from schedule events.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::interval::Interval;
use super::names::ResourceId;
use crate::aggregate::Stream;
use crate::envelope::StreamKind;
use crate::event::{ScheduleEvent, SlotFacts, WishFacts};
use crate::ids::{AppointmentId, ClosureId, HoldId, StreamId, TenantId};

/// Returns the stream of a resource on a UTC day.
#[must_use]
pub fn stream(tenant_id: TenantId, resource: &ResourceId, day: NaiveDate) -> Stream {
    let day = day.to_string();
    let name = tenant_id.derive(&[b"schedule", resource.as_str().as_bytes(), day.as_bytes()]);
    Stream::new(StreamId(name), StreamKind::Schedule)
}

/// What occupies a time of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Occupant {
    /// An appointment.
    Appointment {
        /// The appointment.
        appointment_id: AppointmentId,
        /// What was wished.
        wish: WishFacts,
    },
    /// A hold, until a time.
    Hold {
        /// The hold.
        hold_id: HoldId,
        /// End of the hold.
        until: DateTime<Utc>,
    },
    /// A closure, which leaves no capacity.
    Closure(ClosureId),
}

/// A time that is occupied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What occupies it.
    pub occupant: Occupant,
    /// The time, with the buffers of an appointment.
    pub blocked: Interval,
    /// The slot; `None` for a closure.
    pub slot: Option<SlotFacts>,
}

impl Entry {
    /// Whether the entry still occupies its time. A hold does not from its end on.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        match self.occupant {
            Occupant::Hold { until, .. } => now < until,
            Occupant::Appointment { .. } | Occupant::Closure(_) => true,
        }
    }
}

/// The entries of one UTC day by the id of what occupies them.
type Day = BTreeMap<Uuid, Entry>;

/// The loaded days of resources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    resources: BTreeMap<ResourceId, BTreeMap<NaiveDate, Day>>,
}

impl Schedule {
    /// Applies an event.
    pub fn evolve(&mut self, event: &ScheduleEvent) {
        match event {
            ScheduleEvent::SlotTaken(taken) => {
                let appointment_id = taken.appointment_id;
                let occupant = Occupant::Appointment { appointment_id, wish: taken.wish };
                self.occupy(taken.day, appointment_id.0, occupant, &taken.slot);
            }
            ScheduleEvent::SlotFreed(freed) => {
                self.day(&freed.resource, freed.day).remove(&freed.appointment_id.0);
            }
            ScheduleEvent::Closed(closed) => {
                let Some(blocked) = Interval::new(closed.closed_from, closed.closed_until) else {
                    return;
                };
                let occupant = Occupant::Closure(closed.closure_id);
                let entry = Entry { occupant, blocked, slot: None };
                self.day(&closed.resource, closed.day).insert(closed.closure_id.0, entry);
            }
            ScheduleEvent::Opened(opened) => {
                self.day(&opened.resource, opened.day).remove(&opened.closure_id.0);
            }
            ScheduleEvent::SlotHeld(held) => {
                let occupant = Occupant::Hold { hold_id: held.hold_id, until: held.until };
                self.occupy(held.day, held.hold_id.0, occupant, &held.slot);
            }
            ScheduleEvent::HoldConfirmed(confirmed) => {
                let day = self.day(&confirmed.resource, confirmed.day);
                let Some(held) = day.remove(&confirmed.hold_id.0) else { return };
                let (appointment_id, wish) = (confirmed.appointment_id, confirmed.wish);
                let occupant = Occupant::Appointment { appointment_id, wish };
                day.insert(appointment_id.0, Entry { occupant, ..held });
            }
            ScheduleEvent::HoldReleased(released) => {
                self.day(&released.resource, released.day).remove(&released.hold_id.0);
            }
        }
    }

    fn day(&mut self, resource: &ResourceId, day: NaiveDate) -> &mut Day {
        self.resources.entry(resource.clone()).or_default().entry(day).or_default()
    }

    fn occupy(&mut self, day: NaiveDate, id: Uuid, occupant: Occupant, slot: &SlotFacts) {
        let Some(blocked) = Interval::new(slot.blocked_from, slot.blocked_until) else { return };
        let entry = Entry { occupant, blocked, slot: Some(slot.clone()) };
        self.day(&slot.resource, day).insert(id, entry);
    }

    /// The live entries of a resource on all loaded days. An entry of several days is listed once.
    #[must_use]
    pub fn live(&self, resource: &ResourceId, now: DateTime<Utc>) -> BTreeMap<Uuid, &Entry> {
        let days = self.resources.get(resource).into_iter().flat_map(BTreeMap::values);
        days.flatten()
            .filter(|(_, entry)| entry.is_live(now))
            .map(|(id, entry)| (*id, entry))
            .collect()
    }

    /// The entries of appointments with their blocked intervals, once for each UTC day.
    pub fn appointments(
        &self,
    ) -> impl Iterator<Item = (&ResourceId, NaiveDate, AppointmentId, Interval)> {
        let days = self.resources.iter().flat_map(|(resource, days)| {
            days.iter().map(move |(day, entries)| (resource, *day, entries))
        });
        days.flat_map(|(resource, day, entries)| {
            entries.values().filter_map(move |entry| match entry.occupant {
                Occupant::Appointment { appointment_id, .. } => {
                    Some((resource, day, appointment_id, entry.blocked))
                }
                Occupant::Hold { .. } | Occupant::Closure(_) => None,
            })
        })
    }

    /// Returns an entry of a resource, live or not.
    #[must_use]
    pub fn find(&self, resource: &ResourceId, id: Uuid) -> Option<&Entry> {
        self.resources.get(resource)?.values().find_map(|day| day.get(&id))
    }
}
