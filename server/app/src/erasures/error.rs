//! The reasons for which an erasure, a hold or a restriction was not changed.

use ledger_core::erasure::ErasureRejection;
use ledger_store::StoreError;
use ledger_store::append::{AppendError, AppendRejection};
use ledger_store::certificates::CertifyError;
use ledger_store::execute::ExecuteError;
use ledger_store::journal::JournalError;
use ledger_store::vault::{FenceError, VaultError};
use thiserror::Error;

use crate::fault::{Fault, chain};

/// The reason for which a command on the rights over a person's data, or a step, was not executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ErasureError {
    /// The tenant has no such contact or erasure.
    #[error("there is no such person or erasure")]
    NotFound,
    /// The rules refuse it.
    #[error(transparent)]
    Rejected(#[from] ErasureRejection),
    /// The key of the person seals nothing, so the texts of the request cannot be stored.
    #[error(
        "the processing of the person's data is restricted: no text can be stored with the request"
    )]
    TextNotSealed,
    /// Other changes came first. Nothing was recorded.
    #[error("too many changes run at the same time; nothing was recorded, try again")]
    Busy,
    /// The command id was used for another command.
    #[error("the command id was used for another command")]
    Reused,
    /// The change may be in the log. Repeating the command with its id is safe.
    #[error("it is not known whether the change was recorded; read the object")]
    OutcomeUnknown,
    /// The read models have not read all events of the person yet. The step is repeated.
    #[error("the read models are behind the log")]
    Behind,
    /// A subject of the erasure is fenced by another one.
    #[error("a subject of the erasure is fenced by another erasure")]
    OtherErasure,
    /// The erasure is recorded as journaled, and the journal does not have it.
    #[error("the erasure is not in the journal; put the newest copy of the journal back")]
    NotJournaled,
    /// The journal or the signing key cannot be used. The log names the reason.
    #[error("the erasure journal or the signing key cannot be used")]
    JournalUnavailable,
    /// A fault of the ledger.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ErasureError {
    /// The stable code in kebab-case, part of the API.
    #[must_use]
    pub fn code(&self) -> &'static str {
        use ErasureRejection as R;
        match self {
            Self::NotFound => "not-found",
            Self::Rejected(rejection) => match rejection {
                R::Merged { .. } => "subject-merged",
                R::Open(_) => "erasure-open",
                R::AlreadyErased(_) => "subject-erased",
                R::Exists => "already-exists",
                R::ReceivedInFuture | R::ReceivedTooEarly => "received-at-invalid",
                R::NoSuchErasure => "erasure-not-found",
                R::NoSuchHold => "hold-not-found",
                R::NotExtendable => "not-extendable",
                R::ExtendedTooLate(_) => "extended-too-late",
                R::Refused => "erasure-refused",
                R::Undecided => "erasure-undecided",
                R::Deferred(_) => "erasure-deferred",
                R::Fenced(_) => "erasure-fenced",
                R::Held(_) => "legal-hold",
                R::Retained(_) => "retention-duty",
                R::NothingToWaitFor | R::RetentionEnded => "nothing-to-wait-for",
                R::ManifestOutdated | R::Missing(_) => "erasure-conflict",
            },
            Self::TextNotSealed => "subject-restricted",
            Self::Busy => "schedule-busy",
            Self::Reused => "idempotency-key-reused",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::Behind => "projection-behind",
            Self::OtherErasure => "erasure-conflict",
            Self::NotJournaled | Self::JournalUnavailable => "journal-unavailable",
            Self::Fault(fault) => fault.code(),
        }
    }
}

impl From<ExecuteError<ErasureRejection>> for ErasureError {
    fn from(error: ExecuteError<ErasureRejection>) -> Self {
        match error {
            ExecuteError::Rejected(rejection) => Self::Rejected(rejection),
            ExecuteError::Busy => Self::Busy,
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

impl From<StoreError> for ErasureError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<VaultError> for ErasureError {
    fn from(error: VaultError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<sqlx::Error> for ErasureError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<JournalError> for ErasureError {
    fn from(error: JournalError) -> Self {
        tracing::error!(error = chain(&error), "erasure.journal");
        Self::JournalUnavailable
    }
}

impl From<CertifyError> for ErasureError {
    fn from(error: CertifyError) -> Self {
        match error {
            CertifyError::Store(error) => error.into(),
            CertifyError::Keyring(error) => StoreError::Keyring(error).into(),
            error @ CertifyError::Signing(_) => {
                tracing::error!(error = chain(&error), "erasure.certificate");
                Self::JournalUnavailable
            }
            error @ CertifyError::Content(_) => Self::Fault(Fault::internal(&error)),
        }
    }
}

impl From<FenceError> for ErasureError {
    fn from(error: FenceError) -> Self {
        match error {
            FenceError::OtherErasure => Self::OtherErasure,
            FenceError::Vault(error) => error.into(),
            error @ (FenceError::UnknownSubject | FenceError::Destroyed) => {
                Self::Fault(Fault::internal(&error))
            }
        }
    }
}
