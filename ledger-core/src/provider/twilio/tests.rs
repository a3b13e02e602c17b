//! Signatures and translation of Twilio's callbacks.

use super::*;
use crate::event::{CallEvent, Direction, Status};
use crate::provider::history;

const TOKEN: &str = "12345";
const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const FORM: &str = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212\
                    &Caller=%2B14158675309";
const SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
const JSON_BODY: &str = r#"{"property": "value", "boolean": true}"#;
const JSON_DIGEST: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
const JSON_SIGNATURE: &str = "a9nBmqA0ju/hNViExpshrM61xv4=";

const FORM_TYPE: &str = "application/x-www-form-urlencoded; charset=UTF-8";

struct Sent<'a> {
    method: &'a str,
    url: &'a str,
    content_type: &'a str,
    body: Option<&'a str>,
    signatures: &'a [&'a str],
}

const VECTOR: Sent<'_> = Sent {
    method: "POST",
    url: URL,
    content_type: FORM_TYPE,
    body: Some(FORM),
    signatures: &[SIGNATURE],
};

fn verify_with(secret: &str, sent: &Sent<'_>) -> Result<(), VerificationError> {
    let mut headers = vec![("content-type".to_owned(), sent.content_type.to_owned())];
    let signatures = sent.signatures.iter();
    headers.extend(signatures.map(|one| ("x-twilio-signature".to_owned(), (*one).to_owned())));
    let request = WebhookRequest {
        method: sent.method,
        url: sent.url,
        headers: &headers,
        body: sent.body.map(str::as_bytes),
        now_unix: 1_790_000_000,
    };
    Twilio.verify(secret, &request)
}

fn check(sent: &Sent<'_>) -> Result<(), VerificationError> {
    verify_with(TOKEN, sent)
}

#[test]
fn the_published_vectors_verify() {
    assert_eq!(check(&VECTOR), Ok(()));
    let repeated = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
    let signatures = &["IK+Dwps556ElfBT0I3Rgjkr1wJU="];
    assert_eq!(check(&Sent { body: Some(repeated), signatures, ..VECTOR }), Ok(()));
    let url = format!("{URL}&bodySHA256={JSON_DIGEST}");
    let json = Sent {
        url: &url,
        content_type: "application/json",
        body: Some(JSON_BODY),
        signatures: &[JSON_SIGNATURE],
        ..VECTOR
    };
    assert_eq!(check(&json), Ok(()));
}

#[test]
fn the_order_of_the_fields_and_a_default_port_make_no_difference() {
    let mut fields: Vec<&str> = FORM.split('&').collect();
    fields.reverse();
    let reversed = fields.join("&");
    assert_eq!(check(&Sent { body: Some(&reversed), ..VECTOR }), Ok(()));
    let with_port = URL.replace(".com", ".com:443");
    assert_eq!(check(&Sent { url: &with_port, ..VECTOR }), Ok(()));
    let other_port = URL.replace(".com", ".com:8443");
    assert_eq!(check(&Sent { url: &other_port, ..VECTOR }), Err(VerificationError::Invalid));
}

#[test]
fn a_signature_is_valid_for_its_url_its_fields_and_its_token_only() {
    let invalid = Err(VerificationError::Invalid);
    for url in [
        "https://mycompany.com/myapp.php?bar=2&foo=1",
        "http://mycompany.com/myapp.php?foo=1&bar=2",
        "https://mycompany.com/myapp.php?foo=1&bar=2&baz=3",
        "https://mycompany.example/myapp.php?foo=1&bar=2",
        "",
    ] {
        assert_eq!(check(&Sent { url, ..VECTOR }), invalid, "{url}");
    }
    for body in [
        "",
        &FORM.replace("1234567890", "1234567891"),
        &format!("{FORM}&Added=1"),
        &FORM.replace("&Digits=1234", ""),
        &FORM.replace("Digits=1234", "Digits=1234+"),
    ] {
        assert_eq!(check(&Sent { body: Some(body), ..VECTOR }), invalid, "{body}");
    }
    assert_eq!(verify_with("12346", &VECTOR), invalid);
    assert_eq!(verify_with("", &VECTOR), invalid);
    assert_eq!(check(&Sent { method: "GET", ..VECTOR }), invalid, "the fields are not signed");
    assert_eq!(check(&Sent { content_type: "application/json", ..VECTOR }), invalid);
    assert_eq!(check(&Sent { content_type: "", ..VECTOR }), invalid);
}

#[test]
fn a_missing_or_repeated_signature_is_refused_before_the_body_is_read() {
    assert_eq!(check(&Sent { signatures: &[], ..VECTOR }), Err(VerificationError::Missing));
    assert_eq!(check(&Sent { signatures: &[""], ..VECTOR }), Err(VerificationError::Missing));
    let twice = &[SIGNATURE, SIGNATURE];
    assert_eq!(check(&Sent { signatures: twice, ..VECTOR }), Err(VerificationError::Repeated));
    assert_eq!(check(&Sent { body: None, ..VECTOR }), Err(VerificationError::BodyRequired));
}

#[test]
fn a_body_that_is_no_form_needs_its_digest_in_the_url() {
    let json = |url: &str, body: &str, signature: &str| {
        check(&Sent {
            url,
            content_type: "application/json",
            body: Some(body),
            signatures: &[signature],
            ..VECTOR
        })
    };
    let url = format!("{URL}&bodySHA256={JSON_DIGEST}");
    let invalid = Err(VerificationError::Invalid);
    assert_eq!(json(&url, "{}", JSON_SIGNATURE), invalid);
    assert_eq!(
        json(&format!("{url}&bodySHA256={JSON_DIGEST}"), JSON_BODY, JSON_SIGNATURE),
        invalid
    );
    // Right for the URL alone, which says nothing about the body.
    let url_only = aws_lc_rs::hmac::sign(
        &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345"),
        URL.as_bytes(),
    );
    let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, url_only);
    assert_eq!(json(URL, JSON_BODY, &signature), invalid);
    assert_eq!(
        check(&Sent { method: "GET", body: None, signatures: &[&signature], ..VECTOR }),
        Ok(())
    );
}

#[test]
fn a_form_that_no_callback_has_is_refused_without_a_signature_over_it() {
    let many = "a=1&".repeat(100_000);
    assert_eq!(check(&Sent { body: Some(&many), ..VECTOR }), Err(VerificationError::Invalid));
}

fn fixture(name: &str) -> String {
    let path = format!("{}/../tests/fixtures/twilio/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("a fixture")
}

fn decoded(form: &str) -> Vec<u8> {
    form::to_json(form.as_bytes()).expect("a form")
}

fn translated(form: &str) -> Translation {
    Twilio.translate(&decoded(form), Some("US")).expect("a callback")
}

fn event(form: &str) -> CallEvent {
    translated(form).drafts.remove(0).event
}

#[test]
fn a_captured_end_of_a_call_has_its_time_reason_and_seconds() {
    let translation = translated(&fixture("voice-status.completed.outbound-human.form"));
    assert_eq!(translation.kind, "call-status");
    assert_eq!(translation.provider_call_id.as_deref(), Some("CAbe982f58915a2def4cf7aaa1f1766236"));
    assert_eq!(translation.routing.phone_number.as_deref(), Some("+15550100013"));
    let phone = translation.party.as_ref().and_then(|party| party.phone.as_deref());
    assert_eq!(phone, Some("+15550100112"));
    let CallEvent::Ended(ended) = &translation.drafts[0].event else { panic!("it is an end") };
    assert_eq!(ended.duration_ms, Some(49_000), "`Duration` is in billed minutes");
    assert_eq!(ended.ended_reason.as_deref(), Some("completed"));
    assert_eq!(ended.ended_at.map(|at| at.timestamp()), Some(1_521_971_599));
    assert_eq!(ended.call.direction, Some(Direction::Outbound));
}

#[test]
fn a_captured_recording_has_a_sealed_link() {
    let captured = fixture("recording-status.completed.dual-channel.with-headers.json");
    let captured: serde_json::Value = serde_json::from_str(&captured).expect("JSON");
    let mut translation = translated(captured["raw"].as_str().expect("a form"));
    assert_eq!(translation.kind, "recording-status");
    let draft = translation.drafts.remove(0);
    let CallEvent::RecordingAvailable(available) = &draft.event else { panic!("a recording") };
    assert!(available.has_link);
    assert_eq!(available.artifacts[0].kind, "recording-stereo");
    assert!(available.artifacts[0].success);
    let conversation = draft.sections.conversation.expect("a sealed link");
    assert!(conversation.recordings[0].url.starts_with("https://api.twilio.com/"));
    assert!(!draft.event.to_facts().contains("https:"), "a link to a voice is personal data");
}

#[test]
fn a_form_a_query_and_json_are_the_same_event() {
    let form = fixture("voice-status.initiated.outbound.form");
    let headers = [("content-type".to_owned(), FORM_TYPE.to_owned())];
    let url = format!("https://ledger.example.com/ingest/x?{form}");
    let json = decoded(&form);
    let request = |method, url, headers, body| WebhookRequest {
        method,
        url,
        headers,
        body: Some(body),
        now_unix: 0,
    };
    for request in [
        request("POST", URL, &headers[..], form.as_bytes()),
        request("GET", url.as_str(), &[], b""),
        request("POST", URL, &[], json.as_slice()),
    ] {
        let message = Twilio.decode(&request).expect("a message");
        let translation = Twilio.translate(&message, None).expect("a callback");
        assert_eq!(translation.canonical, translated(&form).canonical);
    }
}

#[test]
fn each_status_has_its_event() {
    let of = |word: &str| event(&format!("CallSid=CA1&CallStatus={word}"));
    for (word, status) in
        [("queued", Status::Queued), ("initiated", Status::Queued), ("ringing", Status::Ringing)]
    {
        let CallEvent::StatusChanged(changed) = of(word) else { panic!("{word}") };
        assert_eq!(changed.status, Some(status));
        assert_eq!(changed.provider_status, word);
    }
    assert!(matches!(of("in-progress"), CallEvent::Started(_)));
    for (word, outcome) in [
        ("completed", Outcome::Completed),
        ("busy", Outcome::Busy),
        ("no-answer", Outcome::NoAnswer),
        ("canceled", Outcome::NoAnswer),
        ("failed", Outcome::Failed),
    ] {
        let CallEvent::Ended(ended) = of(word) else { panic!("{word}") };
        assert_eq!(ended.ended_reason.as_deref(), Some(word));
        assert_eq!(Twilio.outcome_of_reason(word, false), outcome);
    }
    assert_eq!(Twilio.outcome_of_reason("new-word", true), Outcome::Unknown);
    assert!(matches!(of("new-word"), CallEvent::StatusChanged(_)));
    assert!(matches!(event("CallSid=CA1&Digits=1"), CallEvent::MessageReceived(_)));
    let dial = event("CallSid=CA1&CallStatus=in-progress&DialCallStatus=busy");
    assert!(matches!(dial, CallEvent::MessageReceived(_)));
}

#[test]
fn hostile_bodies_are_refused_or_translated_and_never_panic() {
    for body in [
        &b"[]"[..],
        b"null",
        b"{}",
        b"\xff",
        br#"{"CallSid":1}"#,
        br#"{"CallSid":""}"#,
        br#"{"CallStatus":"ringing"}"#,
        br#"{"CallSid":["CA1","CA2"],"CallStatus":"ringing"}"#,
    ] {
        assert!(Twilio.translate(body, None).is_err(), "{}", String::from_utf8_lossy(body));
    }
    for value in ["", "%00", "-1", "1e99", "9999999999999", "%F0%9F%93%9E", "Mon,+99+Xxx+2026"] {
        for key in [
            "CallDuration",
            "Timestamp",
            "Direction",
            "From",
            "To",
            "CallStatus",
            "RecordingSid",
            "RecordingStatus",
            "RecordingDuration",
            "RecordingStartTime",
        ] {
            let form = format!("CallSid=CA1&Direction=inbound&CallStatus=completed&{key}={value}");
            let message = decoded(&form);
            if let Ok(translation) = Twilio.translate(&message, None) {
                for draft in translation.drafts {
                    let facts = draft.event.to_facts();
                    assert!(!facts.contains("\\u0000"), "{facts}");
                }
            }
        }
    }
}

/// The callbacks of one call, in the order Twilio sends them.
fn callbacks() -> Vec<Translation> {
    let at = |second: u32, rest: &str| {
        translated(&format!(
            "CallSid=CA1&AccountSid=AC1&Direction=inbound&From=%2B15550100123&To=%2B15550100124\
             &Timestamp=Thu%2C+12+Feb+2026+11%3A48%3A{second:02}+%2B0000&{rest}"
        ))
    };
    vec![
        at(1, "CallStatus=initiated&SequenceNumber=0"),
        at(2, "CallStatus=ringing&SequenceNumber=1"),
        at(5, "CallStatus=in-progress&SequenceNumber=2"),
        at(45, "CallStatus=completed&SequenceNumber=3&CallDuration=40&Duration=1"),
        translated(
            "CallSid=CA1&RecordingSid=RE1&RecordingStatus=completed&RecordingChannels=1&RecordingUrl=\
             https%3A%2F%2Fapi.twilio.com%2Frecording&RecordingDuration=38&RecordingStartTime=\
             Thu%2C+12+Feb+2026+11%3A48%3A06+%2B0000",
        ),
    ]
}

proptest::proptest! {
    #[test]
    fn callbacks_in_any_order_and_repeated_give_the_same_call(
        order in history::order(callbacks().len())
    ) {
        let callbacks = callbacks();
        let expected = history::fold(&callbacks, &(0..callbacks.len()).collect::<Vec<_>>());
        let call = history::fold(&callbacks, &order);
        proptest::prop_assert_eq!(history::facts(&call), history::facts(&expected));
        proptest::prop_assert_eq!(call.duration_ms(), Some(40_000));
        proptest::prop_assert_eq!(call.outcome(), Some(Outcome::Completed));
        proptest::prop_assert_eq!(call.recordings().len(), 1);
    }
}
