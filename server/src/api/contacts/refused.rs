//! Answers to commands on contacts that were not executed.

use axum::http::StatusCode;
use ledger_core::contact::ContactRefusal;
use ledger_store::StoreError;
use ledger_store::append::{AppendError, AppendRejection};
use ledger_store::contacts::ContactError;
use ledger_store::execute::ExecuteError;

use crate::problem::ApiError;

/// 404, the same for a missing contact and for another tenant's.
pub(super) fn not_found() -> ApiError {
    ApiError::not_found("contact-not-found", "contact")
}

/// The answer to a command that was not executed.
pub(super) fn refused(error: ContactError) -> ApiError {
    match error {
        ContactError::NotFound(_) => not_found(),
        ContactError::Fenced(_) => {
            conflict("subject-erased", "the contact is erased or restricted, and cannot be changed")
        }
        ContactError::ExternalIdTaken => {
            conflict("external-id-taken", "another contact has this external_id")
        }
        ContactError::Command(ExecuteError::Rejected(refusal)) => rejected(refusal),
        ContactError::Command(error) => not_executed(error),
        ContactError::Vault(error) => error.into(),
    }
}

fn conflict(code: &'static str, detail: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, code, detail)
}

fn rejected(refusal: ContactRefusal) -> ApiError {
    let field = |code, name| ApiError { code, ..ApiError::field(name, refusal.to_string()) };
    match refusal {
        ContactRefusal::Merged(into) => conflict(
            "contact-merged",
            format!("the contact was merged into {into}; change that one"),
        ),
        ContactRefusal::IntoItself => field("merge-into-itself", "into"),
        ContactRefusal::Circle => field("merge-circle", "into"),
        ContactRefusal::TooManyMerged => conflict("too-many-merged", refusal.to_string()),
        ContactRefusal::UnderErasure(_) => conflict("contact-under-erasure", refusal.to_string()),
        ContactRefusal::TooManyTags => field("invalid-field", "tags"),
    }
}

fn not_executed(error: ExecuteError<ContactRefusal>) -> ApiError {
    match error {
        ExecuteError::Rejected(refusal) => rejected(refusal),
        ExecuteError::Busy => {
            let detail = "other changes of the contact came first; try again";
            ApiError::unavailable("contact-busy", detail)
        }
        ExecuteError::Reused => {
            let detail = "this Idempotency-Key was used for another request";
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", detail)
        }
        ExecuteError::Append(AppendError::Rejected(AppendRejection::TenantNotActive)) => {
            ApiError::tenant_not_active()
        }
        ExecuteError::Append(AppendError::Unavailable(_)) => {
            let detail = "it is not known whether the change was recorded; send the same request again \
                          with the same Idempotency-Key, or look the contact up";
            ApiError::unavailable("outcome-unknown", detail)
        }
        ExecuteError::Append(error) => StoreError::from(error).into(),
        ExecuteError::Store(error) => error.into(),
        ExecuteError::Misplaced => ApiError::internal(&error),
    }
}
