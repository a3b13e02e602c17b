//! Ranges of the times, durations and amounts that are possible for a call.
//!
//! The sealed body keeps a value outside these ranges, and the facts name its field
//! (`implausible`). The value itself is not a fact, so read models neither display nor add it.
//! [`remove_implausible`] applies the same ranges to facts stored by an older build, so that a rebuild and a
//! live fold agree.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::event::CallEvent;
use crate::money::{Cost, CostParts, Nanos};

/// Maximum duration of a call in milliseconds: one day. Platforms end calls after hours.
pub const MAX_CALL_MS: i64 = 86_400_000;
/// Maximum cost of a call and of each part: 10,000 units of the currency. A part may be negative (a
/// credit) within the same bound; a total may not.
pub const MAX_NANOS: Nanos = Nanos(10_000_000_000_000);
/// Maximum number of interruptions in a call: one per second for a day.
pub const MAX_INTERRUPTIONS: u32 = 86_400;

/// First second of 2005. Unset clocks start in 1970, 1980, 2000 or 2001.
const EARLIEST: i64 = 1_104_537_600;
/// First second of 2100.
const LATEST: i64 = 4_102_444_800;
/// First second of 2027. This code did not run much earlier, so a local clock that was set back
/// does not make correct times implausible.
const CLOCK_FLOOR: i64 = 1_798_761_600;
/// Maximum lead of a platform's clock over the local clock.
const MAX_CLOCK_LEAD: TimeDelta = TimeDelta::days(2);

/// Result of reading a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValue<T> {
    /// No value, or a value that cannot be parsed.
    Absent,
    /// A parsed value that is impossible for a call.
    Implausible,
    /// A plausible value.
    Plausible(T),
}

impl<T> FieldValue<T> {
    fn of(value: Option<T>) -> Self {
        value.map_or(Self::Implausible, Self::Plausible)
    }

    /// Returns the value if there is a plausible one.
    #[must_use]
    pub fn plausible(self) -> Option<T> {
        match self {
            Self::Plausible(value) => Some(value),
            Self::Absent | Self::Implausible => None,
        }
    }
}

/// Checks a time. Midnight of 1970 counts as absent, because an unset clock reports it.
#[must_use]
pub fn time(at: DateTime<Utc>) -> FieldValue<DateTime<Utc>> {
    match at.timestamp() {
        0 => FieldValue::Absent,
        EARLIEST..LATEST => FieldValue::Plausible(at),
        _ => FieldValue::Implausible,
    }
}

/// Reads a number as a time: seconds, milliseconds, microseconds or nanoseconds since 1970, by the
/// unit that gives a plausible time. The four ranges do not overlap. Cut to microseconds.
#[must_use]
pub fn epoch(number: Decimal) -> FieldValue<DateTime<Utc>> {
    if number.is_zero() {
        return FieldValue::Absent;
    }
    let micros =
        [1_000_000, 1_000, 1].into_iter().map(|unit| number.checked_mul(Decimal::from(unit)));
    let nanos = number.checked_div(Decimal::ONE_THOUSAND);
    let at = |micros: Decimal| DateTime::from_timestamp_micros(micros.floor().to_i64()?);
    let mut times = micros.chain([nanos]).flatten().filter_map(at);
    FieldValue::of(times.find_map(|at| time(at).plausible()))
}

/// Reads a duration in milliseconds.
#[must_use]
pub fn duration_ms(millis: Decimal) -> FieldValue<i64> {
    FieldValue::of(millis.round().to_i64().filter(|millis| (0..=MAX_CALL_MS).contains(millis)))
}

/// Returns the milliseconds from start to end; `None` if the duration is impossible for a call.
#[must_use]
pub fn between(started_at: DateTime<Utc>, ended_at: DateTime<Utc>) -> Option<i64> {
    let lasted = (ended_at - started_at).num_milliseconds();
    (0..=MAX_CALL_MS).contains(&lasted).then_some(lasted)
}

/// Reads the amount of a part of the cost, rounded to the nano.
#[must_use]
pub fn amount(amount: Decimal) -> FieldValue<Nanos> {
    FieldValue::of(Nanos::from_decimal(amount).filter(|nanos| is_amount(*nanos)))
}

/// Reads the total cost of a call, rounded to the nano.
#[must_use]
pub fn total(amount: Decimal) -> FieldValue<Nanos> {
    FieldValue::of(Nanos::from_decimal(amount).filter(|nanos| is_total(*nanos)))
}

fn is_total(nanos: Nanos) -> bool {
    (0..=MAX_NANOS.0).contains(&nanos.0)
}

fn is_amount(nanos: Nanos) -> bool {
    nanos.0.unsigned_abs() <= MAX_NANOS.0.unsigned_abs()
}

/// Removes impossible values from an event and lists their fields in it. Returns the time of the
/// event: `occurred_at`, or `recorded_at` if `occurred_at` is impossible. In that case the event is
/// marked as untimed.
///
/// `recorded_at` is also an upper bound for reported times: a call cannot start days after it was
/// recorded.
#[must_use]
pub fn remove_implausible(
    event: &mut CallEvent,
    occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
) -> DateTime<Utc> {
    let floor = Utc.timestamp_opt(CLOCK_FLOOR, 0).single().unwrap_or(recorded_at);
    let latest = recorded_at.max(floor) + MAX_CLOCK_LEAD;
    let mut implausible = Vec::new();
    let mut check = PlausibilityCheck { latest, implausible: &mut implausible };
    match event {
        CallEvent::Started(started) => check.time("started_at", &mut started.started_at),
        CallEvent::ToolCalled(called) => check.millis(&mut called.tool.at_ms),
        CallEvent::Ended(ended) => {
            let lasted = ended.ended_at.zip(ended.started_at);
            let lasted =
                lasted.map(|(ended_at, started_at)| (ended_at - started_at).num_milliseconds());
            check.time("started_at", &mut ended.started_at);
            check.time("ended_at", &mut ended.ended_at);
            let is_between = ended.duration_ms.is_some() && ended.duration_ms == lasted;
            if is_between && (ended.started_at.is_none() || ended.ended_at.is_none()) {
                // The duration was computed from the impossible times.
                ended.duration_ms = None;
            }
            let lasted = |millis: &i64| (0..=MAX_CALL_MS).contains(millis);
            check.value("duration_ms", &mut ended.duration_ms, lasted);
            check.value("turn_latency_ms", &mut ended.turn_latency_ms, lasted);
            let counted = |count: &u32| *count <= MAX_INTERRUPTIONS;
            check.value("user_interruptions", &mut ended.user_interruptions, counted);
            check.value("assistant_interruptions", &mut ended.assistant_interruptions, counted);
            check.cost(&mut ended.cost);
            ended.tools.iter_mut().for_each(|tool| check.millis(&mut tool.at_ms));
        }
        _ => {}
    }
    let call = event.call_mut();
    let mut check = PlausibilityCheck { latest, implausible: &mut implausible };
    check.time("created_at", &mut call.created_at);
    let mut occurred = Some(occurred_at);
    if !call.untimed {
        check.time("occurred_at", &mut occurred);
        call.untimed = occurred.is_none();
    }
    for name in implausible {
        add_implausible(&mut call.implausible, name);
    }
    occurred.unwrap_or(recorded_at)
}

/// Adds the name of an implausible field, unless it is already listed.
pub fn add_implausible(implausible: &mut Vec<String>, name: &str) {
    if !implausible.iter().any(|known| known == name) {
        implausible.push(name.to_owned());
    }
}

struct PlausibilityCheck<'a> {
    latest: DateTime<Utc>,
    implausible: &'a mut Vec<&'static str>,
}

impl PlausibilityCheck<'_> {
    fn time(&mut self, name: &'static str, slot: &mut Option<DateTime<Utc>>) {
        let Some(at) = *slot else { return };
        match time(at) {
            FieldValue::Plausible(at) if at <= self.latest => {}
            FieldValue::Absent => *slot = None,
            _ => {
                *slot = None;
                self.implausible.push(name);
            }
        }
    }

    /// Checks the time of a tool call. A call has many of these, so the field is not listed.
    fn millis(&mut self, slot: &mut Option<i64>) {
        let is_plausible = |millis: &i64| {
            let at = DateTime::from_timestamp_millis(*millis).map(time);
            matches!(at, Some(FieldValue::Plausible(at)) if at <= self.latest)
        };
        *slot = slot.filter(is_plausible);
    }

    fn value<T>(
        &mut self,
        name: &'static str,
        slot: &mut Option<T>,
        is_plausible: impl Fn(&T) -> bool,
    ) {
        if slot.as_ref().is_some_and(|value| !is_plausible(value)) {
            *slot = None;
            self.implausible.push(name);
        }
    }

    fn cost(&mut self, slot: &mut Option<Cost>) {
        self.value("cost", slot, |cost| is_total(cost.total_nanos));
        let Some(cost) = slot else { return };
        if !cost.parts.named().into_iter().all(is_amount) {
            cost.parts = CostParts::default().balanced_to(cost.total_nanos);
            self.implausible.push("cost_breakdown");
        }
    }
}

#[cfg(test)]
mod tests;
