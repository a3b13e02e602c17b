//! Iterator over the messages of all calls in order of time, generated on demand.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;

use super::call_model::{CallInputs, CallModel};

/// Relative number of calls for each hour of the local day.
const HOURS: [u64; 24] =
    [2, 1, 1, 1, 1, 2, 4, 8, 18, 26, 30, 28, 22, 24, 28, 28, 26, 22, 14, 10, 8, 6, 4, 3];
/// Relative number of calls for each day of the week, from Monday.
const DAYS: [u64; 7] = [10, 9, 9, 9, 8, 4, 2];
/// Offset of the local time, in hours behind UTC.
const BEHIND: i64 = 5;

/// A message: a call and the index of its step.
#[derive(Debug, Clone)]
pub(super) struct TimedMessage {
    pub(super) call_model: Arc<CallModel>,
    pub(super) place: usize,
    pub(super) sent_at: DateTime<Utc>,
}

/// The remaining messages.
pub(super) struct Timeline {
    terms: CallInputs,
    starts: Starts,
    /// Index of each call's tenant.
    owners: Vec<u16>,
    next: Option<CallModel>,
    begun: u64,
    /// Messages of calls that have begun, ordered by time of sending, then by start of the call.
    pending: BTreeMap<(DateTime<Utc>, u64, usize), Arc<CallModel>>,
}

impl Timeline {
    /// Creates the messages of calls within `days` before `until`; `owners[n]` is the tenant of the nth call.
    pub(super) fn new(
        terms: CallInputs,
        owners: Vec<u16>,
        days: u32,
        until: DateTime<Utc>,
    ) -> Self {
        let starts = Starts::new(owners.len() as u64, days, until, terms.seed);
        let pending = BTreeMap::new();
        let mut timeline = Self { terms, starts, owners, next: None, begun: 0, pending };
        timeline.next = timeline.begin();
        timeline
    }

    /// Generates the next call.
    fn begin(&mut self) -> Option<CallModel> {
        let nth = self.begun;
        let owner = *self.owners.get(usize::try_from(nth).ok()?)?;
        let created_at = self.starts.next()?;
        self.begun += 1;
        Some(self.terms.call_model(nth, usize::from(owner), created_at))
    }
}

impl Iterator for Timeline {
    type Item = TimedMessage;

    fn next(&mut self) -> Option<TimedMessage> {
        loop {
            let first = self.pending.first_key_value().map(|((sent_at, ..), _)| *sent_at);
            let begins = |call_model: &mut CallModel| {
                first.is_none_or(|first| call_model.created_at <= first)
            };
            let Some(call_model) = self.next.take_if(begins) else { break };
            let (call_model, nth) = (Arc::new(call_model), self.begun);
            for place in 0..call_model.steps.len() {
                self.pending
                    .insert((call_model.sent_at(place), nth, place), Arc::clone(&call_model));
            }
            self.next = self.begin();
        }
        let ((sent_at, _, place), call_model) = self.pending.pop_first()?;
        Some(TimedMessage { call_model, place, sent_at })
    }
}

/// Start times of calls, ascending, distributed by the weight of each hour.
struct Starts {
    from: DateTime<Utc>,
    hours: u64,
    /// Sum of the weights of all hours; `reached` is the sum so far.
    weight: u64,
    reached: u64,
    calls: u64,
    hour: u64,
    rng: Rng,
    /// Start times of the current hour, latest first.
    ready: Vec<DateTime<Utc>>,
}

impl Starts {
    fn new(calls: u64, days: u32, until: DateTime<Utc>, seed: u64) -> Self {
        let hours = u64::from(days.max(1)) * 24;
        let from = until - TimeDelta::hours(hours.cast_signed());
        let weight = (0..hours).map(|hour| weight(from, hour)).sum();
        let rng = Rng::with_seed(seed);
        Self { from, hours, weight, reached: 0, calls, hour: 0, rng, ready: Vec::new() }
    }

    /// Number of calls that begin within hours of this cumulated weight; reaches the total at the end.
    fn begun(&self, weight: u64) -> u64 {
        let begun = u128::from(self.calls) * u128::from(weight) / u128::from(self.weight.max(1));
        u64::try_from(begun).unwrap_or(self.calls)
    }

    fn next(&mut self) -> Option<DateTime<Utc>> {
        while self.ready.is_empty() && self.hour < self.hours {
            let before = self.begun(self.reached);
            self.reached += weight(self.from, self.hour);
            let begins = self.from + TimeDelta::hours(self.hour.cast_signed());
            let count = self.begun(self.reached) - before;
            for _ in 0..count {
                let at = begins + TimeDelta::milliseconds(self.rng.i64(0..3_600_000));
                self.ready.push(at);
            }
            self.ready.sort_unstable_by(|one, other| other.cmp(one));
            self.hour += 1;
        }
        self.ready.pop()
    }
}

fn weight(from: DateTime<Utc>, hour: u64) -> u64 {
    use chrono::{Datelike, Timelike};
    let local = from + TimeDelta::hours(hour.cast_signed() - BEHIND);
    let day = local.weekday().num_days_from_monday() as usize;
    DAYS[day] * HOURS[local.hour() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(seed: u64) -> Timeline {
        let until = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let terms = CallInputs { seed, events_per_call: 8, people: 50 };
        Timeline::new(terms, vec![0; 500], 7, until)
    }

    #[test]
    fn every_call_has_its_messages_once_in_order_of_time_interleaved_with_other_calls() {
        let messages: Vec<TimedMessage> = timeline(7).collect();
        let terms = CallInputs { seed: 7, events_per_call: 8, people: 50 };
        assert_eq!(messages.len(), (0..500).map(|nth| terms.count(nth)).sum::<usize>());
        assert!(messages.iter().map(|message| message.sent_at).is_sorted());
        let switches =
            messages.windows(2).filter(|two| two[0].call_model.id != two[1].call_model.id);
        assert!(switches.count() > 600, "calls are interleaved");
    }

    #[test]
    fn equal_seeds_give_equal_calls_and_other_seeds_do_not() {
        let ids = |seed| timeline(seed).map(|message| message.call_model.id).collect::<Vec<_>>();
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
    }
}
