//! Tests with hostile bodies.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::Vapi;
use super::fixtures::{call_facts, ended, kept_text, only_draft, try_translate};
use crate::json::{Json, MAX_DEPTH};
use crate::provider::{Adapter, TranslateError};

#[test]
fn a_body_a_hundred_thousand_deep_is_refused_at_once() {
    let begun = Instant::now();
    let open = r#"{"message":{"type":"hang","a":"#;
    for deep in [
        format!("{open}{}{}}}}}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{open}{}1{}}}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000)),
        "[".repeat(100_000),
    ] {
        assert_eq!(try_translate(&deep).err(), Some(TranslateError::TooDeep { limit: MAX_DEPTH }));
    }
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn deep_json_inside_a_string_is_left_as_it_is() {
    let deep = "[".repeat(5000);
    let body = format!(
        r#"{{"message":{{"type":"tool-calls","toolCalls":[{{"name":"a","arguments":"{deep}"}}]}}}}"#
    );
    assert_eq!(only_draft(&body).sections.tool_io[0].arguments, Some(deep.into()));
}

#[test]
fn nul_and_half_surrogates_are_kept_in_sections_and_never_in_facts() {
    let draft = only_draft(
        r#"{"message":{"type":"end-of-call-report","endedReason":"a\u0000b\ud800c",
        "transcript":"x\u0000y\ud800z","call":{"id":"c"}}}"#,
    );
    assert!(draft.event.to_facts().contains("\"ended_reason\":\"ab\u{FFFD}c\""));
    let transcript = draft.sections.conversation.expect("conversation").transcript;
    assert_eq!(transcript.as_deref(), Some("x\0y\u{FFFD}z"));
}

#[test]
fn numbers_out_of_range_are_no_facts_and_not_lost() {
    let body = r#"{"message":{"type":"end-of-call-report","timestamp":1e400,"cost":1e400,
        "durationMs":99999999999999999999,"costs":[{"type":"model","cost":-1e28}],
        "call":{"id":"c"}}}"#;
    let result = ended(body);
    assert_eq!((result.cost, result.duration_ms), (None, None));
    let kept = kept_text(&only_draft(body));
    assert!(kept.contains("\"cost\":1e400") && kept.contains("99999999999999999999"));
}

#[test]
fn a_date_in_the_year_zero_is_no_fact_and_not_lost() {
    let body = r#"{"message":{"type":"end-of-call-report","startedAt":"0000-01-01T00:00:00Z",
        "timestamp":-62167219200000,"call":{"id":"c","createdAt":"+12345-01-01T00:00:00Z"}}}"#;
    assert_eq!(ended(body).started_at, None);
    let facts = call_facts(body);
    assert!(facts.untimed && facts.created_at.is_none());
    assert!(kept_text(&only_draft(body)).contains("0000-01-01T00:00:00Z"));
}

#[test]
fn a_log_of_tool_calls_only_yields_at_most_a_thousand() {
    let begun = Instant::now();
    let many =
        |entry: &dyn Fn(usize) -> String| (0..12_000).map(entry).collect::<Vec<_>>().join(",");
    let called = many(&|nth| format!(r#"{{"role":"function_call","id":"{nth}"}}"#));
    let unnamed = many(&|nth| format!(r#"{{"role":"function_call","name":"n{nth}"}}"#));
    let answered = many(&|nth| format!(r#"{{"role":"tool","tool_call_id":"{nth}","content":""}}"#));
    for log in [&called, &unnamed, &answered] {
        let body = format!(
            r#"{{"type":"end-of-call-report","messages":[{log}],"toolCalls":[{log},{answered}]}}"#
        );
        let draft = only_draft(&body);
        assert_eq!(draft.sections.tool_io.len(), 1000);
    }
    // A linear search for each entry would need twelve thousand squared comparisons.
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[test]
fn text_without_end_does_not_swell_the_facts() {
    let long = "x".repeat(100_000);
    for kind in ["status-update", "end-of-call-report", "call.artifact.upload", &long] {
        let body = format!(
            r#"{{"type":"{kind}","status":"{long}","endedReason":"{long}","call":{{"id":"c-1",
            "name":"{long}"}},"artifacts":[{{"type":"{long}"}}],
            "messages":[{{"role":"function_call","name":"{long}"}}]}}"#
        );
        let facts = only_draft(&body).event.to_facts();
        assert!(facts.len() < 1000, "{} bytes", facts.len());
    }
}

fn key() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "message",
        "type",
        "call",
        "id",
        "status",
        "timestamp",
        "artifact",
        "analysis",
        "messages",
        "role",
        "time",
        "toolCalls",
        "toolCallList",
        "function",
        "name",
        "arguments",
        "cost",
        "costs",
        "costBreakdown",
        "total",
        "customer",
        "number",
        "transcript",
        "startedAt",
        "endedAt",
        "durationMs",
        "phoneNumber",
        "metadata",
        "secret",
        "recording",
        "mono",
        "chat",
        "performanceMetrics",
        "turnLatencyAverage",
        "turnLatencies",
        "numUserInterrupted",
    ]);
    prop_oneof![9 => known.prop_map(str::to_owned), 1 => ".{0,6}"]
}

fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "status-update",
        "end-of-call-report",
        "tool-calls",
        "function-call",
        "transcript",
        "webCall",
        "ended",
        "in-progress",
        "tool_calls",
        "tool_call_result",
        "user",
        "bot",
        "2025-06-10T09:07:00.649Z",
        "{\"token\":\"x\"}",
        "[",
        "0.1",
        "-",
        "+15550100001",
    ]);
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => ".{0,12}"]
}

fn json() -> impl Strategy<Value = Json<'static>> {
    let number = prop::sample::select(vec![
        "0",
        "-0",
        "1",
        "0.1",
        "1e400",
        "-1e-400",
        "1E5",
        "99999999999999999999",
        "1.7E12",
        "9223372036854775807",
        "79228162514264337593543950335",
        "0.0000000000000000000000000001",
    ]);
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number.prop_map(Json::Number),
        text().prop_map(|text| Json::String(Cow::Owned(text))),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        let field = (key().prop_map(Cow::Owned), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Json::Array),
            prop::collection::vec(field, 0..8).prop_map(Json::Object),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_json_makes_the_adapter_panic(body in json(), kind in text()) {
        let _ = Vapi.translate(&body.to_compact(), Some("IN"));
        // Most random bodies are rejected; with a type they are translated.
        let kind = (Cow::Borrowed("type"), Json::String(Cow::Owned(kind)));
        let typed = match body {
            Json::Object(fields) => Json::Object(fields.into_iter().chain([kind]).collect()),
            other => Json::Object(vec![kind, (Cow::Borrowed("call"), other)]),
        };
        let result = Vapi.translate(&typed.to_compact(), None);
        prop_assert!(result.is_ok() || matches!(result, Err(TranslateError::UnrecognizedMessage(_))));
    }

    #[test]
    fn no_bytes_make_the_adapter_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Vapi.translate(&bytes, None);
    }

    #[test]
    fn no_number_of_a_person_makes_the_adapter_panic(number in ".{0,45}", digits in "[0-9+() .;=-]{0,20}") {
        for number in [number, digits] {
            let number = Json::String(Cow::Owned(number)).to_compact();
            let number = String::from_utf8(number).expect("UTF-8");
            let body = format!(r#"{{"type":"hang","customer":{{"number":{number}}},"phoneNumber":{{"number":{number}}}}}"#);
            for region in [None, Some("US"), Some("IN"), Some("nowhere")] {
                prop_assert!(Vapi.translate(body.as_bytes(), region).is_ok());
            }
        }
    }
}
