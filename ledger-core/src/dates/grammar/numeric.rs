//! Dates in digits: ISO 8601 in its common forms, `12/24/2026`, `24.12.`, and Unix time.

use chrono::{DateTime, FixedOffset, NaiveDate};

use super::super::Refusal;
use super::super::cursor::Cursor;
use super::super::item::{Clock, Day, Hint, Item, Numeric, Zone};
use super::super::token::Number;
use super::clock;

/// A text that is one number of seconds or milliseconds since 1970. Ten digits from 2,000,000,000
/// (the year 2033) look like a telephone number and are not read.
pub(super) fn instant(cursor: &mut Cursor) -> Option<Result<Item, Refusal>> {
    let number = cursor.attempt(|cursor| {
        let number = cursor.cardinal().filter(|number| matches!(number.digits, 10 | 13))?;
        cursor.is_at_end().then_some(number)
    })?;
    let seconds = if number.digits == 13 { number.value / 1000 } else { number.value };
    let is_plausible = (1_000_000_000..2_000_000_000).contains(&seconds);
    let instant = i64::try_from(seconds).ok().filter(|_| is_plausible);
    let instant = instant.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    Some(instant.map(Item::Instant).ok_or(Refusal::Unreadable))
}

/// A date with the year first, and what ISO 8601 puts behind it.
pub(super) fn written(cursor: &mut Cursor) -> Option<Vec<Item>> {
    let (year, month, day) = match cursor.attempt(basic_date) {
        Some(date) => date,
        None => cursor.attempt(extended_date)?,
    };
    let field = |value: u64| u32::try_from(value).ok();
    let date = i32::try_from(year).ok().filter(|year| *year > 0);
    let date = date.and_then(|year| NaiveDate::from_ymd_opt(year, field(month)?, field(day)?));
    let mut items = vec![Item::Day(Day::Written(date))];
    let time = cursor.attempt(|cursor| {
        if !cursor.is_glued() {
            return None;
        }
        cursor.word("t")?;
        iso_time(cursor)
    });
    if let Some(time) = time {
        items.push(Item::Clock(time));
        items.extend(cursor.attempt(offset));
    }
    Some(items)
}

/// `20261224`
fn basic_date(cursor: &mut Cursor) -> Option<(u64, u64, u64)> {
    let Number { value, .. } = cursor.cardinal().filter(|number| number.digits == 8)?;
    let date = (value / 10_000, value / 100 % 100, value % 100);
    (1900..2200).contains(&date.0).then_some(date)
}

/// `2026-12-24`, `2026/12/24`, `2026.12.24`
fn extended_date(cursor: &mut Cursor) -> Option<(u64, u64, u64)> {
    let year = cursor.cardinal().filter(|number| number.digits == 4)?;
    let separator = ['-', '/', '.'].into_iter().find(|sign| cursor.glued_sign(*sign).is_some())?;
    let two_digits = |number: &Number| (1..=2).contains(&number.digits);
    let month = cursor.glued_number().filter(two_digits)?;
    cursor.glued_sign(separator)?;
    let day = cursor.glued_number().filter(two_digits)?;
    Some((year.value, month.value, day.value))
}

/// `14`, `14:30`, `14:30:00.000`, `1430`, `143000`
fn iso_time(cursor: &mut Cursor) -> Option<Clock> {
    let number = cursor.glued_number()?;
    let value = number.value;
    let two_digits = |cursor: &mut Cursor| {
        cursor.attempt(|cursor| {
            cursor.glued_sign(':')?;
            cursor.glued_number().filter(|number| number.digits == 2)
        })
    };
    let (hour, minute, second) = match number.digits {
        1 | 2 => {
            let minute = two_digits(cursor);
            let second = minute.and_then(|_| two_digits(cursor));
            (
                value,
                minute.map_or(0, |minute| minute.value),
                second.map_or(0, |second| second.value),
            )
        }
        4 => (value / 100, value % 100, 0),
        6 => (value / 10_000, value / 100 % 100, value % 100),
        _ => return None,
    };
    let _ = cursor.attempt(|cursor| {
        cursor.glued_sign('.').or_else(|| cursor.glued_sign(','))?;
        cursor.glued_number()
    });
    Some(match clock::made(hour, true, minute, second, None) {
        Clock::Written(time) => Clock::Exact(time),
        other => other,
    })
}

/// `Z`, `+01:00`, `-0500`, `+01`, directly behind a time.
pub(super) fn offset(cursor: &mut Cursor) -> Option<Item> {
    if !cursor.is_glued() {
        return None;
    }
    if cursor.word("z").is_some() {
        return Some(Item::Zone(Zone::Offset(utc())));
    }
    signed_offset(cursor)
}

/// A sign with hours and minutes. An offset that no zone has is an impossible time.
pub(super) fn signed_offset(cursor: &mut Cursor) -> Option<Item> {
    let sign = match cursor.sign('+') {
        Some(()) => 1,
        None => cursor.sign('-').map(|()| -1)?,
    };
    let number = cursor.glued_number()?;
    let (hours, minutes) = match number.digits {
        1 | 2 => {
            let minutes = cursor.attempt(|cursor| {
                cursor.glued_sign(':')?;
                cursor.glued_number().filter(|number| number.digits == 2)
            });
            (number.value, minutes.map_or(0, |minutes| minutes.value))
        }
        4 => (number.value / 100, number.value % 100),
        _ => return None,
    };
    let is_real = hours <= 14 && minutes <= 59;
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok().filter(|_| is_real);
    let offset = seconds.and_then(|seconds| FixedOffset::east_opt(sign * seconds));
    Some(match offset {
        Some(offset) => Item::Zone(Zone::Offset(offset)),
        None => Item::Clock(Clock::Invalid(Refusal::Impossible, Hint::None)),
    })
}

pub(super) fn utc() -> FixedOffset {
    FixedOffset::east_opt(0).expect("zero is an offset")
}

/// `12/24`, `24.12.2026`, `12-24-26`. Two numbers with a dot or a hyphen may be a time as well.
pub(super) fn pair(cursor: &mut Cursor) -> Option<Vec<Item>> {
    let short = |number: &Number| (1..=2).contains(&number.digits);
    let first = cursor.cardinal().filter(short)?;
    let separator = ['/', '.', '-'].into_iter().find(|sign| cursor.glued_sign(*sign).is_some())?;
    let second = cursor.glued_number().filter(short)?;
    let year = cursor.attempt(|cursor| {
        cursor.glued_sign(separator)?;
        cursor.glued_number().filter(|number| matches!(number.digits, 2 | 4))
    });
    let year = match year {
        Some(year) if year.digits == 2 => Some(2000 + i32::try_from(year.value).ok()?),
        Some(year) => Some(i32::try_from(year.value).ok()?),
        None => None,
    };
    let has_end = separator == '.'
        && year.is_none()
        && cursor.attempt(|cursor| cursor.glued_sign('.')).is_some();
    let is_more = cursor.is_glued()
        && cursor.looks_at(|cursor| cursor.sign(separator).or_else(|| cursor.sign(':')));
    let is_time = cursor.looks_at(clock::meridiem)
        || cursor.looks_at(|cursor| cursor.any(&["h", "hrs", "hours"]));
    if is_more || is_time {
        return None;
    }
    let numeric = Numeric {
        first: u32::try_from(first.value).ok()?,
        second: u32::try_from(second.value).ok()?,
        year,
        separator,
        is_padded: second.digits == 2,
        first_digits: first.digits,
    };
    let is_date = separator == '/' || year.is_some() || has_end;
    Some(vec![if is_date { Item::Day(Day::Numeric(numeric)) } else { Item::Pair(numeric) }])
}
