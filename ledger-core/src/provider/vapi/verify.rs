//! Authentication of Vapi's webhooks by the source's secret.
//!
//! Vapi sends the secret itself, as `X-Vapi-Secret` (in older configurations `X-Vapi-Signature`) or
//! as a bearer token. With a signing credential it sends an HMAC-SHA256 of `{timestamp}.{body}`.
//! One valid credential suffices, because the request may also have static headers added by the
//! customer.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::provider::signature::{constant_time_eq, is_within_tolerance, standard_base64};
use crate::provider::{VerificationError, WebhookRequest};

/// Headers with the secret in the clear.
const PLAIN: [&str; 3] = ["x-vapi-secret", "x-vapi-signature", "authorization"];

/// Pairs of headers with a signature and its time.
const SIGNED: [(&str, &str); 2] =
    [("x-signature", "x-timestamp"), ("x-vapi-signature", "x-vapi-timestamp")];

pub(super) fn verify(secret: &str, request: &WebhookRequest<'_>) -> Result<(), VerificationError> {
    let plain = PLAIN.iter().flat_map(|name| values(request, name));
    let signed = SIGNED.iter().map(|names| signature(secret, request, *names));
    // All credentials are checked, so that the time does not depend on which one matches.
    let results = plain.map(|value| plain_secret(secret, value)).chain(signed);
    results.fold(Err(VerificationError::Missing), best_result)
}

/// Returns the result that ranks higher. From best to worst: valid, unread, expired, repeated,
/// invalid, missing. An unread body may still contain a valid signature.
fn best_result(
    a: Result<(), VerificationError>,
    b: Result<(), VerificationError>,
) -> Result<(), VerificationError> {
    let order = |result: &Result<(), VerificationError>| match result {
        Ok(()) => 5,
        Err(VerificationError::BodyRequired) => 4,
        Err(VerificationError::Expired) => 3,
        Err(VerificationError::Repeated) => 2,
        Err(VerificationError::Invalid) => 1,
        Err(VerificationError::Missing) => 0,
    };
    if order(&b) > order(&a) { b } else { a }
}

fn values<'p>(request: &WebhookRequest<'p>, name: &'p str) -> impl Iterator<Item = &'p str> {
    let named = request.headers.iter().filter(move |(known, _)| known == name);
    named.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

fn plain_secret(secret: &str, value: &str) -> Result<(), VerificationError> {
    let bare = value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    let token = bare.map_or(value, |_| value[7..].trim_start());
    // Both forms are compared: a secret may itself start with "Bearer ".
    let is_match = constant_time_eq(secret, value) | constant_time_eq(secret, token);
    match_result(is_match && !secret.is_empty())
}

/// Verifies the signature in a pair of headers. Each header may occur once, so an unauthenticated
/// request costs at most one pass over the body for each pair. A signature without a time is
/// rejected, because it could be replayed indefinitely.
fn signature(
    secret: &str,
    request: &WebhookRequest<'_>,
    (signature, timestamp): (&str, &str),
) -> Result<(), VerificationError> {
    let Some(value) = request.single(signature)? else { return Err(VerificationError::Missing) };
    let Some(timestamp) = request.single(timestamp)? else {
        return Err(VerificationError::Invalid);
    };
    let Some(body) = request.body else { return Err(VerificationError::BodyRequired) };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    let tag = context.sign();
    let value = value.strip_prefix("sha256=").unwrap_or(value);
    let is_match = constant_time_eq(&hex::encode(tag.as_ref()), &value.to_ascii_lowercase())
        | constant_time_eq(&STANDARD_NO_PAD.encode(tag.as_ref()), &standard_base64(value));
    match_result(is_match && !secret.is_empty())?;
    if is_within_tolerance(timestamp, request.now_unix) {
        Ok(())
    } else {
        Err(VerificationError::Expired)
    }
}

fn match_result(is_match: bool) -> Result<(), VerificationError> {
    if is_match { Ok(()) } else { Err(VerificationError::Invalid) }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;

    use super::*;

    const SECRET: &str = "example-secret";
    const NOW: i64 = 1_790_000_000;
    const BODY: &[u8] = br#"{"message":{"type":"hang"}}"#;

    fn verify_with(secret: &str, headers: &[(&str, &str)]) -> Result<(), VerificationError> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        verify(
            secret,
            &WebhookRequest {
                method: "POST",
                url: "",
                headers: &headers,
                body: Some(BODY),
                now_unix: NOW,
            },
        )
    }

    fn tag(timestamp: &str) -> hmac::Tag {
        let signed = [timestamp.as_bytes(), b".", BODY].concat();
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), &signed)
    }

    #[test]
    fn the_secret_itself_is_proof_in_each_header_that_carries_it() {
        for (name, value) in [
            ("x-vapi-secret", "example-secret"),
            ("x-vapi-signature", "example-secret"),
            ("authorization", "Bearer example-secret"),
            ("authorization", "bearer  example-secret"),
            ("authorization", "example-secret"),
        ] {
            assert_eq!(verify_with(SECRET, &[(name, value)]), Ok(()), "{name}: {value}");
        }
    }

    #[test]
    fn a_wrong_secret_is_wrong_and_none_is_missing() {
        for value in ["example-secre", "example-secret2", "Example-Secret", "Bearer", "ж"] {
            for name in PLAIN {
                assert_eq!(
                    verify_with(SECRET, &[(name, value)]),
                    Err(VerificationError::Invalid),
                    "{value}"
                );
            }
        }
        assert_eq!(verify_with(SECRET, &[]), Err(VerificationError::Missing));
        assert_eq!(
            verify_with(SECRET, &[("x-vapi-secret", ""), ("accept", "*/*")]),
            Err(VerificationError::Missing)
        );
    }

    #[test]
    fn an_empty_secret_matches_nothing() {
        let empty_tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b""), BODY);
        for headers in [
            vec![("authorization", "Bearer ")],
            vec![("x-vapi-secret", " ")],
            vec![("x-vapi-secret", "x")],
            vec![("x-signature", &*hex::encode(empty_tag.as_ref())), ("x-timestamp", "1790000000")],
        ] {
            assert!(verify_with("", &headers).is_err(), "{headers:?}");
        }
    }

    #[test]
    fn a_signature_is_proof_in_every_spelling() {
        for timestamp in ["1790000000", "1789999700", "1790000300", "1790000000123"] {
            let tag = tag(timestamp);
            let (hex, base64) = (hex::encode(tag.as_ref()), STANDARD_NO_PAD.encode(tag.as_ref()));
            for value in [
                hex.clone(),
                hex.to_uppercase(),
                format!("sha256={hex}"),
                base64.clone(),
                format!("sha256={base64}="),
                format!("{}=", base64.replace('+', "-").replace('/', "_")),
            ] {
                for (signature, time) in SIGNED {
                    let headers = [(signature, &*value), (time, timestamp)];
                    assert_eq!(verify_with(SECRET, &headers), Ok(()), "{value} at {timestamp}");
                }
            }
        }
    }

    #[test]
    fn a_signature_is_right_only_for_its_body_its_time_and_now() {
        let signature = |timestamp| hex::encode(tag(timestamp).as_ref());
        let verify_at = |signed, stated| {
            verify_with(SECRET, &[("x-signature", &*signature(signed)), ("x-timestamp", stated)])
        };
        assert_eq!(verify_at("1789999699", "1789999699"), Err(VerificationError::Expired));
        assert_eq!(verify_at("1790000301", "1790000301"), Err(VerificationError::Expired));
        assert_eq!(verify_at("1789999000000", "1789999000000"), Err(VerificationError::Expired));
        assert_eq!(verify_at("NaN", "NaN"), Err(VerificationError::Expired));
        assert_eq!(verify_at("1790000001", "1790000000"), Err(VerificationError::Invalid));
        let untimed = [("x-signature", &*signature(""))];
        assert_eq!(verify_with(SECRET, &untimed), Err(VerificationError::Invalid));
        let of_another_body = hex::encode(digest::digest(&digest::SHA256, BODY).as_ref());
        let headers = [("x-signature", &*of_another_body), ("x-timestamp", "1790000000")];
        assert_eq!(verify_with(SECRET, &headers), Err(VerificationError::Invalid));
    }

    #[test]
    fn one_right_proof_among_wrong_ones_is_enough() {
        let right = ("x-vapi-secret", SECRET);
        for wrong in [
            ("authorization", "Bearer somebody-else"),
            ("x-vapi-secret", "old-secret"),
            ("x-vapi-signature", "0000"),
            ("x-signature", "0000"),
        ] {
            assert_eq!(verify_with(SECRET, &[wrong, right]), Ok(()), "{wrong:?}");
            assert_eq!(verify_with(SECRET, &[right, wrong]), Ok(()), "{wrong:?}");
        }
    }
    #[test]
    fn a_signature_or_a_time_given_twice_is_refused_before_the_body_is_looked_at() {
        let right = hex::encode(tag("1790000000").as_ref());
        for (signature, time) in SIGNED {
            let (right, timed) = ((signature, right.as_str()), (time, "1790000000"));
            for headers in [
                vec![right, right, timed],
                vec![right, timed, timed],
                vec![right, timed, (signature, "0000")],
                vec![(time, "1"), right, timed],
            ] {
                assert_eq!(
                    verify_with(SECRET, &headers),
                    Err(VerificationError::Repeated),
                    "{headers:?}"
                );
                let plain = [headers, vec![("authorization", SECRET)]].concat();
                assert_eq!(verify_with(SECRET, &plain), Ok(()), "the secret itself stays a proof");
            }
        }
    }

    #[test]
    fn only_a_whole_signature_makes_the_body_worth_reading() {
        let unread = |headers: &[(&str, &str)]| {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            verify(
                SECRET,
                &WebhookRequest {
                    method: "POST",
                    url: "",
                    headers: &headers,
                    body: None,
                    now_unix: NOW,
                },
            )
        };
        let (signed, timed) = (("x-signature", "00"), ("x-timestamp", "1790000000"));
        assert_eq!(unread(&[signed, timed]), Err(VerificationError::BodyRequired));
        assert_eq!(
            unread(&[signed, timed, ("x-vapi-secret", "other")]),
            Err(VerificationError::BodyRequired)
        );
        assert_eq!(unread(&[signed, timed, ("x-vapi-secret", SECRET)]), Ok(()));
        assert_eq!(unread(&[]), Err(VerificationError::Missing));
        assert_eq!(unread(&[("x-vapi-secret", "other")]), Err(VerificationError::Invalid));
        assert_eq!(unread(&[signed]), Err(VerificationError::Invalid));
        assert_eq!(unread(&[signed, signed, timed]), Err(VerificationError::Repeated));
        let no_text = ("x-signature", "\u{fffd}");
        assert_eq!(unread(&[no_text, timed]), Err(VerificationError::Invalid));
        assert_eq!(unread(&[signed, no_text, timed]), Err(VerificationError::Repeated));
        assert_eq!(unread(&[signed, ("x-timestamp", "\u{fffd}")]), Err(VerificationError::Invalid));
    }
}
