//! Tests of tool calls in live messages and in reports.

use serde_json::{Value, json};

use super::fixtures::{ended, only_draft, read, translate};
use crate::envelope::Dedupe;
use crate::event::CallEvent;
use crate::provider::{Reply, ToolRequest, TranslateError};

/// Arguments and result of each tool call in the only event of a body.
fn tool_io(body: &str) -> Vec<(Option<Value>, Option<Value>)> {
    let io = only_draft(body).sections.tool_io;
    assert!(io.iter().enumerate().all(|(nth, io)| usize::from(io.nth) == nth));
    io.into_iter().map(|io| (io.arguments, io.result)).collect()
}

fn tool_names(body: &str) -> Vec<String> {
    ended(body).tools.into_iter().map(|tool| tool.tool).collect()
}

fn report(fields: &str) -> String {
    format!(r#"{{"message":{{"type":"end-of-call-report","call":{{"id":"c"}},{fields}}}}}"#)
}

#[test]
fn each_listed_tool_call_is_one_event_and_one_answer_in_order() {
    let translation = translate(
        r#"{"message":{"type":"tool-calls","timestamp":1700000000000,"call":{"id":"c"},
        "toolCallList":[{"id":"t1","function":{"name":"a","arguments":{"x":1}}},
        {"id":"t2","name":"b","parameters":{"y":2}},{"id":"t1","name":"a"},
        {"function":{"name":"c","arguments":"{\"z\": 3}"}},7,null,{}],
        "toolCalls":[{"id":"other","name":"never"}]}}"#,
    );
    let request = |id: Option<&str>, tool: &str| ToolRequest {
        tool_call_id: id.map(str::to_owned),
        tool: tool.to_owned(),
    };
    let requests = vec![
        request(Some("t1"), "a"),
        request(Some("t2"), "b"),
        request(Some("t1"), "a"),
        request(None, "c"),
    ];
    assert_eq!(translation.reply, Reply::ToolResults(requests));
    let dedupes: Vec<_> = translation.drafts.iter().map(|draft| draft.dedupe.clone()).collect();
    assert_eq!(dedupes, [0, 1, 2, 3].map(Dedupe::Content));
    let arguments: Vec<_> = translation
        .drafts
        .iter()
        .map(|draft| draft.sections.tool_io[0].arguments.clone())
        .collect();
    let one = [Some(json!({"x":1})), Some(json!({"y":2})), None, Some(json!({"z":3}))];
    assert_eq!(arguments, one);
    let CallEvent::ToolCalled(called) = &translation.drafts[1].event else { panic!("a tool call") };
    assert_eq!(called.tool.at_ms, Some(1_700_000_000_000));
    let has_raw: Vec<_> =
        translation.drafts.iter().map(|draft| draft.sections.raw.is_some()).collect();
    assert_eq!(has_raw, [true, false, false, false]);
}

#[test]
fn the_list_is_read_under_each_of_its_names() {
    let call = r#"{"id":"t1","function":{"name":"a"}}"#;
    for list in [
        format!(r#""message":{{"toolCallList":[{call}]}}"#),
        format!(
            r#""message":{{"toolCallList":[],"toolWithToolCallList":[{{"toolCall":{call}}}]}}"#
        ),
        format!(r#""message":{{"toolCalls":[{call}]}}"#),
        format!(r#""message":{{"toolCall":{call}}}"#),
        format!(r#""toolCall":{call},"message":{{"call":{{"id":"c"}}}}"#),
    ] {
        let translation = translate(&format!("{{{list}}}"));
        assert_eq!(translation.kind, "tool-calls", "{list}");
        let request = ToolRequest { tool_call_id: Some("t1".into()), tool: "a".into() };
        assert_eq!(translation.reply, Reply::ToolResults(vec![request]), "{list}");
    }
}

#[test]
fn a_tool_call_without_a_call_is_identified_by_its_content() {
    let draft = only_draft(&read("vapi/tool-calls.no-call-object.json"));
    assert_eq!(draft.dedupe, Dedupe::Content(0));
}

#[test]
fn an_id_is_returned_unchanged() {
    let id = "sk-0123456789abcdefghijk ".repeat(10);
    let translation = translate(&format!(
        r#"{{"message":{{"type":"tool-calls","call":{{"id":"c"}},"toolCalls":[{{"id":"{id}","name":"a"}}]}}}}"#
    ));
    let Reply::ToolResults(requests) = translation.reply else { panic!("results") };
    assert_eq!(requests[0].tool_call_id.as_deref(), Some(id.as_str()));
    let empty = translate(
        r#"{"message":{"type":"tool-calls","call":{"id":"c"},"toolCallList":[
        {"id":"","name":"a","arguments":{"x":1}},{"id":"","name":"a","arguments":{"x":2}}]}}"#,
    );
    let Reply::ToolResults(requests) = empty.reply else { panic!("results") };
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.tool_call_id.as_deref() == Some("")));
}

#[test]
fn an_empty_list_is_answered_with_an_empty_list() {
    for list in ["", r#","toolCallList":[]"#, r#","toolCallList":[null,{}]"#, r#","toolCalls":5"#] {
        let translation = translate(&format!(r#"{{"message":{{"type":"tool-calls"{list}}}}}"#));
        assert_eq!(translation.reply, Reply::ToolResults(Vec::new()), "{list}");
        assert_eq!(translation.drafts[0].event.event_type(), "call.message_received");
        assert!(translation.drafts[0].sections.raw.is_some());
    }
}

#[test]
fn more_tool_calls_than_any_model_makes_are_refused() {
    let calls = vec![r#"{"name":"a"}"#; 1001].join(",");
    let body = format!(r#"{{"message":{{"type":"tool-calls","toolCalls":[{calls}]}}}}"#);
    assert!(matches!(
        super::fixtures::try_translate(&body),
        Err(TranslateError::UnrecognizedMessage(_))
    ));
}

#[test]
fn a_function_call_has_no_id_and_one_answer() {
    for body in [
        r#"{"message":{"type":"function-call","functionCall":{"name":"a","parameters":{"x":"1"}}}}"#,
        r#"{"function":"a","parameters":{"x":"1"},"id":"ignored"}"#,
        r#"{"type":"function-call","function":{"name":"a","parameters":{"x":"1"}}}"#,
    ] {
        let translation = translate(body);
        let request = ToolRequest { tool_call_id: None, tool: "a".into() };
        assert_eq!(translation.reply, Reply::FunctionResult(request), "{body}");
        assert_eq!(translation.drafts[0].dedupe, Dedupe::Content(0));
        assert_eq!(tool_io(body), [(Some(json!({"x": "1"})), None)], "{body}");
    }
}

#[test]
fn a_report_lists_its_tools_with_their_results() {
    let body = read("vapi/end-of-call-report.inbound-squad-two-assistants.json");
    assert_eq!(tool_names(&body), ["getWeatherByCity_001", "transferCall", "getWeatherByCity_002"]);
    assert_eq!(
        tool_io(&body)[2],
        (
            Some(json!({"city": "San Francisco", "state": "California"})),
            Some(json!("The weather in San Francisco, California is rainy"))
        )
    );
}

#[test]
fn results_find_their_calls_by_id_else_by_name_else_by_order() {
    let body = report(
        r#""messages":[
        {"role":"tool_call_result","toolCallId":"t2","name":"b","result":"early"},
        {"role":"tool_calls","time":1700000000000,"toolCalls":[{"id":"t1","function":{"name":"a"}},
        {"id":"t2","function":{"name":"b","arguments":"{\"x\":1}"}}]},
        {"role":"function_call","name":"c","args":"{}"},{"role":"function_call","name":"d"},
        {"role":"tool_call_result","name":"d","result":"by name"},
        {"role":"tool_call_result","result":"by order"},
        {"role":"tool_call_result","toolCallId":"t1","result":"by id, too late"}]"#,
    );
    assert_eq!(tool_names(&body), ["b", "a", "c", "d"]);
    let io = tool_io(&body);
    assert_eq!(io[0], (Some(json!({"x": 1})), Some(json!("early"))));
    assert_eq!(io[1], (None, Some(json!("by order"))));
    assert_eq!(io[3].1, Some(json!("by name")));
}

#[test]
fn a_second_list_of_the_same_calls_adds_only_what_is_new() {
    let messages = r#""messages":[{"role":"tool_calls","toolCalls":[{"id":"t1","name":"a"}]},
        {"role":"tool_call_result","name":"orphan","content":"{}"}]"#;
    let analysis = r#""analysis":{"toolCalls":[{"function":{"name":"a"}},{"id":"t1","name":"a"},
        {"function":{"name":"a"}},{"name":"b"}]}"#;
    assert_eq!(tool_names(&report(&format!("{messages},{analysis}"))), ["a", "orphan", "a", "b"]);
    let old = read("vapi-legacy/voxanne-04_end-of-call-report_costs_tools_sentiment.json");
    assert_eq!(tool_names(&old), ["lookupCaller", "bookClinicAppointment"]);
}

#[test]
fn a_tool_call_listed_twice_in_a_report_is_one() {
    let call = r#"{"role":"tool_calls","toolCalls":[{"id":"t1","name":"a"}]}"#;
    assert_eq!(tool_names(&report(&format!(r#""messages":[{call},{call}]"#))), ["a"]);
}

/// Models behind Gemini use the name of the tool as the id of all its calls, or no id.
#[test]
fn calls_of_one_id_are_as_many_as_the_report_lists_each_with_its_result() {
    for id in ["look", ""] {
        let body = report(&format!(
            r#""messages":[
            {{"role":"tool_calls","toolCalls":[
                {{"id":"{id}","function":{{"name":"look","arguments":"{{\"x\":1}}"}}}},
                {{"id":"{id}","function":{{"name":"look","arguments":"{{\"x\":2}}"}}}}]}},
            {{"role":"tool_call_result","toolCallId":"{id}","name":"look","result":"one"}},
            {{"role":"tool_call_result","toolCallId":"{id}","name":"look","result":"two"}},
            {{"role":"tool_calls","toolCalls":[
                {{"id":"{id}","function":{{"name":"look","arguments":"{{\"x\":1}}"}}}}]}},
            {{"role":"tool_call_result","toolCallId":"{id}","name":"look","result":"three"}}],
            "toolCalls":[{{"id":"{id}","name":"look","arguments":{{"x":1}}}},
                {{"id":"{id}","name":"look","arguments":{{"x":2}}}},
                {{"id":"{id}","name":"look","arguments":{{"x":1}}}}]"#
        ));
        let io = tool_io(&body);
        let translation = [(1, "one"), (2, "two"), (1, "three")];
        let translation =
            translation.map(|(x, result)| (Some(json!({ "x": x })), Some(json!(result))));
        assert_eq!(io, translation, "{id:?}");
    }
}

#[test]
fn an_id_of_its_own_that_is_listed_again_after_its_result_is_one() {
    let call = r#"{"role":"tool_calls","toolCalls":[{"id":"t1","name":"a","arguments":{"x":1}}]}"#;
    let result = r#"{"role":"tool_call_result","toolCallId":"t1","result":"done"}"#;
    let body = report(&format!(r#""messages":[{call},{result},{call},{result}]"#));
    assert_eq!(tool_io(&body), [(Some(json!({ "x": 1 })), Some(json!("done")))]);
}

#[test]
fn equal_tool_calls_of_one_message_are_distinct() {
    let translation = translate(
        r#"{"message":{"type":"tool-calls","call":{"id":"c"},"toolCallList":[
        {"id":"a","name":"a"},{"id":"a","name":"a","arguments":{"x":1}},{"id":"a","name":"a"}]}}"#,
    );
    let numbers = translation.drafts.iter().map(|draft| {
        let CallEvent::ToolCalled(called) = &draft.event else { panic!("a tool call") };
        (called.tool.place, called.tool.nth)
    });
    assert_eq!(numbers.collect::<Vec<_>>(), [(0, 0), (1, 0), (2, 1)]);
}
