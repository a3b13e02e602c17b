//! The call at its carrier.

use super::fixtures::call_facts;
use crate::event::CarrierCall;

#[test]
fn a_carrier_that_is_a_provider_is_a_fact_of_the_call() {
    let of = |provider: &str, id: &str| {
        let body = format!(
            r#"{{"message":{{"type":"hang","call":{{"id":"c-1","phoneCallProvider":"{provider}","phoneCallProviderId":{id}}}}}}}"#
        );
        call_facts(&body).carrier
    };
    let call_sid = "CA5d0d0d8047bf685c3f0ff980fe62c123";
    let quoted = format!("\"{call_sid}\"");
    let carrier = CarrierCall { provider: "twilio".into(), call_id: call_sid.into() };
    assert_eq!(of("twilio", &quoted), Some(carrier));
    for (provider, id) in [
        ("vapi", "\"50d6d883-ad78-40a1-92da-9f6a4672af35\""),
        ("vapi", &*quoted),
        ("vonage", &*quoted),
        ("twilio", "null"),
        ("twilio", "\"undefined\""),
        ("twilio", "\"CA5d0d\""),
    ] {
        assert_eq!(of(provider, id), None, "{provider} {id}");
    }
}
