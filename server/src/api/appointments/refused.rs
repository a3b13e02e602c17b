//! Answers to commands on bookings that were not executed.

use axum::http::StatusCode;
use ledger_core::booking::Refusal;
use ledger_store::execute::ExecuteError;

use crate::api::commands;
use crate::problem::ApiError;

/// 404, the same for a missing appointment and for another tenant's.
pub(super) fn not_found() -> ApiError {
    ApiError::not_found("appointment-not-found", "appointment")
}

/// The answer to a command that was not executed.
pub(super) fn not_executed(error: ExecuteError<Refusal>) -> ApiError {
    commands::not_executed(error, refused)
}

/// The answer to a refused command: 422 with the field, 409 if the state of other things refuses it.
pub(in crate::api) fn refused(refusal: Refusal) -> ApiError {
    let code = refusal.code();
    let field = |name: &str| ApiError { code, ..ApiError::field(name, refusal.to_string()) };
    let conflict = |code, detail: String| ApiError::new(StatusCode::CONFLICT, code, detail);
    match refusal {
        Refusal::SlotTaken => {
            conflict(code, "the time is taken; /v1/availability lists free times".to_owned())
        }
        // A repeated wish is a taken time for every sender that does not repeat its command.
        Refusal::AlreadyBooked(appointment_id) => conflict(
            Refusal::SlotTaken.code(),
            format!("the time is taken by the same wish, appointment {appointment_id}"),
        ),
        Refusal::DailyLimit
        | Refusal::Moved
        | Refusal::AppointmentExists
        | Refusal::HoldNotFound
        | Refusal::HoldExpired
        | Refusal::ClosureNotFound => conflict(code, refusal.to_string()),
        Refusal::OutsideHours
        | Refusal::Closed
        | Refusal::Past
        | Refusal::TooShortNotice
        | Refusal::TooFarAhead
        | Refusal::InvalidStart => field("starts_at"),
        Refusal::InvalidDuration => field("duration_minutes"),
        Refusal::InvalidPeriod => field("to"),
        Refusal::UnknownResource | Refusal::UnfitResource => field("resource"),
        Refusal::UnknownService => field("service_type"),
        Refusal::InvalidTransition { from, .. } => {
            let detail = format!("an appointment that is {} cannot be changed so", from.as_str());
            ApiError { code, ..ApiError::field("status", detail) }
        }
        Refusal::NotStarted => field("status"),
        Refusal::AppointmentNotFound => not_found(),
    }
}
