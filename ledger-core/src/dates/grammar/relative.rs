//! Spans of time: from now, from another day, and lengths of an appointment.

use super::super::cursor::Cursor;
use super::super::item::{Day, Item, Unit, Which, Wish};
use super::day;

/// Longest span that is read, in units; beyond it the number is a mistake.
const MAX_COUNT: i64 = 10_000;

/// A number of units; halves are allowed, so the count is doubled.
struct Span {
    halves: i64,
    unit: Unit,
}

impl Span {
    fn minutes(&self) -> Option<i64> {
        match self.unit {
            Unit::Minute if self.halves % 2 == 0 => Some(self.halves / 2),
            Unit::Hour => Some(self.halves * 30),
            _ => None,
        }
    }

    fn whole(&self) -> Option<i64> {
        (self.halves % 2 == 0).then_some(self.halves / 2)
    }
}

/// "In an hour", "20 minutes from now": elapsed time. Also "in a few hours", which is vague.
pub(super) fn elapsed(cursor: &mut Cursor) -> Option<Vec<Item>> {
    let is_in = cursor.word("in").is_some();
    if let Some(unit) = is_in.then(|| cursor.attempt(vague_span)).flatten() {
        let wish = matches!(unit, Unit::Minute | Unit::Hour).then(|| Item::Wish(Wish::default()));
        return Some(wish.map_or_else(|| vec![Item::Period], |wish| vec![wish]));
    }
    let minutes = duration(cursor)?;
    if !is_in && cursor.word("ago").is_some() {
        return Some(vec![Item::Day(Day::Past)]);
    }
    if is_in {
        let _ = cursor.sign('\'');
        cursor.skip("time");
        let _ = cursor.words(&["from", "now"]);
    } else {
        cursor.words(&["from", "now"])?;
    }
    Some(vec![Item::Elapsed(minutes)])
}

/// "For 30 minutes", "for an hour and a half".
pub(super) fn length(cursor: &mut Cursor) -> Option<Vec<Item>> {
    cursor.word("for")?;
    let minutes = duration(cursor).filter(|minutes| *minutes > 0)?;
    Some(vec![Item::Length(u32::try_from(minutes).ok()?)])
}

/// Hours and minutes: "an hour and a half", "1 hour and 30 minutes", "90 minutes".
fn duration(cursor: &mut Cursor) -> Option<i64> {
    let mut minutes = span(cursor)?.minutes()?;
    if cursor.words(&["and", "a", "half"]).is_some() {
        return (minutes % 60 == 0).then_some(minutes + 30);
    }
    let more = cursor.attempt(|cursor| {
        cursor.skip("and");
        span(cursor).filter(|more| more.unit == Unit::Minute)?.minutes()
    });
    if minutes % 60 == 0 {
        minutes += more.unwrap_or(0);
    } else if more.is_some() {
        return None;
    }
    Some(minutes)
}

/// A day some units from another: "in two weeks", "a week from Friday", "two days after tomorrow".
/// `None` for units below a day.
pub(super) fn shift(cursor: &mut Cursor) -> Option<Item> {
    if cursor.word("in").is_some() {
        let span = span(cursor)?;
        let count = span.whole()?;
        let _ = cursor.sign('\'');
        cursor.skip("time");
        if cursor.any_words(&[&["from", "now"], &["from", "today"]]).is_none()
            && let Some(from) =
                cursor.attempt(|cursor| cursor.word("from").and_then(|()| anchor(cursor)))
        {
            return shifted(count, span.unit, from);
        }
        let is_week = matches!(span.unit, Unit::Week);
        let weekday = cursor.attempt(|cursor| {
            cursor.skip("on");
            cursor.weekday().filter(|_| is_week)
        });
        return match weekday {
            Some(weekday) => Some(Item::Day(Day::InWeeks(count, weekday))),
            None => shifted(count, span.unit, Day::Today(0)),
        };
    }
    let span =
        cursor.attempt(|cursor| cursor.word("day").map(|()| Span { halves: 2, unit: Unit::Day }));
    let span = span.or_else(|| cursor.attempt(span_of_days))?;
    let count = span.whole()?;
    if cursor.any_words(&[&["from", "now"], &["from", "today"], &["hence"]]).is_some() {
        return shifted(count, span.unit, Day::Today(0));
    }
    if cursor.word("ago").is_some() {
        return Some(Item::Day(Day::Past));
    }
    let count = match cursor.any(&["from", "after", "on"]) {
        Some(()) => count,
        // "A week today", "a fortnight Friday".
        None if span.unit == Unit::Week && cursor.looks_at(anchor) => count,
        None => cursor.word("before").map(|()| -count)?,
    };
    cursor.skip("the");
    cursor.skip("this");
    let _ = cursor.any(&["coming"]);
    shifted(count, span.unit, anchor(cursor)?)
}

/// "In two weeks", after a weekday.
pub(super) fn weeks_ahead(cursor: &mut Cursor) -> Option<i64> {
    cursor.word("in")?;
    span(cursor).filter(|span| span.unit == Unit::Week)?.whole()
}

fn span_of_days(cursor: &mut Cursor) -> Option<Span> {
    span(cursor).filter(|span| !matches!(span.unit, Unit::Minute | Unit::Hour))
}

fn shifted(count: i64, unit: Unit, from: Day) -> Option<Item> {
    if matches!(unit, Unit::Minute | Unit::Hour) {
        return None;
    }
    Some(Item::Day(Day::Shift { count, unit, from: Box::new(from) }))
}

/// The day that a span is counted from.
fn anchor(cursor: &mut Cursor) -> Option<Day> {
    if let Some(day) = cursor.attempt(day::near) {
        return Some(day);
    }
    if let Some(weekday) = cursor.attempt(Cursor::weekday) {
        return Some(Day::Weekday(weekday, Which::Bare));
    }
    match cursor.attempt(super::month::month_day)? {
        Item::Day(day) => Some(day),
        _ => None,
    }
}

fn span(cursor: &mut Cursor) -> Option<Span> {
    let halves = if cursor.words(&["half", "an"]).or_else(|| cursor.words(&["half", "a"])).is_some()
    {
        1
    } else if cursor.any(&["a", "an"]).is_some() {
        2
    } else {
        let number = cursor.cardinal()?;
        let count = i64::try_from(number.value).ok().filter(|count| *count <= MAX_COUNT)?;
        let point = cursor.attempt(|cursor| {
            cursor.glued_sign('.')?;
            cursor.glued_number().filter(|half| half.value == 5 && half.digits == 1)
        });
        let half = cursor.words(&["and", "a", "half"]);
        2 * count + i64::from(point.is_some() || half.is_some())
    };
    let (unit, factor) = unit(cursor)?;
    Some(Span { halves: halves * factor, unit })
}

fn unit(cursor: &mut Cursor) -> Option<(Unit, i64)> {
    let token = cursor.next()?;
    let text = token.text.strip_suffix("'s").unwrap_or(&token.text);
    Some(match text {
        "minute" | "minutes" | "min" | "mins" => (Unit::Minute, 1),
        "hour" | "hours" | "hr" | "hrs" => (Unit::Hour, 1),
        "day" | "days" => (Unit::Day, 1),
        "week" | "weeks" | "wk" | "wks" => (Unit::Week, 1),
        "fortnight" | "fortnights" => (Unit::Week, 2),
        "month" | "months" => (Unit::Month, 1),
        "year" | "years" => (Unit::Year, 1),
        _ => return None,
    })
}

/// "A couple of days", "a few weeks".
fn vague_span(cursor: &mut Cursor) -> Option<Unit> {
    cursor.any_words(&[
        &["a", "couple", "of"],
        &["a", "couple"],
        &["couple", "of"],
        &["a", "few"],
        &["several"],
        &["some"],
    ])?;
    unit(cursor).map(|(unit, _)| unit)
}
