//! Time ranges, the buckets they are split into, and the preceding range for comparison.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;

use crate::calendar::{Granularity, day_start, first_of_month};

/// Longest range of a query, in years. Ranges with an open start are exempt.
pub const MAX_YEARS: u32 = 10;
/// Maximum number of buckets of a range; enough for 416 days of hours.
pub const MAX_BUCKETS: usize = 10_000;

/// A half-open interval of time: `from` inclusive, `to` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First instant of the span (inclusive).
    pub from: DateTime<Utc>,
    /// End of the span (exclusive).
    pub to: DateTime<Utc>,
}

impl Span {
    /// Creates a span. Both bounds are rounded up to whole microseconds; starts of calls are whole
    /// microseconds, so the same calls match. The span is empty if `to` is before `from`.
    #[must_use]
    pub fn new(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let from = whole_micros(from);
        Self { from, to: whole_micros(to).max(from) }
    }

    /// Returns whether the span contains no instant.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.from >= self.to
    }

    /// Returns the intersection of two spans.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::new(self.from.max(other.from), self.to.min(other.to))
    }
}

fn whole_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    // chrono counts a leap second in the nanoseconds of the preceding second.
    let rest = at.nanosecond() % 1_000;
    if rest == 0 { at } else { at + TimeDelta::nanoseconds(i64::from(1_000 - rest)) }
}

/// A requested time range; either end may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// Earliest start of a call (inclusive); `None` for no bound.
    pub from: Option<DateTime<Utc>>,
    /// Latest start of a call (exclusive); `None` for no bound.
    pub to: Option<DateTime<Utc>>,
}

impl Range {
    /// Returns the span from year -10 to year 10,010, which contains the start of every call.
    ///
    /// # Panics
    /// Never: both years exist in the calendar.
    #[must_use]
    pub fn always() -> Span {
        let first = |year| NaiveDate::from_ymd_opt(year, 1, 1).expect("a year of the calendar");
        let at = |year| first(year).and_time(chrono::NaiveTime::MIN).and_utc();
        Span::new(at(-10), at(10_010))
    }

    /// Returns the range as a span, with open ends replaced by those of [`Range::always`].
    #[must_use]
    pub fn span(self) -> Span {
        let Span { from, to } = Self::always();
        Span::new(self.from.unwrap_or(from), self.to.unwrap_or(to))
    }

    /// Returns whether both ends are open.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Returns whether the range is longer than [`MAX_YEARS`]. A range without start is never too
    /// long; a range without end is measured up to `now`.
    #[must_use]
    pub fn is_too_long(self, now: DateTime<Utc>) -> bool {
        let Some(from) = self.from else { return false };
        let latest = from.checked_add_months(Months::new(12 * MAX_YEARS));
        latest.is_some_and(|latest| self.to.unwrap_or(now) > latest)
    }

    /// Returns the preceding range of the same length, or `None` if the range has no start.
    ///
    /// Whole months of the zone are compared with as many months, whole days with as many days,
    /// regardless of offset changes; anything else with the same elapsed time. A range without end
    /// is measured up to `now`.
    #[must_use]
    pub fn previous(self, zone: Tz, now: DateTime<Utc>) -> Option<Span> {
        let from = self.from?;
        let to = self.to.unwrap_or(now).max(from);
        let date = |at: DateTime<Utc>| {
            let date = at.with_timezone(&zone).date_naive();
            (day_start(zone, date) == at).then_some(date)
        };
        let before = match (date(from), date(to)) {
            (Some(first), Some(last)) if first.day() == 1 && last.day() == 1 => {
                let months = (last.year() - first.year()) * 12 + last.month0().cast_signed()
                    - first.month0().cast_signed();
                first.checked_sub_months(Months::new(months.unsigned_abs()))
            }
            (Some(first), Some(last)) => {
                first.checked_sub_days(Days::new((last - first).num_days().unsigned_abs()))
            }
            _ => return Some(Span::new(from - (to - from), from)),
        };
        before.map(|date| Span::new(day_start(zone, date), from))
    }
}

/// Length of a bucket, on the clock of a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// One hour of local time.
    Hour,
    /// Midnight to midnight, local time.
    Day,
    /// Monday to Monday, local time.
    Week,
    /// First day of a month to the first day of the next.
    Month,
}

impl Interval {
    /// Names in queries, in the order of the variants.
    pub const NAMES: [&str; 4] = ["hour", "day", "week", "month"];

    /// Returns the start of the interval that contains `at`.
    #[must_use]
    pub fn start(self, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Hour => Granularity::Hour.start(zone, at),
            Self::Day => Granularity::Day.start(zone, at),
            Self::Week => {
                let day = Granularity::Day.start(zone, at).with_timezone(&zone).date_naive();
                day_start(zone, monday_of(day))
            }
            Self::Month => Granularity::Month.start(zone, at),
        }
    }

    /// Returns the start of the interval after the one that contains `at`.
    #[must_use]
    pub fn next(self, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Hour => Granularity::Hour.next(zone, at),
            Self::Day => Granularity::Day.next(zone, at),
            Self::Week => {
                let day = Granularity::Day.start(zone, at).with_timezone(&zone).date_naive();
                day_start(zone, monday_of(day) + Days::new(7))
            }
            Self::Month => Granularity::Month.next(zone, at),
        }
    }
}

impl FromStr for Interval {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "hour" => Ok(Self::Hour),
            "day" => Ok(Self::Day),
            "week" => Ok(Self::Week),
            "month" => Ok(Self::Month),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

fn monday_of(date: NaiveDate) -> NaiveDate {
    date - Days::new(date.weekday().num_days_from_monday().into())
}

/// One bucket of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Start of the full hour, day, week or month; may be before the start of the range.
    pub starts_at: DateTime<Utc>,
    /// The part of the bucket within the range.
    pub span: Span,
}

/// Splits a span into consecutive hours, days, weeks or months of a zone. Returns `None` if that
/// makes more than `most` slices.
#[must_use]
pub fn slices(span: Span, interval: Interval, zone: Tz, most: usize) -> Option<Vec<Slice>> {
    let mut slices = Vec::new();
    let mut from = span.from;
    while from < span.to {
        if slices.len() == most {
            return None;
        }
        let next = interval.next(zone, from);
        let starts_at = interval.start(zone, from);
        slices.push(Slice { starts_at, span: Span::new(from, next.min(span.to)) });
        from = next;
    }
    Some(slices)
}

/// Returns the month that contains a date, in a time zone.
#[must_use]
pub fn month(date: NaiveDate, zone: Tz) -> Span {
    let first = first_of_month(date);
    Span::new(day_start(zone, first), day_start(zone, first + Months::new(1)))
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Asia, Australia};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn range(from: &str, to: &str) -> Range {
        Range { from: Some(at(from)), to: Some(at(to)) }
    }

    fn shown(span: Option<Span>) -> String {
        span.map(|span| format!("{:?}..{:?}", span.from, span.to)).unwrap_or_default()
    }

    #[test]
    fn the_period_before_whole_months_is_as_many_months() {
        let zone = America::New_York;
        // November has one hour more than 30 days, October exactly 31 days.
        let november = range("2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z");
        let before = november.previous(zone, at("2027-01-01T00:00:00Z"));
        assert_eq!(shown(before), "2026-10-01T04:00:00Z..2026-11-01T04:00:00Z");
        let quarter = range("2026-04-01T04:00:00Z", "2026-07-01T04:00:00Z");
        let before = quarter.previous(zone, at("2027-01-01T00:00:00Z"));
        assert_eq!(shown(before), "2026-01-01T05:00:00Z..2026-04-01T04:00:00Z");
    }

    #[test]
    fn the_period_before_whole_days_is_as_many_days_across_offset_changes() {
        let week = range("2026-11-02T05:00:00Z", "2026-11-09T05:00:00Z");
        let before = week.previous(America::New_York, at("2027-01-01T00:00:00Z"));
        assert_eq!(shown(before), "2026-10-26T04:00:00Z..2026-11-02T05:00:00Z");
        // In another time zone these are not whole days.
        let before = week.previous(Asia::Kolkata, at("2027-01-01T00:00:00Z"));
        assert_eq!(shown(before), "2026-10-26T05:00:00Z..2026-11-02T05:00:00Z");
    }

    #[test]
    fn a_range_that_goes_on_is_compared_as_far_as_it_is() {
        let open = Range { from: Some(at("2026-11-02T10:00:00Z")), to: None };
        let before = open.previous(Tz::UTC, at("2026-11-02T11:30:00Z"));
        assert_eq!(shown(before), "2026-11-02T08:30:00Z..2026-11-02T10:00:00Z");
        assert_eq!(Range::default().previous(Tz::UTC, at("2026-11-02T11:30:00Z")), None);
    }

    #[test]
    fn slices_leave_no_gap_and_overlap_nowhere_whatever_the_clocks_do() {
        let span = Span::new(at("2026-01-15T11:17:00Z"), at("2027-02-02T03:03:03Z"));
        for zone in [America::New_York, America::Santiago, Australia::Lord_Howe, Asia::Kolkata] {
            for interval in [Interval::Hour, Interval::Day, Interval::Week, Interval::Month] {
                let slices = slices(span, interval, zone, MAX_BUCKETS).expect("few enough");
                assert_eq!(slices[0].span.from, span.from);
                assert_eq!(slices[slices.len() - 1].span.to, span.to);
                for pair in slices.windows(2) {
                    assert_eq!(pair[0].span.to, pair[1].span.from, "{zone} {interval}");
                    assert_eq!(pair[1].starts_at, pair[1].span.from, "{zone} {interval}");
                }
            }
        }
    }

    #[test]
    fn weeks_begin_on_monday_of_the_zone() {
        let zone = Australia::Lord_Howe;
        let start = Interval::Week.start(zone, at("2026-10-04T12:00:00Z"));
        let local = start.with_timezone(&zone);
        assert_eq!(local.format("%a %F %T %:z").to_string(), "Mon 2026-09-28 00:00:00 +10:30");
        let next = Interval::Week.next(zone, start).with_timezone(&zone);
        assert_eq!(next.format("%a %F %T %:z").to_string(), "Mon 2026-10-05 00:00:00 +11:00");
    }

    #[test]
    fn too_many_slices_are_refused_before_they_are_made() {
        let span = Span::new(at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
        assert_eq!(slices(span, Interval::Hour, Tz::UTC, 24).map(|all| all.len()), Some(24));
        assert_eq!(slices(span, Interval::Hour, Tz::UTC, 23), None);
        assert_eq!(slices(Span::new(span.to, span.from), Interval::Hour, Tz::UTC, 1), Some(vec![]));
    }

    #[test]
    fn a_century_is_too_long_and_an_open_range_is_not() {
        let now = at("2026-11-21T00:00:00Z");
        assert!(range("1926-01-01T00:00:00Z", "2026-01-01T00:00:00Z").is_too_long(now));
        assert!(!range("2016-01-01T00:00:00Z", "2026-01-01T00:00:00Z").is_too_long(now));
        assert!(range("2016-01-01T00:00:00Z", "2026-01-01T00:00:01Z").is_too_long(now));
        assert!(Range { from: Some(at("1926-01-01T00:00:00Z")), to: None }.is_too_long(now));
        assert!(!Range { from: None, to: Some(now) }.is_too_long(now));
        assert!(!Range::default().is_too_long(now));
    }

    #[test]
    fn a_bound_between_two_microseconds_holds_what_it_would_in_any_case() {
        let span = Span::new(at("2026-01-01T00:00:00.0000005Z"), at("2026-01-01T00:00:00.000002Z"));
        assert_eq!(span.from, at("2026-01-01T00:00:00.000001Z"));
        assert_eq!(span.to, at("2026-01-01T00:00:00.000002Z"));
    }
}
