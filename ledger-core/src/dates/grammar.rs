//! The grammar: a phrase is a row of items, and each of its words is part of one of them.
//!
//! Patterns are anchored where they begin and have a bounded length, and none is tried twice at one
//! place, so that the cost grows with the length of the phrase only.

mod clock;
mod day;
mod month;
mod numeric;
mod relative;
mod vague;
mod zone;

pub(super) use clock::made;

use super::cursor::Cursor;
use super::item::{Clock, Item, Zone};
use super::words::{FILLERS, RECURRENCES, TIME_PREPOSITIONS};
use super::{Question, Refusal, token};

/// Where a text was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Date and time in one text.
    Phrase,
    /// An argument for the date.
    Date,
    /// An argument for the time. A bare number in it is an hour.
    Time,
}

/// Returns the items of a text.
///
/// # Errors
/// [`Refusal::Unreadable`] if a word belongs to no item; [`Refusal::Recurrence`] if a word means a
/// repetition.
pub(super) fn items(text: &str, place: Place) -> Result<Vec<Item>, Refusal> {
    let (text, bracket) = zone::bracketed(text);
    let tokens = token::tokens(text).ok_or(Refusal::Unreadable)?;
    if tokens.iter().any(|token| RECURRENCES.contains(&token.text.as_str())) {
        return Err(Refusal::Recurrence);
    }
    let mut cursor = Cursor::new(tokens);
    let mut items = Vec::new();
    if let Some(instant) = numeric::instant(&mut cursor) {
        return instant.map(|instant| vec![instant]);
    }
    while !cursor.is_at_end() {
        item(&mut cursor, place, &mut items)?;
    }
    items.retain(|item| *item != Item::Filler);
    match bracket {
        None => {}
        Some(Some(zone)) => items.push(Item::Zone(Zone::Exact(zone))),
        Some(None) => return Err(Refusal::Unreadable),
    }
    Ok(items)
}

/// Reads the next item, or the items that one pattern yields.
fn item(cursor: &mut Cursor, place: Place, items: &mut Vec<Item>) -> Result<(), Refusal> {
    let found = before_days(cursor)
        .or_else(|| cursor.attempt(numeric::written))
        .or_else(|| cursor.attempt(after_preposition))
        .or_else(|| if place == Place::Time { None } else { cursor.attempt(numeric::pair) })
        .or_else(|| cursor.attempt(day::day))
        .or_else(|| after_days(cursor))
        .or_else(|| cursor.attempt(|cursor| zone::zone(cursor, items)))
        .or_else(|| cursor.attempt(|cursor| bare_clock(cursor, place, items)))
        .or_else(|| cursor.attempt(filler));
    items.extend(found.ok_or(Refusal::Unreadable)?);
    Ok(())
}

/// Patterns whose first words would otherwise be a day or a time.
fn before_days(cursor: &mut Cursor) -> Option<Vec<Item>> {
    cursor
        .attempt(vague::any)
        .or_else(|| cursor.attempt(relative::elapsed))
        .or_else(|| cursor.attempt(relative::length))
        .or_else(|| cursor.attempt(clock::range))
        .or_else(|| cursor.attempt(vague::wish))
        .or_else(|| cursor.attempt(vague::correction))
        .or_else(|| cursor.attempt(vague::holiday).map(one))
        .or_else(|| cursor.attempt(clock::minutes_to_or_range).map(one))
}

fn after_days(cursor: &mut Cursor) -> Option<Vec<Item>> {
    cursor
        .attempt(day::part)
        .or_else(|| cursor.attempt(day::period).map(one))
        .or_else(|| cursor.attempt(clock::homophone).map(one))
        .or_else(|| {
            cursor.attempt(|cursor| clock::clock(cursor, false)).map(|clock| ish(cursor, clock))
        })
        .or_else(|| cursor.attempt(vague::separator).map(one))
}

fn one(item: Item) -> Vec<Item> {
    vec![item]
}

/// A time after "at" or "around", where a bare number is an hour.
fn after_preposition(cursor: &mut Cursor) -> Option<Vec<Item>> {
    cursor.any(TIME_PREPOSITIONS)?;
    while cursor
        .any(&["the", "like", "um", "uh"])
        .or_else(|| cursor.any(TIME_PREPOSITIONS))
        .is_some()
    {}
    if let Some(guess) = cursor.attempt(clock::homophone) {
        return Some(one(guess));
    }
    let clock = clock::clock(cursor, true)?;
    let is_date = cursor.looks_at(Cursor::month)
        || cursor.looks_at(|cursor| cursor.glued_sign('/'))
        || cursor.looks_at(|cursor| cursor.glued_sign('-').and_then(|()| cursor.glued_number()))
            && !matches!(clock, Clock::Exact(_) | Clock::Written(_));
    (!is_date).then(|| ish(cursor, clock))
}

/// A bare number where only an hour can be meant.
fn bare_clock(cursor: &mut Cursor, place: Place, items: &[Item]) -> Option<Vec<Item>> {
    let is_clear = match items.iter().rev().find(|item| **item != Item::Filler) {
        _ if place == Place::Time => true,
        Some(Item::Day(day)) => day.is_complete(),
        Some(Item::Or | Item::Correction(_)) => {
            items.iter().any(|item| matches!(item, Item::Clock(_)))
        }
        Some(Item::DayPart(_)) => true,
        _ => false,
    };
    let clock = if is_clear { clock::clock(cursor, true)? } else { return None };
    Some(ish(cursor, clock))
}

/// "Threeish" is a guess, not a time.
fn ish(cursor: &mut Cursor, clock: Clock) -> Vec<Item> {
    let item = Item::Clock(clock);
    match cursor.word("ish") {
        Some(()) => one(Item::Guess(Question::Time, Box::new(item))),
        None => one(item),
    }
}

fn filler(cursor: &mut Cursor) -> Option<Vec<Item>> {
    const ROWS: &[&[&str]] =
        &[&["thank", "you"], &["let's", "say"], &["how", "about"], &["what", "about"]];
    cursor.any(FILLERS).or_else(|| cursor.any_words(ROWS)).or_else(|| {
        // "for tomorrow", but not "for 2": that may have been "four".
        cursor.word("for")?;
        cursor.looks_at(day::day).then_some(())
    })?;
    Some(one(Item::Filler))
}
