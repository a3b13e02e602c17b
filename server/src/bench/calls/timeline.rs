//! The messages of all calls in the order of time, made as they are asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;

use super::story::{Story, Terms};

/// How busy the hours of a day are, at the place the calls come from.
const HOURS: [u64; 24] =
    [2, 1, 1, 1, 1, 2, 4, 8, 18, 26, 30, 28, 22, 24, 28, 28, 26, 22, 14, 10, 8, 6, 4, 3];
/// How busy the days of a week are, from Monday.
const DAYS: [u64; 7] = [10, 9, 9, 9, 8, 4, 2];
/// The hours that place is behind UTC.
const BEHIND: i64 = 5;

/// One message: a call and which of its steps.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) story: Arc<Story>,
    pub(super) place: usize,
    pub(super) sent_at: DateTime<Utc>,
}

/// The messages still to come.
pub(super) struct Timeline {
    terms: Terms,
    starts: Starts,
    /// Whose each call is, by place.
    owners: Vec<u16>,
    next: Option<Story>,
    told: u64,
    /// Begun, by when each message is sent; ties by the order the calls began in.
    waiting: BTreeMap<(DateTime<Utc>, u64, usize), Arc<Story>>,
}

impl Timeline {
    /// Calls within `days` before `until`: `owners[n]` is whose the nth of them is.
    pub(super) fn new(terms: Terms, owners: Vec<u16>, days: u32, until: DateTime<Utc>) -> Self {
        let starts = Starts::new(owners.len() as u64, days, until, terms.seed);
        let waiting = BTreeMap::new();
        let mut timeline = Self { terms, starts, owners, next: None, told: 0, waiting };
        timeline.next = timeline.begin();
        timeline
    }

    /// The next call to begin.
    fn begin(&mut self) -> Option<Story> {
        let nth = self.told;
        let owner = *self.owners.get(usize::try_from(nth).ok()?)?;
        let created_at = self.starts.next()?;
        self.told += 1;
        Some(self.terms.story(nth, usize::from(owner), created_at))
    }
}

impl Iterator for Timeline {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        loop {
            let first = self.waiting.first_key_value().map(|((sent_at, ..), _)| *sent_at);
            let begins = |story: &mut Story| first.is_none_or(|first| story.created_at <= first);
            let Some(story) = self.next.take_if(begins) else { break };
            let (story, nth) = (Arc::new(story), self.told);
            for place in 0..story.steps.len() {
                self.waiting.insert((story.sent_at(place), nth, place), Arc::clone(&story));
            }
            self.next = self.begin();
        }
        let ((sent_at, _, place), story) = self.waiting.pop_first()?;
        Some(Message { story, place, sent_at })
    }
}

/// When calls begin, in order: as many in each hour as it is busy.
struct Starts {
    from: DateTime<Utc>,
    hours: u64,
    /// The weight of all hours, and of those so far.
    weight: u64,
    reached: u64,
    calls: u64,
    hour: u64,
    rng: Rng,
    /// Of the hour that is told, the latest first.
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

    /// How many calls have begun when hours of this weight are over: adds up to all of them.
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
        let terms = Terms { seed, events_per_call: 8, people: 50 };
        Timeline::new(terms, vec![0; 500], 7, until)
    }

    #[test]
    fn every_call_is_told_once_in_the_order_of_time_and_several_are_under_way_at_once() {
        let messages: Vec<Message> = timeline(7).collect();
        let terms = Terms { seed: 7, events_per_call: 8, people: 50 };
        assert_eq!(messages.len(), (0..500).map(|nth| terms.count(nth)).sum::<usize>());
        assert!(messages.iter().map(|message| message.sent_at).is_sorted());
        let switches = messages.windows(2).filter(|two| two[0].story.id != two[1].story.id);
        assert!(switches.count() > 600, "calls are interleaved");
    }

    #[test]
    fn the_same_seed_tells_the_same_and_another_one_does_not() {
        let ids = |seed| timeline(seed).map(|message| message.story.id).collect::<Vec<_>>();
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
    }
}
