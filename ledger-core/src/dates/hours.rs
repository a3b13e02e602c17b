//! Opening hours as wall-clock intervals. They decide between the two readings of an hour without
//! "am" or "pm", and nothing else here.

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};

const DAY_MINUTES: u32 = 24 * 60;

/// Opening hours of a week, in wall-clock time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpeningHours {
    /// Intervals of each weekday from Monday: first minute, and the minute after the last. An end
    /// past 24:00 is on the next day.
    days: [Vec<(u32, u32)>; 7],
}

impl OpeningHours {
    /// Returns hours that are the same on every weekday.
    ///
    /// The text is one or more intervals, `09:00-12:30,14:00-18:00`. An end may be `24:00`; an end
    /// before its start is on the next day. `None` for any other text.
    #[must_use]
    pub fn parse_daily(text: &str) -> Option<Self> {
        let intervals: Option<Vec<_>> = text.split(',').map(|part| interval(part.trim())).collect();
        let intervals = intervals?;
        Some(Self { days: std::array::from_fn(|_| intervals.clone()) })
    }

    /// Sets the intervals of one weekday, counted from Monday as 0. Minutes after midnight, the end
    /// not included; an end past 1440 is on the next day.
    #[must_use]
    pub fn with_day(mut self, day_from_monday: usize, intervals: Vec<(u32, u32)>) -> Self {
        if let Some(day) = self.days.get_mut(day_from_monday) {
            *day = intervals;
        }
        self
    }

    /// Returns whether an appointment may start at this local time. The end of an interval is not
    /// part of it.
    #[must_use]
    pub fn is_open(&self, date: NaiveDate, time: NaiveTime) -> bool {
        let day = date.weekday().num_days_from_monday() as usize;
        let minute = time.num_seconds_from_midnight() / 60;
        let contains = |day: usize, minute: u32| {
            self.days[day].iter().any(|(start, end)| (*start..*end).contains(&minute))
        };
        contains(day, minute) || contains((day + 6) % 7, minute + DAY_MINUTES)
    }

    /// Returns whether the time is open on at least one weekday.
    #[must_use]
    pub(super) fn is_ever_open(&self, time: NaiveTime) -> bool {
        let monday = NaiveDate::from_ymd_opt(2026, 11, 30).expect("a Monday");
        monday.iter_days().take(7).any(|date| self.is_open(date, time))
    }
}

fn interval(text: &str) -> Option<(u32, u32)> {
    let (start, end) = text.split_once('-')?;
    let (start, end) = (minutes(start.trim())?, minutes(end.trim())?);
    match end {
        end if start == end || start == DAY_MINUTES => None,
        end if end < start => Some((start, end + DAY_MINUTES)),
        end => Some((start, end)),
    }
}

fn minutes(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let is_number =
        |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(hour) || minute.len() != 2 || !is_number(minute) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= DAY_MINUTES).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_open(hours: &str, day: u32, hour: u32, minute: u32) -> bool {
        let date = NaiveDate::from_ymd_opt(2026, 12, day).expect("a day");
        let time = NaiveTime::from_hms_opt(hour, minute, 0).expect("a time");
        OpeningHours::parse_daily(hours).expect("hours").is_open(date, time)
    }

    #[test]
    fn the_end_of_an_interval_is_closed() {
        assert!(is_open("09:00-17:00", 1, 9, 0) && is_open("09:00-17:00", 1, 16, 59));
        assert!(!is_open("09:00-17:00", 1, 17, 0) && !is_open("09:00-17:00", 1, 8, 59));
        assert!(!is_open("09:00-12:00,13:00-17:00", 1, 12, 30));
        assert!(is_open("09:00-24:00", 1, 23, 59) && !is_open("09:00-24:00", 1, 0, 0));
    }

    #[test]
    fn an_interval_past_midnight_reaches_into_the_next_day_only() {
        assert!(is_open("18:00-02:00", 1, 1, 59) && !is_open("18:00-02:00", 1, 2, 0));
        let saturday = OpeningHours::default().with_day(5, vec![(18 * 60, 26 * 60)]);
        let half_past_midnight = NaiveTime::from_hms_opt(0, 30, 0).expect("a time");
        let open = |day| {
            let date = NaiveDate::from_ymd_opt(2026, 12, day).expect("a day");
            saturday.is_open(date, half_past_midnight)
        };
        assert_eq!((open(5), open(6), open(7)), (false, true, false));
    }

    #[test]
    fn text_that_is_no_interval_is_refused() {
        for text in [
            "",
            "9",
            "09:00",
            "09:00-",
            "9:0-10:00",
            "25:00-26:00",
            "09:60-10:00",
            "24:00-25:00",
            "09:00-09:00",
            "+9:00-10:00",
        ] {
            assert_eq!(OpeningHours::parse_daily(text), None, "{text}");
        }
    }
}
