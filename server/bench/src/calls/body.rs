//! Webhook bodies in the form of a voice platform, of typical size, without real personal data.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use fastrand::Rng;

use super::call_model::{CallModel, CallRoute, MessageKind, TOOLS};
use super::timeline::TimedMessage;

const BOT: [&str; 8] = [
    "Thank you for calling. This is the front desk assistant, how can I help you today?",
    "Of course. Could you tell me which day of the week would suit you best?",
    "I have an opening in the morning at a quarter past ten, and another in the afternoon.",
    "One moment please while I look that up for you.",
    "That is booked. You will receive a confirmation with the address and the time.",
    "The visit takes about forty minutes, and there is parking behind the building.",
    "I am sorry to hear that. Let me see what can be done this week.",
    "Is there anything else I can do for you?",
];
const PERSON: [&str; 8] = [
    "Hi, I would like to make an appointment for a check-up, please.",
    "Wednesday would be good, or any day after four in the afternoon.",
    "Yes, that works.",
    "How long is that going to take, and is there somewhere to park?",
    "I need to move the one I have, something came up at work.",
    "Could you say that again? The line is not very good.",
    "No, that was all. Thank you very much, goodbye.",
    "What does it cost without insurance?",
];
const NAMES: [&str; 8] = [
    "Avery Example",
    "Blake Sample",
    "Casey Example",
    "Devon Sample",
    "Emery Example",
    "Finley Sample",
    "Harper Example",
    "Jules Sample",
];

/// Builds the body of a message.
pub(super) fn body(message: &TimedMessage) -> String {
    let TimedMessage { call_model, place, sent_at } = message;
    let mut out = String::with_capacity(6_000);
    let written = match call_model.steps[*place] {
        MessageKind::Started => started(&mut out, *sent_at),
        MessageKind::Turn(nth) => turn(&mut out, call_model, nth, *sent_at),
        MessageKind::Tool(tool) => tool_calls(&mut out, call_model, tool, *place, *sent_at),
        MessageKind::Ended => ended(&mut out, call_model, *sent_at),
        MessageKind::Report => report(&mut out, call_model, *sent_at),
    };
    written
        .and_then(|()| closing(&mut out, call_model))
        .expect("a text takes what is written to it");
    out
}

/// Phone number of a synthetic person: `+1 555 01x xxxx` is not assigned to anyone.
pub(crate) fn number(caller: u32) -> String {
    format!("+155501{caller:05}")
}

fn opening(out: &mut String, kind: &str, at: DateTime<Utc>) -> std::fmt::Result {
    write!(out, r#"{{"message":{{"timestamp":{},"type":"{kind}""#, at.timestamp_millis())
}

fn started(out: &mut String, at: DateTime<Utc>) -> std::fmt::Result {
    opening(out, "status-update", at)?;
    out.write_str(r#","status":"in-progress""#)
}

fn turn(out: &mut String, call_model: &CallModel, nth: u32, at: DateTime<Utc>) -> std::fmt::Result {
    let (role, line) = line(call_model, nth);
    opening(out, "transcript", at)?;
    write!(
        out,
        r#","role":"{}","transcriptType":"final","transcript":"{line}","isFiltered":false,"detectedThreats":[],"originalTranscript":"{line}""#,
        if role == "bot" { "assistant" } else { role }
    )
}

fn tool_calls(
    out: &mut String,
    call_model: &CallModel,
    tool: usize,
    place: usize,
    at: DateTime<Utc>,
) -> std::fmt::Result {
    opening(out, "tool-calls", at)?;
    out.write_str(r#","toolCallList":["#)?;
    tool_call(out, call_model, tool, place)?;
    out.write_str("]")
}

fn tool_call(
    out: &mut String,
    call_model: &CallModel,
    tool: usize,
    place: usize,
) -> std::fmt::Result {
    let name = TOOLS[tool];
    let day = call_model.words % 28 + 1;
    write!(
        out,
        r#"{{"id":"call_{place}{:08x}","type":"function","function":{{"name":"{name}","arguments":{{"service":"check-up","date":"2026-11-{day:02}","time":"10:15","notes":"first visit, prefers mornings"}}}}}}"#,
        call_model.words & 0xffff_ffff
    )
}

fn ended(out: &mut String, call_model: &CallModel, at: DateTime<Utc>) -> std::fmt::Result {
    opening(out, "status-update", at)?;
    write!(out, r#","status":"ended","endedReason":"{}""#, call_model.reason)
}

fn report(out: &mut String, call_model: &CallModel, at: DateTime<Utc>) -> std::fmt::Result {
    opening(out, "end-of-call-report", at)?;
    write!(out, r#","endedReason":"{}""#, call_model.reason)?;
    if let Some(from) = call_model.answered_at {
        let (from, to) = (time(from), time(call_model.ended_at));
        write!(
            out,
            r#","startedAt":"{from}","endedAt":"{to}","durationMs":{}"#,
            call_model.talk_ms()
        )?;
        analysis(out, call_model)?;
        artifact(out, call_model)?;
    }
    costs(out, call_model)
}

fn analysis(out: &mut String, call_model: &CallModel) -> std::fmt::Result {
    write!(
        out,
        r#","analysis":{{"summary":"The caller asked for an appointment and was offered two openings. The assistant answered questions about length, parking and cost, and the call ended as {}.","successEvaluation":"{}","structuredData":{{"intent":"appointment","service":"check-up","followUpNeeded":{}}}}}"#,
        call_model.reason, call_model.success, !call_model.success
    )
}

/// The conversation, with the tool calls in its middle.
fn artifact(out: &mut String, call_model: &CallModel) -> std::fmt::Result {
    let from = call_model.answered_at.unwrap_or(call_model.created_at).timestamp_millis();
    let turns = 4 + u32::try_from(call_model.words % 7).unwrap_or(0);
    let step = call_model.talk_ms() / i64::from(turns);
    out.write_str(r#","artifact":{"messages":["#)?;
    for nth in 0..turns {
        let (role, line) = line(call_model, nth);
        let at = step * i64::from(nth);
        let comma = if nth == 0 { "" } else { "," };
        write!(
            out,
            r#"{comma}{{"role":"{role}","message":"{line}","time":{},"endTime":{},"secondsFromStart":{},"duration":{}}}"#,
            from + at,
            from + at + step / 2,
            Decimal(at, 3),
            step / 2
        )?;
        if nth == turns / 2 {
            tools_used(out, call_model, from + at)?;
        }
    }
    out.write_str(r#"],"transcript":""#)?;
    for nth in 0..turns {
        let (role, line) = line(call_model, nth);
        write!(out, r"{}: {line}\n", if role == "bot" { "AI" } else { "User" })?;
    }
    let (id, latency) = (call_model.id, 600 + call_model.words % 1_300);
    write!(
        out,
        r#"","recordingUrl":"https://recordings.example.com/{id}-mono.wav","stereoRecordingUrl":"https://recordings.example.com/{id}-stereo.wav","performanceMetrics":{{"turnLatencyAverage":{latency}.25,"numUserInterrupted":{},"numAssistantInterrupted":{}}}}}"#,
        call_model.words % 3,
        call_model.words % 4
    )
}

fn tools_used(out: &mut String, call_model: &CallModel, at: i64) -> std::fmt::Result {
    let events = (0..).zip(&call_model.steps).filter_map(|(place, step)| match step {
        MessageKind::Tool(tool) => Some((place, *tool)),
        _ => None,
    });
    let events: Vec<(usize, usize)> = events.collect();
    // A report without preceding tool messages contains the tool calls too.
    let used: Vec<(usize, usize)> = if events.is_empty() {
        call_model.tools.iter().copied().enumerate().collect()
    } else {
        events
    };
    for (place, tool) in used {
        write!(out, r#",{{"role":"tool_calls","message":"","time":{at},"toolCalls":["#)?;
        tool_call(out, call_model, tool, place)?;
        write!(
            out,
            r#"]}},{{"role":"tool_call_result","time":{at},"name":"{}","toolCallId":"call_{place}{:08x}","result":"done, reference {:06x}"}}"#,
            TOOLS[tool],
            call_model.words & 0xffff_ffff,
            call_model.words & 0xff_ffff
        )?;
    }
    Ok(())
}

fn costs(out: &mut String, call_model: &CallModel) -> std::fmt::Result {
    let [transport, stt, llm, tts, platform, analysis] =
        call_model.cost.map(|nanos| Decimal(nanos, 9));
    let total = Decimal(call_model.cost_nanos(), 9);
    let minutes = Decimal(call_model.talk_ms() / 6, 4);
    write!(
        out,
        r#","cost":{total},"costBreakdown":{{"transport":{transport},"stt":{stt},"llm":{llm},"tts":{tts},"vapi":{platform},"total":{total},"llmPromptTokens":4210,"llmCompletionTokens":388,"ttsCharacters":911,"analysisCostBreakdown":{{"summary":{analysis}}}}},"costs":[{{"type":"transport","provider":"twilio","minutes":{minutes},"cost":{transport}}},{{"type":"transcriber","transcriber":{{"provider":"deepgram","model":"nova-2"}},"minutes":{minutes},"cost":{stt}}},{{"type":"model","model":{{"provider":"openai","model":"gpt-4o"}},"promptTokens":4210,"completionTokens":388,"cost":{llm}}},{{"type":"voice","voice":{{"provider":"11labs","voiceId":"sarah"}},"characters":911,"cost":{tts}}},{{"type":"vapi","subType":"normal","minutes":{minutes},"cost":{platform}}}]"#
    )
}

/// The snapshots at the end of every message, with the state at the start of the call.
fn closing(out: &mut String, call_model: &CallModel) -> std::fmt::Result {
    let created_at = time(call_model.created_at);
    let (kind, provider) = match call_model.route {
        CallRoute::Inbound => ("inboundPhoneCall", "twilio"),
        CallRoute::Outbound => ("outboundPhoneCall", "vapi"),
        CallRoute::Web => ("webCall", "daily"),
    };
    write!(
        out,
        r#","assistant":{{"id":"{0}","name":"Front desk","firstMessage":"{1}","model":{{"provider":"openai","model":"gpt-4o","temperature":0.4}},"voice":{{"provider":"11labs","voiceId":"sarah"}},"transcriber":{{"provider":"deepgram","model":"nova-2","language":"en"}}}},"call":{{"id":"{2}","orgId":"6f1f3a52-4b1c-4f0f-8a77-6a4a0c6b8a11","createdAt":"{created_at}","updatedAt":"{created_at}","type":"{kind}","status":"queued","cost":0,"transport":{{"provider":"{provider}","conversationType":"voice"}},"assistantId":"{0}""#,
        call_model.assistant, BOT[0], call_model.id
    )?;
    if call_model.is_test {
        out.write_str(r#","metadata":{"is_test":true}"#)?;
    }
    if call_model.route == CallRoute::Web {
        return out.write_str("}}}");
    }
    write!(out, r#","phoneNumberId":"{}"}},"customer":{{"#, call_model.number)?;
    customer(out, call_model)?;
    out.write_str("}}}")
}

fn customer(out: &mut String, call_model: &CallModel) -> std::fmt::Result {
    let Some(caller) = call_model.caller.filter(|_| !call_model.is_withheld) else {
        return out.write_str(r#""number":"anonymous""#);
    };
    write!(out, r#""number":"{}""#, number(caller))?;
    if caller % 2 == 0 {
        write!(out, r#","name":"{}""#, NAMES[caller as usize / 2 % NAMES.len()])?;
    }
    if caller % 7 == 0 {
        write!(out, r#","email":"person.{caller}@example.com""#)?;
    }
    Ok(())
}

/// Speaker and text of the nth turn.
fn line(call_model: &CallModel, nth: u32) -> (&'static str, &'static str) {
    let mut rng = Rng::with_seed(call_model.words ^ u64::from(nth));
    match nth % 2 {
        0 => ("bot", BOT[rng.usize(..BOT.len())]),
        _ => ("user", PERSON[rng.usize(..PERSON.len())]),
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// An integer written with a decimal point at this number of places.
struct Decimal(i64, u32);

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(value, places) = *self;
        let scale = 10_i64.pow(places);
        write!(f, "{}.{:0width$}", value / scale, value % scale, width = places as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ledger_core::event::CallEvent;
    use ledger_core::provider::Provider;

    use super::super::call_model::CallInputs;
    use super::*;

    fn events(events_per_call: u32, calls: u64) -> Vec<(Arc<CallModel>, MessageKind, CallEvent)> {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let terms = CallInputs { seed: 7, events_per_call, people: 50 };
        let mut events = Vec::new();
        for nth in 0..calls {
            let call_model = Arc::new(terms.call_model(nth, 0, at));
            for (place, step) in call_model.steps.iter().enumerate() {
                let sent_at = call_model.sent_at(place);
                let body =
                    body(&TimedMessage { call_model: Arc::clone(&call_model), place, sent_at });
                let translation = Provider::Vapi.adapter().translate(body.as_bytes(), None);
                let mut translation = translation.unwrap_or_else(|_| panic!("{body}"));
                assert!(!translation.is_telemetry);
                assert_eq!(translation.provider_call_id, Some(call_model.id.to_string()));
                assert_eq!(translation.drafts.len(), 1, "an event a message");
                events.push((Arc::clone(&call_model), *step, translation.drafts.remove(0).event));
            }
        }
        events
    }

    #[test]
    fn the_adapter_reads_each_body_as_what_it_is() {
        for (call_model, step, event) in events(8, 300) {
            let is_meant = match (step, &event) {
                (MessageKind::Started, CallEvent::Started(_))
                | (MessageKind::Turn(_), CallEvent::MessageReceived(_)) => true,
                (MessageKind::Tool(tool), CallEvent::ToolCalled(called)) => {
                    called.tool.tool == TOOLS[tool]
                }
                (MessageKind::Ended, CallEvent::Ended(ended)) => !ended.report,
                (MessageKind::Report, CallEvent::Ended(ended)) => ended.report,
                _ => false,
            };
            assert!(is_meant, "{call_model:?}: {event:?}");
        }
    }

    #[test]
    fn a_report_tells_cost_length_tools_and_verdict_to_the_digit() {
        let mut reports = 0;
        for (call_model, _, event) in events(2, 300) {
            let CallEvent::Ended(ended) = event else { continue };
            if !ended.report {
                continue;
            }
            reports += 1;
            assert_eq!(ended.cost.map(|cost| cost.total_nanos.0), Some(call_model.cost_nanos()));
            assert_eq!(ended.ended_reason.as_deref(), Some(call_model.reason));
            let tools: Vec<&str> = ended.tools.iter().map(|tool| tool.tool.as_str()).collect();
            let used: Vec<&str> = call_model.tools.iter().map(|tool| TOOLS[*tool]).collect();
            assert_eq!(tools, used);
            assert_eq!(ended.duration_ms.unwrap_or(0), call_model.talk_ms());
            assert_eq!(ended.call.is_test, call_model.is_test);
            assert_eq!(ended.success, call_model.answered_at.map(|_| call_model.success));
        }
        assert!((200..300).contains(&reports), "{reports}");
    }
}
