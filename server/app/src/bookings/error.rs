//! The reasons for which a booking or a change is refused.

use ledger_core::booking::Refusal;
use ledger_store::StoreError;
use ledger_store::append::{AppendError, AppendRejection};
use ledger_store::execute::ExecuteError;
use ledger_store::vault::VaultError;
use thiserror::Error;

use super::admission::Busy;
use crate::fault::Fault;

/// The reason for which a command on bookings was not executed.
#[derive(Debug, Clone, Copy, Error)]
pub enum BookingError {
    /// There is no such tenant; the installation is none.
    #[error("there is no such tenant")]
    TenantNotFound,
    /// A field has a value that cannot be.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
    /// The person is erased, or the processing of its data is restricted. Nothing was recorded.
    #[error("the person is erased or restricted, and nothing new is recorded about it")]
    PersonErased,
    /// The rules of bookings refuse it.
    #[error("{0}")]
    Refused(Refusal),
    /// Too many commands of the tenant wait, or change the same days. Nothing was recorded.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The command id was used for another command.
    #[error("the command id was used for another command")]
    Reused,
    /// The change may be in the log. Repeating the command with its id is safe.
    #[error("it is not known whether the change was recorded; look the appointment up")]
    OutcomeUnknown,
    /// A fault of the ledger.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A field with a value that cannot be. Does not contain the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{field}: {detail}")]
pub struct InvalidField {
    /// Name of the field, with that of the object it is in: `contact/phone`.
    pub field: &'static str,
    /// Description of the fault.
    pub detail: &'static str,
}

impl InvalidField {
    pub(super) const fn new(field: &'static str, detail: &'static str) -> Self {
        Self { field, detail }
    }
}

impl BookingError {
    /// The stable code in kebab-case, part of the API.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TenantNotFound => "tenant-not-found",
            Self::Invalid(_) => "invalid-field",
            Self::PersonErased => "subject-erased",
            Self::Refused(refusal) => refusal.code(),
            Self::Busy(Busy) => "schedule-busy",
            Self::Reused => "idempotency-key-reused",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::Fault(fault) => fault.code(),
        }
    }
}

impl From<ExecuteError<Refusal>> for BookingError {
    fn from(error: ExecuteError<Refusal>) -> Self {
        match error {
            ExecuteError::Rejected(refusal) => Self::Refused(refusal),
            ExecuteError::Busy => Self::Busy(Busy),
            ExecuteError::Reused => Self::Reused,
            ExecuteError::Append(AppendError::Rejected(AppendRejection::TenantNotActive)) => {
                Self::Fault(Fault::TenantNotActive)
            }
            ExecuteError::Append(AppendError::Unavailable(_)) => Self::OutcomeUnknown,
            ExecuteError::Append(error) => StoreError::from(error).into(),
            ExecuteError::Store(error) => error.into(),
            ExecuteError::Misplaced => Self::Fault(Fault::internal(&error)),
        }
    }
}

impl From<StoreError> for BookingError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<VaultError> for BookingError {
    fn from(error: VaultError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<sqlx::Error> for BookingError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}
