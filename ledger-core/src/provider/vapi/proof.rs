//! Authentication of Vapi's webhooks by the source's secret.
//!
//! Vapi sends the secret itself, as `X-Vapi-Secret` (in older configurations `X-Vapi-Signature`) or
//! as a bearer token. With a signing credential it sends an HMAC-SHA256 of `{timestamp}.{body}`.
//! One valid credential suffices, because the request may also have static headers added by the
//! customer.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::provider::signature::{is_near, is_same, standard_base64};
use crate::provider::{Proof, Unproven};

/// Headers with the secret in the clear.
const PLAIN: [&str; 3] = ["x-vapi-secret", "x-vapi-signature", "authorization"];

/// Pairs of headers with a signature and its time.
const SIGNED: [(&str, &str); 2] =
    [("x-signature", "x-timestamp"), ("x-vapi-signature", "x-vapi-timestamp")];

pub(super) fn verify(secret: &str, proof: &Proof<'_>) -> Result<(), Unproven> {
    let plain = PLAIN.iter().flat_map(|name| values(proof, name));
    let signed = SIGNED.iter().map(|names| signature(secret, proof, *names));
    // All credentials are checked, so that the time does not depend on which one matches.
    let judged = plain.map(|value| plain_secret(secret, value)).chain(signed);
    judged.fold(Err(Unproven::Missing), better)
}

/// Returns the result that ranks higher. From best to worst: valid, unread, expired, repeated,
/// invalid, missing. An unread body may still contain a valid signature.
fn better(a: Result<(), Unproven>, b: Result<(), Unproven>) -> Result<(), Unproven> {
    let rank = |judgement: &Result<(), Unproven>| match judgement {
        Ok(()) => 5,
        Err(Unproven::Unread) => 4,
        Err(Unproven::Stale) => 3,
        Err(Unproven::Repeated) => 2,
        Err(Unproven::Wrong) => 1,
        Err(Unproven::Missing) => 0,
    };
    if rank(&b) > rank(&a) { b } else { a }
}

fn values<'p>(proof: &Proof<'p>, name: &'p str) -> impl Iterator<Item = &'p str> {
    let named = proof.headers.iter().filter(move |(known, _)| known == name);
    named.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

fn plain_secret(secret: &str, value: &str) -> Result<(), Unproven> {
    let bare = value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    let token = bare.map_or(value, |_| value[7..].trim_start());
    // Both forms are compared: a secret may itself start with "Bearer ".
    let is_right = is_same(secret, value) | is_same(secret, token);
    right_or_wrong(is_right && !secret.is_empty())
}

/// Verifies the signature in a pair of headers. Each header may occur once, so an unauthenticated
/// request costs at most one pass over the body for each pair. A signature without a time is
/// rejected, because it could be replayed indefinitely.
fn signature(
    secret: &str,
    proof: &Proof<'_>,
    (signature, timestamp): (&str, &str),
) -> Result<(), Unproven> {
    let Some(value) = proof.single(signature)? else { return Err(Unproven::Missing) };
    let Some(timestamp) = proof.single(timestamp)? else { return Err(Unproven::Wrong) };
    let Some(body) = proof.body else { return Err(Unproven::Unread) };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    let tag = context.sign();
    let value = value.strip_prefix("sha256=").unwrap_or(value);
    let is_right = is_same(&hex::encode(tag.as_ref()), &value.to_ascii_lowercase())
        | is_same(&STANDARD_NO_PAD.encode(tag.as_ref()), &standard_base64(value));
    right_or_wrong(is_right && !secret.is_empty())?;
    if is_near(timestamp, proof.now_unix) { Ok(()) } else { Err(Unproven::Stale) }
}

fn right_or_wrong(is_right: bool) -> Result<(), Unproven> {
    if is_right { Ok(()) } else { Err(Unproven::Wrong) }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;

    use super::*;

    const SECRET: &str = "example-secret";
    const NOW: i64 = 1_790_000_000;
    const BODY: &[u8] = br#"{"message":{"type":"hang"}}"#;

    fn judge(secret: &str, headers: &[(&str, &str)]) -> Result<(), Unproven> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        verify(secret, &Proof { headers: &headers, body: Some(BODY), now_unix: NOW })
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
            assert_eq!(judge(SECRET, &[(name, value)]), Ok(()), "{name}: {value}");
        }
    }

    #[test]
    fn a_wrong_secret_is_wrong_and_none_is_missing() {
        for value in ["example-secre", "example-secret2", "Example-Secret", "Bearer", "ж"] {
            for name in PLAIN {
                assert_eq!(judge(SECRET, &[(name, value)]), Err(Unproven::Wrong), "{value}");
            }
        }
        assert_eq!(judge(SECRET, &[]), Err(Unproven::Missing));
        assert_eq!(
            judge(SECRET, &[("x-vapi-secret", ""), ("accept", "*/*")]),
            Err(Unproven::Missing)
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
            assert!(judge("", &headers).is_err(), "{headers:?}");
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
                    assert_eq!(judge(SECRET, &headers), Ok(()), "{value} at {timestamp}");
                }
            }
        }
    }

    #[test]
    fn a_signature_is_right_only_for_its_body_its_time_and_now() {
        let signature = |timestamp| hex::encode(tag(timestamp).as_ref());
        let judge_at = |signed, said| {
            judge(SECRET, &[("x-signature", &*signature(signed)), ("x-timestamp", said)])
        };
        assert_eq!(judge_at("1789999699", "1789999699"), Err(Unproven::Stale));
        assert_eq!(judge_at("1790000301", "1790000301"), Err(Unproven::Stale));
        assert_eq!(judge_at("1789999000000", "1789999000000"), Err(Unproven::Stale));
        assert_eq!(judge_at("NaN", "NaN"), Err(Unproven::Stale));
        assert_eq!(judge_at("1790000001", "1790000000"), Err(Unproven::Wrong));
        let untimed = [("x-signature", &*signature(""))];
        assert_eq!(judge(SECRET, &untimed), Err(Unproven::Wrong));
        let of_another_body = hex::encode(digest::digest(&digest::SHA256, BODY).as_ref());
        let headers = [("x-signature", &*of_another_body), ("x-timestamp", "1790000000")];
        assert_eq!(judge(SECRET, &headers), Err(Unproven::Wrong));
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
            assert_eq!(judge(SECRET, &[wrong, right]), Ok(()), "{wrong:?}");
            assert_eq!(judge(SECRET, &[right, wrong]), Ok(()), "{wrong:?}");
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
                assert_eq!(judge(SECRET, &headers), Err(Unproven::Repeated), "{headers:?}");
                let plain = [headers, vec![("authorization", SECRET)]].concat();
                assert_eq!(judge(SECRET, &plain), Ok(()), "the secret itself stays a proof");
            }
        }
    }

    #[test]
    fn only_a_whole_signature_makes_the_body_worth_reading() {
        let unread = |headers: &[(&str, &str)]| {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            verify(SECRET, &Proof { headers: &headers, body: None, now_unix: NOW })
        };
        let (signed, timed) = (("x-signature", "00"), ("x-timestamp", "1790000000"));
        assert_eq!(unread(&[signed, timed]), Err(Unproven::Unread));
        assert_eq!(unread(&[signed, timed, ("x-vapi-secret", "other")]), Err(Unproven::Unread));
        assert_eq!(unread(&[signed, timed, ("x-vapi-secret", SECRET)]), Ok(()));
        assert_eq!(unread(&[]), Err(Unproven::Missing));
        assert_eq!(unread(&[("x-vapi-secret", "other")]), Err(Unproven::Wrong));
        assert_eq!(unread(&[signed]), Err(Unproven::Wrong));
        assert_eq!(unread(&[signed, signed, timed]), Err(Unproven::Repeated));
        let no_text = ("x-signature", "\u{fffd}");
        assert_eq!(unread(&[no_text, timed]), Err(Unproven::Wrong));
        assert_eq!(unread(&[signed, no_text, timed]), Err(Unproven::Repeated));
        assert_eq!(unread(&[signed, ("x-timestamp", "\u{fffd}")]), Err(Unproven::Wrong));
    }
}
