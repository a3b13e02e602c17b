//! Tests of every captured body with its expected translation.

use super::fixtures::{REJECTED, all, call_of, kept_text, messages, translate, try_translate};
use crate::envelope::{Correlation, StreamKind};
use crate::json::Json;
use crate::provider::{Reply, TranslateError};

/// File, message type, event type, stream, reply; `~` before a type marks telemetry.
const EXPECTED: &str = "
vapi-legacy/chattyai-01_function_checkAvailability_relative       function-call                call.tool_called         call    function
vapi-legacy/chattyai-02_function_bookAppointment_iso_24h          function-call                call.tool_called         call    function
vapi-legacy/chattyai-03_function_bookAppointment_free_form        function-call                call.tool_called         none    function
vapi-legacy/chattyai-04_function_bookAppointment_missing_fields   function-call                call.tool_called         none    function
vapi-legacy/chattyai-05_function_unknown                          function-call                call.tool_called         none    function
vapi-legacy/chattyai-06_end-of-call_flat                          end-of-call                  call.ended               call    ok
vapi-legacy/chattyai-07_end-of-call_qa_transcript                 end-of-call                  call.ended               call    ok
vapi-legacy/chattyai-08_end-of-call-report_function_call_messages.constructed end-of-call-report call.ended             call    ok
vapi-legacy/chattyai-17_vapi_simple_bookAppointment_startISO.constructed function-call         call.tool_called         none    function
vapi-legacy/voxanne-01_end-of-call-report_minimal                 end-of-call-report           call.ended               call    ok
vapi-legacy/voxanne-02_end-of-call-report_without_call            end-of-call-report           call.ended               none    ok
vapi-legacy/voxanne-03_end-of-call-report_metadata_org            end-of-call-report           call.ended               call    ok
vapi-legacy/voxanne-04_end-of-call-report_costs_tools_sentiment   end-of-call-report           call.ended               call    ok
vapi-legacy/voxanne-05_call.started.constructed                   call.started                 call.started             call    ok
vapi-legacy/voxanne-06_tool-calls_bookClinicAppointment_string_arguments tool-calls            call.tool_called         call    results
vapi-legacy/voxanne-07_tool-calls_book_past_year                  tool-calls                   call.tool_called         none    results
vapi-legacy/voxanne-08_tool-calls_book_us_date_format             tool-calls                   call.tool_called         none    results
vapi-legacy/voxanne-09_tool-calls_book_free_form_time.constructed tool-calls                   call.tool_called         none    results
vapi-legacy/voxanne-10_legacy_toolCall_body.constructed           tool-calls                   call.tool_called         call    results
vapi-legacy/voxanne-11_tool-calls_transferCall                    tool-calls                   call.tool_called         call    results
vapi-legacy/voxanne-12_tool-calls_lookupCaller.constructed        tool-calls                   call.tool_called         call    results
vapi-legacy/voxanne-13_assistant-request.constructed              assistant-request            call.message_received    call    assistant
vapi-legacy/voxanne-14_status-check.constructed                   untyped                      call.message_received    call    ok
vapi/api-create-call-response.outbound                            call-object                  call.status_changed      call    ok
vapi/api-get-call.inbound-analysis.sanitized                      call-object                  call.ended               call    ok
vapi/api-get-call.outbound-live.sanitized                         call-object                  call.ended               call    ok
vapi/api-get-call.outbound-voicemail                              call-object                  call.ended               call    ok
vapi/api-get-call.outbound-voicemail-greeting                     call-object                  call.ended               call    ok
vapi/assistant-request.inbound-pstn                               assistant-request            call.message_received    call    assistant
vapi/assistant.speechStarted.docs                                 assistant.speechStarted      call.message_received    none    ok
vapi/call.artifact.upload.reconstructed                           call.artifact.upload         call.recording_available call    ok
vapi/call.delete.failed.reconstructed                             call.delete.failed           call.message_received    call    ok
vapi/call.deleted.reconstructed                                   call.deleted                 call.message_received    call    ok
vapi/chat.created.reconstructed                                   chat.created                 call.message_received    chat    ok
vapi/chat.deleted.reconstructed                                   chat.deleted                 call.message_received    chat    ok
vapi/conversation-update.webcall                                  ~conversation-update         call.message_received    call    ok
vapi/end-of-call-report.inbound-intake-no-cost                    end-of-call-report           call.ended               call    ok
vapi/end-of-call-report.inbound-performance-metrics.reconstructed end-of-call-report           call.ended               call    ok
vapi/end-of-call-report.inbound-squad-two-assistants              end-of-call-report           call.ended               call    ok
vapi/end-of-call-report.official-skill-example                    end-of-call-report           call.ended               call    ok
vapi/end-of-call-report.webcall-with-costs                        end-of-call-report           call.ended               call    ok
vapi/function-call.inbound-parameters                             function-call                call.tool_called         call    function
vapi/handoff-destination-request.reconstructed                    handoff-destination-request  call.message_received    call    destination
vapi/hang.inbound.composed                                        hang                         call.message_received    call    ok
vapi/knowledge-base-request.openapi-example                       knowledge-base-request       call.message_received    call    documents
vapi/language-change-detected.docs                                language-change-detected     call.message_received    none    ok
vapi/model-output.token.composed                                  ~model-output                call.message_received    call    ok
vapi/phone-call-control.forward-sip.docs                          phone-call-control           call.message_received    none    ok
vapi/session.created.reconstructed                                session.created              call.message_received    session ok
vapi/session.updated.reconstructed                                session.updated              call.message_received    session ok
vapi/speech-update.started.webcall                                ~speech-update               call.message_received    call    ok
vapi/status-update.ended.assistant-request-invalid.trimmed        status-update                call.ended               none    ok
vapi/status-update.forwarding.composed                            status-update                call.status_changed      call    ok
vapi/status-update.in-progress.webcall                            status-update                call.started             call    ok
vapi/status-update.in-progress.webcall-transient-assistant        status-update                call.started             call    ok
vapi/tool-calls.inbound-gpt-async                                 tool-calls                   call.tool_called         call    results
vapi/tool-calls.inbound-simple-assistant                          tool-calls                   call.tool_called         call    results
vapi/tool-calls.inbound-sip-calendar-cancel.large                 tool-calls                   call.tool_called         call    results
vapi/tool-calls.inbound-squad-1                                   tool-calls                   call.tool_called         call    results
vapi/tool-calls.inbound-squad-2                                   tool-calls                   call.tool_called         call    results
vapi/tool-calls.no-call-object                                    tool-calls                   call.tool_called         none    results
vapi/tool-calls.official-skill-example                            tool-calls                   call.tool_called         call    results
vapi/transcript.final.assistant.webcall                           transcript                   call.message_received    call    ok
vapi/transcript.partial.user.docs                                 ~transcript                  call.message_received    none    ok
vapi/transfer-destination-request.inbound                         transfer-destination-request call.message_received    call    destination
vapi/transfer-update.number.composed                              transfer-update              call.transferred         call    ok
vapi/user-interrupted.docs                                        user-interrupted             call.message_received    none    ok
vapi/voice-input.docs                                             ~voice-input                 call.message_received    none    ok
vapi/voice-request.docs                                           voice-request                call.message_received    none    ok
";

#[test]
fn every_captured_message_becomes_what_it_should() {
    let lines = |text: &str| -> Vec<String> {
        let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        words.filter(|words| !words.is_empty()).map(|words| words.join(" ")).collect()
    };
    let mut expected = lines(EXPECTED);
    let mut became: Vec<_> = messages().iter().map(|(name, body)| line(name, body)).collect();
    expected.sort();
    became.sort();
    assert_eq!(expected, became);
}

fn line(name: &str, body: &str) -> String {
    let translation = translate(body);
    let mark = if translation.is_telemetry { "~" } else { "" };
    let stream = match &translation.drafts[0].correlation {
        Correlation::Named(StreamKind::Call, id) => {
            assert_eq!(translation.provider_call_id.as_ref(), Some(id), "{name}");
            "call"
        }
        Correlation::Named(kind, _) => kind.as_str(),
        Correlation::None => "none",
    };
    let reply = match &translation.reply {
        Reply::Acknowledge => "ok",
        Reply::ToolResults(requests) => {
            assert_eq!(requests.len(), translation.drafts.len(), "{name}");
            "results"
        }
        Reply::FunctionResult(_) => "function",
        Reply::Assistant => "assistant",
        Reply::Destination => "destination",
        Reply::Fixed(_) => "documents",
    };
    let types: Vec<_> = translation.drafts.iter().map(|draft| draft.event.event_type()).collect();
    let file = name.trim_end_matches(".json");
    format!("{file} {mark}{} {} {stream} {reply}", translation.kind, types.join(","))
}

#[test]
fn what_is_no_message_of_vapi_is_refused() {
    for (name, body) in all().iter().filter(|(name, _)| REJECTED.contains(&name.as_str())) {
        assert!(
            matches!(try_translate(body), Err(TranslateError::UnrecognizedMessage(_))),
            "{name}"
        );
    }
    for body in ["[]", "null", "\"tool-calls\"", "{}", r#"{"message":{}}"#, r#"{"message":5}"#] {
        assert!(
            matches!(try_translate(body), Err(TranslateError::UnrecognizedMessage(_))),
            "{body}"
        );
    }
}

#[test]
fn each_element_of_a_list_of_call_objects_is_a_message() {
    let (_, list) = all().into_iter().find(|(name, _)| name == REJECTED[1]).expect("the list");
    let list = Json::parse(list.as_bytes()).expect("JSON");
    assert_eq!(list.items().len(), 2);
    for call in list.items() {
        let body = String::from_utf8(call.to_compact()).expect("UTF-8");
        assert_eq!(translate(&body).drafts[0].event.event_type(), "call.ended");
    }
}

#[test]
fn no_secret_of_any_capture_is_kept() {
    // Placeholders for the secrets of the captures, and for tokens in raw SIP messages.
    const SECRETS: [&str; 3] =
        ["example-secret-do-not-store", "example.jwt.token", ".vapi.ai/019a9c95-32a0-7ccd-93e9"];
    let mut found = 0;
    for (name, body) in messages() {
        found += SECRETS.iter().filter(|secret| body.contains(*secret)).count();
        for draft in translate(&body).drafts {
            let kept = kept_text(&draft);
            for secret in SECRETS {
                assert!(!kept.contains(secret), "{name} keeps {secret}");
            }
            for url in ["/listen\"", "/control\""] {
                assert!(!kept.contains(url), "{name} keeps a {url} address");
            }
        }
    }
    assert!(found >= 8, "the captures still have secrets to find");
}

#[test]
fn a_body_is_kept_whole_but_for_its_secrets() {
    for (name, body) in messages() {
        let translation = translate(&body);
        let raw = translation.drafts[0].sections.raw.as_ref().expect("raw");
        let kept = Json::parse(raw).expect("JSON").to_value();
        let sent = serde_json::from_str::<serde_json::Value>(&body).expect("JSON");
        assert_same_but_removed(&kept, &sent, &name);
        assert!(translation.drafts[1..].iter().all(|draft| draft.sections.raw.is_none()), "{name}");
    }
}

fn assert_same_but_removed(kept: &serde_json::Value, sent: &serde_json::Value, name: &str) {
    use serde_json::Value;
    match (kept, sent) {
        (Value::Object(kept), Value::Object(sent)) => {
            assert_eq!(kept.keys().collect::<Vec<_>>(), sent.keys().collect::<Vec<_>>(), "{name}");
            kept.values().zip(sent.values()).for_each(|(k, s)| assert_same_but_removed(k, s, name));
        }
        (Value::Array(kept), Value::Array(sent)) => {
            assert_eq!(kept.len(), sent.len(), "{name}");
            kept.iter().zip(sent).for_each(|(k, s)| assert_same_but_removed(k, s, name));
        }
        (Value::String(kept), _) if kept.contains("[removed]") => {}
        (kept, sent) => assert_eq!(kept, sent, "{name}"),
    }
}

#[test]
fn facts_are_small_and_name_no_person() {
    for (name, body) in messages() {
        for draft in translate(&body).drafts {
            let facts = draft.event.to_facts();
            assert!(facts.len() < 1500, "{name}: {} bytes of facts", facts.len());
            for personal in ["+1555", "+1202", "@example.com", "Jordan", "Smith", "https://"] {
                assert!(!facts.contains(personal), "{name}: {facts}");
            }
            assert_eq!(draft.sections.party.is_some(), call_of(&draft.event).party.is_some());
        }
    }
}

#[test]
fn a_body_spelled_differently_is_the_same_body() {
    for (name, body) in messages() {
        let tree = Json::parse(body.as_bytes()).expect("JSON");
        let canonical = translate(&body).canonical;
        let reversed = String::from_utf8(reversed(&tree).to_compact()).expect("UTF-8");
        assert_ne!(reversed, body, "{name}");
        assert_eq!(translate(&reversed).canonical, canonical, "{name}");
        let sorted = String::from_utf8(canonical.clone()).expect("UTF-8");
        let again = translate(&sorted);
        assert_eq!(again.canonical, canonical, "{name}");
        let facts = |body: &str| -> Vec<String> {
            translate(body).drafts.iter().map(|draft| draft.event.to_facts()).collect()
        };
        assert_eq!(facts(&sorted), facts(&body), "{name}");
    }
}

fn reversed<'a>(value: &Json<'a>) -> Json<'a> {
    match value {
        Json::Object(fields) => Json::Object(
            fields.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect(),
        ),
        Json::Array(items) => Json::Array(items.iter().map(reversed).collect()),
        other => other.clone(),
    }
}
