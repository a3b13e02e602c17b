//! Time zones that are named with a time.

use std::str::FromStr;

use chrono_tz::{TZ_VARIANTS, Tz};

use super::super::cursor::Cursor;
use super::super::item::{Clock, Day, Item, Zone};
use super::super::zones;
use super::numeric;

/// Regions of North America, and of Australia for "eastern", "central" and "western".
const REGIONS: &[&str] = &["eastern", "central", "mountain", "pacific", "atlantic", "western"];

/// Divides `2026-12-24T14:00[Europe/Berlin]` into the text and its zone. The inner `None` is a zone
/// that does not exist.
pub(super) fn bracketed(text: &str) -> (&str, Option<Option<Tz>>) {
    let inner = text.trim_end().strip_suffix(']').and_then(|text| text.split_once('['));
    match inner {
        Some((text, name)) => (text, Some(Tz::from_str(name).ok())),
        None => (text, None),
    }
}

pub(super) fn zone(cursor: &mut Cursor, items: &[Item]) -> Option<Vec<Item>> {
    let last = items.iter().rev().find(|item| **item != Item::Filler);
    let is_after_digits = matches!(
        last,
        Some(Item::Clock(Clock::Exact(_) | Clock::Written(_)) | Item::Day(Day::Written(_)))
    );
    if is_after_digits && let Some(offset) = cursor.attempt(numeric::offset) {
        return Some(vec![offset]);
    }
    // `2026-12-24 14:00:00 +0100`
    let is_written = items.iter().any(|item| matches!(item, Item::Day(Day::Written(_))));
    if is_after_digits
        && is_written
        && let Some(offset) = cursor.attempt(numeric::signed_offset)
    {
        return Some(vec![offset]);
    }
    let zone = cursor
        .attempt(universal)
        .or_else(|| cursor.attempt(owner))
        .or_else(|| cursor.attempt(region))
        .or_else(|| cursor.attempt(abbreviation).map(Item::Zone))
        .or_else(|| cursor.attempt(place).map(Item::Zone))?;
    Some(vec![zone])
}

/// `UTC`, `UTC+01:00`, `GMT-5`
fn universal(cursor: &mut Cursor) -> Option<Item> {
    let is_utc = cursor.word("utc").is_some();
    if !is_utc {
        cursor.word("gmt")?;
    }
    if let Some(offset) = cursor
        .attempt(|cursor| if cursor.is_glued() { numeric::signed_offset(cursor) } else { None })
    {
        return Some(offset);
    }
    let zone = if is_utc { Zone::Offset(numeric::utc()) } else { Zone::Named("gmt".to_owned()) };
    Some(Item::Zone(zone))
}

fn owner(cursor: &mut Cursor) -> Option<Item> {
    let is_own = cursor.any(&["your", "local"]).is_some();
    if !is_own {
        cursor.any(&["my"])?;
    }
    cursor.any_words(&[&["time", "zone"], &["timezone"], &["time"]])?;
    Some(Item::Zone(if is_own { Zone::Own } else { Zone::Unknown }))
}

/// "Eastern", "Pacific standard time".
fn region(cursor: &mut Cursor) -> Option<Item> {
    let name = cursor.next().filter(|token| REGIONS.contains(&token.text.as_str()))?.text;
    let season = ["standard", "daylight"].into_iter().find(|season| cursor.word(season).is_some());
    cursor.skip("time");
    let name = season.map_or_else(|| name.clone(), |season| format!("{name} {season}"));
    Some(Item::Zone(Zone::Named(name)))
}

fn abbreviation(cursor: &mut Cursor) -> Option<Zone> {
    let token = cursor.next().filter(|token| zones::is_abbreviation(&token.text))?;
    cursor.skip("time");
    Some(Zone::Named(token.text))
}

/// "London time", "New York time".
fn place(cursor: &mut Cursor) -> Option<Zone> {
    let mut name = cursor.next()?.text;
    while cursor.word("time").is_none() {
        if name.len() > 20 {
            return None;
        }
        name.push('_');
        name.push_str(&cursor.next()?.text);
    }
    let is_city = |zone: &&Tz| {
        let city = zone.name().rsplit('/').next().unwrap_or_default();
        zone.name().contains('/') && city.eq_ignore_ascii_case(&name)
    };
    TZ_VARIANTS.iter().find(is_city).copied().map(Zone::Place)
}
