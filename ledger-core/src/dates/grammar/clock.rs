//! Times of day: digits, words, and minutes before or after an hour.

use chrono::{NaiveTime, TimeDelta};

use super::super::cursor::Cursor;
use super::super::item::{Clock, Hint, Item, Meridiem};
use super::super::{Question, Refusal};
use super::day;

const PAST: &[&str] = &["past", "after"];
const TO: &[&str] = &["to", "of", "till", "til", "until", "before"];
const MINUTES: &[&str] = &["minutes", "minute", "mins", "min"];
/// Words that a speech recogniser writes instead of a number.
const HOMOPHONES: &[(&str, u64)] =
    &[("to", 2), ("too", 2), ("for", 4), ("fore", 4), ("ate", 8), ("won", 1)];

/// A time of day. A bare number is an hour only if `is_bare_hour` says so.
pub(super) fn clock(cursor: &mut Cursor, is_bare_hour: bool) -> Option<Clock> {
    cursor
        .attempt(named)
        .or_else(|| cursor.attempt(before_or_after))
        .or_else(|| cursor.attempt(negative))
        .or_else(|| cursor.attempt(|cursor| digits(cursor, is_bare_hour)))
}

/// "Noon", "midnight", with or without a 12.
fn named(cursor: &mut Cursor) -> Option<Clock> {
    let twelve = cursor.attempt(|cursor| cursor.cardinal().filter(|number| number.value == 12));
    if twelve.is_some() {
        let _ = cursor.attempt(oclock);
    }
    if cursor.any(&["noon", "midday"]).is_some() || cursor.words(&["mid", "day"]).is_some() {
        return Some(exact(12, 0, 0));
    }
    cursor.any(&["midnight"])?;
    Some(Clock::Midnight)
}

/// "Half past three", "quarter to nine", "fifteen minutes past four", "half three".
fn before_or_after(cursor: &mut Cursor) -> Option<Clock> {
    cursor.skip("a");
    if cursor.word("half").is_some() {
        if cursor.any(PAST).is_some() {
            return moved(hour(cursor)?, 30);
        }
        let number = cursor.cardinal().filter(|number| (1..=12).contains(&number.value))?;
        let _ = cursor.attempt(oclock);
        let hour = u32::try_from(number.value).ok()?;
        return Some(Clock::Half(hour, cursor.attempt(meridiem)));
    }
    let minutes = match cursor.word("quarter") {
        Some(()) => 15,
        None => {
            let number = cursor.cardinal().filter(|number| (1..=30).contains(&number.value))?;
            let _ = cursor.any(MINUTES);
            i64::try_from(number.value).ok()?
        }
    };
    if cursor.any(PAST).is_some() {
        return moved(hour(cursor)?, minutes);
    }
    cursor.any(TO)?;
    moved(hour(cursor)?, -minutes)
}

/// The full hour after "past" or "to".
fn hour(cursor: &mut Cursor) -> Option<Clock> {
    if cursor.any(&["noon", "midday"]).is_some() {
        return Some(exact(12, 0, 0));
    }
    let number = cursor.cardinal().filter(|number| number.value <= 24)?;
    let _ = cursor.attempt(oclock);
    let meridiem = cursor.attempt(meridiem);
    Some(made(number.value, false, 0, 0, meridiem))
}

/// Moves an hour by minutes. `None` if that changes the day.
fn moved(clock: Clock, minutes: i64) -> Option<Clock> {
    let half_day = TimeDelta::hours(12);
    let delta = TimeDelta::minutes(minutes);
    match clock {
        Clock::Exact(time) | Clock::Written(time) => {
            let (time, wrapped) = time.overflowing_add_signed(delta);
            (wrapped == 0).then_some(Clock::Exact(time))
        }
        Clock::Twelve(time) => {
            let time = time.overflowing_add_signed(delta).0;
            let is_morning = time < exact_time(12, 0, 0);
            Some(Clock::Twelve(if is_morning {
                time
            } else {
                time.overflowing_sub_signed(half_day).0
            }))
        }
        other => Some(other),
    }
}

/// "-3 pm": no time, and no hyphen of a range.
fn negative(cursor: &mut Cursor) -> Option<Clock> {
    if cursor.is_glued() {
        return None;
    }
    cursor.sign('-')?;
    cursor.glued_number()?;
    let _ = cursor.attempt(meridiem);
    Some(Clock::Invalid(Refusal::Impossible, Hint::None))
}

/// Hours and minutes as numbers.
fn digits(cursor: &mut Cursor, is_bare_hour: bool) -> Option<Clock> {
    cursor
        .attempt(hundreds)
        .or_else(|| cursor.attempt(separated))
        .or_else(|| cursor.attempt(spoken_minutes))
        .or_else(|| cursor.attempt(|cursor| run_together(cursor, is_bare_hour)))
        .or_else(|| cursor.attempt(|cursor| whole_hour(cursor, is_bare_hour)))
}

/// "Nineteen hundred", "oh nine hundred hours".
fn hundreds(cursor: &mut Cursor) -> Option<Clock> {
    let _ = cursor.any(&["oh", "o"]);
    let mut number = cursor.cardinal()?;
    if number.value == 0 && number.digits == 0 && !cursor.looks_at(|cursor| cursor.word("hundred"))
    {
        number = cursor.cardinal().filter(|number| number.value < 10)?;
    }
    cursor.word("hundred")?;
    let _ = cursor.any(&["hours", "hrs"]);
    Some(made(number.value, true, 0, 0, None))
}

/// `14:30`, `14:30:00`, `2.30 pm`, `14h30`, `14h`.
fn separated(cursor: &mut Cursor) -> Option<Clock> {
    let number = cursor.cardinal().filter(|number| (1..=2).contains(&number.digits))?;
    let mut is_24_hour = number.digits == 2;
    let two_digits =
        |cursor: &mut Cursor| cursor.glued_number().filter(|number| number.digits == 2);
    let (mut minute, mut second) = (0, 0);
    if cursor.glued_sign(':').is_some() {
        minute = two_digits(cursor)?.value;
        if cursor.attempt(|cursor| cursor.glued_sign(':')).is_some() {
            second = two_digits(cursor)?.value;
            let _ = cursor
                .attempt(|cursor| cursor.glued_sign('.').and_then(|()| cursor.glued_number()));
        }
        let _ = cursor.any(&["h", "hrs", "hours"]);
    } else if cursor.glued_sign('.').is_some() {
        minute = two_digits(cursor)?.value;
        if cursor.looks_at(|cursor| cursor.glued_sign('.').and_then(|()| cursor.glued_number())) {
            return None;
        }
        let _ = cursor.any(&["h", "hrs", "hours"]);
    } else {
        if !cursor.is_glued() {
            return None;
        }
        cursor.any(&["h", "hrs"])?;
        if let Some(minutes) = cursor.attempt(two_digits) {
            minute = minutes.value;
        }
        is_24_hour = number.value >= 10 || number.digits == 2;
    }
    let _ = cursor.attempt(oclock);
    let meridiem = cursor.attempt(meridiem);
    Some(made(number.value, is_24_hour, minute, second, meridiem))
}

/// "Two thirty", "2 30", "two oh five".
fn spoken_minutes(cursor: &mut Cursor) -> Option<Clock> {
    let number = cursor.cardinal().filter(|number| number.value <= 24 && number.digits <= 2)?;
    if cursor.is_glued() {
        return None;
    }
    let minute = match cursor.any(&["oh", "o"]) {
        Some(()) => cursor.cardinal().filter(|number| (1..=9).contains(&number.value))?,
        None => cursor.cardinal().filter(|minute| {
            let is_spoken = minute.digits == 0 && (10..=59).contains(&minute.value);
            is_spoken || minute.digits == 2 && minute.value <= 59
        })?,
    };
    let is_other = cursor.looks_at(|cursor| cursor.glued_sign(':'))
        || cursor.looks_at(|cursor| cursor.any(PAST));
    if is_other {
        return None;
    }
    let meridiem = cursor.attempt(meridiem);
    let _ = cursor.any(&["hours", "hrs"]);
    Some(made(number.value, false, minute.value, 0, meridiem))
}

/// `1430`, `0900 hours`, `930 am`.
fn run_together(cursor: &mut Cursor, is_bare_hour: bool) -> Option<Clock> {
    let number = cursor.cardinal().filter(|number| matches!(number.digits, 3 | 4))?;
    let has_hours = cursor.any(&["hours", "hrs", "h"]).is_some();
    let meridiem = cursor.attempt(meridiem);
    if !has_hours && meridiem.is_none() && !is_bare_hour {
        return None;
    }
    Some(made(number.value / 100, number.digits == 4, number.value % 100, 0, meridiem))
}

/// `2 pm`, "three o'clock", and a bare number.
fn whole_hour(cursor: &mut Cursor, is_bare_hour: bool) -> Option<Clock> {
    let number = cursor.cardinal().filter(|number| number.digits <= 2)?;
    let has_oclock = cursor.attempt(oclock).is_some();
    let meridiem = cursor.attempt(meridiem);
    let is_clear = has_oclock || meridiem.is_some() || is_bare_hour;
    if !is_clear && !cursor.looks_at(day::part) && !cursor.looks_at(day::near_or_tonight) {
        return None;
    }
    if cursor.looks_at(|cursor| {
        cursor.glued_sign(':').or_else(|| cursor.glued_sign('.').filter(|()| cursor.is_glued()))
    }) {
        return None;
    }
    let is_padded = number.digits == 2 && number.value < 10;
    Some(made(number.value, is_padded, 0, 0, meridiem))
}

/// "From 2 to 3 pm", "10:00-11:00", "2 pm until 3 pm".
pub(super) fn range(cursor: &mut Cursor) -> Option<Vec<Item>> {
    let is_announced = cursor.word("from").is_some();
    let _ = cursor.any(super::TIME_PREPOSITIONS);
    let before = cursor.position();
    let is_count = cursor.looks_at(minutes_before_hour);
    let start = range_end(cursor)?;
    // `14:00:00-05:00` has an offset.
    let has_seconds = cursor.position() >= before + 5;
    let is_dash = cursor.attempt(|cursor| cursor.sign('-')).is_some();
    if !is_dash {
        cursor.any(&["to", "until", "till", "til", "through"])?;
    }
    let before = cursor.position();
    let end = range_end(cursor)?;
    let is_marked = cursor.position() > before + 1;
    let is_backwards =
        on_24_hour_clock(start).zip(on_24_hour_clock(end)).is_some_and(|(start, end)| end <= start);
    let is_offset = is_dash && (has_seconds || is_backwards);
    let is_range = is_announced || is_marked && !is_offset && !is_count;
    is_range.then(|| vec![Item::Range(sharing(start, cursor), end)])
}

/// The start of two times of which the second, directly before the position, may have an "am" or
/// "pm" for both: "10:30 to 11:30 pm".
pub(super) fn sharing(start: Clock, cursor: &Cursor) -> Clock {
    let is_shared = cursor.previous().is_some_and(|text| matches!(text, "am" | "pm" | "m" | "."));
    if is_shared { start.with_half_named() } else { start }
}

fn on_24_hour_clock(clock: Clock) -> Option<NaiveTime> {
    match clock {
        Clock::Exact(time) | Clock::Written(time) => Some(time),
        _ => None,
    }
}

/// "10 to", "twenty to": minutes before an hour as well as the start of a range.
fn minutes_before_hour(cursor: &mut Cursor) -> Option<()> {
    cursor.cardinal().filter(|number| matches!(number.value, 5 | 10 | 20 | 25))?;
    cursor.any(&["to", "till", "til", "until"])
}

/// A time of day without minutes before or after an hour: in "from ten to four", "to" has another
/// meaning.
fn range_end(cursor: &mut Cursor) -> Option<Clock> {
    cursor.attempt(named).or_else(|| cursor.attempt(|cursor| digits(cursor, true)))
}

/// "10 to 4" without "at" is ten minutes before four, or from ten to four.
pub(super) fn minutes_to_or_range(cursor: &mut Cursor) -> Option<Item> {
    let is_hour = cursor.looks_at(|cursor| cursor.cardinal().filter(|number| number.value <= 12));
    let is_both = is_hour && cursor.looks_at(minutes_before_hour);
    let clock = is_both.then(|| before_or_after(cursor)).flatten()?;
    Some(Item::Guess(Question::Time, Box::new(Item::Clock(clock))))
}

/// "At for pm": the number is a guess.
pub(super) fn homophone(cursor: &mut Cursor) -> Option<Item> {
    let value = HOMOPHONES.iter().find_map(|(word, value)| cursor.word(word).map(|()| *value))?;
    let minute = cursor.cardinal().filter(|minute| (10..=59).contains(&minute.value));
    let meridiem = meridiem(cursor)?;
    let clock = made(value, false, minute.map_or(0, |minute| minute.value), 0, Some(meridiem));
    Some(Item::Guess(Question::Time, Box::new(Item::Clock(clock))))
}

fn oclock(cursor: &mut Cursor) -> Option<()> {
    cursor.any(&["o'clock", "oclock"]).or_else(|| cursor.words(&["o", "clock"]))
}

/// `am`, `p.m.`, `p m`, and a glued `p`.
pub(super) fn meridiem(cursor: &mut Cursor) -> Option<Meridiem> {
    let is_glued = cursor.is_glued();
    let token = cursor.next()?;
    let meridiem = match token.text.as_str() {
        "am" | "a" => Meridiem::Am,
        "pm" | "p" => Meridiem::Pm,
        _ => return None,
    };
    if token.text.len() == 1 {
        let has_m = cursor.attempt(|cursor| {
            let _ = cursor.glued_sign('.');
            cursor.word("m")
        });
        if has_m.is_none() && !is_glued {
            return None;
        }
    }
    let _ = cursor.attempt(|cursor| cursor.glued_sign('.'));
    Some(meridiem)
}

/// Returns the time of an hour, a minute and what was said about the half of the day.
/// `is_24_hour`: the hour was written as one of the 24-hour clock.
pub(in super::super) fn made(
    hour: u64,
    is_24_hour: bool,
    minute: u64,
    second: u64,
    meridiem: Option<Meridiem>,
) -> Clock {
    let fields = (u32::try_from(hour), u32::try_from(minute), u32::try_from(second));
    let (Ok(hour @ ..=24), Ok(minute @ ..=59), Ok(second @ ..=59)) = fields else {
        return Clock::Invalid(Refusal::Impossible, Hint::None);
    };
    if hour == 24 {
        let hint = if minute + second == 0 { Hint::NextDay } else { Hint::None };
        return Clock::Invalid(Refusal::Impossible, hint);
    }
    match meridiem {
        Some(Meridiem::Am) if hour > 12 => Clock::Invalid(Refusal::Contradiction, Hint::None),
        Some(Meridiem::Pm) if hour == 0 => Clock::Invalid(Refusal::Contradiction, Hint::None),
        Some(Meridiem::Am) => exact(hour % 12, minute, second),
        Some(Meridiem::Pm) if hour < 12 => exact(hour + 12, minute, second),
        Some(Meridiem::Pm) => exact(hour, minute, second),
        None if hour == 0 || hour > 12 => exact(hour, minute, second),
        None if is_24_hour => Clock::Written(exact_time(hour, minute, second)),
        None => Clock::Twelve(exact_time(hour % 12, minute, second)),
    }
}

fn exact(hour: u32, minute: u32, second: u32) -> Clock {
    Clock::Exact(exact_time(hour, minute, second))
}

fn exact_time(hour: u32, minute: u32, second: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, second).expect("the fields were checked")
}
