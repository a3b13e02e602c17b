//! Admission of commands, and answers to those that were not executed.

use axum::http::StatusCode;
use ledger_app::bookings::CommandPermit;
use ledger_core::ids::TenantId;
use ledger_store::StoreError;
use ledger_store::append::{AppendError, AppendRejection};
use ledger_store::execute::ExecuteError;

use crate::app::App;
use crate::problem::ApiError;

/// Acquires a permit to decide a command, in order of arrival within the tenant.
///
/// # Errors
/// 503 `schedule-busy` if the tenant's queue is full or the wait timed out. Nothing was recorded.
pub(super) async fn admit(app: &App, tenant_id: TenantId) -> Result<CommandPermit, ApiError> {
    app.command_admission.acquire(tenant_id).await.map_err(|_| schedule_busy())
}

fn schedule_busy() -> ApiError {
    metrics::counter!("ledger_tenant_busy_total").increment(1);
    let detail = "too many changes run at the same time; nothing was recorded, try again";
    ApiError { retry_after: Some(1), ..ApiError::unavailable("schedule-busy", detail) }
}

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
