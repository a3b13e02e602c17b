//! Maximum sizes of the collections of a call, so that no history makes the row of a call large.
//!
//! Each collection keeps its smallest entries by its own order. What is kept is therefore the same
//! for any order of arrival and any repetition. The log keeps every event.

use std::collections::BTreeSet;

/// Names of tools.
pub(super) const MAX_TOOL_NAMES: usize = 200;
/// Tool calls; a report lists at most as many.
pub(super) const MAX_TOOL_CALLS: usize = 1_000;
/// References of one tool call to end-of-call reports.
pub(super) const MAX_REPORTS: usize = 4;
/// Turns of the conversation that are stored as single events.
pub(super) const MAX_TURNS: usize = 2_000;
/// Links to recordings.
pub(super) const MAX_RECORDINGS: usize = 100;
/// Handles of all numbers and addresses.
pub(super) const MAX_HANDLES: usize = 100;

/// Adds an entry to a set that keeps its `max` smallest entries.
pub(super) fn insert<T: Ord>(set: &mut BTreeSet<T>, entry: T, max: usize) {
    set.insert(entry);
    if set.len() > max {
        set.pop_last();
    }
}
