//! Dates and times in the arguments of a tool call.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::arguments::Arguments;
use super::names::Field;
use super::wish::{ToolContext, When};
use super::words;
use crate::booking::Interval;
use crate::booking::local;
use crate::dates::{DateContext, Known, Missing, Outcome, read_arguments, read_phrase};

/// Days that are searched if no day was said.
const SEARCHED_DAYS: i64 = 7;

/// The fields of one time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    date: Field,
    time: Field,
    start: Option<Field>,
}

/// The time of an appointment.
pub(super) const WANTED: Fields =
    Fields { date: Field::Date, time: Field::Time, start: Some(Field::Start) };
/// The time after a move.
pub(super) const NEW: Fields =
    Fields { date: Field::NewDate, time: Field::NewTime, start: Some(Field::NewStart) };
/// The time before a move.
pub(super) const OLD: Fields = Fields { date: Field::OldDate, time: Field::OldTime, start: None };

/// Reads the time in these fields; `None` if all are absent.
///
/// # Errors
/// The question for the caller, if two of the fields contradict each other.
pub(super) fn read(
    arguments: &Arguments,
    fields: Fields,
    context: &ToolContext<'_>,
) -> Result<Option<Outcome>, String> {
    let dates = &dates_of(arguments, context);
    let [date, mut time] = [fields.date, fields.time].map(|field| arguments.get(field));
    if fields.time == Field::Time {
        time = time.or_else(|| arguments.get(Field::DayPart));
    }
    let start = fields.start.and_then(|field| arguments.get(field));
    let parts = |date: Option<&str>, time: Option<&str>| {
        read_arguments(date.unwrap_or_default(), time.unwrap_or_default(), dates)
    };
    let outcome = match (date, time, start) {
        (None, None, None) => return Ok(None),
        (None, None, Some(start)) => read_phrase(start, dates),
        (_, _, None) => parts(date, time),
        (_, _, Some(start)) => match read_phrase(start, dates) {
            Outcome::Known(known) => {
                let Outcome::Known(other) = parts(date, time) else {
                    return compare_date(known, date, dates).map(Some);
                };
                if other.starts_at != known.starts_at {
                    return Err(words::contradiction(fields.time));
                }
                Outcome::Known(known)
            }
            // The start is only a time of day.
            _ if time.is_none() => parts(date, Some(start)),
            _ => return Err(words::contradiction(fields.time)),
        },
    };
    Ok(Some(outcome))
}

/// Compares a complete start with a date that is given besides.
fn compare_date(
    known: Known,
    date: Option<&str>,
    dates: &DateContext<'_>,
) -> Result<Outcome, String> {
    let Some(date) = date else { return Err(words::contradiction(Field::Time)) };
    match read_arguments(date, "", dates) {
        Outcome::Missing(Missing { date: Some(date), .. })
            if date == known.starts_at.date_naive() =>
        {
            Ok(Outcome::Known(known))
        }
        _ => Err(words::contradiction(Field::Date)),
    }
}

/// Reads a time that must be complete.
///
/// # Errors
/// The question for the caller.
pub(super) fn require(
    arguments: &Arguments,
    fields: Fields,
    context: &ToolContext<'_>,
) -> Result<Known, String> {
    let outcome = read(arguments, fields, context)?.ok_or_else(words::which_time)?;
    match outcome {
        Outcome::Known(known) => Ok(known),
        other => Err(words::ask_back(&other, &context.dates)),
    }
}

/// Reads a time that finds an appointment: a day is enough.
///
/// # Errors
/// The question for the caller.
pub(super) fn when(
    arguments: &Arguments,
    fields: Fields,
    context: &ToolContext<'_>,
) -> Result<When, String> {
    match read(arguments, fields, context)? {
        None => Ok(When::Any),
        Some(Outcome::Known(known)) => Ok(When::At(known.starts_at.to_utc())),
        Some(Outcome::Missing(Missing { date: Some(date), .. })) => Ok(When::Day(date)),
        Some(other) => Err(words::ask_back(&other, &context.dates)),
    }
}

/// The range of a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) from: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
    /// The start that was asked for.
    pub(super) wanted: Option<DateTime<Utc>>,
}

/// Reads the range of a search, and the start if it is complete.
///
/// # Errors
/// The question for the caller.
pub(super) fn range(arguments: &Arguments, context: &ToolContext<'_>) -> Result<Range, String> {
    let now = context.dates.reference;
    let soon = Range { from: now, until: now + TimeDelta::days(SEARCHED_DAYS), wanted: None };
    let zone = context.dates.zone;
    match read(arguments, WANTED, context)? {
        None => Ok(soon),
        Some(Outcome::Known(known)) => {
            let start = known.starts_at.to_utc();
            let day = local::day(zone, local::date(zone, start)).ok_or_else(words::no_such_time)?;
            Ok(Range { from: day.start().max(now), until: day.end(), wanted: Some(start) })
        }
        Some(Outcome::Missing(missing)) => match missing.date {
            Some(date) => {
                let part = part_of_day(context, date, &missing);
                let part = part.ok_or_else(words::no_such_time)?;
                if part.end() <= now {
                    return Err(words::past());
                }
                Ok(Range { from: part.start().max(now), until: part.end(), wanted: None })
            }
            None if missing.time.is_none() => Ok(soon),
            None => Err(words::ask_back(&Outcome::Missing(missing), &context.dates)),
        },
        Some(other) => Err(words::ask_back(&other, &context.dates)),
    }
}

/// The part of a day in which a start was wished for.
fn part_of_day(context: &ToolContext<'_>, date: NaiveDate, missing: &Missing) -> Option<Interval> {
    let zone = context.dates.zone;
    let day = local::day(zone, date)?;
    let at = |time: NaiveTime| local::first_instant(zone, date.and_time(time));
    let from = missing.from.map_or(day.start(), at);
    let until = missing.to.map_or(day.end(), at);
    Interval::new(from, until).or(Some(day))
}

/// The context of the dates of a tool call. A zone in the arguments is that of the times; without
/// opening hours, which are those of the tenant's zone.
fn dates_of<'c>(arguments: &Arguments, context: &ToolContext<'c>) -> DateContext<'c> {
    let zone = arguments.get(Field::Zone).and_then(|zone| zone.parse().ok());
    match zone {
        Some(zone) if zone != context.dates.zone => {
            DateContext { zone, hours: None, ..context.dates }
        }
        _ => context.dates,
    }
}
