//! Appointment events. The person and all texts are in sealed sections.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::PartyFacts;
use crate::booking::settings::reminders::Offsets;
use crate::booking::{ResourceId, ServiceId};
use crate::ids::{StreamId, SubjectId};

events! {
    /// A change of an appointment.
    AppointmentEvent {
        /// An appointment was made.
        Booked(AppointmentBooked) = "appointment.booked" v 1;
        /// A pending appointment was confirmed.
        Confirmed(AppointmentChanged) = "appointment.confirmed" v 1;
        /// The appointment was moved to another time or resource.
        Rescheduled(AppointmentRescheduled) = "appointment.rescheduled" v 1;
        /// The appointment was cancelled; its time is free.
        Cancelled(AppointmentChanged) = "appointment.cancelled" v 1;
        /// The appointment took place.
        Completed(AppointmentChanged) = "appointment.completed" v 1;
        /// The person did not come.
        NoShow(AppointmentChanged) = "appointment.no_show" v 1;
    }
}

/// Status of an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppointmentStatus {
    /// Waits for a confirmation; its time is taken.
    Pending,
    /// Agreed.
    Confirmed,
    /// It took place.
    Completed,
    /// It does not take place; its time is free.
    Cancelled,
    /// The person did not come.
    NoShow,
}

impl AppointmentStatus {
    /// All statuses.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Confirmed, Self::Completed, Self::Cancelled, Self::NoShow];

    /// Returns the stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }

    /// Returns true if the appointment is still to take place.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Confirmed)
    }
}

/// The time of an appointment or a hold on a resource. Intervals include their start and exclude
/// their end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotFacts {
    /// The resource.
    pub resource: ResourceId,
    /// Start of the appointment.
    pub starts_at: DateTime<Utc>,
    /// End of the appointment.
    pub ends_at: DateTime<Utc>,
    /// Start of the time that the appointment blocks, with the buffer before it.
    pub blocked_from: DateTime<Utc>,
    /// End of the time that the appointment blocks, with the buffer after it.
    pub blocked_until: DateTime<Utc>,
}

/// Facts of `appointment.booked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppointmentBooked {
    /// The time and the resource, as computed from the settings at the booking.
    #[serde(flatten)]
    pub slot: SlotFacts,
    /// The service; absent for an appointment without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// Price at the booking, in hundredths of the currency; absent if the service has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_cents: Option<i64>,
    /// ISO 4217 code of the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Status after the booking: `pending` or `confirmed`.
    pub status: AppointmentStatus,
    /// The person that the appointment is for.
    pub contact_id: SubjectId,
    /// The person who booked, if another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booked_by_contact_id: Option<SubjectId>,
    /// The call in which the booking was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<StreamId>,
    /// Kinds of values in the event's `party` section; absent without a section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<PartyFacts>,
    /// Version of the tenant's settings that the times and the price were computed from.
    pub settings_version: i64,
    /// Reminders of the appointment, as set at the booking; absent for the default.
    #[serde(default, skip_serializing_if = "Offsets::is_default")]
    pub reminders: Offsets,
}

/// Facts of `appointment.rescheduled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppointmentRescheduled {
    /// Start before the change.
    pub from: DateTime<Utc>,
    /// The new time and resource.
    #[serde(flatten)]
    pub slot: SlotFacts,
    /// The call in which it was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<StreamId>,
    /// Version of the tenant's settings that the new times were computed from.
    pub settings_version: i64,
    /// Reminders of the new time, as set at the change; absent for the default.
    #[serde(default, skip_serializing_if = "Offsets::is_default")]
    pub reminders: Offsets,
}

/// Facts of an event that changes only the status. The actor is in the metadata of the event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AppointmentChanged {
    /// The call in which it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<StreamId>,
}
