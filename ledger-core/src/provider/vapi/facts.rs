//! Facts common to all message types: ids, direction, times, the person, and the stream.

use chrono::{DateTime, Utc};

use super::message::{Message, direction_word, id, id_of, object, text};
use crate::annotation::words::Campaign;
use crate::envelope::{Correlation, StreamKind};
use crate::event::{CallFacts, CarrierCall, PartyFacts, Presence, Status};
use crate::identity::{self, Handle, normal_name, read_number};
use crate::json::{Json, fact_id};
use crate::personal::Party;
use crate::phone::{Phone, normalise_phone};
use crate::plausible::{FieldValue, add_implausible};
use crate::provider::{Routing, field};

/// Returns the facts of the call that any message may have.
pub(super) fn call_facts(
    message: &Message<'_>,
    occurred_at: FieldValue<DateTime<Utc>>,
    party: Option<PartyFacts>,
) -> CallFacts {
    let mut implausible = Vec::new();
    if occurred_at == FieldValue::Implausible {
        add_implausible(&mut implausible, "occurred_at");
    }
    let created_at = Message::lookup_value([message.call()], "createdAt", Json::time);
    if created_at == FieldValue::Implausible {
        add_implausible(&mut implausible, "created_at");
    }
    let in_facts = |id: Option<&str>| id.map(fact_id);
    let snapshot_status = message.call_field("status", text).and_then(status);
    let mut facts = CallFacts {
        provider: "vapi".to_owned(),
        provider_call_id: in_facts(message.call_id()),
        direction: message.call_field("type", |value| direction_word(value.as_str()?)),
        agent_id: in_facts(assistant_id(message)),
        phone_number_id: in_facts(phone_number_id(message)),
        carrier: carrier_call(message),
        created_at: created_at.plausible(),
        snapshot_status: snapshot_status.filter(|_| !message.is_call_object()),
        is_test: is_test(message),
        party,
        untimed: occurred_at.plausible().is_none(),
        implausible,
        ..CallFacts::default()
    };
    field::campaign(&mut facts, &customer_objects(message));
    if facts.campaign.is_none() {
        // A campaign of the platform itself.
        facts.campaign = message.call_field("campaignId", id).and_then(Campaign::parse);
    }
    facts
}

/// Returns the objects that the platform's customer fills when a call is placed, by precedence.
fn customer_objects<'m>(message: &Message<'m>) -> [Option<&'m Json<'m>>; 4] {
    let call = |path: &[&str]| message.call().and_then(|call| call.path(path));
    let artifact = |value: &'m Json<'m>| value.get("variableValues").and_then(object);
    [
        call(&["metadata"]),
        call(&["assistantOverrides", "variableValues"]),
        call(&["assistantOverrides", "metadata"]),
        message.message_field("artifact", artifact),
    ]
}

/// Returns the provider's time: of the message, or of the last update of a call object.
pub(super) fn occurred_at(message: &Message<'_>) -> FieldValue<DateTime<Utc>> {
    let key = if message.is_call_object() { "updatedAt" } else { "timestamp" };
    Message::lookup_value(message.message_objects().map(Some), key, Json::time)
}

/// Returns the status for a word of the provider; `None` for an unknown word.
pub(super) fn status(word: &str) -> Option<Status> {
    match word {
        "scheduled" | "queued" => Some(Status::Queued),
        "ringing" => Some(Status::Ringing),
        "in-progress" => Some(Status::InProgress),
        "forwarding" => Some(Status::Forwarding),
        "ended" => Some(Status::Ended),
        _ => None,
    }
}

/// Returns the stream of the message. Messages of type `chat.…` are assigned to the chat, even if
/// the chat started in a call.
pub(super) fn correlation(message: &Message<'_>) -> Correlation {
    let call = message.call_id().map(|id| (StreamKind::Call, id));
    let chat = message.message_field("chat", id_of).map(|id| (StreamKind::Chat, id));
    let session = message.message_field("session", id_of).map(|id| (StreamKind::Session, id));
    let named = match message.kind.split('.').next() {
        Some("chat") => chat,
        Some("session") => session,
        _ => call.or(chat).or(session),
    };
    named.map_or(Correlation::None, |(kind, id)| Correlation::Named(kind, id.to_owned()))
}

/// Returns the call at its carrier, from the platform's own call object.
fn carrier_call(message: &Message<'_>) -> Option<CarrierCall> {
    let carrier = message.call_field("phoneCallProvider", text)?;
    field::carrier_call(carrier, message.call_field("phoneCallProviderId", id)?)
}

/// Returns the ids by which a shared source finds the tenant, from the platform's own objects.
/// `metadata` and `variableValues` are not used: anyone who places a call can set them.
pub(super) fn routing(message: &Message<'_>, region: Option<&str>) -> Routing {
    let number = business_number(message, |value| value.get("number")?.as_str());
    Routing {
        assistant_id: assistant_id(message).map(fact_id),
        phone_number_id: phone_number_id(message).map(fact_id),
        phone_number: number.and_then(|number| normalise_phone(number, region)),
    }
}

fn assistant_id<'m>(message: &Message<'m>) -> Option<&'m str> {
    message
        .call_field("assistantId", id)
        .or_else(|| message.message_field("assistant", id_of))
        .or_else(|| message.call_field("assistant", id_of))
        .or_else(|| message.message_field("assistantId", id))
        .or_else(|| of_chat(message, "assistantId"))
}

fn phone_number_id<'m>(message: &Message<'m>) -> Option<&'m str> {
    message
        .call_field("phoneNumberId", id)
        .or_else(|| business_number(message, id_of))
        .or_else(|| message.message_field("phoneNumberId", id))
        .or_else(|| of_chat(message, "phoneNumberId"))
}

/// Looks up a field of the chat or the session. Messages without a call have their assistant there.
fn of_chat<'m>(message: &Message<'m>, key: &str) -> Option<&'m str> {
    let read = |value: &'m Json<'m>| value.get(key).and_then(id);
    message.message_field("chat", read).or_else(|| message.message_field("session", read))
}

/// Looks up a field of `phoneNumber`. As an object, it is the business's number.
fn business_number<'m, T>(
    message: &Message<'m>,
    read: impl Fn(&'m Json<'m>) -> Option<T>,
) -> Option<T> {
    let read = |value: &'m Json<'m>| object(value).and_then(&read);
    message.message_field("phoneNumber", read).or_else(|| message.call_field("phoneNumber", read))
}

fn is_test(message: &Message<'_>) -> bool {
    let is_marked = |metadata: &Json<'_>| {
        let marks = ["is_test", "isTest", "test"];
        marks.iter().any(|key| metadata.get(key).and_then(Json::as_bool) == Some(true))
    };
    message.call_field("metadata", |metadata| is_marked(metadata).then_some(())).is_some()
}

/// Returns the person on the line: `customer`, for both directions of a call.
pub(super) fn party(message: &Message<'_>, region: Option<&str>) -> Option<(Party, PartyFacts)> {
    let (phone, number_extension, phone_presence) = match phone(message, region) {
        Some((phone, extension, presence)) => (Some(phone), extension, Some(presence)),
        None => (None, None, None),
    };
    let extension = customer(message, "extension")
        .and_then(|stated| identity::extension(&stated))
        .or(number_extension)
        .filter(|_| phone_presence == Some(Presence::Valid));
    let party = Party {
        name: customer(message, "name"),
        phone,
        email: customer(message, "email"),
        sip_uri: customer(message, "sipUri")
            .or_else(|| raw_number(message).filter(|number| is_sip(number))),
        external_id: customer(message, "externalId"),
        extension,
    };
    let validity = |email: &String| match Handle::email(email) {
        Some(_) => Presence::Valid,
        None => Presence::Invalid,
    };
    let facts = PartyFacts {
        phone: phone_presence,
        email: party.email.as_ref().map(validity),
        // A placeholder is not a name.
        name: party.name.as_deref().is_some_and(|name| normal_name(name).is_some()),
        external_id: party.external_id.is_some(),
        sip_uri: party.sip_uri.is_some(),
        extension: party.extension.is_some(),
    };
    (!party.is_empty()).then_some((party, facts))
}

/// Returns true for a SIP address in the place of a number.
fn is_sip(number: &str) -> bool {
    Handle::sip(number).is_some()
}

/// Returns the person's number, unparsed. Flat bodies of old integrations have it as a string in
/// `phoneNumber`, where Vapi has the object of the business's number.
fn raw_number(message: &Message<'_>) -> Option<String> {
    customer(message, "number").or_else(|| message.call_field("phoneNumber", scalar))
}

/// Returns the number for the party section, its extension, and its validity.
fn phone(
    message: &Message<'_>,
    region: Option<&str>,
) -> Option<(String, Option<String>, Presence)> {
    let number = raw_number(message).filter(|number| !is_sip(number))?;
    Some(match read_number(&number, region) {
        Some(Phone { e164, extension }) => (e164, extension, Presence::Valid),
        None => (number, None, Presence::Invalid),
    })
}

fn customer(message: &Message<'_>, key: &str) -> Option<String> {
    let read =
        |customer: &Json<'_>| customer.get(key).filter(|value| value.is_filled()).and_then(scalar);
    message
        .lookup("customer", read)
        .or_else(|| message.message_field("session", |session| read(session.get("customer")?)))
        .or_else(|| message.message_field("chat", |chat| read(chat.get("customer")?)))
}

/// Accepts a string, or a number without quotes.
fn scalar(value: &Json<'_>) -> Option<String> {
    match value {
        Json::Number(text) => Some((*text).to_owned()),
        other => other.as_str().map(str::to_owned),
    }
}
