//! Adapter for Twilio Voice: status callbacks and recording callbacks.
//!
//! A callback is a form in a POST, a query of a GET, or JSON. All three decode to one JSON object of
//! texts, so the same callback is the same event in each of them.

mod events;
mod outcome;
mod verify;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{
    Adapter, Reply, ReplyContent, TranslateError, Translation, VerificationError, WebhookRequest,
    form,
};
use crate::outcome::Outcome;

/// Kinds of callbacks. Twilio names no type; the kind follows from the fields.
const KINDS: &[&str] = &["call-status", "dial-action", "recording-status", "other-callback"];

/// The adapter for Twilio Voice.
pub struct Twilio;

impl Adapter for Twilio {
    fn verify(&self, secret: &str, request: &WebhookRequest<'_>) -> Result<(), VerificationError> {
        verify::verify(secret, request)
    }

    fn decode<'a>(&self, request: &WebhookRequest<'a>) -> Result<Cow<'a, [u8]>, TranslateError> {
        let body = request.body.unwrap_or_default();
        if request.is_get() {
            form::to_json(request.query().as_bytes()).map(Cow::Owned)
        } else if request.is_form() {
            form::to_json(body).map(Cow::Owned)
        } else {
            Ok(Cow::Borrowed(body))
        }
    }

    fn translate(
        &self,
        message: &[u8],
        region: Option<&str>,
    ) -> Result<Translation, TranslateError> {
        events::translate(message, region)
    }

    /// Twilio ignores the body of the answer to a callback.
    fn respond(&self, _: &Reply, _: &ReplyContent<'_>) -> Value {
        json!({})
    }

    fn reply_schemas(&self) -> &'static str {
        "{}"
    }

    fn kinds(&self) -> &'static [&'static str] {
        KINDS
    }

    fn outcome_of_reason(&self, reason: &str, _: bool) -> Outcome {
        outcome::of_reason(reason)
    }

    fn is_carrier(&self) -> bool {
        true
    }

    fn is_call_id(&self, id: &str) -> bool {
        let digits = id.strip_prefix("CA").unwrap_or_default().as_bytes();
        digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit)
    }
}
