//! `POST /v1/appointments`: books an appointment.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::booking::availability::Query;
use ledger_core::booking::slot::Kind;
use ledger_core::booking::{Action, Book, BookingEvent, BookingSettings};
use ledger_core::envelope::StreamKind;
use ledger_core::ids::{AppointmentId, StreamId, SubjectId};
use ledger_core::personal::AppointmentDetails;
use ledger_core::section::Sections;
use ledger_store::bookings::AvailabilityError;
use ledger_store::execute::{ExecuteError, Executed};
use ledger_store::{TenantTx, read};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::{answer, decide, execute};
use super::kind::{resource_id, service_id};
use super::person::{ContactRequest, PersonRequest, contact, facts};
use super::refused::not_executed;
use super::view::AppointmentView;
use crate::api::tenant;
use crate::app::App;
use crate::auth::Caller;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

/// Longest notes, in characters.
const MAX_NOTES: usize = 4_000;
/// Longest appointment, in minutes.
pub(super) const MAX_MINUTES: i64 = 24 * 60;

/// A new appointment, for a contact of the tenant or a person by name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BookRequest {
    /// The person; either this or `contact_id`.
    contact: Option<ContactRequest>,
    /// A contact of the tenant.
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

/// A request, read and not yet checked against the settings and the log.
struct Wanted {
    person: PersonRequest,
    booked_by: Option<SubjectId>,
    starts_at: DateTime<Utc>,
    kind: Kind,
    call_id: Option<StreamId>,
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
    // Commands have a queue of their own.
    caller.read_permit.release();
    let tenant_id = caller.tenant_id();
    let settings = app.store.booking_settings(tenant_id).await?;
    let settings = settings.ok_or_else(tenant::not_found)?;
    let country = app.store.country(tenant_id).await?;
    let wanted = Wanted::of(request, &settings, country.as_deref())?;
    if !app.store.accepts_events(tenant_id).await? {
        return Err(ApiError::tenant_not_active());
    }
    check_call(&app, &caller, wanted.call_id).await?;
    if let Some(booked_by) = wanted.booked_by {
        contact(&app, &caller, "booked_by_contact_id", booked_by).await?;
    }
    let appointment_id = new_id(&app, &caller);
    let executed = book(&app, &caller, settings, appointment_id, wanted).await?;
    tracing::info!(%appointment_id, "appointment.booked");
    let created = (StatusCode::CREATED, executed.position);
    answer(&app, &caller, "appointments.book", appointment_id, created).await
}

/// The id of the new appointment: the same one if the same command runs again.
fn new_id(app: &App, caller: &Caller) -> AppointmentId {
    let derive = |command: &crate::idempotency::RunningCommand| {
        caller.tenant_id().derive(&[b"appointment".as_slice(), command.id().0.as_bytes()])
    };
    AppointmentId(caller.command.as_ref().map_or_else(|| app.store.ids().random(), derive))
}

/// Resolves the person, and decides and records the booking.
///
/// A time that is not free makes no contact: the booking is decided without a subject. It can then only be
/// refused, or be found recorded by an earlier run of the same command; accepted, it is misplaced, because
/// its sections have no key.
async fn book(
    app: &App,
    caller: &Caller,
    settings: Arc<BookingSettings>,
    appointment_id: AppointmentId,
    wanted: Wanted,
) -> Result<Executed<BookingEvent>, ApiError> {
    if let PersonRequest::Party(party) = &wanted.person
        && !is_free(app, caller, &settings, &wanted).await?
    {
        let sections = Sections { party: Some(party.clone()), ..Sections::default() };
        let nobody = (SubjectId(Uuid::nil()), false);
        let action = Action::Book(wanted.command(appointment_id, nobody, sections));
        match decide(app, caller, Arc::clone(&settings), None, action).await? {
            Err(ExecuteError::Misplaced) => {}
            decided => return decided.map_err(not_executed),
        }
    }
    let stream_id = StreamId(appointment_id.0);
    let person = wanted.person.clone().resolve(app, caller, stream_id).await?;
    let details = wanted
        .notes
        .clone()
        .map(|notes| AppointmentDetails { notes: Some(notes), ..AppointmentDetails::default() });
    let mut sections = Sections { party: person.party, details, ..Sections::default() };
    if person.subject.sealing_key().is_none() {
        // Nothing is sealed for a fenced person, and the facts must not tell otherwise.
        sections = Sections::default();
    }
    let contact = (person.subject.subject_id, person.is_known);
    let action = Action::Book(wanted.command(appointment_id, contact, sections));
    execute(app, caller, settings, Some(person.subject), action).await
}

/// Whether the time is free, by the function that lists free times.
async fn is_free(
    app: &App,
    caller: &Caller,
    settings: &BookingSettings,
    wanted: &Wanted,
) -> Result<bool, ApiError> {
    let from = wanted.starts_at;
    let Some(until) = from.checked_add_signed(TimeDelta::minutes(1)) else { return Ok(false) };
    let query = Query { kind: wanted.kind.clone(), from, until };
    match app.store.availability(caller.tenant_id(), settings, &query, 1).await {
        Ok(offers) => Ok(offers.first().is_some_and(|offer| offer.starts_at == from)),
        Err(AvailabilityError::Refused(_)) => Ok(false),
        Err(AvailabilityError::Store(error)) => Err(error.into()),
    }
}

/// Checks that the tenant has the call.
async fn check_call(app: &App, caller: &Caller, call_id: Option<StreamId>) -> Result<(), ApiError> {
    let Some(call_id) = call_id else { return Ok(()) };
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    if read::has_stream(&mut tx, StreamKind::Call, call_id).await? {
        return Ok(());
    }
    Err(ApiError::field("call_id", "there is no such call"))
}

impl Wanted {
    /// The command for a contact, which is a known person or not.
    fn command(
        &self,
        appointment_id: AppointmentId,
        (contact_id, is_known_person): (SubjectId, bool),
        sections: Sections,
    ) -> Book {
        Book {
            appointment_id,
            starts_at: self.starts_at,
            kind: self.kind.clone(),
            hold: None,
            contact_id,
            is_known_person,
            booked_by_contact_id: self.booked_by.filter(|booked_by| *booked_by != contact_id),
            call_id: self.call_id,
            party: sections.party.as_ref().map(facts),
            sections,
        }
    }

    fn of(
        request: BookRequest,
        settings: &BookingSettings,
        country: Option<&str>,
    ) -> Result<Self, ApiError> {
        let minutes = request.duration_minutes.and_then(|minutes| u32::try_from(minutes).ok());
        let kind = Kind {
            service: request.service_type.map(|text| service_id(settings, &text)).transpose()?,
            resource: request.resource.map(|text| resource_id(&text)).transpose()?,
            minutes,
        };
        Ok(Self {
            person: PersonRequest::of(request.contact_id, request.contact, country)?,
            booked_by: request.booked_by_contact_id.map(SubjectId),
            starts_at: request.starts_at,
            kind,
            call_id: request.call_id.map(StreamId),
            notes: request.notes,
        })
    }
}
