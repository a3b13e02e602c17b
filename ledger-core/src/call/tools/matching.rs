//! Matching of tool call entries from different messages.
//!
//! The report with the highest precedence lists all tool calls of the call, so each of its entries
//! is a tool call. An entry of another message matches a report entry with an equal key, a report
//! entry with an id where it has none (or the reverse), or a report entry with differently written
//! arguments. An entry without a match is a tool call that the report omits.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{Precedence, ReportedToolCall};

/// A tool call under construction: its matched entries.
struct Group<'t> {
    members: Vec<&'t ReportedToolCall>,
    /// True if a message other than the report has an entry for it.
    is_matched: bool,
    has_id: bool,
    /// True if it has an entry with an id and an entry without an id.
    has_both_shapes: bool,
}

/// Groups the entries by tool call, the report's entry first. The result is a function of the
/// entries alone.
pub(super) fn groups(
    entries: &[ReportedToolCall],
    reported: Option<Precedence>,
) -> Vec<Vec<&ReportedToolCall>> {
    let place = |entry: &ReportedToolCall| {
        let position = reported?.position;
        entry.io.iter().find(|io| !io.is_live() && io.position == position).map(|io| io.nth)
    };
    let mut listed: Vec<(u16, &ReportedToolCall)> = Vec::new();
    let mut others: Vec<&ReportedToolCall> = Vec::new();
    for entry in entries {
        match place(entry) {
            Some(nth) => listed.push((nth, entry)),
            None => others.push(entry),
        }
    }
    if listed.is_empty() && others.len() < 2 {
        return others.into_iter().map(|entry| vec![entry]).collect();
    }
    listed.sort_unstable_by_key(|(nth, _)| *nth);
    let at = |entry: &ReportedToolCall| entry.at.as_ref().map_or((i64::MAX, 0), |at| at.value.0);
    others.sort_by(|a, b| at(a).cmp(&at(b)).then_with(|| a.key.cmp(&b.key)));
    let mut matched = Matcher::default();
    for (_, entry) in listed {
        // An equal key in another message has already added its reference.
        matched.begin(entry, entry.io.len() > 1);
    }
    let others = matched.attach_all(others, Matcher::find_other_shape);
    let others = matched.attach_all(others, Matcher::find_same_id);
    let others = matched.attach_all(others, Matcher::find_same_tool);
    matched.add_unlisted(others);
    matched.groups.into_iter().map(|group| group.members).collect()
}

#[derive(Default)]
struct Matcher<'t> {
    groups: Vec<Group<'t>>,
    /// Groups by tool, digest of the arguments, and whether there is an id.
    by_arguments: HashMap<(&'t str, &'t str, bool), VecDeque<usize>>,
    /// Report entries without a match so far, by id.
    by_id: BTreeMap<&'t str, VecDeque<usize>>,
    /// Report entries without a match so far, by tool and whether there is an id.
    by_tool: HashMap<(&'t str, bool), VecDeque<usize>>,
    /// All groups, by id.
    known_ids: HashMap<&'t str, Vec<usize>>,
}

impl<'t> Matcher<'t> {
    fn begin(&mut self, entry: &'t ReportedToolCall, is_matched: bool) {
        let nth = self.groups.len();
        let key = &entry.key;
        let has_id = key.id.is_some();
        if let Some(arguments) = &key.arguments {
            let slot = (key.tool.as_str(), arguments.as_str(), has_id);
            self.by_arguments.entry(slot).or_default().push_back(nth);
        }
        if let Some(id) = &key.id {
            self.known_ids.entry(id).or_default().push(nth);
        }
        if !is_matched {
            if let Some(id) = &key.id {
                self.by_id.entry(id).or_default().push_back(nth);
            }
            self.by_tool.entry((key.tool.as_str(), has_id)).or_default().push_back(nth);
        }
        let (members, has_both_shapes) = (vec![entry], false);
        self.groups.push(Group { members, is_matched, has_id, has_both_shapes });
    }

    fn attach_all(
        &mut self,
        others: Vec<&'t ReportedToolCall>,
        find: impl Fn(&mut Self, &'t ReportedToolCall) -> Option<usize>,
    ) -> Vec<&'t ReportedToolCall> {
        let mut left = Vec::new();
        for entry in others {
            match find(self, entry) {
                Some(nth) => self.attach(nth, entry),
                None => left.push(entry),
            }
        }
        left
    }

    fn attach(&mut self, nth: usize, entry: &'t ReportedToolCall) {
        let group = &mut self.groups[nth];
        group.is_matched = true;
        group.has_both_shapes |= group.has_id != entry.key.id.is_some();
        group.members.push(entry);
    }

    /// Finds a group with the same tool and arguments, where either the entry or the group has an
    /// id, but not both.
    fn find_other_shape(&mut self, entry: &'t ReportedToolCall) -> Option<usize> {
        let arguments = entry.key.arguments.as_deref()?;
        let slot = (entry.key.tool.as_str(), arguments, entry.key.id.is_none());
        let groups = &self.groups;
        next_free(self.by_arguments.get_mut(&slot)?, |nth| !groups[nth].has_both_shapes)
    }

    /// Finds a group with the same id. The report may write the arguments differently, or have the
    /// result only.
    fn find_same_id(&mut self, entry: &'t ReportedToolCall) -> Option<usize> {
        let groups = &self.groups;
        let queue = self.by_id.get_mut(entry.key.id.as_deref()?)?;
        queue.retain(|nth| !groups[*nth].is_matched);
        let is_match =
            |nth: &usize| is_same_tool(&groups[*nth].members[0].key.tool, &entry.key.tool);
        let at = queue.iter().position(is_match)?;
        queue.remove(at)
    }

    /// Finds a group with the same tool, where the entry, the group or both have no id.
    fn find_same_tool(&mut self, entry: &'t ReportedToolCall) -> Option<usize> {
        if entry.key.tool.is_empty() {
            return None;
        }
        let shapes: &[bool] = if entry.key.id.is_some() { &[false] } else { &[false, true] };
        let groups = &self.groups;
        shapes.iter().find_map(|has_id| {
            let queue = self.by_tool.get_mut(&(entry.key.tool.as_str(), *has_id))?;
            next_free(queue, |nth| !groups[nth].is_matched)
        })
    }

    /// Adds the entries without a match in the report. Entries without a digest of the arguments
    /// (from older builds, or of an erased person) are merged with other entries of the same id.
    fn add_unlisted(&mut self, others: Vec<&'t ReportedToolCall>) {
        let (with_arguments, without_arguments): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|entry| entry.key.arguments.is_some());
        let (with_id, without_id): (Vec<_>, Vec<_>) =
            with_arguments.into_iter().partition(|entry| entry.key.id.is_some());
        for entry in with_id {
            self.begin(entry, true);
        }
        for entry in self.attach_all(without_id, Self::find_other_shape) {
            self.begin(entry, true);
        }
        let (tools, results): (Vec<_>, Vec<_>) =
            without_arguments.into_iter().partition(|entry| !entry.key.tool.is_empty());
        for entry in tools.into_iter().chain(results) {
            match self.find_known_id(entry) {
                Some(nth) => self.attach(nth, entry),
                None => self.begin(entry, true),
            }
        }
    }

    fn find_known_id(&self, entry: &'t ReportedToolCall) -> Option<usize> {
        let known = self.known_ids.get(entry.key.id.as_deref()?)?;
        let is_match =
            |nth: &usize| is_same_tool(&self.groups[*nth].members[0].key.tool, &entry.key.tool);
        known.iter().copied().find(is_match)
    }
}

/// Returns true if the names are equal or a name is empty; a bare result has no tool name.
fn is_same_tool(one: &str, other: &str) -> bool {
    one == other || one.is_empty() || other.is_empty()
}

/// Removes and returns the first free index; indices that were matched otherwise are dropped.
fn next_free(queue: &mut VecDeque<usize>, is_free: impl Fn(usize) -> bool) -> Option<usize> {
    std::iter::from_fn(|| queue.pop_front()).find(|nth| is_free(*nth))
}
