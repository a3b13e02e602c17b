//! The row of an appointment, and its fold.

use chrono::{DateTime, Utc};
use ledger_core::event::{AppointmentEvent, AppointmentStatus, Event, SlotFacts};
use ledger_core::ids::Position;
use ledger_store::seal::pack;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::calls::parties;
use crate::projector::{LogEvent, ProjectError};

/// A change of an appointment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The change: `booked`, `confirmed`, `rescheduled`, `cancelled`, `completed` or `no_show`.
    pub change: String,
    /// Status after the change.
    pub status: AppointmentStatus,
    /// Time of the change.
    pub at: DateTime<Utc>,
    /// Start of the appointment after the change.
    pub scheduled_at: DateTime<Utc>,
    /// What made the change: an actor, or `source:<id>` for a webhook source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The call in which the change was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<Uuid>,
    /// Position of its event.
    pub position: i64,
}

/// An appointment, as its events tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointment {
    /// Id of the appointment, and of its stream.
    pub appointment_id: Uuid,
    /// The person that it is for.
    pub contact_id: Uuid,
    /// The person who booked, if another one.
    pub booked_by_contact_id: Option<Uuid>,
    /// Id of the service.
    pub service: Option<String>,
    /// Id of the resource.
    pub resource: String,
    /// Start of the appointment.
    pub scheduled_at: DateTime<Utc>,
    /// End of the appointment.
    pub ends_at: DateTime<Utc>,
    /// Current status.
    pub status: AppointmentStatus,
    /// The call in which it was booked.
    pub call_id: Option<Uuid>,
    /// Price at the booking, in hundredths of the currency.
    pub price_cents: Option<i64>,
    /// ISO 4217 code of the price.
    pub currency: Option<String>,
    /// Version of the settings that the times were computed from.
    pub settings_version: i64,
    /// The changes in the order of the log; the first is the booking.
    pub history: Vec<HistoryEntry>,
    /// Sealed `party` section, packed.
    pub party: Option<Vec<u8>>,
    /// Position of the event of the booking.
    pub booked_position: i64,
    /// Position of the last event.
    pub position: i64,
    /// Time of the booking.
    pub created_at: DateTime<Utc>,
    /// Log time of the last event.
    pub updated_at: DateTime<Utc>,
}

impl Appointment {
    /// Length in minutes.
    #[must_use]
    pub fn minutes(&self) -> i64 {
        (self.ends_at - self.scheduled_at).num_minutes()
    }

    /// Applies an event. Events before the booking, which is left out then, make no row.
    ///
    /// # Errors
    /// [`ProjectError::Poison`] if event or metadata cannot be decoded.
    pub(super) fn evolve(row: &mut Option<Self>, event: &LogEvent) -> Result<(), ProjectError> {
        let recorded = event.recorded()?;
        let Event::Appointment(change) = &recorded.event else { return Ok(()) };
        if let AppointmentEvent::Booked(_) = change {
            *row = Self::booked(event, change);
        }
        let Some(row) = row else { return Ok(()) };
        let (word, call_id) = match change {
            AppointmentEvent::Booked(booked) => ("booked", booked.call_id),
            AppointmentEvent::Confirmed(changed) => {
                row.status = AppointmentStatus::Confirmed;
                ("confirmed", changed.call_id)
            }
            AppointmentEvent::Rescheduled(moved) => {
                row.move_to(&moved.slot);
                row.settings_version = moved.settings_version;
                ("rescheduled", moved.call_id)
            }
            AppointmentEvent::Cancelled(changed) => {
                row.status = AppointmentStatus::Cancelled;
                ("cancelled", changed.call_id)
            }
            AppointmentEvent::Completed(changed) => {
                row.status = AppointmentStatus::Completed;
                ("completed", changed.call_id)
            }
            AppointmentEvent::NoShow(changed) => {
                row.status = AppointmentStatus::NoShow;
                ("no_show", changed.call_id)
            }
        };
        let Position(position) = recorded.position;
        row.history.push(HistoryEntry {
            change: word.to_owned(),
            status: row.status,
            at: recorded.occurred_at,
            scheduled_at: row.scheduled_at,
            actor: actor(event)?,
            call_id: call_id.map(|call| call.0),
            position,
        });
        row.position = position;
        row.updated_at = row.updated_at.max(event.updated_at);
        Ok(())
    }

    /// The row of a booking, without its history.
    fn booked(event: &LogEvent, change: &AppointmentEvent) -> Option<Self> {
        let AppointmentEvent::Booked(booked) = change else { return None };
        let sections = parties(event.stored.sections.as_deref());
        let sections: Vec<Vec<u8>> = sections.map(|(_, section)| section).collect();
        Some(Self {
            appointment_id: event.stream(),
            contact_id: booked.contact_id.0,
            booked_by_contact_id: booked.booked_by_contact_id.map(|contact| contact.0),
            service: booked.service.as_ref().map(|service| service.as_str().to_owned()),
            resource: booked.slot.resource.as_str().to_owned(),
            scheduled_at: booked.slot.starts_at,
            ends_at: booked.slot.ends_at,
            status: booked.status,
            call_id: booked.call_id.map(|call| call.0),
            price_cents: booked.price_cents,
            currency: booked.currency.clone(),
            settings_version: booked.settings_version,
            history: Vec::new(),
            party: pack(&sections),
            booked_position: event.position().0,
            position: event.position().0,
            created_at: event.stored.occurred_at,
            updated_at: event.updated_at,
        })
    }

    fn move_to(&mut self, slot: &SlotFacts) {
        slot.resource.as_str().clone_into(&mut self.resource);
        self.scheduled_at = slot.starts_at;
        self.ends_at = slot.ends_at;
    }
}

/// The actor of an event. A delivery of a source has none of its own.
fn actor(event: &LogEvent) -> Result<Option<String>, ProjectError> {
    let meta = event.meta()?;
    Ok(meta.actor.or_else(|| meta.source_id.map(|source| format!("source:{source}"))))
}
