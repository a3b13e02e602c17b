//! Vapi: server messages, and call objects as its API gives them.
//!
//! One message may be told three times over: `message`, its `artifact` and `analysis`, and
//! `message.call`, which is a snapshot from when the call was made and is wrong about everything
//! that changed since. `vapi/message.rs` says which of them is believed.

mod conversation;
mod cost;
mod facts;
mod message;
mod performance;
mod proof;
mod redact;
mod report;
pub mod retold;
mod secret_text;
mod told;
mod tool_log;
mod tools;

#[cfg(test)]
mod field_tests;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod mutation_tests;
#[cfg(test)]
mod rule_tests;
#[cfg(test)]
mod sample_tests;
#[cfg(test)]
mod tool_tests;

use super::{Adapter, Proof, Refused, Translation, Unproven};
use crate::envelope::{Draft, Sections};
use crate::event::Presence;
use crate::json::{Json, fact_id};
use message::Message;

/// The adapter.
pub struct Vapi;

impl Adapter for Vapi {
    fn verify(&self, secret: &str, proof: &Proof<'_>) -> Result<(), Unproven> {
        proof::verify(secret, proof)
    }

    fn translate(&self, body: &[u8], region: Option<&str>) -> Result<Translation, Refused> {
        let mut tree = Json::parse(body)?;
        // Of the body as it was sent: a secret that changed makes another delivery.
        let canonical = tree.to_canonical();
        redact::redact(&mut tree);
        let raw = tree.to_compact();
        let quoted = tools::quoted_lists(&tree);
        let mut unquoted = tree;
        tools::unquote_lists(&mut unquoted, &quoted);
        translate(&unquoted, canonical, raw, region)
    }
}

fn translate(
    tree: &Json<'_>,
    canonical: Vec<u8>,
    raw: Vec<u8>,
    region: Option<&str>,
) -> Result<Translation, Refused> {
    let message = Message::open(tree)?;
    let (party, party_facts) = facts::party(&message, region).unzip();
    let phone = party_facts.as_ref().and_then(|facts| facts.phone);
    let wants_country = region.is_none() && phone == Some(Presence::Invalid);
    let occurred_at = facts::occurred_at(&message);
    let call = facts::call_facts(&message, occurred_at, party_facts);
    let occurred_at = occurred_at.told();
    let (told, reply) = told::told(&message, call, occurred_at)?;
    let correlation = facts::correlation(&message);
    let mut raw = Some(raw);
    let drafts = told.into_iter().map(|told| Draft {
        correlation: correlation.clone(),
        dedupe: told.dedupe,
        occurred_at,
        event: told.event,
        // One body is kept once, with the first of its events.
        sections: Sections { party: party.clone(), raw: raw.take(), ..told.sections },
    });
    Ok(Translation {
        drafts: drafts.collect(),
        routing: facts::routing(&message, region),
        provider_call_id: message.call_id().map(fact_id),
        wants_country,
        is_telemetry: told::is_telemetry(&message),
        kind: message.kind.clone(),
        party,
        canonical,
        reply,
    })
}
