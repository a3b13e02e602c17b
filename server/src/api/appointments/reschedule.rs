//! `POST /v1/appointments/{appointment_id}/reschedule`: moves an appointment.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_app::bookings::resource_id;
use ledger_core::booking::Reschedule;
use ledger_core::ids::AppointmentId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::{answer, commands};
use super::book::duration_minutes;
use super::refused::{not_executed, not_found, refused};
use super::view::AppointmentView;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// The new time of an appointment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RescheduleRequest {
    /// The new start, a whole minute.
    #[serde(deserialize_with = "fields::required_time")]
    starts_at: DateTime<Utc>,
    /// The new length; unchanged by default.
    #[serde(default, deserialize_with = "duration_minutes")]
    #[schema(minimum = 1, maximum = 1440)]
    duration_minutes: Option<i64>,
    /// Id of the new resource; unchanged by default.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    resource: Option<String>,
}

operation! {
    RescheduleAppointment {
        id: "reschedule_appointment",
        action: "appointments.reschedule",
        access: Write,
        audit: Changes,
    }
}

/// Moves an appointment to another time. If it cannot be moved, it keeps the time that it has.
///
/// # Errors
/// 404 `appointment-not-found`, for another tenant's too; 409 `slot-taken`; 422 for a field, and
/// `invalid-transition` for an appointment that is cancelled or over.
#[utoipa::path(
    post, path = "/v1/appointments/{appointment_id}/reschedule", tag = "appointments",
    params(("appointment_id" = String, Path, description = "The appointment")),
    request_body(content = RescheduleRequest, content_type = "application/json"),
    responses(
        (status = 200, body = AppointmentView, description = "The appointment after the change", headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The time is taken, or the daily limit is reached"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is not possible, or the status does not permit the change"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "schedule-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.appointments.reschedule", skip_all)]
pub async fn handler(
    caller: Authorized<RescheduleAppointment>,
    State(app): State<App>,
    PathId(appointment_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<RescheduleRequest>,
) -> Result<Response, ApiError> {
    let RescheduleRequest { starts_at, duration_minutes: minutes, resource } = request;
    let commands = commands(&app, &caller);
    let resource = resource.map(|text| resource_id(&text)).transpose().map_err(refused)?;
    let appointment_id = AppointmentId(appointment_id.ok_or_else(not_found)?);
    let reschedule = Reschedule {
        appointment_id,
        from: None,
        starts_at,
        minutes: minutes.and_then(|minutes| u32::try_from(minutes).ok()),
        resource,
        call_id: None,
    };
    let changed = commands.reschedule(reschedule).await.map_err(not_executed)?;
    tracing::info!(%appointment_id, "appointment.rescheduled");
    answer(&app, &caller, "appointments.reschedule", (StatusCode::OK, changed)).await
}
