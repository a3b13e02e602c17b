//! `POST /v1/appointments`: books an appointment.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_app::bookings::{MAX_MINUTES, MAX_NOTES, NewBooking, NewContact};
use ledger_core::ids::{StreamId, SubjectId};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::{answer, commands};
use super::refused::not_executed;
use super::view::AppointmentView;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

/// The person that an appointment is for. A number or address of another name makes a contact of its own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactRequest {
    /// Name of the person.
    #[serde(deserialize_with = "fields::required_text")]
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Telephone number; a national one is read in the tenant's country.
    #[serde(default, deserialize_with = "fields::phone")]
    #[schema(min_length = 1, max_length = 200)]
    phone: Option<String>,
    /// E-mail address.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    email: Option<String>,
}

/// A new appointment, for a contact of the tenant or a person by name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BookRequest {
    /// The person; either this or `contact_id`.
    contact: Option<ContactRequest>,
    /// A contact of the tenant; the appointment is for its survivor if it was merged.
    #[serde(default, deserialize_with = "fields::id")]
    contact_id: Option<Uuid>,
    /// The contact who books, if another person.
    #[serde(default, deserialize_with = "fields::id")]
    booked_by_contact_id: Option<Uuid>,
    /// Id or name of a service of the settings; without one the appointment has the default length.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    service_type: Option<String>,
    /// Start, a whole minute.
    #[serde(deserialize_with = "fields::required_time")]
    starts_at: DateTime<Utc>,
    /// Length; that of the service by default.
    #[serde(default, deserialize_with = "duration_minutes")]
    #[schema(minimum = 1, maximum = 1440)]
    duration_minutes: Option<i64>,
    /// Id of a resource of the settings; any that is free by default.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    resource: Option<String>,
    /// The call in which it is booked.
    #[serde(default, deserialize_with = "fields::id")]
    call_id: Option<Uuid>,
    /// Notes; stored sealed.
    #[serde(default, deserialize_with = "notes")]
    #[schema(min_length = 1, max_length = 4000)]
    notes: Option<String>,
}

/// Deserializes a length in minutes.
pub(super) fn duration_minutes<'de, D: Deserializer<'de>>(
    field: D,
) -> Result<Option<i64>, D::Error> {
    fields::number(field, &(1..=MAX_MINUTES))
}

fn notes<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    fields::long_text(field, MAX_NOTES)
}

operation! {
    CreateAppointment {
        id: "create_appointment",
        action: "appointments.book",
        access: Write,
        audit: Changes,
    }
}

/// Books an appointment. Of several requests for the same time one is accepted.
///
/// # Errors
/// 409 `slot-taken`, without a word about what occupies the time; 422 for an unknown, missing or malformed
/// field, named in the answer; 503 `schedule-busy` if it could not be decided within two seconds.
#[utoipa::path(
    post, path = "/v1/appointments", tag = "appointments",
    request_body(content = BookRequest, content_type = "application/json"),
    responses(
        (status = 201, body = AppointmentView, headers(("ledger-position" = i64, description = "Where it is recorded"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "The key is of the installation"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The time is taken, or the daily limit is reached"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown, missing or not possible"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "schedule-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.appointments.book", skip_all)]
pub async fn handler(
    caller: Authorized<CreateAppointment>,
    State(app): State<App>,
    _: NoQuery,
    JsonBody(request): JsonBody<BookRequest>,
) -> Result<Response, ApiError> {
    let booked = commands(&app, &caller).book(request.into_booking()).await;
    let booked = booked.map_err(not_executed)?;
    tracing::info!(appointment_id = %booked.appointment_id, "appointment.booked");
    answer(&app, &caller, "appointments.book", (StatusCode::CREATED, booked)).await
}

impl BookRequest {
    fn into_booking(self) -> NewBooking {
        NewBooking {
            contact: self.contact.map(ContactRequest::into_contact),
            contact_id: self.contact_id.map(SubjectId),
            booked_by: self.booked_by_contact_id.map(SubjectId),
            service: self.service_type,
            starts_at: self.starts_at,
            minutes: self.duration_minutes.and_then(|minutes| u32::try_from(minutes).ok()),
            resource: self.resource,
            call_id: self.call_id.map(StreamId),
            notes: self.notes,
        }
    }
}

impl ContactRequest {
    fn into_contact(self) -> NewContact {
        let Self { name, phone, email } = self;
        NewContact { name, phone, email }
    }
}
