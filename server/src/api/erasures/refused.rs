//! Answers to commands on erasures, holds and restrictions that were not executed.

use axum::http::StatusCode;
use ledger_app::erasures::ErasureError;
use ledger_core::erasure::ErasureRejection;

use crate::api::commands::outcome_unknown;
use crate::problem::ApiError;

/// 404, the same for a missing erasure and for another tenant's.
pub(super) fn not_found() -> ApiError {
    ApiError::not_found("erasure-not-found", "erasure")
}

/// The answer to a command that was not executed.
pub(in crate::api) fn refused(error: ErasureError) -> ApiError {
    let code = error.code();
    let detail = error.to_string();
    match error {
        ErasureError::NotFound => ApiError::not_found("subject-not-found", "person"),
        ErasureError::Rejected(rejection) => rejected(code, rejection),
        ErasureError::TextNotSealed | ErasureError::OtherErasure => {
            ApiError::new(StatusCode::CONFLICT, code, detail)
        }
        ErasureError::Reused => {
            let detail = "this Idempotency-Key was used for another request";
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
        }
        ErasureError::Busy
        | ErasureError::Behind
        | ErasureError::NotJournaled
        | ErasureError::JournalUnavailable => ApiError::unavailable(code, &detail),
        ErasureError::OutcomeUnknown => outcome_unknown(),
        ErasureError::Fault(fault) => fault.into(),
    }
}

fn rejected(code: &'static str, rejection: ErasureRejection) -> ApiError {
    use ErasureRejection as R;
    let detail = rejection.to_string();
    match rejection {
        R::NoSuchErasure => not_found(),
        R::NoSuchHold => ApiError::not_found("hold-not-found", "legal hold"),
        R::ReceivedInFuture | R::ReceivedTooEarly => {
            ApiError { code, ..ApiError::field("received_at", detail) }
        }
        R::Merged { into } => {
            let detail = format!("the contact was merged into {into}; name that one");
            ApiError::new(StatusCode::CONFLICT, code, detail)
        }
        _ => ApiError::new(StatusCode::CONFLICT, code, detail),
    }
}
