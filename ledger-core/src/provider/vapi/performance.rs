//! How a conversation went, as Vapi measured it: `artifact.performanceMetrics` of the report.
//!
//! What cannot have been measured is not told: it would spoil every average it went into. The body
//! keeps it as it came.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::message::{Message, list};
use crate::json::Json;
use crate::money::parse_decimal;
use crate::plausible::{LONGEST_MS, MOST_INTERRUPTIONS};

/// The average latency of complete turns, in milliseconds. Nobody answers in no time: zero stands
/// where nothing was measured.
pub(super) fn turn_latency_ms(message: &Message<'_>) -> Option<i64> {
    metric(message, "turnLatencyAverage", |average| {
        // Away from zero is up: what is below zero is not taken.
        let rounding = RoundingStrategy::MidpointAwayFromZero;
        let millis = number(average)?.round_dp_with_strategy(0, rounding).to_i64()?;
        (1..=LONGEST_MS).contains(&millis).then_some(millis)
    })
}

/// How many turns are listed, when any are.
pub(super) fn turns(message: &Message<'_>) -> Option<u32> {
    metric(message, "turnLatencies", |turns| {
        let turns = list(turns)?.iter().filter(|turn| turn.is_object()).count();
        u32::try_from(turns).ok().filter(|turns| *turns > 0)
    })
}

/// How often the person was interrupted by the assistant.
pub(super) fn user_interruptions(message: &Message<'_>) -> Option<u32> {
    metric(message, "numUserInterrupted", interruptions)
}

/// How often the assistant was interrupted by the person.
pub(super) fn assistant_interruptions(message: &Message<'_>) -> Option<u32> {
    metric(message, "numAssistantInterrupted", interruptions)
}

/// One of the metrics, from the first place that tells it sensibly.
fn metric<'m, T>(
    message: &Message<'m>,
    key: &str,
    read: impl Fn(&'m Json<'m>) -> Option<T>,
) -> Option<T> {
    message.told("performanceMetrics", |metrics| metrics.get(key).and_then(&read))
}

fn interruptions(count: &Json<'_>) -> Option<u32> {
    let count = number(count).filter(Decimal::is_integer)?.to_u32()?;
    (count <= MOST_INTERRUPTIONS).then_some(count)
}

/// A number that was written as one; a text is no measurement.
fn number(value: &Json<'_>) -> Option<Decimal> {
    match value {
        Json::Number(text) => parse_decimal(text),
        _ => None,
    }
}
