//! Rejections of commands on calls. They contain no personal data.

use thiserror::Error;

/// The reason for which a command is refused. Nothing is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There is no such call.
    #[error("there is no such call")]
    CallNotFound,
    /// There is no such note, or it was removed.
    #[error("there is no such note")]
    NoteNotFound,
    /// The disposition is not in the tenant's catalogue.
    #[error("it is not in the catalogue of the setting dispositions")]
    UnknownDisposition,
    /// The category is not on the tenant's list.
    #[error("it is not on the list of the setting annotations")]
    UnknownCategory,
    /// The score is not from 1 to 5.
    #[error("it is not a whole number from 1 to 5")]
    InvalidScore,
    /// The call has as many notes, tags or escalations as it may have.
    #[error("the call cannot have more of them")]
    TooMany,
}

impl Refusal {
    /// The stable code of the answer.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::CallNotFound => "call-not-found",
            Self::NoteNotFound => "note-not-found",
            Self::UnknownDisposition => "unknown-disposition",
            Self::UnknownCategory => "unknown-category",
            Self::InvalidScore => "validation-failed",
            Self::TooMany => "too-many-annotations",
        }
    }
}
