//! Days by name: today, weekdays, parts of a day, and periods without a day.

use super::super::cursor::Cursor;
use super::super::item::{Day, DayPart, Item, Which};
use super::super::words::TOMORROW;
use super::super::{Question, item::Unit};
use super::{month, relative};

const PERIODS: &[&str] = &["week", "month", "year", "weekend"];

/// Any day, as the items it consists of.
pub(super) fn day(cursor: &mut Cursor) -> Option<Vec<Item>> {
    cursor.skip("the");
    if let Some(tonight) = cursor.attempt(tonight) {
        return Some(tonight);
    }
    cursor
        .attempt(month::nth_weekday)
        .or_else(|| cursor.attempt(past))
        .or_else(|| cursor.attempt(relative::shift))
        .or_else(|| cursor.attempt(homophone))
        .or_else(|| cursor.attempt(week_after))
        .or_else(|| cursor.attempt(|cursor| near(cursor).map(Item::Day)))
        .or_else(|| cursor.attempt(weekday))
        .or_else(|| cursor.attempt(month::month_day))
        .or_else(|| cursor.attempt(month::day_of_month))
        .map(|day| vec![day])
}

fn tonight(cursor: &mut Cursor) -> Option<Vec<Item>> {
    cursor.word("tonight")?;
    Some(vec![Item::Day(Day::Today(0)), Item::DayPart(DayPart::Night)])
}

/// A day that is over, whatever its date.
fn past(cursor: &mut Cursor) -> Option<Item> {
    if cursor
        .any(&["yesterday"])
        .or_else(|| cursor.words(&["day", "before", "yesterday"]))
        .is_some()
    {
        return Some(Item::Day(Day::Past));
    }
    cursor.any(&["last", "past"])?;
    if cursor.weekday().is_none() {
        cursor.any(&["night", "week", "month", "year", "evening"])?;
    }
    Some(Item::Day(Day::Past))
}

/// Today, tomorrow and the day after.
pub(super) fn near(cursor: &mut Cursor) -> Option<Day> {
    if cursor.word("today").is_some() {
        return Some(Day::Today(0));
    }
    if cursor.any(TOMORROW).is_some() {
        return Some(Day::Today(1));
    }
    cursor.skip("the");
    cursor.words(&["day", "after"])?;
    cursor.any(TOMORROW)?;
    Some(Day::Today(2))
}

/// A day after which no number of its own can stand: "two tomorrow" is an hour.
pub(super) fn near_or_tonight(cursor: &mut Cursor) -> Option<()> {
    cursor.word("tonight").or_else(|| near(cursor).map(|_| ()))
}

/// "Two morrow": probably tomorrow.
fn homophone(cursor: &mut Cursor) -> Option<Item> {
    if cursor.any(&["to", "too"]).is_none() {
        cursor.cardinal().filter(|number| number.value == 2)?;
    }
    cursor.any(&["morrow", "moro"])?;
    Some(Item::Guess(Question::Date, Box::new(Item::Day(Day::Today(1)))))
}

/// "Friday week", "tomorrow week".
fn week_after(cursor: &mut Cursor) -> Option<Item> {
    let from = match cursor.attempt(near) {
        Some(day) => day,
        None => Day::Weekday(cursor.weekday()?, Which::Bare),
    };
    cursor.word("week")?;
    Some(Item::Day(Day::Shift { count: 1, unit: Unit::Week, from: Box::new(from) }))
}

/// A weekday with the words that say which one.
fn weekday(cursor: &mut Cursor) -> Option<Item> {
    let (weekday, which) = if cursor.words(&["next", "week"]).is_some() {
        cursor.comma();
        cursor.skip("on");
        (cursor.weekday()?, Which::OfNextWeek)
    } else if cursor.words(&["this", "week"]).is_some() {
        cursor.comma();
        cursor.skip("on");
        (cursor.weekday()?, Which::OfThisWeek)
    } else {
        let which = which(cursor);
        let weekday = cursor.weekday()?;
        let weeks = cursor.attempt(relative::weeks_ahead);
        if let Some(weeks) = weeks.filter(|_| which == Which::Bare) {
            return Some(Item::Day(Day::InWeeks(weeks, weekday)));
        }
        match which {
            Which::Bare => (weekday, of_week(cursor)),
            which => (weekday, which),
        }
    };
    Some(Item::Day(Day::Weekday(weekday, which)))
}

fn which(cursor: &mut Cursor) -> Which {
    if cursor.any(&["coming", "upcoming"]).is_some() {
        return Which::Bare;
    }
    if cursor.word("this").is_some() {
        let is_coming = cursor.any(&["coming", "upcoming"]).is_some();
        return if is_coming { Which::Bare } else { Which::This };
    }
    let is_next = cursor.any(&["next"]).is_some();
    if is_next { Which::Next } else { Which::Bare }
}

/// "Of next week" and the like, after the weekday.
fn of_week(cursor: &mut Cursor) -> Which {
    let of = cursor.attempt(|cursor| {
        let _ = cursor.any(&["of", "in"]);
        if cursor.words(&["this", "week"]).is_some() {
            return Some(Which::OfThisWeek);
        }
        cursor.words(&["next", "week"]).map(|()| Which::OfNextWeek)
    });
    let of = of.or_else(|| cursor.words(&["after", "next"]).map(|()| Which::AfterNext));
    of.unwrap_or(Which::Bare)
}

/// A week, month or year without a day.
pub(super) fn period(cursor: &mut Cursor) -> Option<Item> {
    let _ = cursor.any(&["in", "during", "sometime", "within"]);
    cursor.skip("the");
    let _ = cursor.any(&["early", "mid", "late", "later"]);
    if cursor.any(&["end", "beginning", "start", "middle"]).is_some() {
        cursor.word("of")?;
        cursor.skip("the");
    }
    if cursor.any(&["this", "next", "coming", "following"]).is_some() {
        let _ = cursor.any(&["coming"]);
        cursor.any(PERIODS)?;
    } else if cursor.any(PERIODS).is_some() {
        let _ = cursor.words(&["after", "next"]);
    } else {
        let is_modal = cursor.looks_at(|cursor| cursor.any(&["may", "mar"]));
        cursor.month().filter(|_| !is_modal)?;
        let _ = cursor.attempt(month::year);
    }
    Some(Item::Period)
}

/// "In the morning", "this afternoon", "at night", "early evening".
pub(super) fn part(cursor: &mut Cursor) -> Option<Vec<Item>> {
    let is_today = cursor.word("this").is_some();
    if !is_today {
        let _ = cursor.any(&["in", "during", "at"]);
        cursor.skip("the");
    }
    let _ = cursor.any(&["early", "late", "mid"]);
    let part = match cursor.next()?.text.as_str() {
        "morning" => DayPart::Morning,
        "afternoon" => DayPart::Afternoon,
        "evening" => DayPart::Evening,
        "night" => DayPart::Night,
        _ => return None,
    };
    // "The afternoon of December 5th"
    let _ = cursor.attempt(|cursor| {
        cursor.word("of")?;
        cursor.looks_at(day).then_some(())
    });
    let mut items = vec![Item::DayPart(part)];
    if is_today {
        items.push(Item::Day(Day::Today(0)));
    }
    Some(items)
}
