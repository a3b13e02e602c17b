//! Performance metrics of a conversation as measured by Vapi: `artifact.performanceMetrics` of the
//! report.
//!
//! Impossible values are omitted, because they would distort every average. The body keeps them.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::message::{Message, list};
use crate::json::Json;
use crate::money::parse_decimal;
use crate::plausible::{MAX_CALL_MS, MAX_INTERRUPTIONS};

/// Returns the average latency of the complete turns, in milliseconds. Zero means that nothing was
/// measured, so it is omitted.
pub(super) fn turn_latency_ms(message: &Message<'_>) -> Option<i64> {
    metric(message, "turnLatencyAverage", |average| {
        // For positive numbers this rounds half up; the range check below rejects all others.
        let rounding = RoundingStrategy::MidpointAwayFromZero;
        let millis = number(average)?.round_dp_with_strategy(0, rounding).to_i64()?;
        (1..=MAX_CALL_MS).contains(&millis).then_some(millis)
    })
}

/// Returns the number of listed turns; `None` if there are none.
pub(super) fn turns(message: &Message<'_>) -> Option<u32> {
    metric(message, "turnLatencies", |turns| {
        let turns = list(turns)?.iter().filter(|turn| turn.is_object()).count();
        u32::try_from(turns).ok().filter(|turns| *turns > 0)
    })
}

/// Returns how often the assistant interrupted the person.
pub(super) fn user_interruptions(message: &Message<'_>) -> Option<u32> {
    metric(message, "numUserInterrupted", interruptions)
}

/// Returns how often the person interrupted the assistant.
pub(super) fn assistant_interruptions(message: &Message<'_>) -> Option<u32> {
    metric(message, "numAssistantInterrupted", interruptions)
}

/// Looks up a metric. Returns the first value that `read` accepts.
fn metric<'m, T>(
    message: &Message<'m>,
    key: &str,
    read: impl Fn(&'m Json<'m>) -> Option<T>,
) -> Option<T> {
    message.lookup("performanceMetrics", |metrics| metrics.get(key).and_then(&read))
}

fn interruptions(count: &Json<'_>) -> Option<u32> {
    let count = number(count).filter(Decimal::is_integer)?.to_u32()?;
    (count <= MAX_INTERRUPTIONS).then_some(count)
}

/// Returns the value of a JSON number. A text is not a measurement.
fn number(value: &Json<'_>) -> Option<Decimal> {
    match value {
        Json::Number(text) => parse_decimal(text),
        _ => None,
    }
}
