//! No secret of a platform, and no data that may not be stored, is in any section of any provider.

use serde_json::{Map, Value, json};

use super::{Provider, Translation};
use crate::event::{RemovedClass, RemovedData};

/// Fields with secrets that platforms send, as documented or captured (`providers/quirks.md` 32).
const SECRET_FIELDS: &[&str] = &[
    "twilioAuthToken",
    "twilioApiSecret",
    "authToken",
    "serverUrlSecret",
    "secret",
    "controlUrl",
    "listenUrl",
    "identity",
    "Authorization",
    "x-vapi-secret",
    "x-api-key",
    "apiKey",
    "sipPassword",
    "clientSecret",
    "awsSecretAccessKey",
    "hmacAccessKey",
    "hmacSecret",
    "sasToken",
    "connectionString",
    "access_token",
    "accessToken",
    "StirPassportToken",
    "SipHeader_Identity",
    "SipHeader_Authorization",
    "credentials",
];

const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJleGFtcGxlIjoxfQ.c2lnbmF0dXJl";

/// Returns a message of a provider around an object.
fn message(provider: Provider, inner: &Value) -> Value {
    match provider {
        Provider::Vapi => json!({ "message": {
            "type": "end-of-call-report",
            "call": { "id": "c-1", "metadata": inner, "phoneNumber": inner },
            "phoneNumber": inner,
            "assistant": { "server": inner, "model": { "tools": [{ "server": inner }] } },
            "artifact": { "variables": inner, "messages": [{ "role": "user", "message": inner.to_string() }] },
        } }),
        Provider::Retell => json!({
            "event": "call_analyzed",
            "call": {
                "call_id": "c-1", "call_status": "ended", "metadata": inner,
                "retell_llm_dynamic_variables": inner, "custom_sip_headers": inner,
                "transcript": inner.to_string(),
            },
        }),
        Provider::Twilio => {
            let mut fields =
                json!({ "CallSid": format!("CA{}", "0".repeat(32)), "CallStatus": "completed" });
            for (key, value) in inner.as_object().expect("an object") {
                fields[key] = value.clone();
            }
            fields["Parameters"] = inner.to_string().into();
            fields
        }
    }
}

fn translate(provider: Provider, inner: &Value) -> Translation {
    let body = message(provider, inner).to_string();
    provider.adapter().translate(body.as_bytes(), Some("US")).expect("a message")
}

/// All that is sealed of a message, and its facts.
fn stored(translation: &Translation) -> String {
    let mut text = String::new();
    for draft in &translation.drafts {
        text.push_str(&draft.event.to_facts());
        for section in draft.sections.iter() {
            text.push_str(&String::from_utf8_lossy(&section.plain));
        }
    }
    text
}

fn removed(translation: &Translation) -> Vec<RemovedData> {
    translation.drafts.iter().flat_map(|draft| draft.event.call().removed.clone()).collect()
}

#[test]
fn no_secret_of_a_platform_is_stored() {
    for provider in Provider::ALL {
        let mut fields = Map::new();
        for (nth, name) in SECRET_FIELDS.iter().enumerate() {
            fields.insert((*name).to_owned(), format!("hush{nth}x").into());
        }
        fields.insert("note".into(), format!("token {JWT} of the user").into());
        fields.insert(
            "hook".into(),
            "https://user:hushpass@hook.example/x?sig=hushsig0123456789&a=1".into(),
        );
        fields.insert("kept".into(), "a word that stays".into());
        let stored = stored(&translate(*provider, &fields.into()));
        assert!(stored.contains("a word that stays"), "{provider}");
        for (nth, name) in SECRET_FIELDS.iter().enumerate() {
            assert!(!stored.contains(&format!("hush{nth}x")), "{provider}: {name}");
        }
        for secret in [JWT, "hushpass", "hushsig"] {
            assert!(!stored.contains(secret), "{provider}: {secret}");
        }
    }
}

#[test]
fn codes_pins_and_tracks_are_cut_from_every_copy_and_the_facts_say_so() {
    let inner = json!({
        "said": "my card is 4111 1111 1111 1111, the cvv is 739",
        "asked": "what is your pin? it is four eight two one",
        "cvv": 739,
        "card": { "securityCode": "739" },
        "quoted": "{\"pin\": \"4821\", \"note\": \"CVC 739\"}",
        "track2": ";4111111111111111=25121010000000000?",
    });
    for provider in Provider::ALL {
        let translation = translate(*provider, &inner);
        let stored = stored(&translation);
        for value in ["739", "4821", "four eight two one", "25121010"] {
            assert!(!stored.contains(value), "{provider}: {value}: {stored}");
        }
        let classes: Vec<RemovedClass> = removed(&translation).iter().map(|it| it.class).collect();
        for class in [RemovedClass::CardCode, RemovedClass::Pin, RemovedClass::Track] {
            assert!(classes.contains(&class), "{provider}: {class:?}");
        }
        assert!(!String::from_utf8_lossy(&translation.canonical).contains("739"), "{provider}");
        // The same body again is the same content, and what was stored says the same again.
        assert_eq!(translate(*provider, &inner).canonical, translation.canonical);
        let raw = translation.drafts[0].sections.raw.clone().expect("a body");
        let again = provider.adapter().translate(&raw, Some("US")).expect("a message");
        assert_eq!(removed(&again), removed(&translation), "{provider}");
    }
}

#[test]
fn a_body_without_such_data_is_stored_byte_by_byte() {
    let inner = json!({
        "note": "order 4155552671 costs 12.50, pin the note, meet at 10:30, my card expired",
        "pinned": 1234, "code": "739", "amounts": [1.50, 2e3], "paid": "no",
    });
    for provider in Provider::ALL {
        let body = message(*provider, &inner).to_string();
        let translation =
            provider.adapter().translate(body.as_bytes(), Some("US")).expect("a message");
        let raw = translation.drafts[0].sections.raw.clone().expect("a body");
        assert_eq!(String::from_utf8_lossy(&raw), body, "{provider}");
        assert!(removed(&translation).is_empty());
    }
}
