//! Kinds of handles, by strength.

use serde::{Deserialize, Serialize};

/// Kind of a handle, in ascending order of strength. The strongest handle of a message decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandleKind {
    /// E-mail address. The weakest kind, because several people may share one.
    Email,
    /// SIP address without a phone number.
    Sip,
    /// Phone number, with its extension if it has one.
    Phone,
    /// Id of the person in the systems of the platform's customer.
    ExternalId,
}

impl HandleKind {
    /// All kinds, weakest first.
    pub const ALL: [Self; 4] = [Self::Email, Self::Sip, Self::Phone, Self::ExternalId];

    /// Returns the stored name. The name is an input of every blind index and never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sip => "sip",
            Self::Phone => "phone",
            Self::ExternalId => "external_id",
        }
    }

    /// Returns the kind with a stored name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}
