//! The fold of an appointment into its reminders.

use chrono::{DateTime, Utc};
use ledger_core::booking::settings::reminders::Offsets;
use ledger_core::envelope::Recorded;
use ledger_core::event::AppointmentEvent;
use uuid::Uuid;

/// An appointment that is pending or confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenAppointment {
    pub(super) contact_id: Uuid,
    pub(super) call_id: Option<Uuid>,
    pub(super) starts_at: DateTime<Utc>,
}

/// An appointment in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reminded {
    pub(super) appointment: OpenAppointment,
    /// Offset in minutes and due time of each reminder; `None` if the stored ones stay.
    pub(super) reminders: Option<Vec<(u32, DateTime<Utc>)>>,
}

impl Reminded {
    /// A stored appointment without events so far.
    pub(super) fn stored(appointment: OpenAppointment) -> Self {
        Self { appointment, reminders: None }
    }

    /// Applies an event. Events before the booking, which is left out then, make no row.
    pub(super) fn evolve(row: &mut Option<Self>, recorded: &Recorded, event: &AppointmentEvent) {
        match event {
            AppointmentEvent::Booked(booked) => {
                let appointment = OpenAppointment {
                    contact_id: booked.contact_id.0,
                    call_id: booked.call_id.map(|call| call.0),
                    starts_at: booked.slot.starts_at,
                };
                let mut open = Self::stored(appointment);
                open.remind(&booked.reminders, recorded);
                // An appointment may be told when it is over.
                *row = booked.status.is_open().then_some(open);
            }
            AppointmentEvent::Rescheduled(moved) => {
                let Some(open) = row else { return };
                open.appointment.starts_at = moved.slot.starts_at;
                open.remind(&moved.reminders, recorded);
            }
            AppointmentEvent::Confirmed(_) => {}
            AppointmentEvent::Cancelled(_)
            | AppointmentEvent::Completed(_)
            | AppointmentEvent::NoShow(_) => *row = None,
        }
    }

    fn remind(&mut self, offsets: &Offsets, recorded: &Recorded) {
        let due = offsets.due(self.appointment.starts_at, recorded.occurred_at);
        self.reminders = Some(due.collect());
    }
}
