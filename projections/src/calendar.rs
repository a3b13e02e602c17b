//! Starts of hours, days and months in a time zone, as instants.
//!
//! All calendar arithmetic is done here and none in SQL, so that stored rows and queries use the
//! same boundaries.

use std::str::FromStr;

use chrono::{
    DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Timelike,
    Utc,
};
use chrono_tz::Tz;

/// Granularity of stored sums: an hour, day or month in the tenant's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    /// One full hour of local time to the next.
    Hour,
    /// Midnight to midnight, local time.
    Day,
    /// First day of a month to the first day of the next.
    Month,
}

impl Granularity {
    /// All granularities, finest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// Returns the name in the `grain` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// Returns the start of the hour, day or month that contains `at`.
    #[must_use]
    pub fn start(self, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Hour => hour_start(zone, at),
            Self::Day => day_start(zone, day_of(zone, at)),
            Self::Month => day_start(zone, first_of_month(day_of(zone, at))),
        }
    }

    /// Returns the start of the hour, day or month after the one that contains `at`.
    #[must_use]
    pub fn next(self, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Hour => next_hour(zone, at),
            Self::Day => {
                let mut date = day_of(zone, at) + Days::new(1);
                // A zone that moves across the date line skips a date.
                while day_start(zone, date) <= at {
                    date = date + Days::new(1);
                }
                day_start(zone, date)
            }
            Self::Month => day_start(zone, first_of_month(day_of(zone, at)) + Months::new(1)),
        }
    }
}

/// Returns the time zone with this IANA name, or `None` if the name is unknown.
#[must_use]
pub fn zone(name: &str) -> Option<Tz> {
    Tz::from_str(name).ok()
}

/// Returns the first day of the month of a date.
#[must_use]
pub fn first_of_month(date: NaiveDate) -> NaiveDate {
    date.with_day(1).expect("every month has a first")
}

/// Returns the date whose day contains an instant: the last day that has begun.
///
/// Where clocks go back across midnight (in St. John's until 2011, at one minute past), local time
/// shows the previous date again for an hour. That hour counts to the new day, so that every day is
/// one contiguous span.
#[must_use]
pub fn day_of(zone: Tz, at: DateTime<Utc>) -> NaiveDate {
    let shown = at.with_timezone(&zone).date_naive();
    let next = shown + Days::new(1);
    if day_start(zone, next) <= at { next } else { shown }
}

/// Returns the first instant of a date. If local time skips midnight, it is the end of the gap; if
/// midnight occurs twice, the first occurrence.
#[must_use]
pub fn day_start(zone: Tz, date: NaiveDate) -> DateTime<Utc> {
    let midnight = date.and_time(NaiveTime::MIN);
    if let Some(start) = zone.from_local_datetime(&midnight).earliest() {
        return start.to_utc();
    }
    // No zone has ever skipped more than one day.
    let guess = midnight.and_utc();
    let (before, after) = (guess - TimeDelta::days(2), guess + TimeDelta::days(2));
    first_instant(before, after, |at| at.with_timezone(&zone).date_naive() >= date)
}

/// Returns the start of the local hour: the last full hour of local time, or an offset change after
/// it.
fn hour_start(zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    let local = at.with_timezone(&zone);
    let into = TimeDelta::seconds(i64::from(local.minute() * 60 + local.second()))
        + TimeDelta::nanoseconds(i64::from(local.nanosecond()));
    let start = at - into;
    offset_change_between(zone, start, at).unwrap_or(start)
}

fn next_hour(zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    let local = at.with_timezone(&zone);
    let into = TimeDelta::seconds(i64::from(local.minute() * 60 + local.second()))
        + TimeDelta::nanoseconds(i64::from(local.nanosecond()));
    let end = at - into + TimeDelta::hours(1);
    // An offset change before the end of the hour starts the next hour.
    let offset = utc_offset_s(zone, at);
    if utc_offset_s(zone, end - TimeDelta::nanoseconds(1)) == offset {
        return end;
    }
    first_instant(at, end, |at| utc_offset_s(zone, at) != offset)
}

/// Returns the offset change between `from` and `to`, or `None` if the offsets are equal.
fn offset_change_between(
    zone: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let offset = utc_offset_s(zone, to);
    (utc_offset_s(zone, from) != offset)
        .then(|| first_instant(from, to, |at| utc_offset_s(zone, at) == offset))
}

fn utc_offset_s(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

/// Returns the first full second after `before`, at most `after`, from which `is_there` holds.
/// Bisects: offsets change at full seconds.
fn first_instant(
    before: DateTime<Utc>,
    after: DateTime<Utc>,
    is_there: impl Fn(DateTime<Utc>) -> bool,
) -> DateTime<Utc> {
    let at = |second| DateTime::from_timestamp(second, 0).unwrap_or(after);
    let (mut low, mut high) = (before.timestamp(), after.timestamp() + 1);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if is_there(at(middle)) { high = middle } else { low = middle }
    }
    at(high)
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Asia, Australia};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    /// Lists every start from `from` to `to` by repeated calls of `next`.
    fn starts(grain: Granularity, zone: Tz, from: &str, to: &str) -> Vec<String> {
        let mut start = grain.start(zone, at(from));
        let mut all = Vec::new();
        while start < at(to) {
            assert_eq!(grain.start(zone, start), start, "a start starts itself");
            all.push(start.with_timezone(&zone).format("%dT%H:%M%:z").to_string());
            start = grain.next(zone, start);
        }
        all
    }

    #[test]
    fn an_hour_that_clocks_skip_is_not_there_and_one_they_repeat_is_there_twice() {
        let spring = starts(
            Granularity::Hour,
            America::New_York,
            "2026-03-08T05:30:00Z",
            "2026-03-08T08:00:00Z",
        );
        assert_eq!(spring, ["08T00:00-05:00", "08T01:00-05:00", "08T03:00-04:00"]);
        let autumn = starts(
            Granularity::Hour,
            America::New_York,
            "2026-11-01T05:00:00Z",
            "2026-11-01T07:30:00Z",
        );
        assert_eq!(autumn, ["01T01:00-04:00", "01T01:00-05:00", "01T02:00-05:00"]);
    }

    #[test]
    fn clocks_turned_by_half_an_hour_cut_the_hour_there() {
        let zone = Australia::Lord_Howe;
        let spring =
            starts(Granularity::Hour, zone, "2026-10-03T14:30:00Z", "2026-10-03T16:30:00Z");
        assert_eq!(spring, ["04T01:00+10:30", "04T02:30+11:00", "04T03:00+11:00"]);
        let autumn =
            starts(Granularity::Hour, zone, "2026-04-04T14:00:00Z", "2026-04-04T16:00:00Z");
        assert_eq!(
            autumn,
            ["05T01:00+11:00", "05T01:30+10:30", "05T02:00+10:30"],
            "what is repeated is an hour of its own"
        );
    }

    #[test]
    fn days_are_counted_in_the_zone_and_may_have_23_or_25_hours() {
        let hours = |zone, date: &str| {
            let date: NaiveDate = date.parse().expect("a date");
            (day_start(zone, date + Days::new(1)) - day_start(zone, date)).num_minutes()
        };
        assert_eq!(hours(America::New_York, "2026-03-08"), 23 * 60);
        assert_eq!(hours(America::New_York, "2026-11-01"), 25 * 60);
        assert_eq!(hours(Australia::Lord_Howe, "2026-10-04"), 23 * 60 + 30);
        assert_eq!(hours(Asia::Kolkata, "2026-03-08"), 24 * 60);
    }

    #[test]
    fn a_day_without_a_midnight_begins_where_the_clock_was_turned() {
        let start = day_start(America::Santiago, "2026-09-06".parse().expect("a date"));
        assert_eq!(start, at("2026-09-06T04:00:00Z"));
        let held = Granularity::Day.start(America::Santiago, at("2026-09-06T12:00:00Z"));
        assert_eq!(held, start);
    }

    /// Instants between 1970 and 2037 at which a zone changes its offset, at most one a day.
    fn offset_changes(zone: Tz) -> Vec<DateTime<Utc>> {
        let (mut at, end) =
            (super::tests::at("1970-01-01T00:00:00Z"), super::tests::at("2038-01-01T00:00:00Z"));
        let mut offset_changes = Vec::new();
        let mut offset = utc_offset_s(zone, at);
        while at < end {
            let next = at + TimeDelta::days(1);
            let then = utc_offset_s(zone, next);
            if then != offset {
                offset_changes.push(first_instant(at, next, |at| utc_offset_s(zone, at) == then));
            }
            (at, offset) = (next, then);
        }
        offset_changes
    }

    /// Asserts that every granularity divides time into adjacent parts, and that every instant of a
    /// part has the same start and the same next start.
    fn assert_parts_are_adjacent(zone: Tz, now: DateTime<Utc>) {
        for grain in Granularity::ALL {
            let (start, next) = (grain.start(zone, now), grain.next(zone, now));
            assert!(start <= now && now < next, "{zone} {grain:?} {now}: {start} {next}");
            for inside in [start, next - TimeDelta::microseconds(1)] {
                assert_eq!(grain.start(zone, inside), start, "{zone} {grain:?} {now} {inside}");
                assert_eq!(grain.next(zone, inside), next, "{zone} {grain:?} {now} {inside}");
            }
            assert_eq!(grain.start(zone, next), next, "{zone} {grain:?} {now}");
        }
        let (hour, day) = (Granularity::Hour.start(zone, now), Granularity::Day.start(zone, now));
        let month = Granularity::Month.start(zone, now);
        assert!(month <= day && day <= hour, "{zone} {now}: {month} {day} {hour}");
        assert!(
            Granularity::Hour.next(zone, now) <= Granularity::Day.next(zone, now),
            "{zone} {now}"
        );
        assert!(
            Granularity::Day.next(zone, now) <= Granularity::Month.next(zone, now),
            "{zone} {now}"
        );
    }

    #[test]
    fn wherever_clocks_were_turned_since_1970_the_parts_of_time_follow_each_other() {
        let mut crossed = 0;
        for zone in chrono_tz::TZ_VARIANTS {
            for turn in offset_changes(zone) {
                let local = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
                let before = turn - TimeDelta::seconds(1);
                let near = local(turn - TimeDelta::hours(2)) != local(turn + TimeDelta::hours(2));
                crossed += i32::from(local(turn) < local(before));
                // Away from midnight an offset change affects only hours.
                let minutes: &[i64] = if near { &[-61, -1, 0, 1, 29, 59, 61, 119] } else { &[0] };
                for minutes in minutes {
                    assert_parts_are_adjacent(zone, turn + TimeDelta::minutes(*minutes));
                }
                assert_parts_are_adjacent(zone, before);
            }
        }
        assert!(crossed > 50, "zones that turned back across midnight: {crossed}");
    }

    #[test]
    fn an_hour_shown_again_after_midnight_is_of_the_day_that_has_begun() {
        let zone = America::St_Johns;
        let days = starts(Granularity::Day, zone, "2010-11-06T12:00:00Z", "2010-11-08T12:00:00Z");
        assert_eq!(days, ["06T00:00-02:30", "07T00:00-02:30", "08T00:00-03:30"]);
        // 23:31 on the sixth, for the second time.
        let again = at("2010-11-07T03:01:00Z");
        assert_eq!(again.with_timezone(&zone).format("%dT%H:%M").to_string(), "06T23:31");
        assert_eq!(day_of(zone, again).to_string(), "2010-11-07");
    }

    #[test]
    fn every_instant_lies_in_the_hour_day_and_month_that_hold_it() {
        for zone in [America::New_York, Australia::Lord_Howe, Asia::Kolkata, Asia::Kathmandu] {
            let mut now = at("2026-01-01T00:07:11.5Z");
            while now < at("2027-01-01T00:00:00Z") {
                for grain in Granularity::ALL {
                    let (start, next) = (grain.start(zone, now), grain.next(zone, now));
                    assert!(start <= now && now < next, "{zone} {grain:?} {now}");
                    assert_eq!(grain.start(zone, next), next, "{zone} {grain:?} {now}");
                }
                now += TimeDelta::minutes(37);
            }
        }
    }
}
