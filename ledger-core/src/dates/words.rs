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

/// Holidays, with month and day where the date is the same every year.
pub(super) const HOLIDAYS: &[(&[&str], Option<(u32, u32)>)] = &[
    (&["christmas", "eve"], Some((12, 24))),
    (&["xmas", "eve"], Some((12, 24))),
    (&["christmas", "day"], Some((12, 25))),
    (&["christmas"], Some((12, 25))),
    (&["xmas", "day"], Some((12, 25))),
    (&["xmas"], Some((12, 25))),
    (&["boxing", "day"], Some((12, 26))),
    (&["new", "year's", "eve"], Some((12, 31))),
    (&["new", "years", "eve"], Some((12, 31))),
    (&["new", "year's", "day"], Some((1, 1))),
    (&["new", "years", "day"], Some((1, 1))),
    (&["new", "year's"], Some((1, 1))),
    (&["new", "years"], Some((1, 1))),
    (&["new", "year"], Some((1, 1))),
    (&["valentine's", "day"], Some((2, 14))),
    (&["valentines", "day"], Some((2, 14))),
    (&["saint", "patrick's", "day"], Some((3, 17))),
    (&["halloween"], Some((10, 31))),
    (&["independence", "day"], None),
    (&["thanksgiving", "day"], None),
    (&["thanksgiving"], None),
    (&["black", "friday"], None),
    (&["easter", "sunday"], None),
    (&["easter", "monday"], None),
    (&["easter"], None),
    (&["good", "friday"], None),
    (&["whit", "monday"], None),
    (&["labor", "day"], None),
    (&["labour", "day"], None),
    (&["memorial", "day"], None),
    (&["veterans", "day"], None),
    (&["columbus", "day"], None),
    (&["presidents", "day"], None),
    (&["mother's", "day"], None),
    (&["father's", "day"], None),
    (&["hanukkah"], None),
    (&["ramadan"], None),
    (&["diwali"], None),
    (&["eid"], None),
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
