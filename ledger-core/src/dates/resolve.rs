//! From the items of a phrase to an outcome.

mod day;
mod parts;
mod time;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Timelike};
use chrono_tz::Tz;

use super::item::{Clock, Day, Hint, Item};
use super::zones::{self, Placed};
use super::{
    Ambiguous, Candidate, DateContext, Known, Missing, Outcome, Part, Question, Refusal, Refused,
};
pub(super) use day::MAX_DAYS_WITHOUT_YEAR;
use parts::Parts;
use time::Time;

/// Farthest start, in days. Beyond it the number is a mistake.
const MAX_DAYS_AHEAD: i64 = 36_525;

/// Most candidates that can be offered in one sentence.
const MAX_CANDIDATES: usize = 3;

/// Readings of one part of a phrase. With a question, not even a single reading is certain.
#[derive(Debug, Clone, PartialEq)]
struct Choice<T> {
    options: Vec<T>,
    question: Option<Question>,
}

impl<T> Choice<T> {
    fn one(option: T) -> Self {
        Self { options: vec![option], question: None }
    }

    fn asked(question: Question, options: Vec<T>) -> Self {
        Self { options, question: Some(question) }
    }
}

/// The reference in the tenant's zone, to the minute.
#[derive(Clone, Copy)]
struct Now<'a> {
    today: NaiveDate,
    time: NaiveTime,
    context: &'a DateContext<'a>,
}

impl Now<'_> {
    /// Returns whether a time on a date is before this minute; a date alone if it is before today.
    fn is_gone(&self, date: NaiveDate, time: Option<NaiveTime>) -> bool {
        date < self.today || date == self.today && time.is_some_and(|time| time < self.time)
    }
}

/// Resolves the items of a phrase.
pub(super) fn outcome(items: Vec<Item>, context: &DateContext<'_>) -> Outcome {
    let local = context.reference.with_timezone(&context.zone).naive_local();
    let time = local.time().with_second(0).and_then(|time| time.with_nanosecond(0));
    let now = Now { today: local.date(), time: time.unwrap_or_default(), context };
    let resolved = Parts::collected(items).and_then(|parts| {
        let outcome = resolved(&parts, now)?;
        Ok(match parts.doubt() {
            Some(question) => doubted(outcome, question),
            None => outcome,
        })
    });
    resolved.unwrap_or_else(|reason| Outcome::Refused(Refused { reason, candidates: Vec::new() }))
}

/// A guess is never known.
fn doubted(outcome: Outcome, question: Question) -> Outcome {
    match outcome {
        Outcome::Known(known) => {
            let candidates = vec![Candidate::At(known.starts_at)];
            Outcome::Ambiguous(Ambiguous { question, candidates })
        }
        other => other,
    }
}

fn resolved(parts: &Parts, now: Now<'_>) -> Result<Outcome, Refusal> {
    if parts.days.contains(&Day::Past) {
        return Err(Refusal::Past);
    }
    if let Some((reason, hint)) = parts.invalid_clock() {
        return Ok(invalid(parts, now, reason, hint));
    }
    if let Some(instant) = parts.instant(now.context.reference)? {
        return Ok(at(instant.with_timezone(&now.context.zone), parts.length, now));
    }
    let is_no_day = parts.days.is_empty() && parts.holiday.is_none();
    if is_no_day || parts.is_period || parts.is_any_day {
        return missing_day(parts, now);
    }
    if let Some(holiday) = parts.holiday {
        return holiday_choice(parts, holiday, now);
    }
    if parts.clocks.is_empty() || parts.wish.is_some() {
        return missing_time(parts, now);
    }
    with_time(parts, now)
}

/// A date and a time of day.
fn with_time(parts: &Parts, now: Now<'_>) -> Result<Outcome, Refusal> {
    let times = time::choice(parts, now)?;
    let mut question = times.question;
    let mut readings = Vec::new();
    for time in &times.options {
        let dates = day::choice(parts, Some(time.at), now)?;
        question = question.or(dates.question);
        readings.extend(dates.options.into_iter().filter_map(|date| reading(date, *time)));
    }
    let Some(question) = question else {
        let [(date, time)] = readings[..] else { return Err(Refusal::Impossible) };
        let length = parts.length.or_else(|| time::length(parts, time));
        return Ok(placed(parts, date, time, length, now));
    };
    let mut candidates: Vec<Candidate> = Vec::new();
    for (date, time) in &readings {
        let found = match zones::place(date.and_time(*time), parts.zone.as_ref(), now.context.zone)
        {
            Placed::At(instant) => vec![instant],
            Placed::Doubtful(instants) => instants,
            Placed::Gap(_) => Vec::new(),
        };
        for instant in found.into_iter().filter(|instant| !is_past(instant, now)) {
            if !candidates.contains(&Candidate::At(instant)) {
                candidates.push(Candidate::At(instant));
            }
        }
    }
    if candidates.is_empty() && readings.iter().all(|(date, time)| now.is_gone(*date, Some(*time)))
    {
        return Err(Refusal::Past);
    }
    candidates.truncate(MAX_CANDIDATES);
    Ok(Outcome::Ambiguous(Ambiguous { question, candidates }))
}

fn reading(date: NaiveDate, time: Time) -> Option<(NaiveDate, NaiveTime)> {
    let date = if time.is_next_day { date.succ_opt()? } else { date };
    Some((date, time.at))
}

/// One local time, as an instant.
fn placed(
    parts: &Parts,
    date: NaiveDate,
    time: NaiveTime,
    length: Option<u32>,
    now: Now<'_>,
) -> Outcome {
    match zones::place(date.and_time(time), parts.zone.as_ref(), now.context.zone) {
        Placed::At(instant) => at(instant, length, now),
        Placed::Doubtful(instants) => {
            let instants = instants.into_iter().filter(|instant| !is_past(instant, now));
            let candidates = instants.map(Candidate::At).collect();
            Outcome::Ambiguous(Ambiguous { question: Question::Zone, candidates })
        }
        Placed::Gap(around) => {
            let instants = around
                .into_iter()
                .filter_map(|local| local.and_local_timezone(now.context.zone).earliest());
            let candidates = instants.filter(|instant| !is_past(instant, now)).map(Candidate::At);
            Outcome::Refused(Refused { reason: Refusal::Gap, candidates: candidates.collect() })
        }
    }
}

fn at(starts_at: DateTime<Tz>, length_minutes: Option<u32>, now: Now<'_>) -> Outcome {
    if is_past(&starts_at, now) {
        return Outcome::Refused(Refused { reason: Refusal::Past, candidates: Vec::new() });
    }
    if starts_at.to_utc() - now.context.reference > TimeDelta::days(MAX_DAYS_AHEAD) {
        return Outcome::Refused(Refused { reason: Refusal::Impossible, candidates: Vec::new() });
    }
    Outcome::Known(Known { starts_at, length_minutes })
}

/// Returns whether an instant is before the minute of the reference.
fn is_past(instant: &DateTime<Tz>, now: Now<'_>) -> bool {
    let reference = now.context.reference;
    let within = TimeDelta::seconds(reference.timestamp().rem_euclid(60))
        + TimeDelta::nanoseconds(i64::from(reference.timestamp_subsec_nanos()));
    instant.to_utc() < reference - within
}

/// A time that no clock shows. 24:00 may have meant the start of the next day.
fn invalid(parts: &Parts, now: Now<'_>, reason: Refusal, hint: Hint) -> Outcome {
    let dates = (hint == Hint::NextDay).then(|| day::choice(parts, None, now).ok()).flatten();
    let next = dates.and_then(|dates| match dates.options[..] {
        [date] => date.succ_opt(),
        _ => None,
    });
    let midnight = next.and_then(|date| {
        date.and_time(NaiveTime::MIN).and_local_timezone(now.context.zone).earliest()
    });
    Outcome::Refused(Refused {
        reason,
        candidates: midnight.map(Candidate::At).into_iter().collect(),
    })
}

fn missing_day(parts: &Parts, now: Now<'_>) -> Result<Outcome, Refusal> {
    let is_near = parts.is_period || parts.is_any_day && !parts.days.is_empty();
    let mut missing = Missing { length_minutes: parts.length, ..Missing::default() };
    missing.parts.push(if is_near { Part::Day } else { Part::Date });
    if parts.clocks.is_empty() || parts.wish.is_some() {
        missing.parts.push(Part::Time);
    } else if let Choice { options, question: None } = time::choice(parts, now)? {
        missing.time = options.first().map(|time| time.at);
    }
    (missing.from, missing.to) = time::window(parts, now);
    Ok(Outcome::Missing(missing))
}

fn missing_time(parts: &Parts, now: Now<'_>) -> Result<Outcome, Refusal> {
    let dates = day::choice(parts, None, now)?;
    if dates.options.iter().all(|date| now.is_gone(*date, None)) {
        return Err(Refusal::Past);
    }
    if let Some(question) = dates.question {
        return Ok(Outcome::Ambiguous(Ambiguous {
            question,
            candidates: offered(&dates.options, now),
        }));
    }
    let (from, to) = time::window(parts, now);
    Ok(Outcome::Missing(Missing {
        parts: vec![Part::Time],
        date: dates.options.first().copied(),
        time: None,
        from,
        to,
        length_minutes: parts.length,
    }))
}

fn offered(dates: &[NaiveDate], now: Now<'_>) -> Vec<Candidate> {
    let dates = dates.iter().filter(|date| !now.is_gone(**date, None));
    dates.take(MAX_CANDIDATES).copied().map(Candidate::Date).collect()
}

/// Names of holidays are not read; the date of a fixed one is offered.
fn holiday_choice(
    parts: &Parts,
    holiday: Option<(u32, u32)>,
    now: Now<'_>,
) -> Result<Outcome, Refusal> {
    let question = Question::Holiday;
    let Some((month, day)) = holiday.filter(|_| parts.days.is_empty()) else {
        return Ok(Outcome::Ambiguous(Ambiguous { question, candidates: Vec::new() }));
    };
    let mut dated = parts.clone();
    dated.days = vec![Day::MonthDay { month, day, year: None }];
    dated.holiday = None;
    Ok(match resolved(&dated, now)? {
        Outcome::Missing(Missing { date: Some(date), .. }) => {
            Outcome::Ambiguous(Ambiguous { question, candidates: vec![Candidate::Date(date)] })
        }
        Outcome::Ambiguous(ambiguous) => Outcome::Ambiguous(Ambiguous { question, ..ambiguous }),
        other => doubted(other, question),
    })
}

/// Returns whether the clock has one reading only.
fn is_exact(clock: &Clock) -> bool {
    matches!(clock, Clock::Exact(_))
}
