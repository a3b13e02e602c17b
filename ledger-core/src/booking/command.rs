//! Commands on bookings, and the events of both kinds of streams that they are decided into.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::interval::Interval;
use super::names::{ResourceId, ServiceId};
use super::settings::BookingSettings;
use super::slot::Kind;
use crate::event::{AppointmentEvent, Event, PartyFacts, ScheduleEvent, WishFacts};
use crate::ids::{AppointmentId, ClosureId, HoldId, StreamId, SubjectId};
use crate::section::Sections;

/// A booking command, with the settings and the time that its decision depends on.
#[derive(Debug, Clone)]
pub struct BookingCommand {
    /// The tenant's settings.
    pub settings: Arc<BookingSettings>,
    /// The time of the command. Notice, holds and the past are judged by it.
    pub now: DateTime<Utc>,
    /// The requested action.
    pub action: Action,
}

/// The action that a command requests.
#[derive(Debug, Clone)]
pub enum Action {
    /// Make an appointment.
    Book(Book),
    /// Move an appointment.
    Reschedule(Reschedule),
    /// Confirm a pending appointment.
    Confirm(Change),
    /// Cancel an appointment.
    Cancel(Change),
    /// Record that an appointment took place.
    Complete(Change),
    /// Record that the person did not come.
    NoShow(Change),
    /// Hold a slot for a short time.
    Hold(Hold),
    /// Give up a hold.
    ReleaseHold {
        /// The hold.
        hold_id: HoldId,
        /// Its resource.
        resource: ResourceId,
        /// Start of its slot.
        starts_at: DateTime<Utc>,
    },
    /// Close a resource for a period. Appointments in it stay.
    Close {
        /// Id of the new closure.
        closure_id: ClosureId,
        /// The resource.
        resource: ResourceId,
        /// The period.
        period: Interval,
    },
    /// Remove a closure.
    Open {
        /// The closure.
        closure_id: ClosureId,
        /// Its resource.
        resource: ResourceId,
        /// Start of its period.
        closed_from: DateTime<Utc>,
    },
}

/// A new appointment.
#[derive(Debug, Clone)]
pub struct Book {
    /// Its id.
    pub appointment_id: AppointmentId,
    /// Its start.
    pub starts_at: DateTime<Utc>,
    /// Service, resource and length.
    pub kind: Kind,
    /// Hold that the booking converts; it must have the same start.
    pub hold: Option<HoldId>,
    /// The person that it is for, as resolved by the vault.
    pub contact_id: SubjectId,
    /// Whether the contact is a known person; false for a call's own subject.
    pub is_known_person: bool,
    /// The person who booked, if another one.
    pub booked_by_contact_id: Option<SubjectId>,
    /// The call in which it is booked.
    pub call_id: Option<StreamId>,
    /// Kinds of values in the section `party`.
    pub party: Option<PartyFacts>,
    /// The personal data of the appointment, for the sections of its event.
    pub sections: Sections,
}

/// A move of an appointment.
#[derive(Debug, Clone)]
pub struct Reschedule {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// Expected current start; the command is rejected if the appointment has another one.
    pub from: Option<DateTime<Utc>>,
    /// The new start.
    pub starts_at: DateTime<Utc>,
    /// The new length; `None` keeps it.
    pub minutes: Option<u32>,
    /// The new resource; `None` keeps it.
    pub resource: Option<ResourceId>,
    /// The call in which it is moved.
    pub call_id: Option<StreamId>,
}

/// A change of an appointment's status.
#[derive(Debug, Clone)]
pub struct Change {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The call in which it is changed.
    pub call_id: Option<StreamId>,
    /// The reason in the person's words, for the sections of the event.
    pub sections: Sections,
}

/// A hold of a slot.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Its id.
    pub hold_id: HoldId,
    /// Start of the slot.
    pub starts_at: DateTime<Utc>,
    /// Service, resource and length.
    pub kind: Kind,
    /// End of the hold, at most an hour ahead.
    pub until: DateTime<Utc>,
}

/// Derives the digests of a wish. The random id of the person or call is the namespace.
#[must_use]
pub fn wish(
    (contact_id, is_known): (SubjectId, bool),
    call_id: Option<StreamId>,
    starts_at: DateTime<Utc>,
    service: Option<&ServiceId>,
) -> WishFacts {
    let mut name = starts_at.timestamp().to_be_bytes().to_vec();
    name.extend_from_slice(service.map_or("", ServiceId::as_str).as_bytes());
    let digest = |namespace: Uuid| Uuid::new_v5(&namespace, &name);
    let call = call_id.map(|call_id| digest(call_id.0));
    WishFacts { contact: digest(contact_id.0), call, is_known }
}

/// An event of an appointment or of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookingEvent {
    /// Of an appointment.
    Appointment(AppointmentEvent),
    /// Of a schedule.
    Schedule(ScheduleEvent),
}

impl From<AppointmentEvent> for BookingEvent {
    fn from(event: AppointmentEvent) -> Self {
        Self::Appointment(event)
    }
}

impl From<ScheduleEvent> for BookingEvent {
    fn from(event: ScheduleEvent) -> Self {
        Self::Schedule(event)
    }
}

impl From<BookingEvent> for Event {
    fn from(event: BookingEvent) -> Self {
        match event {
            BookingEvent::Appointment(event) => Self::Appointment(event),
            BookingEvent::Schedule(event) => Self::Schedule(event),
        }
    }
}

impl TryFrom<Event> for BookingEvent {
    /// The event of another kind of stream.
    type Error = Event;

    fn try_from(event: Event) -> Result<Self, Event> {
        match event {
            Event::Appointment(event) => Ok(Self::Appointment(event)),
            Event::Schedule(event) => Ok(Self::Schedule(event)),
            other => Err(other),
        }
    }
}
