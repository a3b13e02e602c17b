//! JSON views of an appointment.

use chrono::{DateTime, Utc};
use projections::appointments::{HistoryEntry, ListedAppointment};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::calls::customer::Customer;
use crate::api::words::{AppointmentChangeName, AppointmentStatusName};

/// An appointment. Unknown fields are null; none are estimated.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AppointmentView {
    /// Id of the appointment.
    appointment_id: Uuid,
    /// The person that it is for.
    contact_id: Uuid,
    /// The person who booked, if another one.
    booked_by_contact_id: Option<Uuid>,
    /// The person that it is for, as far as the key may see it.
    customer: Customer,
    /// Id of the service; null for an appointment without one.
    service_type: Option<String>,
    /// Id of the resource that it occupies.
    resource: String,
    /// Start of the appointment.
    scheduled_at: DateTime<Utc>,
    /// End of the appointment; not part of it.
    ends_at: DateTime<Utc>,
    /// Length in minutes.
    duration_minutes: i64,
    /// Current status.
    #[schema(value_type = AppointmentStatusName)]
    status: &'static str,
    /// The call in which it was booked.
    call_id: Option<Uuid>,
    /// The platform's id of that call.
    provider_call_id: Option<String>,
    /// Price at the booking, in hundredths of the currency.
    price_cents: Option<i64>,
    /// ISO 4217 code of the price.
    currency: Option<String>,
    /// Version of the tenant's settings that its times were computed from.
    settings_version: i64,
    /// Changes of the appointment, the booking first.
    history: Vec<HistoryView>,
    /// Log position of its last change.
    position: i64,
}

/// A change of an appointment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HistoryView {
    /// The change.
    #[schema(value_type = AppointmentChangeName)]
    change: String,
    /// Status after the change.
    #[schema(value_type = AppointmentStatusName)]
    status: &'static str,
    /// Time of the change.
    at: DateTime<Utc>,
    /// What made the change: `key:<id>`, `operator` or `source:<id>`.
    actor: Option<String>,
    /// Start of the appointment after the change.
    scheduled_at: DateTime<Utc>,
    /// The call in which the change was made.
    call_id: Option<Uuid>,
}

/// An appointment with what was said about it. Without scope `personal` the texts are null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AppointmentDetail {
    /// Fields of the list view.
    #[serde(flatten)]
    pub(super) appointment: AppointmentView,
    /// Notes of the booking.
    pub(super) notes: Option<String>,
    /// Reason of the visit.
    pub(super) reason: Option<String>,
}

impl AppointmentView {
    pub(super) fn of(listed: ListedAppointment, customer: Customer) -> Self {
        let ListedAppointment { appointment, provider_call_id } = listed;
        let duration_minutes = appointment.minutes();
        Self {
            appointment_id: appointment.appointment_id,
            contact_id: appointment.contact_id,
            booked_by_contact_id: appointment.booked_by_contact_id,
            customer,
            service_type: appointment.service,
            resource: appointment.resource,
            scheduled_at: appointment.scheduled_at,
            ends_at: appointment.ends_at,
            duration_minutes,
            status: appointment.status.as_str(),
            call_id: appointment.call_id,
            provider_call_id,
            price_cents: appointment.price_cents,
            currency: appointment.currency,
            settings_version: appointment.settings_version,
            history: appointment.history.into_iter().map(HistoryView::of).collect(),
            position: appointment.position,
        }
    }
}

impl HistoryView {
    fn of(entry: HistoryEntry) -> Self {
        Self {
            change: entry.change,
            status: entry.status.as_str(),
            at: entry.at,
            actor: entry.actor,
            scheduled_at: entry.scheduled_at,
            call_id: entry.call_id,
        }
    }
}
