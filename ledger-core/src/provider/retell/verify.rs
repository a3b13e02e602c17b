//! `X-Retell-Signature: v=<unix ms>,d=<hex>`: the digest is the HMAC-SHA256, under the API key, of the
//! body followed by the time, without a separator.

use aws_lc_rs::hmac;

use crate::provider::signature::{constant_time_eq, is_within_tolerance};
use crate::provider::{VerificationError, WebhookRequest};

const SIGNATURE: &str = "x-retell-signature";

pub(super) fn verify(secret: &str, request: &WebhookRequest<'_>) -> Result<(), VerificationError> {
    let header = request.single(SIGNATURE)?.ok_or(VerificationError::Missing)?;
    let (time, digest) = parts(header).ok_or(VerificationError::Invalid)?;
    if secret.is_empty() {
        return Err(VerificationError::Invalid);
    }
    let body = request.body.ok_or(VerificationError::BodyRequired)?;
    let mut context =
        hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
    context.update(body);
    context.update(time.as_bytes());
    let tag = hex::encode(context.sign().as_ref());
    if !constant_time_eq(&tag, &digest.to_ascii_lowercase()) {
        return Err(VerificationError::Invalid);
    }
    if is_within_tolerance(time, request.now_unix) {
        Ok(())
    } else {
        Err(VerificationError::Expired)
    }
}

/// Returns the time and the digest of the header. Each occurs once.
fn parts(header: &str) -> Option<(&str, &str)> {
    let (time, digest) = header.split_once(',')?;
    let (time, digest) = (time.trim().strip_prefix("v=")?, digest.trim().strip_prefix("d=")?);
    let is_number = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && digest.len() == 64).then_some((time, digest))
}
