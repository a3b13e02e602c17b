//! Outcomes of calls. Each adapter reduces the reasons of its provider to them.

use serde::{Deserialize, Serialize};

/// Coarse result of a call. The provider's own reason is kept as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The assistant ended the call as intended.
    Completed,
    /// The person hung up.
    CustomerHungUp,
    /// The call was not answered.
    NoAnswer,
    /// An answering machine took the call.
    Voicemail,
    /// The line was busy.
    Busy,
    /// The call continued with another party.
    Transferred,
    /// The call was ended after a silence.
    Silence,
    /// A component failed, at the provider or elsewhere.
    Failed,
    /// The call ended for a reason that cannot be classified.
    Unknown,
}

impl Outcome {
    /// Returns the name used in the database and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::CustomerHungUp => "customer_hung_up",
            Self::NoAnswer => "no_answer",
            Self::Voicemail => "voicemail",
            Self::Busy => "busy",
            Self::Transferred => "transferred",
            Self::Silence => "silence",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}
