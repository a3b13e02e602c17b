//! Identification of persons: the handles of a person, the normal form of each, and the function
//! that decides which contact a message is about ([`resolve()`]).
//!
//! All functions are pure. The vault supplies the contacts known for each handle and stores the
//! decision.

mod address;
pub mod handle_kind;
mod name;
mod placeholder;
mod resolve;

use std::fmt;

use crate::event::{PartyFacts, Presence};
use crate::personal::{Party, normalise_email};
use crate::phone::Phone;

pub(crate) use address::extension;
pub use address::{phone_of_sip, read_number};
pub use handle_kind::HandleKind;
pub use name::normal_name;
pub use placeholder::{
    is_placeholder, is_placeholder_email, is_placeholder_external_id, is_placeholder_id,
};
pub use resolve::{Contact, HandleContacts, NameIndex, Resolution, resolve};

/// A value that identifies a person, in its normal form. `Debug` prints the kind only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    kind: HandleKind,
    value: String,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({}, ..)", self.kind.as_str())
    }
}

impl Handle {
    /// Makes a handle of an E.164 number. A number with an extension is a different handle than the
    /// number alone.
    #[must_use]
    pub fn phone(e164: &str, extension: Option<&str>) -> Self {
        let value = match extension {
            Some(extension) => format!("{e164};ext={extension}"),
            None => e164.to_owned(),
        };
        Self { kind: HandleKind::Phone, value }
    }

    /// Makes a handle of an e-mail address. `None` if the text is no address, or a placeholder.
    #[must_use]
    pub fn email(raw: &str) -> Option<Self> {
        let value = normalise_email(raw).filter(|email| !is_placeholder_email(email))?;
        Some(Self { kind: HandleKind::Email, value })
    }

    /// Makes a handle of a SIP address. If the address contains an E.164 number, the result is the
    /// handle of that number. `None` if the text is no SIP address, or if its user means a withheld
    /// number.
    #[must_use]
    pub fn sip(raw: &str) -> Option<Self> {
        if let Some(Phone { e164, extension }) = phone_of_sip(raw) {
            return Some(Self::phone(&e164, extension.as_deref()));
        }
        Some(Self { kind: HandleKind::Sip, value: address::normal_sip(raw)? })
    }

    /// Makes a handle of an external id. `None` for a placeholder.
    #[must_use]
    pub fn external_id(raw: &str) -> Option<Self> {
        let value = raw.trim();
        (!is_placeholder_external_id(value))
            .then(|| Self { kind: HandleKind::ExternalId, value: value.to_owned() })
    }

    /// Makes a handle of a number typed into a search, with or without an extension.
    #[must_use]
    pub fn typed_phone(raw: &str, region: Option<&str>) -> Option<Self> {
        if let Some(sip) = Self::sip(raw).filter(|sip| sip.kind == HandleKind::Phone) {
            return Some(sip);
        }
        let Phone { e164, extension } = read_number(raw, region)?;
        Some(Self::phone(&e164, extension.as_deref()))
    }

    /// Returns the kind of the handle.
    #[must_use]
    pub fn kind(&self) -> HandleKind {
        self.kind
    }

    /// Returns the normal form. Personal data: use it for blind indexes only.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Handles and name of the person in one message, in normal form.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PersonIdentifiers {
    /// At most one handle of each kind, strongest first.
    pub handles: Vec<Handle>,
    /// Normal form of the name; `None` without a usable name.
    pub name: Option<String>,
}

impl fmt::Debug for PersonIdentifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonIdentifiers").field("handles", &self.handles).finish_non_exhaustive()
    }
}

impl PersonIdentifiers {
    /// Reads the handles of a party. Invalid values and placeholders are not handles.
    #[must_use]
    pub fn of(party: &Party, facts: PartyFacts) -> Self {
        let number = party.phone.as_deref().filter(|_| facts.phone == Some(Presence::Valid));
        let phone = number.map(|e164| Handle::phone(e164, party.extension.as_deref()));
        let sip = party.sip_uri.as_deref().and_then(Handle::sip);
        let mut handles: Vec<Handle> = [
            party.external_id.as_deref().and_then(Handle::external_id),
            phone,
            sip,
            party.email.as_deref().and_then(Handle::email),
        ]
        .into_iter()
        .flatten()
        .collect();
        // The number in a SIP address may repeat the phone number, or differ from it; the first is
        // kept.
        handles.sort_by_key(|handle| std::cmp::Reverse(handle.kind));
        handles.dedup_by_key(|handle| handle.kind);
        Self { handles, name: party.name.as_deref().and_then(normal_name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(phone: Option<&str>, sip: Option<&str>) -> PersonIdentifiers {
        let party = Party {
            phone: phone.map(str::to_owned),
            sip_uri: sip.map(str::to_owned),
            ..Party::default()
        };
        let facts = PartyFacts { phone: phone.map(|_| Presence::Valid), ..PartyFacts::default() };
        PersonIdentifiers::of(&party, facts)
    }

    #[test]
    fn a_number_with_an_extension_is_another_handle_than_the_number() {
        let bare = Handle::phone("+15550100123", None);
        assert_ne!(bare, Handle::phone("+15550100123", Some("101")));
        for typed in ["+15550100123,101", "+1 555 010 0123 x101", "+15550100123;ext=101"] {
            let handle = Handle::typed_phone(typed, None);
            assert_eq!(handle, Some(Handle::phone("+15550100123", Some("101"))), "{typed}");
        }
        assert_eq!(Handle::typed_phone("+1 (555) 010-0123", None), Some(bare));
    }

    #[test]
    fn the_number_of_a_sip_address_is_the_number() {
        let number = party(Some("+15550100123"), None);
        assert_eq!(party(None, Some("sip:+15550100123@carrier.example.com;user=phone")), number);
        assert_eq!(party(Some("+15550100123"), Some("sip:+15550100123@a.example.com")), number);
        let alice = party(None, Some("<sip:Alice@PBX.example.com:5060;transport=tcp>"));
        assert_eq!(alice, party(None, Some("sips:alice@pbx.example.com")));
        assert_eq!(alice.handles[0].kind(), HandleKind::Sip);
    }

    #[test]
    fn values_of_no_form_and_placeholders_are_no_handles() {
        let party = Party {
            name: Some("Unknown".into()),
            phone: Some("somewhere".into()),
            email: Some("null@null.com".into()),
            sip_uri: Some("sip:anonymous@anonymous.invalid".into()),
            external_id: Some("{{customer.id}}".into()),
            extension: Some("101".into()),
        };
        let facts = PartyFacts { phone: Some(Presence::Invalid), ..PartyFacts::default() };
        assert_eq!(PersonIdentifiers::of(&party, facts), PersonIdentifiers::default());
    }

    #[test]
    fn handles_do_not_print() {
        let identifiers = party(Some("+15550100123"), Some("sip:alice@pbx.example.com"));
        let text = format!("{identifiers:?}");
        assert!(!text.contains("0100123") && !text.contains("alice"), "{text}");
    }
}
