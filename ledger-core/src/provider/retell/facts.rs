//! Facts common to all messages about a call: ids, direction, the person, and the routing ids.

use chrono::{DateTime, Utc};

use crate::event::{CallFacts, CarrierCall, Direction, PartyFacts};
use crate::json::{Json, fact_id};
use crate::personal::{Party, normalise_phone};
use crate::plausible::{FieldValue, add_implausible};
use crate::provider::Routing;
use crate::provider::field::{campaign, carrier_call, id, person, text};

/// Returns the facts of the call that any message may have.
pub(super) fn call_facts(
    call: &Json<'_>,
    occurred_at: FieldValue<DateTime<Utc>>,
    party: Option<PartyFacts>,
) -> CallFacts {
    let mut implausible = Vec::new();
    if occurred_at == FieldValue::Implausible {
        add_implausible(&mut implausible, "occurred_at");
    }
    let mut facts = CallFacts {
        provider: "retell".to_owned(),
        provider_call_id: id(call, "call_id").map(fact_id),
        direction: direction(call),
        agent_id: id(call, "agent_id").map(fact_id),
        carrier: carrier(call),
        is_test: is_test(call),
        party,
        untimed: occurred_at.plausible().is_none(),
        implausible,
        ..CallFacts::default()
    };
    campaign(&mut facts, &[call.get("metadata"), call.get("retell_llm_dynamic_variables")]);
    facts
}

/// Returns the direction of the call.
pub(super) fn direction(call: &Json<'_>) -> Option<Direction> {
    match (text(call, "call_type"), text(call, "direction")) {
        (Some("web_call"), _) => Some(Direction::Web),
        (_, Some("inbound")) => Some(Direction::Inbound),
        (_, Some("outbound")) => Some(Direction::Outbound),
        _ => None,
    }
}

/// Returns the call at its carrier: the field of its id is named after the carrier.
fn carrier(call: &Json<'_>) -> Option<CarrierCall> {
    let identifiers = call.get("telephony_identifier")?;
    let Json::Object(fields) = identifiers else { return None };
    fields
        .iter()
        .find_map(|(key, _)| carrier_call(key.strip_suffix("_call_sid")?, id(identifiers, key)?))
}

fn is_test(call: &Json<'_>) -> bool {
    let marks = ["is_test", "isTest", "test"];
    let metadata = call.get("metadata");
    marks.iter().any(|key| {
        metadata.and_then(|metadata| metadata.get(key)).and_then(Json::as_bool) == Some(true)
    })
}

/// Returns the person on the line: the calling number of an inbound call, the called one of an
/// outbound call. Dynamic variables are the tenant's own and name no person.
pub(super) fn party(
    call: &Json<'_>,
    direction: Option<Direction>,
    region: Option<&str>,
) -> Option<(Party, PartyFacts)> {
    let key = match direction? {
        Direction::Inbound => "from_number",
        Direction::Outbound => "to_number",
        Direction::Web => return None,
    };
    text(call, key).map(|address| person(address, region))
}

/// Returns the ids by which a shared source finds the tenant. `metadata` is not used: anyone who
/// places a web call can set it.
pub(super) fn routing(
    call: &Json<'_>,
    direction: Option<Direction>,
    region: Option<&str>,
) -> Routing {
    let number = match direction {
        Some(Direction::Inbound) => text(call, "to_number"),
        Some(Direction::Outbound) => text(call, "from_number"),
        Some(Direction::Web) | None => None,
    };
    Routing {
        assistant_id: id(call, "agent_id").map(fact_id),
        phone_number: number.and_then(|number| normalise_phone(number, region)),
        ..Routing::default()
    }
}
