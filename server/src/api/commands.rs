//! Answers to commands that were not executed.

use axum::http::StatusCode;
use ledger_store::StoreError;
use ledger_store::append::{AppendError, AppendRejection};
use ledger_store::execute::ExecuteError;

use crate::problem::ApiError;
use crate::read_admission::schedule_busy;

/// The answer to a command that was not executed; `refused` answers the refusals of its aggregate.
pub(super) fn not_executed<R>(
    error: ExecuteError<R>,
    refused: impl FnOnce(R) -> ApiError,
) -> ApiError {
    match error {
        ExecuteError::Rejected(refusal) => refused(refusal),
        ExecuteError::Busy => schedule_busy(),
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
        ExecuteError::Misplaced => ApiError::internal(&"the decision does not fit its streams"),
    }
}

/// 503: the change may be in the log.
pub(super) fn outcome_unknown() -> ApiError {
    let detail = "it is not known whether the change was recorded; send the same request again with \
                  the same Idempotency-Key, or read the object";
    ApiError::unavailable("outcome-unknown", detail)
}
