//! The state of an appointment and its transitions.
//!
//! | from \ to | confirmed | completed | cancelled | `no_show` | moved |
//! |---|---|---|---|---|---|
//! | pending | yes | after the start | yes | after the start | yes |
//! | confirmed | – | after the start | yes | after the start | yes |
//! | completed, cancelled, `no_show` | no | no | no | no | no |
//!
//! A change to the status that it has records nothing.

use chrono::{DateTime, Utc};

use super::names::ServiceId;
use super::refusal::Refusal;
use crate::event::{AppointmentEvent, AppointmentStatus, SlotFacts};
use crate::ids::SubjectId;

/// The current facts of an appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointment {
    /// Its status.
    pub status: AppointmentStatus,
    /// Its time and resource.
    pub slot: SlotFacts,
    /// Its service.
    pub service: Option<ServiceId>,
    /// The person that it is for.
    pub contact_id: SubjectId,
}

impl Appointment {
    /// Applies an event to the appointment, which the first event makes.
    pub fn evolve(state: &mut Option<Self>, event: &AppointmentEvent) {
        if let AppointmentEvent::Booked(booked) = event {
            *state = Some(Self {
                status: booked.status,
                slot: booked.slot.clone(),
                service: booked.service.clone(),
                contact_id: booked.contact_id,
            });
        }
        let Some(appointment) = state else { return };
        match event {
            AppointmentEvent::Booked(_) => {}
            AppointmentEvent::Confirmed(_) => appointment.status = AppointmentStatus::Confirmed,
            AppointmentEvent::Rescheduled(moved) => appointment.slot = moved.slot.clone(),
            AppointmentEvent::Cancelled(_) => appointment.status = AppointmentStatus::Cancelled,
            AppointmentEvent::Completed(_) => appointment.status = AppointmentStatus::Completed,
            AppointmentEvent::NoShow(_) => appointment.status = AppointmentStatus::NoShow,
        }
    }

    /// Whether the status is to change; false if the appointment has it already.
    ///
    /// # Errors
    /// [`Refusal::InvalidTransition`], [`Refusal::NotStarted`].
    pub fn changes_to(&self, to: AppointmentStatus, now: DateTime<Utc>) -> Result<bool, Refusal> {
        let from = self.status;
        if from == to {
            return Ok(false);
        }
        if !from.is_open() || to == AppointmentStatus::Pending {
            return Err(Refusal::InvalidTransition { from, to });
        }
        let is_outcome = matches!(to, AppointmentStatus::Completed | AppointmentStatus::NoShow);
        if is_outcome && now < self.slot.starts_at {
            return Err(Refusal::NotStarted);
        }
        Ok(true)
    }
}
