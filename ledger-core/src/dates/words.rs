//! The words of the grammar that are data.

use chrono::Weekday;

/// Words without a meaning of their own. `around` and `about` are among them: the booking is at the
/// time that is read back.
pub(super) const FILLERS: &[&str] = &[
    "the",
    "on",
    "at",
    "um",
    "umm",
    "uh",
    "er",
    "erm",
    "hmm",
    "like",
    "please",
    "sharp",
    "around",
    "about",
    "approximately",
    "roughly",
    "exactly",
    "precisely",
    "ok",
    "okay",
    "well",
    "so",
    "yes",
    "yeah",
    "thanks",
];

/// Words that introduce a time of day. A bare number after one of them is an hour.
pub(super) const TIME_PREPOSITIONS: &[&str] =
    &["at", "around", "about", "approximately", "roughly", "exactly", "precisely"];

/// Words of which each means a repetition, whatever follows it.
pub(super) const RECURRENCES: &[&str] = &[
    "every",
    "each",
    "daily",
    "weekly",
    "biweekly",
    "fortnightly",
    "monthly",
    "yearly",
    "annually",
    "weekdays",
    "weekends",
    "mondays",
    "tuesdays",
    "wednesdays",
    "thursdays",
    "fridays",
    "saturdays",
    "sundays",
    "recurring",
    "repeating",
    "repeat",
    "mornings",
    "afternoons",
    "evenings",
    "everyday",
    "twice",
];

/// Texts of an argument that mean that there is none (reference on tool calls, section 3.2).
const PLACEHOLDERS: &[&str] = &[
    "null",
    "none",
    "nil",
    "unknown",
    "n/a",
    "na",
    "undefined",
    "nan",
    "tbd",
    "not specified",
    "-",
];

const WEEKDAYS: [(Weekday, &[&str]); 7] = [
    (Weekday::Mon, &["monday", "mon"]),
    (Weekday::Tue, &["tuesday", "tue", "tues"]),
    (Weekday::Wed, &["wednesday", "wed", "weds", "wensday", "wednsday", "wendesday"]),
    (Weekday::Thu, &["thursday", "thu", "thur", "thurs", "thrusday"]),
    (Weekday::Fri, &["friday", "fri"]),
    (Weekday::Sat, &["saturday", "sat", "saterday"]),
    (Weekday::Sun, &["sunday", "sun"]),
];

const MONTHS: [&[&str]; 12] = [
    &["january", "jan"],
    &["february", "feb", "febuary", "feburary"],
    &["march", "mar"],
    &["april", "apr"],
    &["may"],
    &["june", "jun"],
    &["july", "jul"],
    &["august", "aug"],
    &["september", "sep", "sept"],
    &["october", "oct"],
    &["november", "nov"],
    &["december", "dec"],
];

/// "Tomorrow" and its common misspellings.
pub(super) const TOMORROW: &[&str] =
    &["tomorrow", "tommorow", "tommorrow", "tomorow", "tomorrows", "tmrw"];

/// A holiday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holiday {
    /// The words of its name.
    pub(super) words: &'static [&'static str],
    /// Month and day, if they are the same every year.
    pub(super) date: Option<(u32, u32)>,
}

impl Holiday {
    const fn fixed(words: &'static [&'static str], month: u32, day: u32) -> Self {
        Self { words, date: Some((month, day)) }
    }

    const fn movable(words: &'static [&'static str]) -> Self {
        Self { words, date: None }
    }
}

/// Holidays; a name that begins with another one is before it.
pub(super) const HOLIDAYS: &[Holiday] = &[
    Holiday::fixed(&["christmas", "eve"], 12, 24),
    Holiday::fixed(&["xmas", "eve"], 12, 24),
    Holiday::fixed(&["christmas", "day"], 12, 25),
    Holiday::fixed(&["christmas"], 12, 25),
    Holiday::fixed(&["xmas", "day"], 12, 25),
    Holiday::fixed(&["xmas"], 12, 25),
    Holiday::fixed(&["boxing", "day"], 12, 26),
    Holiday::fixed(&["new", "year's", "eve"], 12, 31),
    Holiday::fixed(&["new", "years", "eve"], 12, 31),
    Holiday::fixed(&["new", "year's", "day"], 1, 1),
    Holiday::fixed(&["new", "years", "day"], 1, 1),
    Holiday::fixed(&["new", "year's"], 1, 1),
    Holiday::fixed(&["new", "years"], 1, 1),
    Holiday::fixed(&["new", "year"], 1, 1),
    Holiday::fixed(&["valentine's", "day"], 2, 14),
    Holiday::fixed(&["valentines", "day"], 2, 14),
    Holiday::fixed(&["saint", "patrick's", "day"], 3, 17),
    Holiday::fixed(&["halloween"], 10, 31),
    Holiday::movable(&["independence", "day"]),
    Holiday::movable(&["thanksgiving", "day"]),
    Holiday::movable(&["thanksgiving"]),
    Holiday::movable(&["black", "friday"]),
    Holiday::movable(&["easter", "sunday"]),
    Holiday::movable(&["easter", "monday"]),
    Holiday::movable(&["easter"]),
    Holiday::movable(&["good", "friday"]),
    Holiday::movable(&["whit", "monday"]),
    Holiday::movable(&["labor", "day"]),
    Holiday::movable(&["labour", "day"]),
    Holiday::movable(&["memorial", "day"]),
    Holiday::movable(&["veterans", "day"]),
    Holiday::movable(&["columbus", "day"]),
    Holiday::movable(&["presidents", "day"]),
    Holiday::movable(&["mother's", "day"]),
    Holiday::movable(&["father's", "day"]),
    Holiday::movable(&["hanukkah"]),
    Holiday::movable(&["ramadan"]),
    Holiday::movable(&["diwali"]),
    Holiday::movable(&["eid"]),
];

/// Returns the weekday of a word.
pub(super) fn weekday(word: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(_, names)| names.contains(&word)).map(|(day, _)| *day)
}

/// Returns the month of a word, from 1.
pub(super) fn month(word: &str) -> Option<u32> {
    let nth = MONTHS.iter().position(|names| names.contains(&word))?;
    u32::try_from(nth + 1).ok()
}

/// Returns whether an argument of a tool has no value: empty, a word for "none", or a template that
/// was not filled in.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || (text.starts_with("{{") && text.ends_with("}}"))
        || PLACEHOLDERS.iter().any(|known| known.eq_ignore_ascii_case(text))
}
