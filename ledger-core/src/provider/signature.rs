//! Configurable signature schemes: header names, algorithm and signed payload. A source with a
//! scheme accepts no other kind of authentication.

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{VerificationError, WebhookRequest};

/// Maximum number of signatures compared. During a rotation of the secret there are two.
const MAX_SIGNATURES: usize = 16;

/// Maximum difference between a signed time and the local time, in seconds.
const TOLERANCE: u64 = 300;

/// Placeholders permitted in a payload format.
const PLACEHOLDERS: [&str; 4] = ["{body}", "{timestamp}", "{method}", "{svix-id}"];

/// Hash function of the HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// HMAC-SHA-256, the default.
    #[default]
    Sha256,
    /// HMAC-SHA-512, with a tag of 64 bytes.
    Sha512,
    /// HMAC-SHA-1. The hash is weak, its HMAC is still secure.
    Sha1,
}

/// Text encoding of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal digits, upper or lower case.
    #[default]
    Hex,
    /// Base64 in the standard or the URL-safe alphabet, with or without padding.
    Base64,
}

/// A signature scheme: the signed payload and the headers of the signature. Check it with
/// [`SignatureScheme::check`] before it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureScheme {
    /// Hash function of the HMAC.
    pub algorithm: Algorithm,
    /// Header with the signature. Several signatures in the header are separated by spaces; one
    /// valid signature suffices.
    pub signature_header: String,
    /// Header with the signed time. Without it a request can be replayed indefinitely; a replay is
    /// still recorded once only.
    pub timestamp_header: Option<String>,
    /// Header with the id of the message, if the payload contains `{svix-id}`.
    pub message_id_header: Option<String>,
    /// Format of the signed payload: `{body}`, with other placeholders and text.
    pub payload: String,
    /// Text encoding of the signature.
    pub encoding: Encoding,
    /// Prefix of the signature, such as `sha256=` or `v1,`.
    pub prefix: String,
    /// True if the secret is the Base64 form of the key, such as `whsec_…`.
    pub is_secret_base64: bool,
}

impl Default for SignatureScheme {
    /// Returns Vapi's scheme for a credential without settings.
    fn default() -> Self {
        Self {
            algorithm: Algorithm::default(),
            signature_header: "x-signature".into(),
            timestamp_header: Some("x-timestamp".into()),
            message_id_header: None,
            payload: "{timestamp}.{body}".into(),
            encoding: Encoding::default(),
            prefix: String::new(),
            is_secret_base64: false,
        }
    }
}

/// Reason why a scheme is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SchemeError {
    /// The payload does not cover the body.
    #[error("the payload must contain {{body}}")]
    NoBody,
    /// The body is repeated in the payload, which would cost another pass over an unauthenticated
    /// body.
    #[error("the payload must contain {{body}} once")]
    BodyRepeated,
    /// The time is sent but not signed, or signed but not sent.
    #[error(
        "the payload must contain {{timestamp}} when there is a timestamp header, and only then"
    )]
    Timestamp,
    /// The message id is sent but not signed, or signed but not sent.
    #[error(
        "the payload must contain {{svix-id}} when there is a message id header, and only then"
    )]
    MessageId,
    /// An unsupported placeholder, such as the URL: behind a proxy the URL of the sender is not
    /// known.
    #[error(
        "the payload may contain {{body}}, {{timestamp}}, {{method}} and {{svix-id}}, and no other braces"
    )]
    Placeholder,
    /// A header name has characters that are not permitted.
    #[error("a header's name is lower-case letters, digits and hyphens")]
    Header,
    /// The secret is not valid Base64.
    #[error("the secret is not Base64")]
    Secret,
}

impl SignatureScheme {
    /// Checks whether the scheme is usable with this secret.
    ///
    /// # Errors
    /// [`SchemeError`] describes what must be changed.
    pub fn check(&self, secret: &str) -> Result<(), SchemeError> {
        let headers = [&self.timestamp_header, &self.message_id_header];
        let headers = headers.into_iter().flatten().chain([&self.signature_header]);
        let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_".contains(&c);
        for header in headers {
            if header.is_empty() || !header.bytes().all(is_name) {
                return Err(SchemeError::Header);
            }
        }
        let signs = |placeholder| self.payload.contains(placeholder);
        let rest =
            PLACEHOLDERS.iter().fold(self.payload.clone(), |rest, one| rest.replace(one, ""));
        if rest.contains(['{', '}']) {
            return Err(SchemeError::Placeholder);
        }
        if !signs("{body}") {
            return Err(SchemeError::NoBody);
        }
        if self.payload.matches("{body}").count() > 1 {
            return Err(SchemeError::BodyRepeated);
        }
        if signs("{timestamp}") != self.timestamp_header.is_some() {
            return Err(SchemeError::Timestamp);
        }
        if signs("{svix-id}") != self.message_id_header.is_some() {
            return Err(SchemeError::MessageId);
        }
        self.key(secret).map(|_| ()).ok_or(SchemeError::Secret)
    }

    /// Verifies that the sender has the secret, in constant time. Each header may occur once, so an
    /// unauthenticated request costs one pass over the body.
    ///
    /// # Errors
    /// [`VerificationError`]: the request is answered with 401 and nothing of it is stored. For
    /// [`VerificationError::BodyRequired`], the caller reads the body and verifies again.
    pub fn verify(
        &self,
        secret: &str,
        request: &WebhookRequest<'_>,
    ) -> Result<(), VerificationError> {
        let given = request.single(&self.signature_header)?.ok_or(VerificationError::Missing)?;
        if request.is_get() {
            // The message is in the URL, which a scheme does not sign.
            return Err(VerificationError::Invalid);
        }
        let header = |name: &Option<String>| match name {
            Some(name) => request.single(name)?.ok_or(VerificationError::Invalid),
            None => Ok(""),
        };
        let timestamp = header(&self.timestamp_header)?;
        let message_id = header(&self.message_id_header)?;
        let key =
            self.key(secret).filter(|_| !secret.is_empty()).ok_or(VerificationError::Invalid)?;
        let body = request.body.ok_or(VerificationError::BodyRequired)?;
        let tag = self.sign(&key, request.method, body, (timestamp, message_id));
        // All signatures are compared, so that the time does not depend on which one matches.
        let is_match = given
            .split_whitespace()
            .take(MAX_SIGNATURES)
            .filter_map(|one| one.strip_prefix(self.prefix.as_str()))
            .fold(false, |is_match, one| is_match | self.matches_tag(&tag, one));
        if !is_match {
            return Err(VerificationError::Invalid);
        }
        if self.timestamp_header.is_some() && !is_within_tolerance(timestamp, request.now_unix) {
            return Err(VerificationError::Expired);
        }
        Ok(())
    }

    fn key(&self, secret: &str) -> Option<hmac::Key> {
        let algorithm = match self.algorithm {
            Algorithm::Sha256 => hmac::HMAC_SHA256,
            Algorithm::Sha512 => hmac::HMAC_SHA512,
            Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        };
        if !self.is_secret_base64 {
            return Some(hmac::Key::new(algorithm, secret.as_bytes()));
        }
        let text = secret.strip_prefix("whsec_").unwrap_or(secret);
        let bytes = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()?;
        (!bytes.is_empty()).then(|| hmac::Key::new(algorithm, &bytes))
    }

    /// Computes the tag over the payload, piece by piece. Inserted values are not searched for
    /// placeholders.
    fn sign(
        &self,
        key: &hmac::Key,
        method: &str,
        body: &[u8],
        (timestamp, message_id): (&str, &str),
    ) -> hmac::Tag {
        let mut context = hmac::Context::with_key(key);
        let mut rest = self.payload.as_str();
        while let Some(at) = rest.find('{') {
            context.update(&rest.as_bytes()[..at]);
            rest = &rest[at..];
            let found = PLACEHOLDERS.iter().find(|placeholder| rest.starts_with(**placeholder));
            let Some(placeholder) = found else { break };
            context.update(match *placeholder {
                "{body}" => body,
                "{timestamp}" => timestamp.as_bytes(),
                "{method}" => method.as_bytes(),
                _ => message_id.as_bytes(),
            });
            rest = &rest[placeholder.len()..];
        }
        context.update(rest.as_bytes());
        context.sign()
    }

    fn matches_tag(&self, tag: &hmac::Tag, written: &str) -> bool {
        match self.encoding {
            Encoding::Hex => {
                constant_time_eq(&hex::encode(tag.as_ref()), &written.to_ascii_lowercase())
            }
            Encoding::Base64 => {
                constant_time_eq(&STANDARD_NO_PAD.encode(tag.as_ref()), &standard_base64(written))
            }
        }
    }
}

/// Returns true if a time in seconds or milliseconds is within the tolerance. Seconds have had ten
/// digits since 2001, milliseconds thirteen.
pub(in crate::provider) fn is_within_tolerance(timestamp: &str, now_unix: i64) -> bool {
    let Ok(time) = timestamp.parse::<i64>() else { return false };
    let seconds = if time > 100_000_000_000 { time / 1000 } else { time };
    seconds.abs_diff(now_unix) <= TOLERANCE
}

/// Compares two texts by their digests, so that the time depends neither on the first difference
/// nor on the lengths.
pub(in crate::provider) fn constant_time_eq(a: &str, b: &str) -> bool {
    let digest = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    constant_time::verify_slices_are_equal(digest(a).as_ref(), digest(b).as_ref()).is_ok()
}

/// Converts Base64 to the standard alphabet without padding.
pub(in crate::provider) fn standard_base64(text: &str) -> String {
    text.trim_end_matches('=').replace('-', "+").replace('_', "/")
}

#[cfg(test)]
mod tests;
