//! A start time in words that the grammar reads as the same instant.

use chrono::{DateTime, Datelike, MappedLocalTime, Offset, Timelike};
use chrono_tz::Tz;

use super::DateContext;
use super::resolve::MAX_DAYS_WITHOUT_YEAR;

/// "Thursday, December 24 at 2:30 pm".
pub(super) fn sentence(starts_at: DateTime<Tz>, context: &DateContext<'_>) -> String {
    let local = starts_at.naive_local();
    let today = context.reference.with_timezone(&context.zone).date_naive();
    let is_far = (local.date() - today).num_days() > MAX_DAYS_WITHOUT_YEAR;
    let mut text = local.format("%A, %B %-d").to_string();
    if local.year() != today.year() || is_far {
        text.push_str(&local.format(", %Y").to_string());
    }
    text.push_str(" at ");
    text.push_str(&match (local.minute(), local.second()) {
        (0, 0) => local.format("%-I %P").to_string(),
        (_, 0) => local.format("%-I:%M %P").to_string(),
        _ => local.format("%-I:%M:%S %P").to_string(),
    });
    // The clock shows this time twice: the offset says which one.
    if matches!(local.and_local_timezone(context.zone), MappedLocalTime::Ambiguous(..)) {
        text.push_str(&format!(" UTC{}", starts_at.offset().fix()));
    }
    text
}
