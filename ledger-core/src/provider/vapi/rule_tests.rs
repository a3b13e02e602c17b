//! Tests of the translation rules, one by one.

use super::fixtures::{call_facts, ended, only_draft, read, translate};
use crate::envelope::{Correlation, Dedupe, StreamKind};
use crate::event::{CallEvent, Direction, PartyFacts, Presence, Status};
use crate::provider::{Adapter, Reply, Routing};

fn event(body: &str) -> CallEvent {
    only_draft(body).event
}

#[test]
fn the_message_has_precedence_over_its_artifact_and_that_over_the_snapshot() {
    let body = |message: &str| {
        format!(
            r#"{{"message":{{"type":"end-of-call-report",{message}"artifact":{{"transcript":"b"}},
            "call":{{"id":"c","transcript":"c","endedReason":"old","summary":"s"}}}}}}"#
        )
    };
    let transcript = |message: &str| {
        only_draft(&body(message)).sections.conversation.expect("conversation").transcript
    };
    assert_eq!(transcript(r#""transcript":"a","#).as_deref(), Some("a"));
    for empty in ["", r#""transcript":"","#, r#""transcript":null,"#, r#""transcript":{},"#] {
        assert_eq!(transcript(empty).as_deref(), Some("b"), "{empty}");
    }
    assert_eq!(ended(&body("")).ended_reason.as_deref(), Some("old"));
    assert_eq!(ended(&body(r#""endedReason":"new","#)).ended_reason.as_deref(), Some("new"));
}

#[test]
fn an_empty_list_of_messages_does_not_hide_the_real_one() {
    let body = read("vapi/end-of-call-report.inbound-squad-two-assistants.json");
    let conversation = only_draft(&body).sections.conversation.expect("conversation");
    assert_eq!(conversation.messages.len(), 9);
    assert_eq!(conversation.messages[0].role, "assistant");
    assert_eq!(conversation.messages[0].at_ms, Some(1_722_115_408_897));
}

#[test]
fn the_status_in_the_snapshot_is_never_the_status_of_the_call() {
    let report = call_facts(&read("vapi/end-of-call-report.webcall-with-costs.json"));
    assert_eq!(report.snapshot_status, Some(Status::Queued));
    let CallEvent::Started(started) = event(&read("vapi/status-update.in-progress.webcall.json"))
    else {
        panic!("a start");
    };
    assert_eq!(started.call.snapshot_status, Some(Status::Queued));
    assert_eq!(started.started_at.map(|at| at.timestamp_millis()), Some(1_749_546_420_647));
}

#[test]
fn a_call_object_is_current_as_of_its_updated_at() {
    let draft = only_draft(&read("vapi/api-create-call-response.outbound.json"));
    assert_eq!(draft.occurred_at.map(|at| at.timestamp_millis()), Some(1_763_563_615_100));
    let CallEvent::StatusChanged(changed) = draft.event else { panic!("a status") };
    assert_eq!(changed.status, Some(Status::Queued));
    assert_eq!(changed.call.snapshot_status, None);
    assert_eq!(changed.call.direction, Some(Direction::Outbound));
    assert_eq!(changed.provider_status, "queued");
}

#[test]
fn a_status_becomes_the_event_it_means() {
    let of = |status: &str| {
        let body = format!(r#"{{"message":{{"type":"status-update","status":{status}}}}}"#);
        let event = event(&body);
        let result = match &event {
            CallEvent::StatusChanged(changed) => {
                Some((changed.status, changed.provider_status.clone()))
            }
            _ => None,
        };
        (event.event_type(), result)
    };
    assert_eq!(of("\"in-progress\"").0, "call.started");
    assert_eq!(of("\"ended\"").0, "call.ended");
    for (word, status) in [
        ("scheduled", Some(Status::Queued)),
        ("queued", Some(Status::Queued)),
        ("ringing", Some(Status::Ringing)),
        ("forwarding", Some(Status::Forwarding)),
        ("not-found", None),
        ("brand-new", None),
    ] {
        let result = Some((status, word.to_owned()));
        assert_eq!(of(&format!("\"{word}\"")), ("call.status_changed", result), "{word}");
    }
    assert_eq!(of("null").0, "call.message_received");
}

#[test]
fn a_bare_end_takes_its_time_from_the_message_and_no_money_from_the_snapshot() {
    let result = ended(
        r#"{"message":{"type":"status-update","status":"ended","endedReason":"customer-busy",
        "timestamp":1700000000000.5,"call":{"id":"c","cost":0,"costBreakdown":{"total":0}}}}"#,
    );
    assert!(!result.report);
    assert_eq!(result.ended_reason.as_deref(), Some("customer-busy"));
    assert_eq!(result.ended_at.map(|at| at.timestamp_micros()), Some(1_700_000_000_000_500));
    assert_eq!((result.cost, result.duration_ms), (None, None));
}

#[test]
fn a_duration_is_exact_and_from_the_most_exact_field() {
    let lasted = |fields: &str| {
        ended(&format!(r#"{{"type":"end-of-call-report","call":{{"id":"c"}}{fields}}}"#))
            .duration_ms
    };
    let times = r#","startedAt":"2025-06-10T09:07:00.649Z","endedAt":"2025-06-10T09:07:25.925Z""#;
    assert_eq!(lasted(r#","durationMs":25276,"durationSeconds":9"#), Some(25_276));
    assert_eq!(lasted(r#","durationMs":null,"durationSeconds":25.276"#), Some(25_276));
    assert_eq!(lasted(r#","durationSeconds":"1.001""#), Some(1001));
    assert_eq!(lasted(&format!(r#"{times},"duration":3,"durationMinutes":1"#)), Some(25_276));
    assert_eq!(lasted(r#","duration":95,"durationMinutes":1"#), Some(95_000));
    assert_eq!(lasted(r#","durationMinutes":0.4213"#), Some(25_278));
    assert_eq!(lasted(r#","durationMs":-1"#), None);
    assert_eq!(lasted(r#","durationMs":1e400,"durationSeconds":92233720368547758.08"#), None);
    let reversed = r#","startedAt":"2025-06-10T09:07:00Z","endedAt":"2025-06-10T09:06:00Z""#;
    assert_eq!(lasted(reversed), None);
}

#[test]
fn a_success_is_judged_only_where_the_words_are_plain() {
    let success = |verdict: &str| {
        let body = format!(
            r#"{{"type":"end-of-call-report","analysis":{{"successEvaluation":{verdict}}}}}"#
        );
        ended(&body).success
    };
    for yes in ["true", "\"true\"", "\"Pass\"", "\" success \""] {
        assert_eq!(success(yes), Some(true), "{yes}");
    }
    for no in ["false", "\"false\"", "\"FAIL\"", "\"failure\""] {
        assert_eq!(success(no), Some(false), "{no}");
    }
    for unknown in ["\"7\"", "8", "\"B+\"", "\"Excellent\"", "null", "\"\"", "{\"a\":1}", "[true]"]
    {
        assert_eq!(success(unknown), None, "{unknown}");
    }
}

/// The measurements of an end whose metrics are the given JSON.
fn measured(metrics: &str) -> [Option<i64>; 4] {
    let artifact = format!(r#"{{"performanceMetrics":{metrics}}}"#);
    measured_in(&format!(r#""artifact":{artifact}"#))
}

fn measured_in(fields: &str) -> [Option<i64>; 4] {
    let result = ended(&format!(r#"{{"type":"end-of-call-report","call":{{"id":"c"}},{fields}}}"#));
    let [turns, user, assistant] =
        [result.turns, result.user_interruptions, result.assistant_interruptions]
            .map(|count| count.map(i64::from));
    [result.turn_latency_ms, turns, user, assistant]
}

#[test]
fn a_report_has_turn_latency_and_interruptions() {
    let metrics = r#"{"turnLatencies":[{"turnLatency":1200},{"turnLatency":800}],
        "turnLatencyAverage":1000,"modelLatencyAverage":300,"numUserInterrupted":2,
        "numAssistantInterrupted":0}"#;
    let expected = [Some(1000), Some(2), Some(2), Some(0)];
    assert_eq!(measured(metrics), expected);
    for elsewhere in [r#""performanceMetrics""#, r#""call":{"id":"c"},"performanceMetrics""#] {
        assert_eq!(measured_in(&format!("{elsewhere}:{metrics}")), expected, "{elsewhere}");
    }
    let object = format!(
        r#"{{"id":"c","type":"webCall","status":"ended","artifact":{{"performanceMetrics":{metrics}}}}}"#
    );
    assert_eq!(ended(&object).turn_latency_ms, Some(1000));
    let name = "vapi/end-of-call-report.inbound-performance-metrics.reconstructed.json";
    let result = ended(&read(name));
    assert_eq!((result.turn_latency_ms, result.turns), (Some(1250), Some(2)));
    assert_eq!((result.user_interruptions, result.assistant_interruptions), (Some(1), Some(2)));
    assert_eq!(measured("{}"), [None; 4]);
    assert_eq!(measured_in(r#""artifact":{}"#), [None; 4]);
}

#[test]
fn a_turns_latency_is_rounded_half_up_without_a_float() {
    for (average, millis) in [
        ("1250.4", 1250),
        ("1250.5", 1251),
        ("1251.5", 1252),
        ("1250.49999999999999999", 1250),
        ("1.2505e3", 1251),
        ("0.5", 1),
        ("86400000", 86_400_000),
    ] {
        let result = measured(&format!(r#"{{"turnLatencyAverage":{average}}}"#));
        assert_eq!(result, [Some(millis), None, None, None], "{average}");
    }
}

#[test]
fn impossible_measurements_are_no_facts_and_not_lost() {
    for strange in [
        "-1",
        "-0.5",
        "86400001",
        "1e400",
        "1e28",
        "99999999999999999999",
        "0.49",
        "0",
        "null",
        "true",
        "\"\"",
        "\"1000\"",
        "\"fast\"",
        "[1000]",
        "{\"v\":1000}",
    ] {
        let metrics = format!(r#"{{"turnLatencyAverage":{strange},"numUserInterrupted":3}}"#);
        assert_eq!(measured(&metrics), [None, None, Some(3), None], "{strange}");
        let body = format!(
            r#"{{"type":"end-of-call-report","artifact":{{"performanceMetrics":{metrics}}}}}"#
        );
        let raw = only_draft(&body).sections.raw.expect("the body");
        assert!(String::from_utf8(raw).expect("UTF-8").contains(&metrics), "{strange}");
    }
    for strange in [
        "-1",
        "1.5",
        "86401",
        "4294967296",
        "1e400",
        "null",
        "true",
        "\"3\"",
        "\"often\"",
        "[3]",
        "{}",
    ] {
        let metrics = format!(
            r#"{{"numUserInterrupted":{strange},"numAssistantInterrupted":{strange},
            "turnLatencyAverage":7}}"#
        );
        assert_eq!(measured(&metrics), [Some(7), None, None, None], "{strange}");
    }
    for whole in ["3", "3.0", "0.3e1"] {
        assert_eq!(measured(&format!(r#"{{"numUserInterrupted":{whole}}}"#))[2], Some(3));
    }
    for strange in ["[]", "{}", "null", "3", "\"3\"", "[1,null,\"a\",[]]"] {
        assert_eq!(measured(&format!(r#"{{"turnLatencies":{strange}}}"#)), [None; 4], "{strange}");
    }
    for strange in ["[]", "5", "null", "\"a\"", "true"] {
        assert_eq!(measured(strange), [None; 4], "{strange}");
    }
}

#[test]
fn an_impossible_metric_does_not_hide_a_valid_one_elsewhere() {
    let fields = r#""performanceMetrics":{"turnLatencyAverage":-1,"numUserInterrupted":1},
        "artifact":{"performanceMetrics":{"turnLatencyAverage":900,"numUserInterrupted":9}}"#;
    assert_eq!(measured_in(fields), [Some(900), None, Some(1), None]);
}

#[test]
fn a_message_without_a_time_is_marked_untimed() {
    let facts = call_facts(r#"{"message":{"type":"hang","timestamp":"0000-00-00"}}"#);
    assert!(facts.untimed);
    assert!(!call_facts(r#"{"message":{"type":"hang","timestamp":1.7E12}}"#).untimed);
}

#[test]
fn a_person_is_taken_from_customer_field_by_field() {
    let body = r#"{"message":{"type":"hang","customer":{"number":"(555) 010-0001","email":"nope"},
        "call":{"id":"c","customer":{"number":"+15550100009","name":"Example Person",
        "email":"a@example.com","externalId":"x-1","sipUri":"sip:a@example.com"}}}}"#;
    let result = super::Vapi.translate(body.as_bytes(), Some("US")).expect("a message");
    let party = result.party.expect("a person");
    assert_eq!(party.phone.as_deref(), Some("+15550100001"));
    assert_eq!(party.name.as_deref(), Some("Example Person"));
    assert_eq!(party.email.as_deref(), Some("nope"));
    assert_eq!(party.external_id.as_deref(), Some("x-1"));
    assert_eq!(party.sip_uri.as_deref(), Some("sip:a@example.com"));
    let facts = result.drafts[0].event.call().party;
    let valid = Some(Presence::Valid);
    let email = Some(Presence::Invalid);
    let expected = PartyFacts {
        phone: valid,
        email,
        name: true,
        external_id: true,
        sip_uri: true,
        ..PartyFacts::default()
    };
    assert_eq!(facts, Some(expected));
}

#[test]
fn a_number_that_is_none_is_kept_as_given() {
    for raw in ["anonymous", "+266696687", "٠١٢٣٤٥٦٧٨٩", "+1 555 ☎", "12"] {
        let body = format!(r#"{{"message":{{"type":"hang","customer":{{"number":"{raw}"}}}}}}"#);
        let draft = only_draft(&body);
        assert_eq!(draft.sections.party.and_then(|party| party.phone).as_deref(), Some(raw));
        let facts = call_facts(&body).party.expect("party facts");
        assert_eq!(facts.phone, Some(Presence::Invalid), "{raw}");
    }
}

#[test]
fn our_own_number_is_no_person() {
    let body = r#"{"message":{"type":"hang","phoneNumber":{"id":"p","number":"+15550100002"}}}"#;
    let result = translate(body);
    assert_eq!(result.party, None);
    assert_eq!(result.routing.phone_number_id.as_deref(), Some("p"));
    assert_eq!(result.routing.phone_number.as_deref(), Some("+15550100002"));
    let legacy = translate(r#"{"type":"hang","call":{"id":"c","phoneNumber":"+15550100001"}}"#);
    assert_eq!(legacy.party.and_then(|party| party.phone).as_deref(), Some("+15550100001"));
    assert_eq!(legacy.routing, Routing::default());
}

#[test]
fn routes_never_come_from_what_a_caller_can_set() {
    let body = r#"{"message":{"type":"hang","call":{"id":"c","assistantId":null,
        "metadata":{"assistantId":"evil","phoneNumberId":"evil","org_id":"evil"},
        "assistantOverrides":{"variableValues":{"assistantId":"evil"}}},
        "assistant":{"id":"a-1"}}}"#;
    let routing = translate(body).routing;
    assert_eq!(routing, Routing { assistant_id: Some("a-1".into()), ..Routing::default() });
}

#[test]
fn a_call_is_a_test_if_its_metadata_marks_it() {
    let is_test = |metadata: &str| {
        let call = format!(r#"{{"id":"c","metadata":{metadata}}}"#);
        call_facts(&format!(r#"{{"message":{{"type":"hang","call":{call}}}}}"#)).is_test
    };
    for yes in [r#"{"is_test":true}"#, r#"{"isTest":"true"}"#, r#"{"test":true}"#] {
        assert!(is_test(yes), "{yes}");
    }
    for no in [r#"{"is_test":false}"#, r#"{"test":1}"#, r#"{"test":"yes"}"#, "{}", "null", "[]"] {
        assert!(!is_test(no), "{no}");
    }
}

#[test]
fn an_id_may_have_any_form_but_must_be_one() {
    let named = |id: &str| {
        only_draft(&format!(r#"{{"message":{{"type":"hang","call":{{"id":{id}}}}}}}"#)).correlation
    };
    let call = |id: &str| Correlation::Named(StreamKind::Call, id.to_owned());
    assert_eq!(named("\"call-uuid\""), call("call-uuid"));
    assert_eq!(named(&format!("\"{}\"", "é".repeat(200))), call(&"é".repeat(200)));
    for none in ["null", "\"\"", "\" \"", "5", "[]", "\"a\\u0000b\""] {
        assert_eq!(named(none), Correlation::None, "{none}");
    }
    let long = "x".repeat(201);
    assert_eq!(named(&format!("\"{long}\"")), call(&long));
}

#[test]
fn a_final_transcript_is_one_turn_and_a_partial_one_is_telemetry() {
    let body = |kind: &str, rest: &str| {
        let kind = kind.replace('"', "\\\"");
        format!(
            r#"{{"message":{{"type":"{kind}","role":"user","transcript":"Hi.","timestamp":1700000000000{rest}}}}}"#
        )
    };
    let final_type = "transcript[transcriptType=\"final\"]";
    for (kind, rest) in
        [(final_type, ""), ("transcript", r#","transcriptType":"final""#), ("transcript", "")]
    {
        let result = translate(&body(kind, rest));
        assert!(!result.is_telemetry, "{kind}{rest}");
        assert_eq!(result.kind, kind);
        let turns = &result.drafts[0].sections.conversation.as_ref().expect("a turn").messages;
        assert_eq!((turns[0].role.as_str(), turns[0].text.as_str()), ("user", "Hi."));
        assert_eq!(turns[0].at_ms, Some(1_700_000_000_000));
    }
    let partial_type = "transcript[transcriptType=\"partial\"]";
    for (kind, rest) in [(partial_type, ""), ("transcript", r#","transcriptType":"partial""#)] {
        let result = translate(&body(kind, rest));
        assert!(result.is_telemetry && result.drafts[0].sections.conversation.is_none(), "{kind}");
    }
}

#[test]
fn an_unknown_type_is_kept_under_its_own_name() {
    let draft = only_draft(r#"{"message":{"type":"brand\u0000-new","call":{"id":"c"}}}"#);
    assert_eq!(draft.dedupe, Dedupe::Content(0));
    let CallEvent::MessageReceived(received) = draft.event else { panic!("kept") };
    assert_eq!((received.kind.as_str(), received.status), ("brand-new", None));
    let predial = translate(r#"{"message":{"type":"campaign.predial","campaignId":"x"}}"#);
    assert_eq!(predial.reply, Reply::Acknowledge);
}

#[test]
fn a_transfer_has_the_kind_of_destination_and_seals_the_rest() {
    let kind = |fields: &str| match event(&format!(r#"{{"type":"transfer-update",{fields}}}"#)) {
        CallEvent::Transferred(transferred) => transferred.destination_kind,
        other => panic!("{} is no transfer", other.event_type()),
    };
    let number = r#""destination":{"type":"number","number":"+15550100001"}"#;
    assert_eq!(kind(number).as_deref(), Some("number"));
    assert_eq!(kind(r#""toAssistant":{"id":"a"}"#).as_deref(), Some("assistant"));
    assert_eq!(kind(r#""destination":null"#), None);
}
