//! The comparison of appointments with the schedules of resources, which both are in the log.
//!
//! An append writes both, so they never differ in a sound log. An appointment occupies its resource on
//! each UTC day that its blocked interval touches, in every status but `cancelled`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;

use super::appointment::Appointment;
use super::interval::Interval;
use super::names::ResourceId;
use super::schedule::Schedule;
use crate::event::AppointmentStatus;
use crate::ids::AppointmentId;

/// Appointments by id; `None` for one without events.
pub type Appointments = BTreeMap<AppointmentId, Option<Appointment>>;

/// How an appointment and the schedule of a day differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disagreement {
    /// The appointment occupies the day, and the schedule has no entry of it.
    NoEntry,
    /// The schedule has an entry of an appointment that does not exist, is cancelled or is elsewhere.
    NoAppointment,
    /// Both have other times.
    OtherTimes,
}

/// A difference, on one UTC day of a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The resource.
    pub resource: ResourceId,
    /// The UTC day.
    pub day: NaiveDate,
    /// The kind of the difference.
    pub what: Disagreement,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { appointment_id, resource, day, what } = self;
        let what = match what {
            Disagreement::NoEntry => "has no entry in",
            Disagreement::NoAppointment => "is not the appointment of its entry in",
            Disagreement::OtherTimes => "has other times than",
        };
        write!(
            f,
            "appointment {appointment_id} {what} the schedule of {} on {day}",
            resource.as_str()
        )
    }
}

/// Returns the resource and the UTC days that an appointment occupies; none if it is cancelled.
pub fn occupied(appointment: &Appointment) -> impl Iterator<Item = (&ResourceId, NaiveDate)> {
    let slot = &appointment.slot;
    let blocked = Interval::new(slot.blocked_from, slot.blocked_until)
        .filter(|_| appointment.status != AppointmentStatus::Cancelled);
    let days = blocked.into_iter().flat_map(Interval::utc_days);
    days.map(move |day| (&slot.resource, day))
}

/// Returns the differences, sorted. All days of the appointments in `complete` are loaded in the
/// schedule; of the others, only the entries are compared.
#[must_use]
pub fn differences(
    appointments: &Appointments,
    complete: &BTreeSet<AppointmentId>,
    schedule: &Schedule,
) -> Vec<Difference> {
    let mut found = BTreeSet::new();
    let mut entries = BTreeSet::new();
    for (resource, day, appointment_id, blocked) in schedule.appointments() {
        entries.insert((appointment_id, resource, day));
        let appointment = appointments.get(&appointment_id).and_then(Option::as_ref);
        let is_there = |known: &&Appointment| occupied(known).any(|one| one == (resource, day));
        let what = match appointment.filter(is_there) {
            None => Disagreement::NoAppointment,
            Some(known) => {
                let slot = &known.slot;
                if Interval::new(slot.blocked_from, slot.blocked_until) == Some(blocked) {
                    continue;
                }
                Disagreement::OtherTimes
            }
        };
        found.insert(Difference { appointment_id, resource: resource.clone(), day, what });
    }
    for appointment_id in complete {
        let appointment = appointments.get(appointment_id).and_then(Option::as_ref);
        for (resource, day) in appointment.into_iter().flat_map(occupied) {
            if !entries.contains(&(*appointment_id, resource, day)) {
                let (appointment_id, resource) = (*appointment_id, resource.clone());
                let what = Disagreement::NoEntry;
                found.insert(Difference { appointment_id, resource, day, what });
            }
        }
    }
    found.into_iter().collect()
}
