//! Times of day: which half of the day an hour is in.

use chrono::{NaiveTime, TimeDelta, Timelike};

use super::super::item::{Clock, DayPart, Meridiem};
use super::super::{Question, Refusal};
use super::parts::Parts;
use super::{Choice, Now, day, is_exact};

/// Countries in which "half three" is half past three.
const HALF_PAST: &[&str] = &["GB", "IE"];

/// A reading of a time of day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Time {
    pub(super) at: NaiveTime,
    /// Whether it is on the day after the one that was said: midnight.
    pub(super) is_next_day: bool,
}

impl From<NaiveTime> for Time {
    fn from(at: NaiveTime) -> Self {
        Self { at, is_next_day: false }
    }
}

/// Returns the readings of all times of day of a phrase.
///
/// # Errors
/// [`Refusal::Contradiction`] if two times, or a time and a part of the day, exclude each other.
pub(super) fn choice(parts: &Parts, now: Now<'_>) -> Result<Choice<Time>, Refusal> {
    let until = parts.until.filter(|_| parts.clocks.len() == 1);
    let mut all: Option<Choice<Time>> = None;
    let half = parts.are_clocks_alternatives.then(|| half_of_day(&parts.clocks)).flatten();
    for clock in &parts.clocks {
        let clock = match (clock, until, half) {
            (Clock::Twelve(_), Some(until), _) => start_before(*clock, until),
            (Clock::Twelve(morning), None, Some(half)) => Clock::Exact(in_half(*morning, half)),
            (clock, ..) => *clock,
        };
        let one = readings(&clock, parts, now)?;
        all = Some(match all {
            None => one,
            Some(all) if parts.are_clocks_alternatives => either(all, one),
            Some(all) => both(&all, one)?,
        });
    }
    let mut all = all.ok_or(Refusal::Unreadable)?;
    if all.question == Some(Question::AmPm)
        && let Some(open) = only_open(&all, parts, now)?
    {
        all = Choice::one(open);
    }
    Ok(all)
}

fn either(mut all: Choice<Time>, one: Choice<Time>) -> Choice<Time> {
    all.options.extend(one.options);
    Choice::asked(Question::Time, all.options)
}

fn both(all: &Choice<Time>, mut one: Choice<Time>) -> Result<Choice<Time>, Refusal> {
    one.options.retain(|option| all.options.contains(option));
    match one.options.len() {
        0 => Err(Refusal::Contradiction),
        1 => Ok(Choice { options: one.options, question: None }),
        _ => Ok(one),
    }
}

/// The readings of one clock within the part of the day.
fn readings(clock: &Clock, parts: &Parts, now: Now<'_>) -> Result<Choice<Time>, Refusal> {
    match *clock {
        Clock::Exact(time) | Clock::Written(time) => exact(time, parts.part),
        Clock::Twelve(morning) => twelve(morning, parts.part),
        Clock::Midnight => {
            let midnight = Time::from(NaiveTime::MIN);
            let next = Time { is_next_day: true, ..midnight };
            Ok(Choice::asked(Question::Day, vec![midnight, next]))
        }
        Clock::Half(hour, meridiem) => half(hour, meridiem, parts, now),
        Clock::Invalid(reason, _) => Err(reason),
    }
}

fn exact(time: NaiveTime, part: Option<DayPart>) -> Result<Choice<Time>, Refusal> {
    let hour = time.hour();
    let is_within = match part {
        None => true,
        Some(DayPart::Morning) => hour < 12,
        Some(DayPart::Afternoon) => (12..19).contains(&hour),
        Some(DayPart::Evening) => hour >= 16,
        Some(DayPart::Night) => hour >= 17 || hour < 6,
    };
    if !is_within {
        return Err(Refusal::Contradiction);
    }
    if part == Some(DayPart::Night) && hour < 6 {
        let next = Time { at: time, is_next_day: true };
        return Ok(Choice::asked(Question::Day, vec![time.into(), next]));
    }
    Ok(Choice::one(time.into()))
}

fn twelve(morning: NaiveTime, part: Option<DayPart>) -> Result<Choice<Time>, Refusal> {
    let hour = morning.hour();
    let half = match part {
        Some(DayPart::Morning) if hour >= 1 => Meridiem::Am,
        Some(DayPart::Afternoon) if hour <= 7 => Meridiem::Pm,
        Some(DayPart::Evening) if hour >= 4 => Meridiem::Pm,
        Some(DayPart::Night) if hour >= 5 => Meridiem::Pm,
        Some(DayPart::Afternoon) => return Err(Refusal::Contradiction),
        Some(DayPart::Evening) if hour >= 1 => return Err(Refusal::Contradiction),
        _ => {
            let both = [Meridiem::Am, Meridiem::Pm].map(|half| Time::from(in_half(morning, half)));
            return Ok(Choice::asked(Question::AmPm, both.to_vec()));
        }
    };
    Ok(Choice::one(in_half(morning, half).into()))
}

/// "Half three": half past three, or half an hour before three as in German.
fn half(
    hour: u32,
    meridiem: Option<Meridiem>,
    parts: &Parts,
    now: Now<'_>,
) -> Result<Choice<Time>, Refusal> {
    let time = |hour: u32| NaiveTime::from_hms_opt(hour % 12, 30, 0).unwrap_or_default();
    let read = |morning: NaiveTime| match meridiem {
        Some(half) => exact(in_half(morning, half), parts.part),
        None => twelve(morning, parts.part),
    };
    let past = read(time(hour))?;
    if now.context.country.is_some_and(|country| HALF_PAST.contains(&country)) {
        return Ok(past);
    }
    let mut all = read(time(hour + 11))?;
    all.options.extend(past.options);
    if let Some(hours) = now.context.hours {
        let open: Vec<_> =
            all.options.iter().copied().filter(|time| hours.is_ever_open(time.at)).collect();
        all.options = if open.is_empty() { all.options } else { open };
    }
    Ok(Choice::asked(Question::Time, all.options))
}

fn in_half(morning: NaiveTime, half: Meridiem) -> NaiveTime {
    match half {
        Meridiem::Am => morning,
        Meridiem::Pm => morning.overflowing_add_signed(TimeDelta::hours(12)).0,
    }
}

/// The half of the day of the last exact clock: "2 or 3 pm".
fn half_of_day(clocks: &[Clock]) -> Option<Meridiem> {
    clocks.iter().rev().find_map(|clock| match clock {
        Clock::Exact(time) if time.hour() < 12 => Some(Meridiem::Am),
        Clock::Exact(_) => Some(Meridiem::Pm),
        _ => None,
    })
}

/// The reading that opening hours allow, if they allow one only.
fn only_open(all: &Choice<Time>, parts: &Parts, now: Now<'_>) -> Result<Option<Time>, Refusal> {
    let Some(hours) = now.context.hours else { return Ok(None) };
    let mut open = Vec::new();
    for time in &all.options {
        let is_open = if parts.days.is_empty() || parts.is_period || parts.is_any_day {
            hours.is_ever_open(time.at)
        } else {
            let dates = day::choice(parts, Some(time.at), now)?;
            dates.options.iter().any(|date| hours.is_open(*date, time.at))
        };
        if is_open {
            open.push(*time);
        }
    }
    Ok(if let [one] = open[..] { Some(one) } else { None })
}

/// The start of a range whose end is exact: in the same half of the day if that is before the end.
fn start_before(start: Clock, end: Clock) -> Clock {
    let (Clock::Twelve(morning), Clock::Exact(end)) = (start, end) else { return start };
    let half = if end.hour() < 12 { Meridiem::Am } else { Meridiem::Pm };
    let same = in_half(morning, half);
    Clock::Exact(if same < end { same } else { morning })
}

/// Minutes from the start to the end of a range; an end before the start is on the next day.
pub(super) fn length(parts: &Parts, start: NaiveTime) -> Option<u32> {
    let minutes = |end: NaiveTime| (end - start).num_minutes().rem_euclid(24 * 60);
    let minutes = match parts.until? {
        Clock::Exact(end) => minutes(end),
        Clock::Twelve(morning) => minutes(morning).rem_euclid(12 * 60),
        _ => return None,
    };
    u32::try_from(minutes).ok().filter(|minutes| *minutes > 0)
}

/// The limits of a wish, as far as they are certain.
pub(super) fn window(parts: &Parts, now: Now<'_>) -> (Option<NaiveTime>, Option<NaiveTime>) {
    let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0);
    let Some(wish) = parts.wish.filter(|wish| wish.from.or(wish.to).is_some()) else {
        return match parts.part.filter(|_| parts.clocks.is_empty()) {
            None => (None, None),
            Some(DayPart::Morning) => (None, hour(12)),
            Some(DayPart::Afternoon) => (hour(12), hour(18)),
            Some(DayPart::Evening | DayPart::Night) => (hour(17), None),
        };
    };
    let certain = |clock: Clock| {
        let mut parts = parts.clone();
        parts.clocks = vec![clock];
        parts.until = None;
        match choice(&parts, now) {
            Ok(Choice { options, question: None }) => options.first().map(|time| time.at),
            _ => None,
        }
    };
    let from = match (wish.from, wish.to) {
        (Some(from), Some(to)) if is_exact(&to) => Some(start_before(from, to)),
        (from, _) => from,
    };
    (from.and_then(certain), wish.to.and_then(certain))
}
