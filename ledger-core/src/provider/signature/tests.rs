//! Signature schemes: every setting, and refused ones.

use super::*;

const SECRET: &str = "example-secret";
const NOW: i64 = 1_790_000_000;
const BODY: &[u8] = br#"{"message":{"type":"hang"}}"#;

fn verify_with(
    scheme: &SignatureScheme,
    secret: &str,
    headers: &[(&str, &str)],
) -> Result<(), VerificationError> {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    scheme.verify(
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

fn tag(algorithm: hmac::Algorithm, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, key), &parts.concat()).as_ref().to_vec()
}

#[test]
fn the_default_scheme_is_vapis_own() {
    let scheme = SignatureScheme::default();
    assert_eq!(scheme.check(SECRET), Ok(()));
    let right = hex::encode(tag(hmac::HMAC_SHA256, SECRET.as_bytes(), &[b"1790000000.", BODY]));
    let timed = ("x-timestamp", "1790000000");
    assert_eq!(verify_with(&scheme, SECRET, &[("x-signature", &right), timed]), Ok(()));
    assert_eq!(
        verify_with(&scheme, "other", &[("x-signature", &right), timed]),
        Err(VerificationError::Invalid)
    );
    assert_eq!(
        verify_with(&scheme, SECRET, &[("x-signature", &right)]),
        Err(VerificationError::Invalid)
    );
    assert_eq!(verify_with(&scheme, SECRET, &[timed]), Err(VerificationError::Missing));
    let old = hex::encode(tag(hmac::HMAC_SHA256, SECRET.as_bytes(), &[b"1789999000.", BODY]));
    let headers = [("x-signature", old.as_str()), ("x-timestamp", "1789999000")];
    assert_eq!(verify_with(&scheme, SECRET, &headers), Err(VerificationError::Expired));
}

#[test]
fn every_choice_counts() {
    let scheme = SignatureScheme {
        algorithm: Algorithm::Sha512,
        signature_header: "x-acme-proof".into(),
        timestamp_header: None,
        payload: "{method}:{body}:end".into(),
        encoding: Encoding::Base64,
        prefix: "sha512=".into(),
        ..SignatureScheme::default()
    };
    assert_eq!(scheme.check(SECRET), Ok(()));
    let key = SECRET.as_bytes();
    let right = tag(hmac::HMAC_SHA512, key, &[b"POST:", BODY, b":end"]);
    let right = format!("sha512={}", STANDARD.encode(right));
    assert_eq!(verify_with(&scheme, SECRET, &[("x-acme-proof", &right)]), Ok(()));
    let other = tag(hmac::HMAC_SHA256, key, &[b"POST:", BODY, b":end"]);
    for wrong in [
        right.trim_start_matches("sha512=").to_owned(),
        format!("sha512={}", STANDARD.encode(other)),
        format!("sha512={}", STANDARD.encode(tag(hmac::HMAC_SHA512, key, &[BODY]))),
        SECRET.to_owned(),
    ] {
        let result = verify_with(&scheme, SECRET, &[("x-acme-proof", &wrong)]);
        assert_eq!(result, Err(VerificationError::Invalid), "{wrong}");
    }
    let sha1 = SignatureScheme { algorithm: Algorithm::Sha1, ..scheme };
    let right = tag(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key, &[b"POST:", BODY, b":end"]);
    let right = format!("sha512={}", STANDARD.encode(right));
    assert_eq!(verify_with(&sha1, SECRET, &[("x-acme-proof", &right)]), Ok(()));
}

#[test]
fn standard_webhooks_are_one_such_scheme() {
    let scheme = SignatureScheme {
        signature_header: "svix-signature".into(),
        timestamp_header: Some("svix-timestamp".into()),
        message_id_header: Some("svix-id".into()),
        payload: "{svix-id}.{timestamp}.{body}".into(),
        encoding: Encoding::Base64,
        prefix: "v1,".into(),
        is_secret_base64: true,
        ..SignatureScheme::default()
    };
    let secret = format!("whsec_{}", STANDARD.encode(b"twenty-four bytes of key"));
    assert_eq!(scheme.check(&secret), Ok(()));
    assert_eq!(scheme.check("not base64!"), Err(SchemeError::Secret));
    let signed: [&[u8]; 3] = [b"msg_{body}.", b"1790000000.", BODY];
    let tag = tag(hmac::HMAC_SHA256, b"twenty-four bytes of key", &signed);
    let several = format!("v1,AAAA v1,{}", STANDARD.encode(tag));
    let headers = |id| {
        [("svix-signature", several.as_str()), ("svix-timestamp", "1790000000"), ("svix-id", id)]
    };
    assert_eq!(verify_with(&scheme, &secret, &headers("msg_{body}")), Ok(()), "an id is no format");
    assert_eq!(verify_with(&scheme, &secret, &headers("msg_2")), Err(VerificationError::Invalid));
}

#[test]
fn a_header_of_the_scheme_given_twice_is_refused() {
    let scheme = SignatureScheme::default();
    let right = hex::encode(tag(hmac::HMAC_SHA256, SECRET.as_bytes(), &[b"1790000000.", BODY]));
    let (signed, timed) = (("x-signature", right.as_str()), ("x-timestamp", "1790000000"));
    for headers in [[signed, signed, timed], [signed, timed, timed]] {
        assert_eq!(verify_with(&scheme, SECRET, &headers), Err(VerificationError::Repeated));
    }
}

#[test]
fn a_scheme_that_proves_nothing_is_refused_by_name() {
    let usual = SignatureScheme::default;
    for (scheme, refused) in [
        (SignatureScheme { payload: "{timestamp}".into(), ..usual() }, SchemeError::NoBody),
        (SignatureScheme { payload: "{body}".into(), ..usual() }, SchemeError::Timestamp),
        (
            SignatureScheme { payload: "{timestamp}{body}{body}".into(), ..usual() },
            SchemeError::BodyRepeated,
        ),
        (SignatureScheme { timestamp_header: None, ..usual() }, SchemeError::Timestamp),
        (
            SignatureScheme { message_id_header: Some("id".into()), ..usual() },
            SchemeError::MessageId,
        ),
        (
            SignatureScheme { payload: "{timestamp}.{url}.{body}".into(), ..usual() },
            SchemeError::Placeholder,
        ),
        (SignatureScheme { signature_header: "X Y".into(), ..usual() }, SchemeError::Header),
        (SignatureScheme { signature_header: String::new(), ..usual() }, SchemeError::Header),
    ] {
        assert_eq!(scheme.check(SECRET), Err(refused));
    }
}
