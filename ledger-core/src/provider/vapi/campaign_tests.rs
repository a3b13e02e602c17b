//! Campaign, attempt and type of a call, from what the platform's customer passes along.

use super::fixtures::call_facts;
use crate::annotation::words::{Campaign, Word};

/// The facts of a message with this call.
fn facts_of(call: &str) -> (Option<String>, Option<u32>, Option<String>, Vec<String>) {
    let body = format!(r#"{{"message":{{"type":"hang","call":{{"id":"c-1",{call}}}}}}}"#);
    let facts = call_facts(&body);
    let campaign = facts.campaign.as_ref().map(Campaign::as_str).map(str::to_owned);
    let call_type = facts.call_type.as_ref().map(Word::as_str).map(str::to_owned);
    (campaign, facts.attempt, call_type, facts.implausible)
}

#[test]
fn a_campaign_is_read_from_metadata_and_variables() {
    let expected = (Some("overdue_45days".into()), Some(4), Some("collections".into()), vec![]);
    for call in [
        r#""metadata":{"campaign":"overdue_45days","attempt":4,"callType":"collections"}"#,
        r#""metadata":{"campaignId":"overdue_45days","attempt":"4","call_type":"Collections"}"#,
        r#""assistantOverrides":{"variableValues":{"campaign_id":" overdue_45days ","attemptNumber":4,"callType":"collections"}}"#,
        r#""metadata":{"campaign":"overdue_45days","attempt":4},"assistantOverrides":{"metadata":{"campaign":"other","call_type":"collections"}}"#,
    ] {
        assert_eq!(facts_of(call), expected, "{call}");
    }
    let own = r#""campaignId":"5f2d7c1e-8a44-5b0e-9d1f-3c6a2b7e4d10""#;
    assert_eq!(facts_of(own).0.as_deref(), Some("5f2d7c1e-8a44-5b0e-9d1f-3c6a2b7e4d10"));
    let both = format!(r#"{own},"metadata":{{"campaign":"spring"}}"#);
    assert_eq!(facts_of(&both).0.as_deref(), Some("spring"));
    let artifact = r#"{"message":{"type":"hang","call":{"id":"c-1"},"artifact":{"variableValues":{"campaignId":7}}}}"#;
    assert_eq!(call_facts(artifact).campaign, Campaign::parse("7"));
}

#[test]
fn a_value_that_may_be_about_a_person_is_marked_and_no_fact() {
    for campaign in
        ["Call Anna Example back", "+15550100123", "15550100123", "a@example.com", "<b>x</b>"]
    {
        let found = facts_of(&format!(r#""metadata":{{"campaign":"{campaign}"}}"#));
        assert_eq!(found, (None, None, None, vec!["campaign".to_owned()]), "{campaign}");
    }
    for attempt in ["0", "-1", "1.5", "1e99", "\"often\"", "1001", "99999999999999999999"] {
        let found = facts_of(&format!(r#""metadata":{{"attempt":{attempt}}}"#));
        assert_eq!(found, (None, None, None, vec!["attempt".to_owned()]), "{attempt}");
    }
    let found = facts_of(r#""metadata":{"callType":"talk about the test results"}"#);
    assert_eq!(found, (None, None, None, vec!["call_type".to_owned()]));
}

#[test]
fn a_placeholder_or_another_shape_is_no_statement() {
    for value in [r#""{{campaign}}""#, r#""undefined""#, "null", r#""  ""#, "{}", "[1]", "true"] {
        let found = facts_of(&format!(r#""metadata":{{"campaign":{value},"attempt":{value}}}"#));
        assert_eq!(found, (None, None, None, vec![]), "{value}");
    }
    assert_eq!(facts_of(r#""metadata":"campaign""#), (None, None, None, vec![]));
}
