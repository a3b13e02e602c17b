//! Readers of fields that several providers have.

use super::Provider;
use crate::annotation::spelling::call_type;
use crate::annotation::words::{Campaign, MAX_ATTEMPT};
use crate::event::{CallFacts, CarrierCall, PartyFacts, Presence};
use crate::identity::{Handle, is_placeholder_id, read_number};
use crate::json::Json;
use crate::personal::Party;
use crate::plausible::add_implausible;

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

/// Reads campaign, attempt and type of the call from the objects that the platform's customer fills,
/// the first with precedence. A value that is no word or no number, such as a free text, is marked as
/// implausible: it may be about a person.
pub(super) fn campaign(facts: &mut CallFacts, places: &[Option<&Json<'_>>]) {
    let stated = |keys: &[&str]| {
        let places = places.iter().flatten();
        places.flat_map(|place| keys.iter().filter_map(|key| place.get(key))).find_map(scalar)
    };
    let is_real = |text: &String| !is_placeholder_id(text);
    if let Some(text) = stated(&["campaign", "campaignId", "campaign_id"]).filter(is_real) {
        facts.campaign = Campaign::parse(&text);
        mark(facts.campaign.is_none(), &mut facts.implausible, "campaign");
    }
    let is_number = |text: &String| text.contains(|c: char| c.is_ascii_digit()) || is_real(text);
    if let Some(text) = stated(&["attempt", "attemptNumber", "attempt_number"]).filter(is_number) {
        let attempt = text.parse().ok();
        facts.attempt = attempt.filter(|attempt| (1..=MAX_ATTEMPT).contains(attempt));
        mark(facts.attempt.is_none(), &mut facts.implausible, "attempt");
    }
    if let Some(text) = stated(&["callType", "call_type"]).filter(is_real) {
        facts.call_type = call_type(&text);
        mark(facts.call_type.is_none(), &mut facts.implausible, "call_type");
    }
}

fn mark(is_dropped: bool, implausible: &mut Vec<String>, name: &str) {
    if is_dropped {
        add_implausible(implausible, name);
    }
}

/// Returns a text, or a number as it was written, without blanks around it; `None` for anything else.
fn scalar(value: &Json<'_>) -> Option<String> {
    let text = match value {
        Json::Number(text) => text,
        other => other.as_str()?,
    };
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
