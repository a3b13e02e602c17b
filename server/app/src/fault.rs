//! Faults of the ledger below a use case, with the code and the sentence that its caller may see.

use ledger_store::StoreError;
use ledger_store::append::{AppendError, AppendRejection};
use ledger_store::keyring::KeyringError;
use ledger_store::record::RecordError;
use ledger_store::vault::VaultError;
use thiserror::Error;

/// A fault of the ledger. Prints the public sentence; the cause is logged when the fault is made, and the
/// fault does not contain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// The tenant is frozen or closed.
    #[error("this tenant is frozen or closed: it takes no events")]
    TenantNotActive,
    /// The keyring cannot be read.
    #[error("the keys are not available; try again")]
    KeyringUnavailable,
    /// The key of a person is damaged. An operator can restore it from a backup.
    #[error("this person's key is damaged; try again later")]
    KeyCorrupt,
    /// A queue is full. Nothing was recorded.
    #[error("too much is waiting; try again in a moment")]
    Overloaded,
    /// The database did not answer.
    #[error("the ledger cannot answer now; try again")]
    Unavailable,
    /// A fault of this code or of the stored data.
    #[error("an unexpected fault; the log knows more under this request id")]
    Internal,
}

impl Fault {
    /// The stable code in kebab-case, part of the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TenantNotActive => "tenant-not-active",
            Self::KeyringUnavailable => "keyring-unavailable",
            Self::KeyCorrupt => "key-corrupt",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// An unexpected fault; logs the cause.
    #[must_use]
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "request.failed");
        Self::Internal
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Keyring(error) => return keyring_unavailable(error),
            StoreError::Vault(VaultError::Keyring(error)) => return keyring_unavailable(error),
            StoreError::Append(AppendError::Rejected(AppendRejection::TenantNotActive)) => {
                return Self::TenantNotActive;
            }
            _ => {}
        }
        if error.is_unavailable() {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(error = %error, cause, "request.unavailable");
            return Self::Unavailable;
        }
        Self::internal(&error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        StoreError::Database(error).into()
    }
}

impl From<VaultError> for Fault {
    fn from(error: VaultError) -> Self {
        StoreError::Vault(error).into()
    }
}

impl From<RecordError> for Fault {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Append(AppendError::Rejected(AppendRejection::TenantNotActive)) => {
                Self::TenantNotActive
            }
            RecordError::Append(AppendError::Overloaded)
            | RecordError::Vault(VaultError::Overloaded) => Self::Overloaded,
            RecordError::Append(error) if !error.is_unavailable() => Self::internal(&error),
            // Until the key is restored, the sender of a webhook keeps the message.
            RecordError::Vault(error @ VaultError::Corrupt { .. }) => {
                tracing::error!(error = %error, "ingest.key_corrupt");
                Self::KeyCorrupt
            }
            RecordError::Keyring(error) => keyring_unavailable(&error),
            RecordError::Vault(VaultError::Keyring(error)) => keyring_unavailable(&error),
            error => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(error = %error, cause, "ingest.unavailable");
                Self::Unavailable
            }
        }
    }
}

/// The log names the file of the keyring, the sentence does not.
fn keyring_unavailable(error: &KeyringError) -> Fault {
    tracing::error!(error = chain(error), "request.keyring");
    Fault::KeyringUnavailable
}

/// Joins an error and its causes in one line, for the log.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
