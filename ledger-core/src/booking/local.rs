//! Wall-clock times of a zone as instants, through the changes of daylight saving time.

use chrono::offset::LocalResult;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::interval::Interval;

/// Longest gap that a zone ever had, in minutes: Samoa left out a whole day.
const MAX_GAP: i64 = 2 * 24 * 60;

/// Returns the first instant at which the clock shows this time. For a time that a change of the
/// clock leaves out it is the instant of the change.
#[must_use]
pub fn first_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    resolve(zone, local).0
}

/// Returns the last instant at which the clock shows this time. For a time that a change of the
/// clock leaves out it is the instant of the change.
#[must_use]
pub fn last_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    resolve(zone, local).1
}

fn resolve(zone: Tz, local: NaiveDateTime) -> (DateTime<Utc>, DateTime<Utc>) {
    for minutes in 0..=MAX_GAP {
        let Some(shown) = local.checked_add_signed(TimeDelta::minutes(minutes)) else { break };
        match zone.from_local_datetime(&shown) {
            LocalResult::Single(at) => return (at.to_utc(), at.to_utc()),
            // The first time after a gap is the instant of the change, even if it repeats later.
            LocalResult::Ambiguous(first, _) if minutes > 0 => {
                return (first.to_utc(), first.to_utc());
            }
            LocalResult::Ambiguous(first, last) => return (first.to_utc(), last.to_utc()),
            LocalResult::None => {}
        }
    }
    (local.and_utc(), local.and_utc())
}

/// Returns the date that the clock of the zone shows.
#[must_use]
pub fn date(zone: Tz, at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// Returns the whole local day: 23 to 25 hours where the clock changes, and `None` for a date that
/// the zone left out.
#[must_use]
pub fn day(zone: Tz, date: NaiveDate) -> Option<Interval> {
    let next = date.checked_add_days(Days::new(1))?;
    let midnight = |date: NaiveDate| first_instant(zone, date.and_time(chrono::NaiveTime::MIN));
    Interval::new(midnight(date), midnight(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> NaiveDateTime {
        text.parse().expect("a local time")
    }

    fn first(zone: Tz, text: &str) -> String {
        first_instant(zone, local(text)).format("%dT%H:%M").to_string()
    }

    #[test]
    fn a_time_in_a_gap_is_the_instant_of_the_change() {
        assert_eq!(first(Tz::America__New_York, "2026-03-08T02:30:00"), "08T07:00");
        assert_eq!(first(Tz::America__New_York, "2026-03-08T03:00:00"), "08T07:00");
        assert_eq!(first(Tz::Pacific__Apia, "2011-12-30T10:00:00"), "30T10:00");
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_has_two_instants() {
        let twice = local("2026-11-01T01:30:00");
        let zone = Tz::America__New_York;
        let (first, last) = (first_instant(zone, twice), last_instant(zone, twice));
        assert_eq!(last - first, TimeDelta::hours(1));
    }

    #[test]
    fn a_local_day_is_as_long_as_the_clock_makes_it() {
        let hours = |zone, text: &str| {
            let day = day(zone, text.parse().expect("a date"));
            day.map(|day| (day.end() - day.start()).num_minutes())
        };
        assert_eq!(hours(Tz::America__New_York, "2026-03-08"), Some(23 * 60));
        assert_eq!(hours(Tz::America__New_York, "2026-11-01"), Some(25 * 60));
        assert_eq!(hours(Tz::Australia__Lord_Howe, "2026-04-05"), Some(24 * 60 + 30));
        assert_eq!(hours(Tz::Asia__Kolkata, "2026-04-05"), Some(24 * 60));
        assert_eq!(hours(Tz::Pacific__Apia, "2011-12-30"), None);
    }
}
