//! `POST /v1/appointments/{appointment_id}/confirm`: confirms a pending appointment.

use axum::extract::State;
use axum::response::Response;
use ledger_core::booking::Action;

use super::change::{NoFields, change};
use super::view::AppointmentView;
use crate::app::App;
use crate::http::json_body::OptionalJsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

operation! {
    ConfirmAppointment {
        id: "confirm_appointment",
        action: "appointments.confirm",
        access: Write,
        audit: Changes,
    }
}

/// Confirms a pending appointment.
///
/// # Errors
/// 404 `appointment-not-found`, for another tenant's too; 422 `invalid-transition`.
#[utoipa::path(
    post, path = "/v1/appointments/{appointment_id}/confirm", tag = "appointments",
    params(("appointment_id" = String, Path, description = "The appointment")),
    responses(
        (status = 200, body = AppointmentView, description = "The appointment after the change", headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The status does not permit the change"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "schedule-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.appointments.confirm", skip_all)]
pub async fn handler(
    caller: Authorized<ConfirmAppointment>,
    State(app): State<App>,
    PathId(appointment_id): PathId,
    _: NoQuery,
    OptionalJsonBody(NoFields {}): OptionalJsonBody<NoFields>,
) -> Result<Response, ApiError> {
    change(&app, &caller, appointment_id, Action::Confirm).await
}
