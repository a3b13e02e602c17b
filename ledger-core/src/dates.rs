//! Dates and times of day as people say them to a voice agent.
//!
//! A phrase is read by a grammar that must consume each of its words. The outcome is one of four,
//! and only [`Outcome::Known`] has a start time; the caller asks back for the others. The rules are
//! in `docs/spoken-dates.md`, the reasons in decision 36. Nothing here knows the system clock: the
//! instant of the call, the tenant's zone, country and opening hours are arguments.

mod cursor;
mod grammar;
mod hours;
mod item;
mod number;
mod readback;
mod resolve;
mod token;
mod words;
mod zones;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;

use grammar::Place;
pub use hours::OpeningHours;
use item::{Clock, Day, Item, Zone};

/// What a phrase is read against.
#[derive(Debug, Clone, Copy)]
pub struct DateContext<'a> {
    /// The instant of the call.
    pub reference: DateTime<Utc>,
    /// The tenant's time zone.
    pub zone: Tz,
    /// The tenant's country (ISO 3166-1 alpha-2), for the order of day and month.
    pub country: Option<&'a str>,
    /// The opening hours, for hours without "am" or "pm".
    pub hours: Option<&'a OpeningHours>,
}

/// What was understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// One time. The only outcome that may be booked.
    Known(Known),
    /// The phrase is understood and lacks a part.
    Missing(Missing),
    /// The phrase has several readings, or its only reading is a guess.
    Ambiguous(Ambiguous),
    /// No time can be booked from the phrase.
    Refused(Refused),
}

/// A single start time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// The start, in the tenant's zone.
    pub starts_at: DateTime<Tz>,
    /// The length that was said, in minutes.
    pub length_minutes: Option<u32>,
}

/// The parts of a time that were not said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Missing {
    /// What to ask for; never empty.
    pub parts: Vec<Part>,
    /// The date that was said.
    pub date: Option<NaiveDate>,
    /// The time of day that was said.
    pub time: Option<NaiveTime>,
    /// Earliest time of day that was wished for.
    pub from: Option<NaiveTime>,
    /// Time of day that the wish ends before.
    pub to: Option<NaiveTime>,
    /// The length that was said, in minutes.
    pub length_minutes: Option<u32>,
}

/// Several readings, or a guess.
#[derive(Debug, Clone, PartialEq)]
pub struct Ambiguous {
    /// What the readings differ in.
    pub question: Question,
    /// At most three readings that can be offered, the likeliest first. Empty if none can be named.
    pub candidates: Vec<Candidate>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The reason.
    pub reason: Refusal,
    /// Times near the refused one that can be offered.
    pub candidates: Vec<Candidate>,
}

/// One reading of a phrase, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Candidate {
    /// A start time.
    At(DateTime<Tz>),
    /// A date whose time of day was not said.
    Date(NaiveDate),
    /// A time of day whose date was not said.
    Time(NaiveTime),
}

/// A part of a start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The date; nothing is known of it.
    Date,
    /// The day within a week or month that was said.
    Day,
    /// The time of day.
    Time,
}

impl Part {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Day => "day",
            Self::Time => "time",
        }
    }
}

/// What the readings of a phrase differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// The week of a weekday.
    Week,
    /// The day.
    Day,
    /// The month of a day.
    Month,
    /// The year of a day and a month.
    Year,
    /// The order of day and month.
    Order,
    /// Morning or afternoon.
    AmPm,
    /// The time of day.
    Time,
    /// The date.
    Date,
    /// The time zone.
    Zone,
    /// The date of a holiday.
    Holiday,
}

impl Question {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
            Self::Order => "order",
            Self::AmPm => "am-pm",
            Self::Time => "time",
            Self::Date => "date",
            Self::Zone => "zone",
            Self::Holiday => "holiday",
        }
    }
}

/// Why a phrase is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The time is before the reference.
    Past,
    /// No calendar or clock has it.
    Impossible,
    /// The clocks of the tenant's zone skip it.
    Gap,
    /// Two parts exclude each other.
    Contradiction,
    /// It repeats; one booking is one time.
    Recurrence,
    /// A word or a sign is not part of any supported phrase.
    Unreadable,
}

impl Refusal {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Past => "past",
            Self::Impossible => "impossible",
            Self::Gap => "gap",
            Self::Contradiction => "contradiction",
            Self::Recurrence => "recurrence",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Outcome {
    /// The name in answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Known(_) => "known",
            Self::Missing(_) => "missing",
            Self::Ambiguous(_) => "ambiguous",
            Self::Refused(_) => "refused",
        }
    }

    /// The start time; `None` for all outcomes but [`Outcome::Known`].
    #[must_use]
    pub fn starts_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Known(known) => Some(known.starts_at.to_utc()),
            _ => None,
        }
    }
}

impl Known {
    /// The start in words: weekday, day, month and time; the year if it may be in doubt. The text
    /// is read as the same instant by [`read_phrase`] in the same context.
    #[must_use]
    pub fn readback(&self, context: &DateContext<'_>) -> String {
        readback::sentence(self.starts_at, context)
    }
}

/// Reads a date and time given as one text.
#[must_use]
pub fn read_phrase(phrase: &str, context: &DateContext<'_>) -> Outcome {
    match grammar::items(phrase, Place::Phrase) {
        Ok(items) => resolve::outcome(items, context),
        Err(reason) => refused(reason),
    }
}

/// Reads a date and a time given as two arguments of a tool. An argument that means "none" (empty,
/// `null`, `unknown`, an unfilled template) is absent.
#[must_use]
pub fn read_arguments(date: &str, time: &str, context: &DateContext<'_>) -> Outcome {
    let items = |text: &str, place| {
        let is_absent = words::is_placeholder(text);
        if is_absent { Ok(Vec::new()) } else { grammar::items(text, place) }
    };
    match (items(date, Place::Date), items(time, Place::Time)) {
        (Ok(mut date), Ok(time)) => {
            date = without_midnight(date);
            date.extend(time);
            resolve::outcome(date, context)
        }
        (Err(reason), _) | (_, Err(reason)) => refused(reason),
    }
}

/// Drops the midnight of a written date: platforms send a date as `2026-12-24T00:00:00Z`, and mean
/// that day in the tenant's zone.
fn without_midnight(items: Vec<Item>) -> Vec<Item> {
    match items.as_slice() {
        [
            Item::Day(day @ Day::Written(_)),
            Item::Clock(Clock::Exact(NaiveTime::MIN)),
            rest @ ..,
        ] if matches!(rest, [] | [Item::Zone(Zone::Offset(_) | Zone::Exact(_))]) => {
            vec![Item::Day(day.clone())]
        }
        _ => items,
    }
}

fn refused(reason: Refusal) -> Outcome {
    Outcome::Refused(Refused { reason, candidates: Vec::new() })
}

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod rule_tests;
