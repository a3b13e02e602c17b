//! Answers to commands on bookings that were not executed.

use axum::http::StatusCode;
use ledger_app::bookings::BookingError;
use ledger_core::booking::Refusal;

use crate::api::tenant;
use crate::problem::ApiError;

/// 404, the same for a missing appointment and for another tenant's.
pub(super) fn not_found() -> ApiError {
    ApiError::not_found("appointment-not-found", "appointment")
}

/// The answer to a command that was not executed.
pub(in crate::api) fn not_executed(error: BookingError) -> ApiError {
    let code = error.code();
    match error {
        BookingError::TenantNotFound => tenant::not_found(),
        BookingError::Invalid(invalid) => ApiError::field(invalid.field, invalid.detail),
        BookingError::PersonErased => ApiError::new(StatusCode::CONFLICT, code, error.to_string()),
        BookingError::Refused(refusal) => refused(refusal),
        BookingError::Busy(busy) => {
            metrics::counter!("ledger_tenant_busy_total").increment(1);
            let error = ApiError::unavailable(code, &busy.to_string());
            ApiError { retry_after: Some(1), ..error }
        }
        BookingError::Reused => {
            let detail = "this Idempotency-Key was used for another request";
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
        }
        BookingError::OutcomeUnknown => outcome_unknown(),
        BookingError::Fault(fault) => fault.into(),
    }
}

/// 503: the change may be in the log.
pub(super) fn outcome_unknown() -> ApiError {
    let detail = "it is not known whether the change was recorded; send the same request again with \
                  the same Idempotency-Key, or look the appointment up";
    ApiError::unavailable("outcome-unknown", detail)
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
        Refusal::NoResource | Refusal::UnknownService => field("service_type"),
        Refusal::InvalidTransition { from, .. } => {
            let detail = format!("an appointment that is {} cannot be changed so", from.as_str());
            ApiError { code, ..ApiError::field("status", detail) }
        }
        Refusal::NotStarted => field("status"),
        Refusal::AppointmentNotFound => not_found(),
    }
}
