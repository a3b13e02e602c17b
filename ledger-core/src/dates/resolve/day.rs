//! Dates: what a day means on the calendar of the reference.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Weekday};

use super::super::item::{Day, MonthRef, Numeric, Unit, Which};
use super::super::{Question, Refusal};
use super::parts::Parts;
use super::{Choice, Now};

/// A day without a year that is further away is asked for its year.
pub(in super::super) const MAX_DAYS_WITHOUT_YEAR: i64 = 300;

/// Years without the day that are passed over; eight years have at least one leap day.
const MAX_YEARS: i32 = 8;

/// Countries that write the month first.
const MONTH_FIRST: &[&str] = &["US", "AS", "GU", "MP", "PR", "UM", "VI"];

/// Countries with both orders in use, or with the year first.
const BOTH_ORDERS: &[&str] = &["CA", "CN", "HU", "JP", "KR", "LT", "MN", "PH", "TW"];

/// Countries whose week begins on Sunday for many; "next week" on or about a Sunday is asked there.
const SUNDAY_FIRST: &[&str] = &["US", "CA", "MX", "BR", "JP", "IN", "IL", "ZA", "PH", "TW", "KR"];

/// Returns the dates of all days of a phrase.
///
/// # Errors
/// [`Refusal::Contradiction`] if two days exclude each other, [`Refusal::Impossible`] for a date
/// that no calendar has.
pub(super) fn choice(
    parts: &Parts,
    time: Option<NaiveTime>,
    now: Now<'_>,
) -> Result<Choice<NaiveDate>, Refusal> {
    if parts.are_days_alternatives {
        let mut options = Vec::new();
        for day in &parts.days {
            options.extend(dates(day, time, now)?.options);
        }
        return Ok(Choice::asked(Question::Day, options));
    }
    // A weekday beside a date is a check of the date.
    let is_check = |day: &&Day| matches!(day, Day::Weekday(_, Which::Bare));
    let (checks, mut days): (Vec<&Day>, Vec<&Day>) = parts.days.iter().partition(is_check);
    if days.is_empty() {
        days.extend(checks.first());
    }
    let mut all: Option<Choice<NaiveDate>> = None;
    for day in days {
        let one = dates(day, time, now)?;
        all = Some(match all {
            None => one,
            Some(all) => narrowed(all, |date| one.options.contains(date))?,
        });
    }
    let all = all.ok_or(Refusal::Unreadable)?;
    narrowed(all, |date| {
        checks
            .iter()
            .all(|day| matches!(day, Day::Weekday(weekday, _) if date.weekday() == *weekday))
    })
}

/// Keeps the options that pass. One that remains of several is certain.
fn narrowed(
    mut all: Choice<NaiveDate>,
    passes: impl Fn(&NaiveDate) -> bool,
) -> Result<Choice<NaiveDate>, Refusal> {
    let before = all.options.len();
    all.options.retain(passes);
    match all.options.len() {
        0 => Err(Refusal::Contradiction),
        1 if before > 1 => Ok(Choice { options: all.options, question: None }),
        _ => Ok(all),
    }
}

fn dates(day: &Day, time: Option<NaiveTime>, now: Now<'_>) -> Result<Choice<NaiveDate>, Refusal> {
    let one = |date: Option<NaiveDate>| date.map(Choice::one).ok_or(Refusal::Impossible);
    match day {
        Day::Today(days) => one(now.today.checked_add_signed(TimeDelta::days(*days))),
        Day::Written(date) => one(*date),
        Day::Weekday(weekday, which) => week_day(*weekday, *which, time, now),
        Day::Shift { count, unit, from } => shifted(*count, *unit, from, now),
        Day::MonthDay { month, day, year } => month_day(*month, *day, *year, time, now),
        Day::DayOfMonth { day, of: None } => day_of_month(*day, now),
        Day::DayOfMonth { day, of: Some(month) } => {
            let first = first_of(*month, now).ok_or(Refusal::Impossible)?;
            one(first.with_day(*day))
        }
        Day::Nth { nth, weekday, month } => nth_weekday(*nth, *weekday, *month, time, now),
        Day::Numeric(numeric) => in_digits(*numeric, time, now),
        Day::InWeeks(weeks, weekday) => in_weeks(*weeks, *weekday, now),
        Day::Past => Err(Refusal::Past),
    }
}

/// Monday of the week that a date is in.
fn monday(date: NaiveDate) -> NaiveDate {
    date - Days::new(u64::from(date.weekday().num_days_from_monday()))
}

fn in_week(monday: NaiveDate, weeks: i64, weekday: Weekday) -> Option<NaiveDate> {
    let days = weeks.checked_mul(7)? + i64::from(weekday.num_days_from_monday());
    monday.checked_add_signed(TimeDelta::try_days(days)?)
}

/// The first such weekday from today.
fn upcoming(weekday: Weekday, now: Now<'_>) -> NaiveDate {
    let days =
        (7 + weekday.num_days_from_monday() - now.today.weekday().num_days_from_monday()) % 7;
    now.today + Days::new(u64::from(days))
}

fn week_day(
    weekday: Weekday,
    which: Which,
    time: Option<NaiveTime>,
    now: Now<'_>,
) -> Result<Choice<NaiveDate>, Refusal> {
    let this_week = monday(now.today);
    let in_week = |weeks| in_week(this_week, weeks, weekday).ok_or(Refusal::Impossible);
    let first = upcoming(weekday, now);
    let after_today = if first == now.today { first + Days::new(7) } else { first };
    Ok(match which {
        Which::Bare if first > now.today => Choice::one(first),
        Which::Bare if now.is_gone(first, time) => Choice::one(after_today),
        Which::Bare => Choice::asked(Question::Week, vec![first, after_today]),
        Which::This => {
            let date = in_week(0)?;
            if now.is_gone(date, time) {
                Choice::asked(Question::Week, vec![date + Days::new(7)])
            } else {
                Choice::one(date)
            }
        }
        Which::Next => agreed(after_today, in_week(1)?),
        Which::OfThisWeek => Choice::one(in_week(0)?),
        Which::OfNextWeek => {
            let date = in_week(1)?;
            match now.context.country {
                Some(country) if !SUNDAY_FIRST.contains(&country) => Choice::one(date),
                _ if now.today.weekday() == Weekday::Sun => agreed(date, date + Days::new(7)),
                _ if weekday == Weekday::Sun => agreed(date - Days::new(7), date),
                _ => Choice::one(date),
            }
        }
        Which::AfterNext => agreed(after_today + Days::new(7), in_week(2)?),
    })
}

/// One date if both readings are the same, else a question.
fn agreed(first: NaiveDate, second: NaiveDate) -> Choice<NaiveDate> {
    if first == second {
        return Choice::one(first);
    }
    Choice::asked(Question::Week, vec![first, second])
}

/// "Tuesday in two weeks": that week's Tuesday, or two weeks after the next Tuesday.
fn in_weeks(weeks: i64, weekday: Weekday, now: Now<'_>) -> Result<Choice<NaiveDate>, Refusal> {
    let of_week = in_week(monday(now.today), weeks, weekday).ok_or(Refusal::Impossible)?;
    let days = TimeDelta::try_days(weeks * 7).ok_or(Refusal::Impossible)?;
    let from_next = upcoming(weekday, now).checked_add_signed(days).ok_or(Refusal::Impossible)?;
    Ok(agreed(of_week, from_next))
}

fn shifted(count: i64, unit: Unit, from: &Day, now: Now<'_>) -> Result<Choice<NaiveDate>, Refusal> {
    let from = dates(from, None, now)?;
    let mut all = Choice { options: Vec::new(), question: from.question };
    for date in from.options {
        let moved = match unit {
            Unit::Month | Unit::Year => {
                let months = if unit == Unit::Year { count * 12 } else { count };
                let by = u32::try_from(months.unsigned_abs()).map(Months::new).ok();
                by.and_then(|by| {
                    if months < 0 {
                        date.checked_sub_months(by)
                    } else {
                        date.checked_add_months(by)
                    }
                })
            }
            Unit::Week => TimeDelta::try_weeks(count).and_then(|by| date.checked_add_signed(by)),
            _ => TimeDelta::try_days(count).and_then(|by| date.checked_add_signed(by)),
        };
        let moved = moved.ok_or(Refusal::Impossible)?;
        all.options.push(moved);
        // The month has no such day: the last one, or the first of the next month.
        if matches!(unit, Unit::Month | Unit::Year) && moved.day() != date.day() {
            all.options.push(moved + Days::new(1));
            all.question = Some(Question::Date);
        }
    }
    Ok(all)
}

fn month_day(
    month: u32,
    day: u32,
    year: Option<i32>,
    time: Option<NaiveTime>,
    now: Now<'_>,
) -> Result<Choice<NaiveDate>, Refusal> {
    if let Some(year) = year {
        return NaiveDate::from_ymd_opt(year, month, day)
            .map(Choice::one)
            .ok_or(Refusal::Impossible);
    }
    let in_year = |year: i32| NaiveDate::from_ymd_opt(year, month, day);
    next_of_years(in_year, time, now).ok_or(Refusal::Impossible)
}

/// The next occurrence of a date that is in every year or in some. Far away, its year is asked for.
fn next_of_years(
    in_year: impl Fn(i32) -> Option<NaiveDate>,
    time: Option<NaiveTime>,
    now: Now<'_>,
) -> Option<Choice<NaiveDate>> {
    let year = now.today.year();
    let mut dates = (year..=year + MAX_YEARS).filter_map(in_year);
    let date = dates.find(|date| !now.is_gone(*date, time))?;
    if (date - now.today).num_days() > MAX_DAYS_WITHOUT_YEAR {
        return Some(Choice::asked(Question::Year, vec![date]));
    }
    Some(Choice::one(date))
}

/// "The 31st", without a month.
fn day_of_month(day: u32, now: Now<'_>) -> Result<Choice<NaiveDate>, Refusal> {
    if !(1..=31).contains(&day) {
        return Err(Refusal::Impossible);
    }
    let first = now.today - Days::new(u64::from(now.today.day0()));
    let in_month = |months: u32| first.checked_add_months(Months::new(months))?.with_day(day);
    // Two months in a row have every day that one of them lacks.
    let later = |from: u32| (from..from + 2).find_map(in_month).ok_or(Refusal::Impossible);
    Ok(match in_month(0) {
        Some(date) if date > now.today => Choice::one(date),
        Some(date) if date == now.today => Choice::asked(Question::Month, vec![date, later(1)?]),
        None => Choice::asked(Question::Month, vec![later(1)?]),
        Some(_) => match in_month(1) {
            Some(date) => Choice::one(date),
            None => Choice::asked(Question::Month, vec![later(2)?]),
        },
    })
}

fn first_of(month: MonthRef, now: Now<'_>) -> Option<NaiveDate> {
    let this = now.today - Days::new(u64::from(now.today.day0()));
    match month {
        MonthRef::This => Some(this),
        MonthRef::Next => this.checked_add_months(Months::new(1)),
        MonthRef::Named(month, year) => {
            NaiveDate::from_ymd_opt(year.unwrap_or(now.today.year()), month, 1)
        }
    }
}

fn nth_weekday(
    nth: u32,
    weekday: Weekday,
    month: MonthRef,
    time: Option<NaiveTime>,
    now: Now<'_>,
) -> Result<Choice<NaiveDate>, Refusal> {
    let in_month = |first: NaiveDate| match nth {
        0 => (1..=5).rev().find_map(|nth| nth_of(first, weekday, nth)),
        nth => nth_of(first, weekday, nth),
    };
    if let MonthRef::Named(month, None) = month {
        let in_year = |year: i32| in_month(NaiveDate::from_ymd_opt(year, month, 1)?);
        return next_of_years(in_year, time, now).ok_or(Refusal::Impossible);
    }
    let first = first_of(month, now).ok_or(Refusal::Impossible)?;
    in_month(first).map(Choice::one).ok_or(Refusal::Impossible)
}

fn nth_of(first: NaiveDate, weekday: Weekday, nth: u32) -> Option<NaiveDate> {
    NaiveDate::from_weekday_of_month_opt(
        first.year(),
        first.month(),
        weekday,
        u8::try_from(nth).ok()?,
    )
}

/// Day and month in digits, in the country's order if both orders are a date.
fn in_digits(
    numeric: Numeric,
    time: Option<NaiveTime>,
    now: Now<'_>,
) -> Result<Choice<NaiveDate>, Refusal> {
    let Numeric { first, second, year, separator, .. } = numeric;
    let month_first = (first, second);
    let day_first = (second, first);
    // A leap year, so that 29 February is a date.
    let is_date = |(month, day): &(u32, u32)| {
        NaiveDate::from_ymd_opt(year.unwrap_or(2024), *month, *day).is_some()
    };
    let country = now.context.country;
    let is_open = country.is_none_or(|country| BOTH_ORDERS.contains(&country));
    let orders = match separator {
        '.' => vec![day_first],
        _ => [month_first, day_first].into_iter().filter(is_date).collect(),
    };
    let is_month_first = country.is_some_and(|country| MONTH_FIRST.contains(&country));
    let chosen = match orders[..] {
        [] => return Err(Refusal::Impossible),
        [only] => only,
        _ if first == second || is_month_first => month_first,
        _ if !is_open => day_first,
        _ => {
            let mut options = Vec::new();
            for (month, day) in orders {
                options.extend(month_day(month, day, year, time, now)?.options);
            }
            return Ok(Choice::asked(Question::Order, options));
        }
    };
    month_day(chosen.0, chosen.1, year, time, now)
}
