//! Adapter for Vapi: server messages, and call objects of its API.
//!
//! A message can have the same value in three places: in `message`, in its `artifact` and
//! `analysis`, and in `message.call`. The last is a snapshot from the creation of the call and
//! outdated in every changed field. `vapi/message.rs` defines the order of precedence.

mod conversation;
mod cost;
mod events;
mod facts;
mod kinds;
mod message;
mod outcome;
mod performance;
mod report;
pub mod report_fields;
mod response;
mod tool_log;
mod tools;
mod verify;

#[cfg(test)]
mod campaign_tests;
#[cfg(test)]
mod carrier_tests;
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

use serde_json::Value;

use super::body::{Body, mark};
use super::redact::LinkNames;
use super::{
    Adapter, Reply, ReplyContent, TranslateError, Translation, VerificationError, WebhookRequest,
};
use crate::envelope::{Draft, Sections};
use crate::event::Presence;
use crate::json::{Json, fact_id};
use crate::outcome::Outcome;
use message::Message;

/// Fields with links to recordings and logs.
const LINKS: LinkNames = &[
    "recordingUrl",
    "stereoRecordingUrl",
    "videoRecordingUrl",
    "combinedUrl",
    "assistantUrl",
    "customerUrl",
    "stereoUrl",
    "videoUrl",
    "monoUrl",
    "logUrl",
    "pcapUrl",
];

/// The adapter for Vapi.
pub struct Vapi;

impl Adapter for Vapi {
    fn verify(&self, secret: &str, request: &WebhookRequest<'_>) -> Result<(), VerificationError> {
        verify::verify(secret, request)
    }

    fn translate(&self, body: &[u8], region: Option<&str>) -> Result<Translation, TranslateError> {
        let mut body = Body::read(body, LINKS)?;
        let removed = body.take_removed();
        let Body { tree, canonical, raw, .. } = body;
        let quoted = tools::quoted_lists(&tree);
        let mut unquoted = tree;
        tools::unquote_lists(&mut unquoted, &quoted);
        let mut translation = translate(&unquoted, canonical, raw, region)?;
        mark(&mut translation.drafts, removed);
        Ok(translation)
    }

    fn respond(&self, reply: &Reply, content: &ReplyContent<'_>) -> Value {
        response::respond(reply, content)
    }

    fn reply_schemas(&self) -> &'static str {
        include_str!("vapi/replies.json")
    }

    fn kinds(&self) -> &'static [&'static str] {
        kinds::KINDS
    }

    fn outcome_of_reason(&self, reason: &str, answered: bool) -> Outcome {
        outcome::of_reason(reason, answered)
    }

    fn is_failed_transfer(&self, reason: &str) -> bool {
        outcome::is_failed_transfer(reason)
    }

    fn is_turn(&self, kind: &str) -> bool {
        kinds::is_turn(kind)
    }
}

fn translate(
    tree: &Json<'_>,
    canonical: Vec<u8>,
    raw: Vec<u8>,
    region: Option<&str>,
) -> Result<Translation, TranslateError> {
    let message = Message::parse(tree)?;
    let (party, party_facts) = facts::party(&message, region).unzip();
    let phone = party_facts.as_ref().and_then(|facts| facts.phone);
    let needs_region = region.is_none() && phone == Some(Presence::Invalid);
    let occurred_at = facts::occurred_at(&message);
    let call = facts::call_facts(&message, occurred_at, party_facts);
    let occurred_at = occurred_at.plausible();
    let (events, reply) = events::events_of(&message, call, occurred_at)?;
    let correlation = facts::correlation(&message);
    let mut raw = Some(raw);
    let drafts = events.into_iter().map(|event| Draft {
        correlation: correlation.clone(),
        dedupe: event.dedupe,
        occurred_at,
        event: event.event,
        // The body is stored once, with the first of its events.
        sections: Sections { party: party.clone(), raw: raw.take(), ..event.sections },
    });
    Ok(Translation {
        drafts: drafts.collect(),
        routing: facts::routing(&message, region),
        provider_call_id: message.call_id().map(fact_id),
        needs_region,
        is_telemetry: events::is_telemetry(&message),
        kind: message.kind.clone(),
        party,
        canonical,
        reply,
    })
}
