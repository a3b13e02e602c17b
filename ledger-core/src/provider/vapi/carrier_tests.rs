//! Correlation of a call with the reports of its carrier.

use super::fixtures::only_draft;
use crate::envelope::{Correlation, StreamKind};

#[test]
fn a_call_correlates_by_the_id_of_a_carrier_that_is_a_provider() {
    let of = |provider: &str, id: &str| {
        only_draft(&format!(
            r#"{{"message":{{"type":"hang","call":{{"id":"c-1","phoneCallProvider":"{provider}","phoneCallProviderId":{id}}}}}}}"#
        ))
        .correlation
    };
    let call_sid = "CA5d0d0d8047bf685c3f0ff980fe62c123";
    let carried = Correlation::Carried("twilio", call_sid.to_owned());
    assert_eq!(of("twilio", &format!("\"{call_sid}\"")), carried);
    let own = Correlation::Named(StreamKind::Call, "c-1".to_owned());
    for (provider, id) in [
        ("vapi", "\"50d6d883-ad78-40a1-92da-9f6a4672af35\""),
        ("vapi", &*format!("\"{call_sid}\"")),
        ("vonage", &*format!("\"{call_sid}\"")),
        ("twilio", "null"),
        ("twilio", "\"undefined\""),
        ("twilio", "\"CA5d0d\""),
    ] {
        assert_eq!(of(provider, id), own, "{provider} {id}");
    }
}
