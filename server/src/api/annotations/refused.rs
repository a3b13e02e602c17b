//! Answers to commands on calls that were not executed.

use axum::http::StatusCode;
use ledger_core::annotation::refusal::Refusal;
use ledger_store::StoreError;
use ledger_store::append::{AppendError, AppendRejection};
use ledger_store::execute::ExecuteError;

use crate::problem::ApiError;

/// 404, the same for a missing call and for another tenant's.
pub(super) fn not_found() -> ApiError {
    ApiError::not_found("call-not-found", "call")
}

/// 409: nothing can be sealed for the person of the call any more.
pub(super) fn person_erased() -> ApiError {
    let detail = "the person of this call is erased or restricted: no text about them is stored";
    ApiError::new(StatusCode::CONFLICT, "subject-erased", detail)
}

/// 503: the command could not be decided within two seconds. Nothing was recorded.
pub(super) fn call_busy() -> ApiError {
    let detail = "too many changes run at the same time; nothing was recorded, try again";
    ApiError::unavailable("call-busy", detail)
}

/// The answer to a command that was not executed.
pub(super) fn not_executed(error: ExecuteError<Refusal>) -> ApiError {
    match error {
        ExecuteError::Rejected(refusal) => refused(refusal),
        ExecuteError::Busy => call_busy(),
        ExecuteError::Reused => {
            let detail = "this Idempotency-Key was used for another request";
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail)
        }
        ExecuteError::Append(AppendError::Rejected(AppendRejection::TenantNotActive)) => {
            ApiError::tenant_not_active()
        }
        ExecuteError::Append(AppendError::Unavailable(_)) => outcome_unknown(),
        ExecuteError::Append(error) => StoreError::from(error).into(),
        ExecuteError::Store(error) => error.into(),
        ExecuteError::Misplaced => ApiError::internal(&error),
    }
}

/// 503: the change may be in the log.
pub(super) fn outcome_unknown() -> ApiError {
    let detail = "it is not known whether the change was recorded; send the same request again with \
                  the same Idempotency-Key, or look the call up";
    ApiError::unavailable("outcome-unknown", detail)
}

fn refused(refusal: Refusal) -> ApiError {
    let code = refusal.code();
    let field = |name: &str| ApiError { code, ..ApiError::field(name, refusal.to_string()) };
    match refusal {
        Refusal::CallNotFound => not_found(),
        Refusal::NoteNotFound => ApiError::not_found(code, "note"),
        Refusal::UnknownDisposition => field("disposition"),
        Refusal::UnknownCategory => field("category"),
        Refusal::InvalidScore => ApiError::field("score", refusal.to_string()),
        Refusal::TooMany => ApiError::new(StatusCode::CONFLICT, code, refusal.to_string()),
    }
}
