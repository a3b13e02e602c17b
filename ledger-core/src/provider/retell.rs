//! Adapter for Retell AI: call webhooks, the inbound webhook and custom functions.
//!
//! `call_analyzed` repeats all fields of `call_ended` and adds the analysis, so it is the report of
//! the call, and `call_ended` is a status. The two give the same call in any order.

mod events;
mod facts;
mod outcome;
mod report;
mod response;
mod verify;

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{
    Adapter, Reply, ReplyContent, TranslateError, Translation, VerificationError, WebhookRequest,
};
use crate::outcome::Outcome;

/// The adapter for Retell AI.
pub struct Retell;

impl Adapter for Retell {
    fn verify(&self, secret: &str, request: &WebhookRequest<'_>) -> Result<(), VerificationError> {
        verify::verify(secret, request)
    }

    fn translate(
        &self,
        message: &[u8],
        region: Option<&str>,
    ) -> Result<Translation, TranslateError> {
        events::translate(message, region)
    }

    fn respond(&self, reply: &Reply, content: &ReplyContent<'_>) -> Value {
        response::respond(reply, content)
    }

    fn reply_schemas(&self) -> &'static str {
        include_str!("retell/replies.json")
    }

    fn kinds(&self) -> &'static [&'static str] {
        events::KINDS
    }

    fn outcome_of_reason(&self, reason: &str, answered: bool) -> Outcome {
        outcome::of_reason(reason, answered)
    }
}
