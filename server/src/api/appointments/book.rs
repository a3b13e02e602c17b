//! `POST /v1/appointments`: books an appointment.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_core::booking::slot::{Kind, Shape, check_start};
use ledger_core::booking::{Action, Book, BookingSettings};
use ledger_core::envelope::StreamKind;
use ledger_core::ids::{AppointmentId, StreamId, SubjectId};
use ledger_core::personal::AppointmentDetails;
use ledger_core::section::Sections;
use ledger_store::{TenantTx, read};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::{answer, execute};
use super::kind::{resource_id, service_id};
use super::person::{ContactRequest, Person, PersonRequest, contact, facts};
use super::view::AppointmentView;
use crate::api::tenant;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::http::fields::BodyFields;
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

/// Longest notes, in characters.
const MAX_NOTES: usize = 4_000;
/// Longest appointment, in minutes.
pub(super) const MAX_MINUTES: i64 = 24 * 60;

/// A new appointment, for a contact of the tenant or a person by name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the contract; what is sent is taken apart by `BodyFields`")]
pub struct BookRequest {
    /// The person; either this or `contact_id`.
    contact: Option<ContactRequest>,
    /// A contact of the tenant.
    contact_id: Option<Uuid>,
    /// The contact who books, if another person.
    booked_by_contact_id: Option<Uuid>,
    /// Id or name of a service of the settings; without one the appointment has the default length.
    #[schema(min_length = 1, max_length = 200)]
    service_type: Option<String>,
    /// Start, a whole minute.
    starts_at: DateTime<Utc>,
    /// Length; that of the service by default.
    #[schema(minimum = 1, maximum = 1440)]
    duration_minutes: Option<i64>,
    /// Id of a resource of the settings; any that is free by default.
    #[schema(min_length = 1, max_length = 200)]
    resource: Option<String>,
    /// The call in which it is booked.
    call_id: Option<Uuid>,
    /// Notes; stored sealed.
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

/// Books an appointment. Of several requests for the same time one is accepted.
///
/// # Errors
/// 409 `slot-taken`, without a word about what occupies the time; 422 for an unknown, missing or malformed
/// field, named in the answer; 503 `schedule-busy` if it could not be decided within two seconds.
#[utoipa::path(
    post, path = "/v1/appointments", operation_id = "create_appointment", tag = "appointments", security(("api_key" = [])),
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
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    body: Body,
) -> Result<Response, ApiError> {
    caller.require(&app, Scope::Write, "appointments.book").await?;
    let fields = BodyFields::read(body).await?;
    let tenant_id = caller.tenant_id();
    let settings = app.store.booking_settings(tenant_id).await?;
    let settings = settings.ok_or_else(tenant::not_found)?;
    let country = app.store.country(tenant_id).await?;
    let wanted = Wanted::read(fields, &settings, country.as_deref())?;
    if !app.store.accepts_events(tenant_id).await? {
        return Err(ApiError::tenant_not_active());
    }
    check_call(&app, &caller, wanted.call_id).await?;
    if let Some(booked_by) = wanted.booked_by {
        contact(&app, &caller, "booked_by_contact_id", booked_by).await?;
    }
    let appointment_id = new_id(&app, &caller);
    let (book, person) = prepare(&app, &caller, &settings, appointment_id, wanted).await?;
    let subject = person.map(|person| person.subject);
    let action = Action::Book(book);
    let executed = execute(&app, &caller, settings, subject, action).await?;
    tracing::info!(%appointment_id, "appointment.booked");
    let created = (StatusCode::CREATED, executed.position);
    answer(&app, &caller, "appointments.book", appointment_id, created).await
}

/// The id of the new appointment: the same one if the same command runs again.
fn new_id(app: &App, caller: &Caller) -> AppointmentId {
    let derive = |command: &crate::idempotency::RunningCommand| {
        caller.tenant_id().derive(&[b"appointment", command.id().0.as_bytes()])
    };
    AppointmentId(caller.command.as_ref().map_or_else(|| app.store.ids().random(), derive))
}

/// Resolves the person and builds the command.
///
/// A request that the settings alone refuse makes no contact. It is decided all the same, since an
/// interrupted run of the same command may have recorded it earlier.
async fn prepare(
    app: &App,
    caller: &Caller,
    settings: &Arc<BookingSettings>,
    appointment_id: AppointmentId,
    wanted: Wanted,
) -> Result<(Book, Option<Person>), ApiError> {
    let Wanted { person, booked_by, starts_at, kind, call_id, notes } = wanted;
    let now = app.store.clock().now();
    let is_possible =
        Shape::of(settings, &kind).is_ok() && check_start(settings, now, starts_at).is_ok();
    let person = if is_possible {
        Some(person.resolve(app, caller, StreamId(appointment_id.0)).await?)
    } else {
        None
    };
    // Nothing is sealed for a fenced person, and the facts must not tell otherwise.
    let is_sealed = person.as_ref().is_some_and(|one| one.subject.sealing_key().is_some());
    let party = person.as_ref().and_then(|one| one.party.clone()).filter(|_| is_sealed);
    let details = notes
        .filter(|_| is_sealed)
        .map(|notes| AppointmentDetails { notes: Some(notes), ..AppointmentDetails::default() });
    let contact_id = person.as_ref().map_or(SubjectId(Uuid::nil()), |one| one.subject.subject_id);
    let book = Book {
        appointment_id,
        starts_at,
        kind,
        hold: None,
        contact_id,
        is_known_person: person.as_ref().is_some_and(|one| one.is_known),
        booked_by_contact_id: booked_by.filter(|booked_by| *booked_by != contact_id),
        call_id,
        party: party.as_ref().map(facts),
        sections: Sections { party, details, ..Sections::default() },
    };
    Ok((book, person))
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
    fn read(
        mut fields: BodyFields,
        settings: &BookingSettings,
        country: Option<&str>,
    ) -> Result<Self, ApiError> {
        let person = PersonRequest::read(&mut fields, country)?;
        let booked_by = fields.id("booked_by_contact_id")?.map(SubjectId);
        let service = fields.text("service_type")?;
        let starts_at = fields.time("starts_at")?;
        let starts_at = starts_at.ok_or_else(|| ApiError::field("starts_at", "it is missing"))?;
        let minutes = fields.number("duration_minutes", 1..=MAX_MINUTES)?;
        let resource = fields.text("resource")?;
        let call_id = fields.id("call_id")?.map(StreamId);
        let notes = fields.long_text("notes", MAX_NOTES)?;
        fields.reject_unknown()?;
        let kind = Kind {
            service: service.map(|text| service_id(settings, &text)).transpose()?,
            resource: resource.map(|text| resource_id(&text)).transpose()?,
            minutes: minutes.and_then(|minutes| u32::try_from(minutes).ok()),
        };
        Ok(Self { person, booked_by, starts_at, kind, call_id, notes })
    }
}
