//! Which times, durations and amounts a call can have.
//!
//! A value outside these ranges is kept with the body and named in the facts (`implausible`); it is
//! not a fact itself, so no read model shows it or adds it up. [`settle`] applies the same ranges to
//! facts that an older build stored, so a rebuild and a live fold agree whatever was recorded.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::event::Event;
use crate::money::{Cost, CostParts, Nanos};

/// The longest call, in milliseconds: a day. Platforms end calls after hours.
pub const LONGEST_MS: i64 = 86_400_000;
/// The most that a call or a part of its cost can be: 10,000 of the currency. A part may be a credit, which
/// is negative and no larger; a call as a whole costs nothing or more.
pub const MOST_NANOS: Nanos = Nanos(10_000_000_000_000);
/// The most interruptions of a call: one a second for a day.
pub const MOST_INTERRUPTIONS: u32 = 86_400;

/// The first second of 2005. Clocks that were never set begin in 1970, 1980, 2000 or 2001.
const EARLIEST: i64 = 1_104_537_600;
/// The first second of 2100.
const LATEST: i64 = 4_102_444_800;
/// The first second of 2027. No build of this code ran much earlier: a clock of ours that was set
/// back does not make true times implausible.
const CLOCK_FLOOR: i64 = 1_798_761_600;
/// How far a platform's clock may be ahead of ours.
const AHEAD: TimeDelta = TimeDelta::days(2);

/// What a field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading<T> {
    /// Nothing, or nothing that can be read.
    Absent,
    /// A value that no call can have.
    Implausible,
    /// A value.
    Told(T),
}

impl<T> Reading<T> {
    fn of(value: Option<T>) -> Self {
        value.map_or(Self::Implausible, Self::Told)
    }

    /// The value, when there is one.
    #[must_use]
    pub fn told(self) -> Option<T> {
        match self {
            Self::Told(value) => Some(value),
            Self::Absent | Self::Implausible => None,
        }
    }
}

/// Reads a point in time, whatever clock told it. Midnight of 1970 is what a clock says that was
/// never set: nothing.
#[must_use]
pub fn time(at: DateTime<Utc>) -> Reading<DateTime<Utc>> {
    match at.timestamp() {
        0 => Reading::Absent,
        EARLIEST..LATEST => Reading::Told(at),
        _ => Reading::Implausible,
    }
}

/// Reads a number as a point in time: seconds, milliseconds, microseconds or nanoseconds since 1970,
/// whichever of them lies in the range. The four ranges do not overlap. Cut to microseconds.
#[must_use]
pub fn epoch(number: Decimal) -> Reading<DateTime<Utc>> {
    if number.is_zero() {
        return Reading::Absent;
    }
    let micros =
        [1_000_000, 1_000, 1].into_iter().map(|unit| number.checked_mul(Decimal::from(unit)));
    let nanos = number.checked_div(Decimal::ONE_THOUSAND);
    let at = |micros: Decimal| DateTime::from_timestamp_micros(micros.floor().to_i64()?);
    let mut times = micros.chain([nanos]).flatten().filter_map(at);
    Reading::of(times.find_map(|at| time(at).told()))
}

/// Reads a duration in milliseconds.
#[must_use]
pub fn duration_ms(millis: Decimal) -> Reading<i64> {
    Reading::of(millis.round().to_i64().filter(|millis| (0..=LONGEST_MS).contains(millis)))
}

/// How long it is from a start to an end, in milliseconds; `None` when no call lasts so long.
#[must_use]
pub fn between(started_at: DateTime<Utc>, ended_at: DateTime<Utc>) -> Option<i64> {
    let lasted = (ended_at - started_at).num_milliseconds();
    (0..=LONGEST_MS).contains(&lasted).then_some(lasted)
}

/// Reads an amount of money; rounded to the nano.
#[must_use]
pub fn amount(amount: Decimal) -> Reading<Nanos> {
    Reading::of(Nanos::from_decimal(amount).filter(|nanos| is_amount(*nanos)))
}

/// Reads what a call costs as a whole.
#[must_use]
pub fn total(amount: Decimal) -> Reading<Nanos> {
    Reading::of(Nanos::from_decimal(amount).filter(|nanos| is_total(*nanos)))
}

fn is_total(nanos: Nanos) -> bool {
    (0..=MOST_NANOS.0).contains(&nanos.0)
}

fn is_amount(nanos: Nanos) -> bool {
    nanos.0.unsigned_abs() <= MOST_NANOS.0.unsigned_abs()
}

/// Takes out of an event what no call can have, and names it there. Returns when the event occurred:
/// `recorded_at` when the told time is none, and the event is then untimed.
///
/// `recorded_at` also bounds what is told: no call begins days after it was recorded.
#[must_use]
pub fn settle(
    event: &mut Event,
    occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
) -> DateTime<Utc> {
    let floor = Utc.timestamp_opt(CLOCK_FLOOR, 0).single().unwrap_or(recorded_at);
    let latest = recorded_at.max(floor) + AHEAD;
    let mut implausible = Vec::new();
    let mut check = Check { latest, implausible: &mut implausible };
    match event {
        Event::CallStarted(started) => check.time("started_at", &mut started.started_at),
        Event::CallToolCalled(called) => check.millis(&mut called.tool.at_ms),
        Event::CallEnded(ended) => {
            let lasted = ended.ended_at.zip(ended.started_at);
            let lasted =
                lasted.map(|(ended_at, started_at)| (ended_at - started_at).num_milliseconds());
            check.time("started_at", &mut ended.started_at);
            check.time("ended_at", &mut ended.ended_at);
            let is_between = ended.duration_ms.is_some() && ended.duration_ms == lasted;
            if is_between && (ended.started_at.is_none() || ended.ended_at.is_none()) {
                // It was made of the times that no call can have.
                ended.duration_ms = None;
            }
            let lasted = |millis: &i64| (0..=LONGEST_MS).contains(millis);
            check.value("duration_ms", &mut ended.duration_ms, lasted);
            check.value("turn_latency_ms", &mut ended.turn_latency_ms, lasted);
            let counted = |count: &u32| *count <= MOST_INTERRUPTIONS;
            check.value("user_interruptions", &mut ended.user_interruptions, counted);
            check.value("assistant_interruptions", &mut ended.assistant_interruptions, counted);
            check.cost(&mut ended.cost);
            ended.tools.iter_mut().for_each(|tool| check.millis(&mut tool.at_ms));
        }
        _ => {}
    }
    let Some(call) = event.call_facts_mut() else { return occurred_at };
    let mut check = Check { latest, implausible: &mut implausible };
    check.time("created_at", &mut call.created_at);
    let mut occurred = Some(occurred_at);
    if !call.untimed {
        check.time("occurred_at", &mut occurred);
        call.untimed = occurred.is_none();
    }
    for name in implausible {
        mark(&mut call.implausible, name);
    }
    occurred.unwrap_or(recorded_at)
}

/// Names a field whose value no call can have, once.
pub fn mark(implausible: &mut Vec<String>, name: &str) {
    if !implausible.iter().any(|known| known == name) {
        implausible.push(name.to_owned());
    }
}

struct Check<'a> {
    latest: DateTime<Utc>,
    implausible: &'a mut Vec<&'static str>,
}

impl Check<'_> {
    fn time(&mut self, name: &'static str, slot: &mut Option<DateTime<Utc>>) {
        let Some(at) = *slot else { return };
        match time(at) {
            Reading::Told(at) if at <= self.latest => {}
            Reading::Absent => *slot = None,
            _ => {
                *slot = None;
                self.implausible.push(name);
            }
        }
    }

    /// The time of a tool call. It is one of many, so it is not named.
    fn millis(&mut self, slot: &mut Option<i64>) {
        let is_told = |millis: &i64| {
            let at = DateTime::from_timestamp_millis(*millis).map(time);
            matches!(at, Some(Reading::Told(at)) if at <= self.latest)
        };
        *slot = slot.filter(is_told);
    }

    fn value<T>(&mut self, name: &'static str, slot: &mut Option<T>, is_told: impl Fn(&T) -> bool) {
        if slot.as_ref().is_some_and(|value| !is_told(value)) {
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
