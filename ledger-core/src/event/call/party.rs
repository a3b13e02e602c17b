//! Facts about the person on the line, without personal data.

use serde::{Deserialize, Serialize};

use crate::identity::handle_kind::HandleKind;
use crate::ids::{HandleId, SubjectId};

/// Validity of a contact value that the message had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Not a valid number or address; kept sealed as given.
    Invalid,
    /// Valid; the person can be identified by it.
    Valid,
}

/// Kinds of values in a `party` section, without the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one value came")]
pub struct PartyFacts {
    /// Validity of the phone number; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Presence>,
    /// Validity of the e-mail address; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Presence>,
    /// True if the section has a name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub name: bool,
    /// True if the section has the id of the person in the customer's systems.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub external_id: bool,
    /// True if the section has a SIP address.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sip_uri: bool,
    /// True if the section has an extension behind the number.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub extension: bool,
}

impl PartyFacts {
    /// Returns true if the person can be identified by the values: a valid number or address, or an
    /// external id.
    #[must_use]
    pub fn identifies(self) -> bool {
        let valid = Some(Presence::Valid);
        self.phone == valid || self.email == valid || self.external_id
    }
}

/// The person a message is about, by random ids, as resolved by the vault. Written when the event
/// is sealed; empty in events recorded before handles had ids.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PersonFacts {
    /// True if the event's subject is a contact, false if it is the call's own subject.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub contact: bool,
    /// Handle of the external id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<HandleId>,
    /// Handle of the number with its extension; a SIP address may contain the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<HandleId>,
    /// Handle of a SIP address without a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip: Option<HandleId>,
    /// Handle of the e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<HandleId>,
    /// Contacts that share the handle, if the message had no name to choose between them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<SubjectId>,
    /// The message has handles and a name. A placeholder is no name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_name: bool,
    /// With a name: for each handle, strongest first, the first contact that had the handle with this
    /// name. Empty when it is the event's subject for all handles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<SubjectId>,
}

impl PersonFacts {
    /// The handles, strongest first.
    pub fn handles(&self) -> impl Iterator<Item = (HandleKind, HandleId)> {
        let handles = [
            (HandleKind::ExternalId, self.external_id),
            (HandleKind::Phone, self.phone),
            (HandleKind::Sip, self.sip),
            (HandleKind::Email, self.email),
        ];
        handles.into_iter().filter_map(|(kind, id)| Some((kind, id?)))
    }

    /// The strongest handle.
    #[must_use]
    pub fn strongest(&self) -> Option<(HandleKind, HandleId)> {
        self.handles().next()
    }
}
