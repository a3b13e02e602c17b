//! Half-open intervals of time, and the times at which a resource is full.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// An interval that includes its start and excludes its end; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl Interval {
    /// Returns `None` if the end is not after the start.
    #[must_use]
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// The first instant.
    #[must_use]
    pub const fn start(self) -> DateTime<Utc> {
        self.start
    }

    /// The first instant after it.
    #[must_use]
    pub const fn end(self) -> DateTime<Utc> {
        self.end
    }

    /// Whether both share an instant.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether every instant of `other` is in this interval.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Returns the UTC days that it touches, in order.
    pub fn utc_days(self) -> impl Iterator<Item = NaiveDate> + Clone {
        // The end is excluded: an interval until midnight does not touch the next day.
        let last = (self.end - TimeDelta::nanoseconds(1)).date_naive();
        self.start.date_naive().iter_days().take_while(move |day| *day <= last)
    }
}

/// Sorted intervals without overlaps, for look-ups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spans(Vec<Interval>);

impl Spans {
    /// The union of intervals; those that touch are joined.
    #[must_use]
    pub fn union(intervals: impl IntoIterator<Item = Interval>) -> Self {
        let mut intervals: Vec<_> = intervals.into_iter().collect();
        intervals.sort_unstable();
        let mut joined: Vec<Interval> = Vec::with_capacity(intervals.len());
        for next in intervals {
            match joined.last_mut() {
                Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
                _ => joined.push(next),
            }
        }
        Self(joined)
    }

    /// The times at which at least `capacity` of the intervals overlap: one more interval would be
    /// too many exactly if it overlaps one of these times.
    #[must_use]
    pub fn full(intervals: impl IntoIterator<Item = Interval>, capacity: usize) -> Self {
        // An end sorts before a start at the same instant: half-open intervals do not meet.
        let mut edges: Vec<(DateTime<Utc>, bool)> = intervals
            .into_iter()
            .flat_map(|interval| [(interval.start, true), (interval.end, false)])
            .collect();
        edges.sort_unstable();
        let (mut overlapping, mut since) = (0_usize, None);
        let mut full = Vec::new();
        for (at, is_start) in edges {
            overlapping = if is_start { overlapping + 1 } else { overlapping - 1 };
            match since {
                None if overlapping >= capacity => since = Some(at),
                Some(start) if overlapping < capacity => {
                    full.extend(Interval::new(start, at));
                    since = None;
                }
                _ => {}
            }
        }
        Self::union(full)
    }

    /// Whether an interval overlaps one of these.
    #[must_use]
    pub fn overlap(&self, interval: Interval) -> bool {
        let after = self.0.partition_point(|span| span.end <= interval.start);
        self.0.get(after).is_some_and(|span| span.overlaps(interval))
    }

    /// Whether an interval is within one of these.
    #[must_use]
    pub fn cover(&self, interval: Interval) -> bool {
        let after = self.0.partition_point(|span| span.end <= interval.start);
        self.0.get(after).is_some_and(|span| span.covers(interval))
    }

    /// The intervals, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Interval] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn interval((start, end): (i64, i64)) -> Interval {
        Interval::new(at(start), at(end)).expect("an interval")
    }

    #[test]
    fn an_interval_until_midnight_does_not_touch_the_next_day() {
        let days = |pair| interval(pair).utc_days().count();
        assert_eq!([(0, 1440), (1439, 1441), (0, 1), (1440, 2881)].map(days), [1, 2, 1, 2]);
    }

    #[test]
    fn an_empty_interval_does_not_exist() {
        assert_eq!(Interval::new(at(3), at(3)), None);
        assert_eq!(Interval::new(at(3), at(2)), None);
    }

    proptest::proptest! {
        #[test]
        fn the_full_times_are_those_that_counting_finds(
            pairs in proptest::collection::vec((0_i64..40, 1_i64..12), 0..12),
            capacity in 1_usize..4,
            wanted in (0_i64..50, 1_i64..10),
        ) {
            let intervals: Vec<_> =
                pairs.iter().map(|(start, length)| interval((*start, start + length))).collect();
            let wanted = interval((wanted.0, wanted.0 + wanted.1));
            let full = Spans::full(intervals.iter().copied(), capacity);
            let too_many = (0..60).map(at).any(|instant| {
                let minute = Interval::new(instant, instant + TimeDelta::minutes(1)).expect("one");
                wanted.overlaps(minute)
                    && intervals.iter().filter(|one| one.overlaps(minute)).count() >= capacity
            });
            proptest::prop_assert_eq!(full.overlap(wanted), too_many);
        }
    }
}
