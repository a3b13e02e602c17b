//! The reasons for which a webhook is not recorded.

use ledger_core::provider::TranslateError;
use ledger_store::StoreError;
use ledger_store::record::RecordError;
use thiserror::Error;

use crate::fault::Fault;

/// The reason for which an authenticated webhook is not recorded. Prints the public sentence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// The body is no message of the provider.
    #[error(transparent)]
    Untranslatable(#[from] TranslateError),
    /// Too many tool calls want the same days. Nothing was recorded.
    #[error("too many bookings at once")]
    ScheduleBusy,
    /// A fault of the ledger.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl DeliveryError {
    /// The stable code in kebab-case, part of the API and of the counts of webhooks.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Untranslatable(refused) => match refused {
                TranslateError::NotUtf8 { .. } => "body-not-utf8",
                TranslateError::NotJson { .. } => "body-not-json",
                TranslateError::TooDeep { .. } => "body-too-deep",
                TranslateError::TooMany { .. } => "body-too-complex",
                TranslateError::UnrecognizedMessage(_) => "unrecognized-message",
            },
            Self::ScheduleBusy => "schedule-busy",
            Self::Fault(fault) => fault.code(),
        }
    }

    /// Whether the log can still be read for the first answers of tool calls.
    pub(super) const fn leaves_answers(&self) -> bool {
        matches!(self, Self::Fault(Fault::TenantNotActive | Fault::Overloaded))
    }
}

impl From<StoreError> for DeliveryError {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<RecordError> for DeliveryError {
    fn from(error: RecordError) -> Self {
        Self::Fault(error.into())
    }
}
