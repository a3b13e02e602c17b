//! What a phrase consists of: days, times of day and what limits them, before they are resolved.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc, Weekday};

use super::{Question, Refusal};

/// One part of a phrase.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Day(Day),
    Clock(Clock),
    /// From one time to another.
    Range(Clock, Clock),
    /// Two numbers that are a date or a time: `12.10`, `12-24`.
    Pair(Numeric),
    DayPart(DayPart),
    /// A wish for some time of day, with its limits where they are known.
    Wish(Wish),
    /// A week, month or year without a day.
    Period,
    /// A holiday, with month and day if they are the same every year.
    Holiday(Option<(u32, u32)>),
    /// Minutes from now.
    Elapsed(i64),
    Instant(DateTime<Utc>),
    /// Length in minutes.
    Length(u32),
    Zone(Zone),
    /// The next value replaces or adds to the one before.
    Or,
    /// A correction. `true`: it asks for a value that replaces another.
    Correction(bool),
    /// No day is fixed: "some day", "as soon as possible".
    AnyDay,
    /// A time of day that was understood differently from how it was written.
    Guess(Question, Box<Item>),
    Filler,
}

/// A day, relative to the reference or to the calendar.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Day {
    /// Days from today.
    Today(i64),
    Weekday(Weekday, Which),
    Shift {
        count: i64,
        unit: Unit,
        from: Box<Day>,
    },
    MonthDay {
        month: u32,
        day: u32,
        year: Option<i32>,
    },
    DayOfMonth {
        day: u32,
        of: Option<MonthRef>,
    },
    /// The n-th weekday of a month; 0 is the last.
    Nth {
        nth: u32,
        weekday: Weekday,
        month: MonthRef,
    },
    Numeric(Numeric),
    Written(Option<NaiveDate>),
    /// A weekday within the week that lies some weeks ahead.
    InWeeks(i64, Weekday),
    Past,
}

impl Day {
    /// Returns whether a bare number after the day can only be an hour: "Friday 3" may be a date.
    pub(super) const fn is_complete(&self) -> bool {
        !matches!(self, Self::Weekday(..) | Self::DayOfMonth { .. } | Self::Past)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Bare,
    This,
    Next,
    OfThisWeek,
    OfNextWeek,
    AfterNext,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MonthRef {
    This,
    Next,
    Named(u32, Option<i32>),
}

/// Day and month as two numbers, in an order that depends on the country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numeric {
    pub(super) first: u32,
    pub(super) second: u32,
    pub(super) year: Option<i32>,
    pub(super) separator: char,
    /// Whether the second number has two written digits.
    pub(super) is_padded: bool,
    /// Written digits of the first number.
    pub(super) first_digits: usize,
}

/// A time of day as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// One reading only.
    Exact(NaiveTime),
    /// An hour from 1 to 12 in two written digits: of the 24-hour clock, unless a part of the day
    /// was named.
    Written(NaiveTime),
    /// An hour from 1 to 12 without "am" or "pm"; the time is that of the morning.
    Twelve(NaiveTime),
    /// "Half three": half past in some countries, half an hour before in others.
    Half(u32, Option<Meridiem>),
    Midnight,
    Invalid(Refusal, Hint),
}

impl Clock {
    /// The clock of an hour in two written digits whose half of the day is named elsewhere: "10:30
    /// in the evening".
    pub(super) fn with_half_named(self) -> Self {
        match self {
            Self::Written(time) if time.hour() == 12 => {
                Self::Twelve(time.overflowing_sub_signed(TimeDelta::hours(12)).0)
            }
            Self::Written(time) => Self::Twelve(time),
            other => other,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meridiem {
    Am,
    Pm,
}

/// What an impossible time may have meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    None,
    /// The start of the next day, for 24:00.
    NextDay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DayPart {
    Morning,
    Afternoon,
    Evening,
    Night,
}

/// Limits of a wish. `None`: open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wish {
    pub(super) from: Option<Clock>,
    pub(super) to: Option<Clock>,
}

/// A time zone that was named with the time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Zone {
    /// An offset from UTC; exact.
    Offset(FixedOffset),
    /// The tenant's own, by name.
    Own,
    /// An abbreviation or a region: `est`, `eastern`.
    Named(String),
    /// A city, as in "London time".
    Place(chrono_tz::Tz),
    /// The zone of a written date, in brackets; exact.
    Exact(chrono_tz::Tz),
    /// The zone of the caller, which is not known.
    Unknown,
}
