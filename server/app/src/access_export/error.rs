//! The reasons for which an export is refused or fails.

use ledger_core::access_export::AccessRejection;
use ledger_core::ids::{ErasureId, SubjectId};
use ledger_store::StoreError;
use ledger_store::access_exports::AccessError;
use ledger_store::append::{AppendError, AppendRejection};
use ledger_store::execute::ExecuteError;
use ledger_store::vault::VaultError;
use thiserror::Error;

use crate::fault::Fault;

/// The reason for which an export was not begun, not made or is not handed over.
#[derive(Debug, Error)]
pub enum AccessExportError {
    /// The tenant has no such contact.
    #[error("there is no such subject")]
    SubjectNotFound,
    /// The contact was merged.
    #[error("the contact was merged into {0}; request the export for that contact")]
    Merged(SubjectId),
    /// The subject is fenced or erased.
    #[error("the subject was erased by erasure {0}; nothing can be read any more")]
    Erased(ErasureId),
    /// Contacts were merged meanwhile.
    #[error("contacts were merged while the export was made; request it again")]
    Outdated,
    /// The command id was used for another export.
    #[error("the command id was used for another command")]
    Reused,
    /// Too many changes of the subject came first.
    #[error("other changes of the subject came first; try again")]
    Busy,
    /// The request may be in the log. Repeating it with its command id is safe.
    #[error("it is not known whether the request was recorded; try again")]
    OutcomeUnknown,
    /// The file has fewer events than the log: a fault of this code or of the log.
    #[error("the export has {written} of the {logged} events of the log")]
    Incomplete {
        /// Number of events in the file.
        written: u64,
        /// Number of events in the log.
        logged: u64,
    },
    /// The file could not be written.
    #[error("the file of the export cannot be written")]
    Storage(#[from] std::io::Error),
    /// A fault of the ledger.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl AccessExportError {
    /// The stored reason of a file that was not made.
    #[must_use]
    pub const fn failure(&self) -> &'static str {
        match self {
            Self::Erased(_) => "erased",
            Self::Merged(_) | Self::Outdated => "outdated",
            Self::Incomplete { .. } => "incomplete",
            Self::Storage(_) => "storage",
            _ => "unavailable",
        }
    }
}

impl From<AccessRejection> for AccessExportError {
    fn from(rejection: AccessRejection) -> Self {
        match rejection {
            AccessRejection::Merged { into } => Self::Merged(into),
            AccessRejection::Erased(erasure_id) => Self::Erased(erasure_id),
            AccessRejection::Outdated => Self::Outdated,
            AccessRejection::Exists => Self::Reused,
            // The receipt is the time of the command, and the export was requested before it is made.
            AccessRejection::ReceivedInFuture
            | AccessRejection::ReceivedTooEarly
            | AccessRejection::NoSuchExport => Self::Fault(Fault::internal(&rejection)),
        }
    }
}

impl From<AccessError> for AccessExportError {
    fn from(error: AccessError) -> Self {
        match error {
            ExecuteError::Rejected(rejection) => rejection.into(),
            ExecuteError::Reused => Self::Reused,
            ExecuteError::Busy => Self::Busy,
            ExecuteError::Append(AppendError::Rejected(AppendRejection::TenantNotActive)) => {
                Fault::TenantNotActive.into()
            }
            ExecuteError::Append(AppendError::Overloaded) => Fault::Overloaded.into(),
            ExecuteError::Append(error) if error.is_unavailable() => Self::OutcomeUnknown,
            ExecuteError::Append(error) => Fault::internal(&error).into(),
            ExecuteError::Store(error) => Fault::from(error).into(),
            error @ ExecuteError::Misplaced => Fault::internal(&error).into(),
        }
    }
}

impl From<StoreError> for AccessExportError {
    fn from(error: StoreError) -> Self {
        Fault::from(error).into()
    }
}

impl From<sqlx::Error> for AccessExportError {
    fn from(error: sqlx::Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<VaultError> for AccessExportError {
    fn from(error: VaultError) -> Self {
        Fault::from(error).into()
    }
}
