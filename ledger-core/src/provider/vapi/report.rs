//! The end of a call: when, why, how long, at what cost, and everything that was said.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::message::{Message, text};
use super::{conversation, cost, performance, tool_log};
use crate::envelope::Sections;
use crate::event::{CallEnded, CallFacts};
use crate::json::{Json, fact_text};

/// The full report after a call.
pub(super) fn report(message: &Message<'_>, call: CallFacts) -> (CallEnded, Sections) {
    let (tools, tool_io) = tool_log::tools(message);
    let conversation = conversation::conversation(message);
    let (started_at, ended_at) = (time(message, "startedAt"), time(message, "endedAt"));
    let ended = CallEnded {
        call,
        report: true,
        ended_reason: ended_reason(message),
        started_at,
        ended_at,
        duration_ms: duration_ms(message, started_at, ended_at),
        cost: cost::cost(message),
        tools,
        success: conversation::success(message),
        turn_latency_ms: performance::turn_latency_ms(message),
        turns: performance::turns(message),
        user_interruptions: performance::user_interruptions(message),
        assistant_interruptions: performance::assistant_interruptions(message),
        conversation: conversation::parts(&conversation),
    };
    let conversation = Some(conversation).filter(|_| !ended.conversation.is_empty());
    let sections = Sections { conversation, tool_io, ..Sections::default() };
    (ended, sections)
}

/// A bare status that the call is over. Money and length are left to the report: a snapshot of
/// the call has zeros there.
pub(super) fn ended(
    message: &Message<'_>,
    call: CallFacts,
    occurred_at: Option<DateTime<Utc>>,
) -> CallEnded {
    CallEnded {
        call,
        report: false,
        ended_reason: ended_reason(message),
        started_at: time(message, "startedAt"),
        ended_at: time(message, "endedAt").or(occurred_at),
        ..CallEnded::default()
    }
}

/// A time of the call, by precedence.
pub(super) fn time(message: &Message<'_>, key: &str) -> Option<DateTime<Utc>> {
    message.told(key, Json::as_time)
}

fn ended_reason(message: &Message<'_>) -> Option<String> {
    message.told("endedReason", text).map(fact_text).filter(|reason| !reason.is_empty())
}

/// How long the call lasted, from the most exact of what is told.
fn duration_ms(
    message: &Message<'_>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
) -> Option<i64> {
    let told = |key, unit_ms: i64| {
        message.told(key, |value| {
            let millis = value.as_decimal()?.checked_mul(Decimal::from(unit_ms))?;
            millis.round().to_i64().filter(|millis| *millis >= 0)
        })
    };
    let between = || {
        let lasted = ended_at?.signed_duration_since(started_at?).num_milliseconds();
        (lasted >= 0).then_some(lasted)
    };
    told("durationMs", 1)
        .or_else(|| told("durationSeconds", 1000))
        .or_else(between)
        .or_else(|| told("duration", 1000))
        .or_else(|| told("durationMinutes", 60_000))
}
