//! Translation of the end of a call: times, reason, duration, cost, and the conversation.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::message::{Message, text};
use super::{conversation, cost, performance, tool_log};
use crate::envelope::Sections;
use crate::event::{CallEnded, CallFacts};
use crate::json::{Json, fact_text};
use crate::plausible::{self, FieldValue, add_implausible};

/// Translates the end-of-call report.
pub(super) fn report(message: &Message<'_>, mut call: CallFacts) -> (CallEnded, Sections) {
    let (tools, tool_io) = tool_log::tools(message);
    let conversation = conversation::conversation(message);
    let started_at = time(message, "startedAt", "started_at", &mut call);
    let ended_at = time(message, "endedAt", "ended_at", &mut call);
    let duration_ms = duration_ms(message, started_at, ended_at, &mut call);
    let cost = cost::cost(message, &mut call.implausible);
    let ended = CallEnded {
        call,
        report: true,
        ended_reason: ended_reason(message),
        started_at,
        ended_at,
        duration_ms,
        zero_cost_stated: cost.is_stated_zero,
        cost: cost.cost,
        tools,
        success: conversation::success(message),
        turn_latency_ms: performance::turn_latency_ms(message),
        turns: performance::turns(message),
        user_interruptions: performance::user_interruptions(message),
        assistant_interruptions: performance::assistant_interruptions(message),
        conversation: conversation.parts(),
    };
    let conversation = Some(conversation).filter(|_| !ended.conversation.is_empty());
    let sections = Sections { tool_io, conversation, ..Sections::default() };
    (ended, sections)
}

/// Translates a bare status that the call has ended. Cost and duration are taken from the report
/// only, because the snapshot of the call has zeros there.
pub(super) fn ended(
    message: &Message<'_>,
    mut call: CallFacts,
    occurred_at: Option<DateTime<Utc>>,
) -> CallEnded {
    let started_at = time(message, "startedAt", "started_at", &mut call);
    let ended_at = time(message, "endedAt", "ended_at", &mut call).or(occurred_at);
    CallEnded {
        call,
        report: false,
        ended_reason: ended_reason(message),
        started_at,
        ended_at,
        ..CallEnded::default()
    }
}

/// Looks up a time of the call by precedence. The facts list the name of an implausible one.
pub(super) fn time(
    message: &Message<'_>,
    key: &str,
    name: &str,
    call: &mut CallFacts,
) -> Option<DateTime<Utc>> {
    let value = Message::lookup_value(message.lookup_order(), key, Json::time);
    if value == FieldValue::Implausible {
        add_implausible(&mut call.implausible, name);
    }
    value.plausible()
}

fn ended_reason(message: &Message<'_>) -> Option<String> {
    message.lookup("endedReason", text).map(fact_text).filter(|reason| !reason.is_empty())
}

/// Returns the duration from the most exact source. An implausible duration is listed in the facts,
/// and the next source is used.
fn duration_ms(
    message: &Message<'_>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    call: &mut CallFacts,
) -> Option<i64> {
    let mut lookup_ms = |key, unit_ms: i64| {
        let value = Message::lookup_value(message.lookup_order(), key, |value| {
            let Some(number) = value.as_decimal() else { return unreadable(value) };
            let millis = number.checked_mul(Decimal::from(unit_ms));
            millis.map_or(FieldValue::Implausible, plausible::duration_ms)
        });
        if value == FieldValue::Implausible {
            add_implausible(&mut call.implausible, "duration_ms");
        }
        value.plausible()
    };
    let exact = lookup_ms("durationMs", 1).or_else(|| lookup_ms("durationSeconds", 1000));
    let between = || plausible::between(started_at?, ended_at?);
    exact
        .or_else(between)
        .or_else(|| lookup_ms("duration", 1000))
        .or_else(|| lookup_ms("durationMinutes", 60_000))
}

/// Classifies a value that is no decimal: a number beyond the range of a decimal is implausible,
/// any other value is absent.
pub(super) fn unreadable<T>(value: &Json<'_>) -> FieldValue<T> {
    match value {
        Json::Number(_) => FieldValue::Implausible,
        _ => FieldValue::Absent,
    }
}
