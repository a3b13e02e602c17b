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
mod outcome;
mod readback;
mod resolve;
mod token;
mod words;
mod zones;

use chrono::NaiveTime;

use grammar::Place;
pub use hours::OpeningHours;
use item::{Clock, Day, Item, Zone};
pub use outcome::{
    Ambiguous, Candidate, DateContext, Known, Missing, Outcome, Part, Question, Refusal, Refused,
};

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
    let midnight = Clock::Exact(NaiveTime::MIN);
    match items.as_slice() {
        [Item::Day(day @ Day::Written(_)), Item::Clock(clock)]
        | [
            Item::Day(day @ Day::Written(_)),
            Item::Clock(clock),
            Item::Zone(Zone::Offset(_) | Zone::Exact(_)),
        ] if *clock == midnight => vec![Item::Day(day.clone())],
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
