//! What is not exact: wishes for some time, corrections, alternatives and holidays.

use super::super::cursor::Cursor;
use super::super::item::{Clock, Item, Wish};
use super::super::words::HOLIDAYS;
use super::{clock, day};

/// Wishes for some time of day. Without a day, they ask for the first free slots of any day.
const ANY_TIME: &[&[&str]] = &[
    &["any", "time"],
    &["anytime"],
    &["some", "time"],
    &["sometime"],
    &["whenever"],
    &["first", "thing"],
    &["last", "thing"],
    &["end", "of", "the", "day"],
    &["end", "of", "day"],
    &["eod"],
    &["cob"],
    &["close", "of", "business"],
    &["after", "lunch"],
    &["before", "lunch"],
    &["after", "work"],
    &["before", "work"],
    &["after", "school"],
    &["lunchtime"],
    &["lunch", "time"],
    &["at", "lunch"],
    &["over", "lunch"],
    &["noonish"],
    &["this", "time"],
    &["the", "same", "time"],
    &["at", "the", "same", "time"],
    &["same", "time"],
    &["later"],
    &["as", "soon", "as", "possible"],
    &["as", "soon", "as", "you", "can"],
    &["asap"],
    &["soon"],
    &["right", "now"],
    &["now"],
    &["immediately"],
    &["right", "away"],
    &["straight", "away"],
];

const ANY_DAY: &[&[&str]] = &[
    &["any", "day"],
    &["some", "day"],
    &["someday"],
    &["one", "day"],
    &["any", "weekday"],
    &["any", "date"],
    &["the", "same", "day"],
    &["same", "day"],
];

/// Corrections that take back what was said.
const TAKES_BACK: &[&[&str]] = &[
    &["no", "wait"],
    &["no"],
    &["wait"],
    &["scratch", "that"],
    &["strike", "that"],
    &["correction"],
    &["hold", "on"],
    &["or", "rather"],
];

const MAY_CORRECT: &[&[&str]] = &[
    &["actually"],
    &["sorry"],
    &["i", "mean"],
    &["i", "meant"],
    &["rather"],
    &["instead"],
    &["make", "that"],
    &["make", "it"],
];

pub(super) fn correction(cursor: &mut Cursor) -> Option<Vec<Item>> {
    if cursor.any_words(TAKES_BACK).is_some() {
        return Some(vec![Item::Correction(true)]);
    }
    if cursor.any_words(MAY_CORRECT).is_some() {
        return Some(vec![Item::Correction(false)]);
    }
    cursor.any(&["or", "either"]).map(|()| vec![Item::Or])
}

pub(super) fn any(cursor: &mut Cursor) -> Option<Vec<Item>> {
    if cursor.any_words(ANY_DAY).is_some() {
        return Some(vec![Item::AnyDay]);
    }
    if cursor.attempt(first_available).or_else(|| cursor.any_words(ANY_TIME)).is_some() {
        return Some(vec![Item::Wish(Wish::default())]);
    }
    None
}

/// "The first available slot", "your earliest opening", "the soonest".
fn first_available(cursor: &mut Cursor) -> Option<()> {
    let _ = cursor.any(&["the", "your"]);
    if cursor.any(&["earliest", "soonest"]).is_some() {
        let _ = cursor.any(&["available", "possible", "free", "open"]);
    } else {
        cursor.any(&["first", "next"])?;
        if cursor.any(&["available", "possible", "free", "open"]).is_none() {
            return cursor.any(&["opening", "slot"]);
        }
    }
    let _ = cursor.any(&["slot", "time", "appointment", "opening", "one"]);
    Some(())
}

/// "Between 2 and 4 pm", "after 3", "before noon", "after Friday": limits, not a time.
pub(super) fn wish(cursor: &mut Cursor) -> Option<Vec<Item>> {
    if cursor.word("between").is_some() {
        if let Some(from) = cursor.attempt(|cursor| clock::clock(cursor, true)) {
            cursor.word("and").or_else(|| cursor.sign('-'))?;
            let to = clock::clock(cursor, true)?;
            return Some(vec![Item::Wish(Wish {
                from: Some(clock::sharing(from, cursor)),
                to: Some(to),
            })]);
        }
        cursor.attempt(day::day)?;
        cursor.word("and")?;
        return day::day(cursor).map(|_| vec![Item::AnyDay]);
    }
    let is_after = limit(cursor)?;
    if let Some(clock) = cursor.attempt(|cursor| clock::clock(cursor, true)) {
        return Some(vec![Item::Wish(one_sided(is_after, clock))]);
    }
    day::day(cursor).map(|_| vec![Item::AnyDay])
}

/// Returns whether the limit is the start of the wish.
fn limit(cursor: &mut Cursor) -> Option<bool> {
    const AFTER: &[&[&str]] = &[
        &["not", "before"],
        &["no", "earlier", "than"],
        &["any", "time", "after"],
        &["after"],
        &["since"],
        &["from"],
        &["starting"],
    ];
    const BEFORE: &[&[&str]] = &[
        &["no", "later", "than"],
        &["not", "after"],
        &["any", "time", "before"],
        &["before"],
        &["by"],
        &["until"],
        &["till"],
    ];
    if cursor.any_words(AFTER).is_some() {
        return Some(true);
    }
    cursor.any_words(BEFORE).map(|()| false)
}

fn one_sided(is_after: bool, clock: Clock) -> Wish {
    match is_after {
        true => Wish { from: Some(clock), to: None },
        false => Wish { from: None, to: Some(clock) },
    }
}

pub(super) fn holiday(cursor: &mut Cursor) -> Option<Item> {
    let (_, date) = HOLIDAYS.iter().find(|(words, _)| cursor.words(words).is_some())?;
    Some(Item::Holiday(*date))
}

/// A comma, and a full stop or a question mark between sentences.
pub(super) fn separator(cursor: &mut Cursor) -> Option<Item> {
    let is_full_stop = cursor.sign(',').is_none();
    if is_full_stop {
        cursor.sign('.').or_else(|| cursor.sign('!')).or_else(|| cursor.sign('?'))?;
        if cursor.is_glued() {
            return None;
        }
    }
    Some(Item::Filler)
}
