//! Readers of fields that several providers have.

use super::Provider;
use crate::event::{CarrierCall, PartyFacts, Presence};
use crate::identity::{Handle, is_placeholder_id, read_number};
use crate::json::Json;
use crate::personal::Party;

/// Returns a text field that is not blank.
pub(super) fn text<'m>(place: &'m Json<'m>, key: &str) -> Option<&'m str> {
    place.get(key)?.as_str().filter(|text| !text.trim().is_empty())
}

/// Returns an id: opaque, of any form and length, but printable. A placeholder is not an id.
pub(super) fn id<'m>(place: &'m Json<'m>, key: &str) -> Option<&'m str> {
    text(place, key).filter(|id| !id.contains(char::is_control) && !is_placeholder_id(id))
}

/// Returns the facts of a call at its carrier; `None` if the carrier is not a provider
/// of this build, or the id is not of its form.
pub(super) fn carrier_call(carrier: &str, call_id: &str) -> Option<CarrierCall> {
    let carrier = Provider::parse(carrier).filter(|known| known.adapter().is_carrier())?;
    carrier
        .adapter()
        .is_call_id(call_id)
        .then(|| CarrierCall { provider: carrier.as_str().to_owned(), call_id: call_id.to_owned() })
}

/// Returns the person behind an address: a phone number or a SIP address.
pub(super) fn person(address: &str, region: Option<&str>) -> (Party, PartyFacts) {
    let address = address.trim();
    if Handle::sip(address).is_some() {
        let party = Party { sip_uri: Some(address.to_owned()), ..Party::default() };
        return (party, PartyFacts { sip_uri: true, ..PartyFacts::default() });
    }
    let (phone, extension, presence) = match read_number(address, region) {
        Some(phone) => (phone.e164, phone.extension, Presence::Valid),
        None => (address.to_owned(), None, Presence::Invalid),
    };
    let facts = PartyFacts {
        phone: Some(presence),
        extension: extension.is_some(),
        ..PartyFacts::default()
    };
    (Party { phone: Some(phone), extension, ..Party::default() }, facts)
}
