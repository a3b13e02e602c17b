//! Divides a time range into steps of a time zone's calendar, from seconds to millennia.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use projections::analytics::{Interval, Span};
use projections::calendar::{day_of, day_start};

/// Length of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VapiInterval {
    Second,
    Minute,
    Of(Interval),
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
}

/// Vapi's names of the steps.
pub(super) const INTERVALS: [(&str, VapiInterval); 11] = [
    ("second", VapiInterval::Second),
    ("minute", VapiInterval::Minute),
    ("hour", VapiInterval::Of(Interval::Hour)),
    ("day", VapiInterval::Of(Interval::Day)),
    ("week", VapiInterval::Of(Interval::Week)),
    ("month", VapiInterval::Of(Interval::Month)),
    ("quarter", VapiInterval::Quarter),
    ("year", VapiInterval::Year),
    ("decade", VapiInterval::Decade),
    ("century", VapiInterval::Century),
    ("millennium", VapiInterval::Millennium),
];

/// A step of a range: its start, and the part of the range within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) starts_at: DateTime<Utc>,
    pub(super) span: Span,
}

impl VapiInterval {
    /// Start of the step that contains `at`.
    fn start(self, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
        let local = at.with_timezone(&zone);
        let into_second = TimeDelta::nanoseconds(i64::from(local.nanosecond() % 1_000_000_000));
        match self {
            Self::Second => at - into_second,
            Self::Minute => at - into_second - TimeDelta::seconds(local.second().into()),
            Self::Of(interval) => interval.start(zone, at),
            Self::Quarter => {
                let date = day_of(zone, at);
                day_start(zone, first_of(date.year(), 3 * (date.month0() / 3) + 1))
            }
            years => day_start(zone, first_of(years.first_year(day_of(zone, at).year()), 1)),
        }
    }

    /// Start of the step after the one that contains `at`.
    fn next(self, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
        let date = day_of(zone, at);
        match self {
            Self::Second => self.start(zone, at) + TimeDelta::seconds(1),
            Self::Minute => self.start(zone, at) + TimeDelta::minutes(1),
            Self::Of(interval) => interval.next(zone, at),
            Self::Quarter => match date.month0() / 3 {
                3 => day_start(zone, first_of(date.year() + 1, 1)),
                quarter => day_start(zone, first_of(date.year(), 3 * quarter + 4)),
            },
            years => {
                let (_, length) = years.years();
                day_start(zone, first_of(years.first_year(date.year()) + length, 1))
            }
        }
    }

    /// Upper bound of the length of a step in seconds, clock changes included.
    const fn longest_seconds(self) -> i64 {
        const DAY: i64 = 86_400;
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Of(Interval::Hour) => 2 * 3_600,
            Self::Of(Interval::Day) => 2 * DAY,
            Self::Of(Interval::Week) => 8 * DAY,
            Self::Of(Interval::Month) => 32 * DAY,
            Self::Quarter => 93 * DAY,
            years => {
                let (_, length) = years.years();
                length as i64 * 367 * DAY
            }
        }
    }

    /// First year of some step, and the number of years in a step. Centuries and millennia begin with a year
    /// 1, as in PostgreSQL, which Vapi uses.
    const fn years(self) -> (i32, i32) {
        match self {
            Self::Decade => (0, 10),
            Self::Century => (1, 100),
            Self::Millennium => (1, 1000),
            _ => (0, 1),
        }
    }

    const fn first_year(self, year: i32) -> i32 {
        let (origin, length) = self.years();
        year - (year - origin).rem_euclid(length)
    }

    /// Divides a span into consecutive steps; `None` for more than `most`.
    pub(super) fn slices(self, span: Span, zone: Tz, most: usize) -> Option<Vec<Slice>> {
        // A lower bound of the number of steps rejects long ranges before any step is computed.
        let least = (span.to - span.from).num_seconds() / self.longest_seconds();
        if usize::try_from(least).is_ok_and(|least| least > most) {
            return None;
        }
        let mut slices = Vec::new();
        let mut from = span.from;
        while from < span.to {
            if slices.len() == most {
                return None;
            }
            let next = self.next(zone, from);
            let span = Span::new(from, next.min(span.to));
            slices.push(Slice { starts_at: self.start(zone, from), span });
            from = next;
        }
        Some(slices)
    }
}

fn first_of(year: i32, month: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, 1).expect("times are of years 0 to 9999")
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Asia};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn starts(step: &str, zone: Tz, from: &str, to: &str) -> Vec<String> {
        let (_, step) = INTERVALS.iter().find(|(name, _)| *name == step).expect("a step");
        let slices = step.slices(Span::new(at(from), at(to)), zone, 100).expect("few");
        for pair in slices.windows(2) {
            assert_eq!(
                (pair[0].span.to, pair[1].starts_at),
                (pair[1].span.from, pair[1].span.from)
            );
        }
        let local =
            |slice: &Slice| slice.starts_at.with_timezone(&zone).format("%FT%T").to_string();
        slices.iter().map(local).collect()
    }

    #[test]
    fn a_range_is_cut_where_steps_begin_on_the_clock_of_its_zone() {
        let utc = Tz::UTC;
        for (step, zone, from, to, wanted) in [
            (
                "second",
                utc,
                "2026-11-02T09:00:00.5Z",
                "2026-11-02T09:00:02Z",
                "2026-11-02T09:00:00 2026-11-02T09:00:01",
            ),
            (
                "minute",
                Asia::Kolkata,
                "2026-11-02T09:00:30Z",
                "2026-11-02T09:01:30Z",
                "2026-11-02T14:30:00 2026-11-02T14:31:00",
            ),
            (
                "day",
                America::New_York,
                "2026-11-01T12:00:00Z",
                "2026-11-02T12:00:00Z",
                "2026-11-01T00:00:00 2026-11-02T00:00:00",
            ),
            (
                "week",
                utc,
                "2026-11-08T12:00:00Z",
                "2026-11-09T12:00:00Z",
                "2026-11-02T00:00:00 2026-11-09T00:00:00",
            ),
            (
                "quarter",
                utc,
                "2026-11-08T12:00:00Z",
                "2027-01-09T12:00:00Z",
                "2026-10-01T00:00:00 2027-01-01T00:00:00",
            ),
            (
                "quarter",
                utc,
                "2026-03-31T12:00:00Z",
                "2026-04-01T12:00:00Z",
                "2026-01-01T00:00:00 2026-04-01T00:00:00",
            ),
            (
                "year",
                Asia::Kolkata,
                "2026-12-31T18:00:00Z",
                "2026-12-31T19:00:00Z",
                "2026-01-01T00:00:00 2027-01-01T00:00:00",
            ),
            (
                "decade",
                utc,
                "2019-12-31T18:00:00Z",
                "2020-01-01T19:00:00Z",
                "2010-01-01T00:00:00 2020-01-01T00:00:00",
            ),
            (
                "century",
                utc,
                "2000-12-31T18:00:00Z",
                "2001-01-01T19:00:00Z",
                "1901-01-01T00:00:00 2001-01-01T00:00:00",
            ),
            (
                "millennium",
                utc,
                "2000-12-31T18:00:00Z",
                "2001-01-01T19:00:00Z",
                "1001-01-01T00:00:00 2001-01-01T00:00:00",
            ),
        ] {
            assert_eq!(starts(step, zone, from, to).join(" "), wanted, "{step}");
        }
    }

    #[test]
    fn a_range_that_would_make_too_many_is_refused_before_it_does() {
        let day = Span::new(at("2026-11-02T00:00:00Z"), at("2026-11-03T00:00:00Z"));
        assert_eq!(VapiInterval::Minute.slices(day, Tz::UTC, 1439), None);
        assert_eq!(
            VapiInterval::Minute.slices(day, Tz::UTC, 1440).map(|all| all.len()),
            Some(1440)
        );
        let first = Span::new(at("0000-01-01T00:00:00Z"), at("0000-01-02T00:00:00Z"));
        assert_eq!(
            VapiInterval::Millennium.slices(first, America::New_York, 9).map(|all| all.len()),
            Some(1)
        );
    }
}
