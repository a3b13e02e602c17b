//! Days of a month: "December 24th", "24 December 2026", "the 5th", "first Monday of January".

use super::super::cursor::Cursor;
use super::super::item::{Day, Item, MonthRef};
use super::clock;

/// A day with the name of its month, in either order.
pub(super) fn month_day(cursor: &mut Cursor) -> Option<Item> {
    let (month, day) = match cursor.attempt(day_then_month) {
        Some(found) => found,
        None => cursor.attempt(month_then_day)?,
    };
    let year = cursor.attempt(|cursor| {
        cursor.comma();
        cursor.skip("in");
        year(cursor)
    });
    let dashed = || {
        cursor.attempt(|cursor| {
            cursor.glued_sign('-')?;
            let number = cursor.glued_number()?;
            let value = i32::try_from(number.value).ok()?;
            match number.digits {
                2 => Some(2000 + value),
                4 => Some(value),
                _ => None,
            }
        })
    };
    let year = year.or_else(dashed);
    Some(Item::Day(Day::MonthDay { month, day, year }))
}

fn day_then_month(cursor: &mut Cursor) -> Option<(u32, u32)> {
    let day = cursor.number().filter(|number| number.digits <= 2)?;
    let _ = cursor.attempt(|cursor| cursor.glued_sign('-'));
    let _ = cursor.attempt(|cursor| cursor.glued_sign('.'));
    let _ = cursor.any(&["of", "in"]);
    let month = cursor.month()?;
    Some((month, u32::try_from(day.value).ok()?))
}

fn month_then_day(cursor: &mut Cursor) -> Option<(u32, u32)> {
    let month = cursor.month()?;
    let _ = cursor.attempt(|cursor| cursor.glued_sign('-'));
    cursor.skip("the");
    let day = cursor.number().filter(|number| number.digits <= 2)?;
    // "January 10:00" and "January 10 am" have no day.
    let is_time = cursor.looks_at(|cursor| cursor.glued_sign(':'))
        || cursor.looks_at(clock::meridiem)
        || cursor.looks_at(|cursor| cursor.any(&["o'clock", "h"]));
    (!is_time).then_some((month, u32::try_from(day.value).ok()?))
}

/// A year in digits or words: `2026`, `'26`, "twenty twenty six".
pub(super) fn year(cursor: &mut Cursor) -> Option<i32> {
    if cursor.sign('\'').is_some() {
        let number = cursor.glued_number().filter(|number| number.digits == 2)?;
        return i32::try_from(2000 + number.value).ok();
    }
    let number = cursor.cardinal()?;
    if number.digits == 0 && number.value == 20 {
        let rest =
            cursor.cardinal().filter(|rest| rest.digits == 0 && (10..=99).contains(&rest.value))?;
        return i32::try_from(2000 + rest.value).ok();
    }
    let is_time = cursor.looks_at(|cursor| cursor.any(&["hours", "hrs", "h"]))
        || cursor.looks_at(clock::meridiem);
    let is_year = number.digits == 4 && (1900..=2199).contains(&number.value) && !is_time;
    is_year.then(|| i32::try_from(number.value).ok()).flatten()
}

/// "The 5th", "the 5th of next month", "next month on the 5th".
pub(super) fn day_of_month(cursor: &mut Cursor) -> Option<Item> {
    let named = cursor.attempt(|cursor| {
        let of = this_or_next_month(cursor)?;
        cursor.comma();
        cursor.skip("on");
        cursor.skip("the");
        Some((cursor.ordinal()?, Some(of)))
    });
    let (day, of) = match named {
        Some(found) => found,
        None => {
            let day = cursor.ordinal()?;
            let of = cursor.attempt(|cursor| {
                let _ = cursor.any(&["of", "in"]);
                this_or_next_month(cursor)
            });
            (day, of)
        }
    };
    // "The third Thursday" is not Thursday the third.
    let is_nth = cursor.looks_at(Cursor::weekday);
    (!is_nth).then_some(Item::Day(Day::DayOfMonth { day, of }))
}

fn this_or_next_month(cursor: &mut Cursor) -> Option<MonthRef> {
    if cursor.any_words(&[&["this", "month"], &["the", "month"]]).is_some() {
        return Some(MonthRef::This);
    }
    cursor.words(&["next", "month"]).map(|()| MonthRef::Next)
}

/// "First Monday of January", "last Friday of the month".
pub(super) fn nth_weekday(cursor: &mut Cursor) -> Option<Item> {
    let nth = match cursor.word("last") {
        Some(()) => 0,
        None => cursor.ordinal().filter(|nth| (1..=5).contains(nth))?,
    };
    let weekday = cursor.weekday()?;
    cursor.any(&["of", "in"])?;
    let month = match cursor.attempt(this_or_next_month) {
        Some(month) => month,
        None => {
            let month = cursor.month()?;
            cursor.comma();
            MonthRef::Named(month, cursor.attempt(year))
        }
    };
    Some(Item::Day(Day::Nth { nth, weekday, month }))
}
