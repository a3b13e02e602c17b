//! `X-Twilio-Signature`: Base64 of the HMAC-SHA1, under the account's auth token, of the URL and the
//! fields of the form.
//!
//! The fields are sorted by name, each name is followed by its value, and a repeated name by its
//! distinct values in order. A body that is no form is not part of the signed text. Its SHA-256 is
//! then the parameter `bodySHA256` of the URL, without which the body is not authenticated.

use std::collections::BTreeSet;

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::provider::form::{self, Field};
use crate::provider::signature::{constant_time_eq, standard_base64};
use crate::provider::{VerificationError, WebhookRequest};

const SIGNATURE: &str = "x-twilio-signature";
const BODY_DIGEST: &[u8] = b"bodySHA256";

pub(super) fn verify(secret: &str, request: &WebhookRequest<'_>) -> Result<(), VerificationError> {
    let signature = request.single(SIGNATURE)?.ok_or(VerificationError::Missing)?;
    if secret.is_empty() {
        return Err(VerificationError::Invalid);
    }
    let invalid = |_| VerificationError::Invalid;
    let signed = if request.is_get() {
        Vec::new()
    } else {
        let body = request.body.ok_or(VerificationError::BodyRequired)?;
        if request.is_form() {
            signed_fields(form::fields(body).map_err(invalid)?)
        } else {
            let query = form::fields(request.query().as_bytes()).map_err(invalid)?;
            check_body_digest(&query, body)?;
            Vec::new()
        }
    };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let is_match = |url: &str| {
        let mut context = hmac::Context::with_key(&key);
        context.update(url.as_bytes());
        context.update(&signed);
        let tag = STANDARD_NO_PAD.encode(context.sign().as_ref());
        constant_time_eq(&tag, &standard_base64(signature))
    };
    // Twilio signs the URL with or without the scheme's default port. Both are compared, so that the
    // time does not depend on which one matches.
    let other = toggled_port(request.url).is_some_and(|url| is_match(&url));
    if is_match(request.url) | other { Ok(()) } else { Err(VerificationError::Invalid) }
}

/// Returns the signed text of the fields.
fn signed_fields(fields: Vec<Field<'_>>) -> Vec<u8> {
    let fields: BTreeSet<Field<'_>> = fields.into_iter().collect();
    let texts = fields.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]);
    texts.collect::<Vec<_>>().concat()
}

/// Compares the digest in the URL with that of the body.
fn check_body_digest(query: &[Field<'_>], body: &[u8]) -> Result<(), VerificationError> {
    let mut stated = query.iter().filter(|(name, _)| name.as_ref() == BODY_DIGEST);
    let (Some((_, stated)), None) = (stated.next(), stated.next()) else {
        return Err(VerificationError::Invalid);
    };
    let stated = String::from_utf8_lossy(stated).to_ascii_lowercase();
    let actual = hex::encode(digest::digest(&digest::SHA256, body).as_ref());
    if constant_time_eq(&actual, &stated) { Ok(()) } else { Err(VerificationError::Invalid) }
}

/// Returns the URL with its default port added, or removed if it is stated; `None` for another port.
fn toggled_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match authority.strip_suffix(port) {
        Some(bare) => Some(format!("{scheme}://{bare}{path}")),
        None if host.rfind(':') > host.rfind(']') => None,
        None => Some(format!("{scheme}://{authority}{port}{path}")),
    }
}
