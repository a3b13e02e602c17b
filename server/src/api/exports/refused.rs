//! Answers to requests for exports that were not fulfilled.

use axum::http::StatusCode;
use ledger_app::access_export::AccessExportError;

use crate::problem::ApiError;

/// 404, the same for a missing export and for another tenant's.
pub(super) fn not_found() -> ApiError {
    ApiError::not_found("export-not-found", "export")
}

/// 404, the same for a missing subject and for another tenant's.
pub(super) fn subject_not_found() -> ApiError {
    ApiError::not_found("subject-not-found", "subject")
}

fn conflict(code: &'static str, detail: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, code, detail)
}

/// The answer to a request that was refused.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn refused(error: AccessExportError) -> ApiError {
    match error {
        AccessExportError::SubjectNotFound => subject_not_found(),
        AccessExportError::Merged(_) => conflict("subject-merged", error.to_string()),
        AccessExportError::Erased(_) => conflict("subject-erased", error.to_string()),
        AccessExportError::Outdated => conflict("export-outdated", error.to_string()),
        AccessExportError::Reused => {
            let detail = "this Idempotency-Key was used for another request";
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail)
        }
        AccessExportError::Busy => ApiError::unavailable("subject-busy", &error.to_string()),
        AccessExportError::OutcomeUnknown => {
            ApiError::unavailable("outcome-unknown", &error.to_string())
        }
        AccessExportError::Fault(fault) => fault.into(),
        // Faults of the file, which a request does not wait for.
        AccessExportError::Incomplete { .. } | AccessExportError::Storage(_) => {
            ApiError::internal(&error)
        }
    }
}
