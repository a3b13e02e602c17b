//! Matching of tool call entries from different messages.
//!
//! The report with the highest precedence lists all tool calls of the call, so each of its entries
//! is a tool call. An entry of another message matches a report entry with an equal key, a report
//! entry with an id where it has none (or the reverse), or a report entry with differently written
//! arguments. An entry without a match is a tool call that the report omits.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{Told, Weight};

/// A tool call under construction: its matched entries.
struct Group<'t> {
    members: Vec<&'t Told>,
    /// True if a message other than the report has an entry for it.
    is_told: bool,
    has_id: bool,
    /// True if it has an entry with an id and an entry without an id.
    is_of_both_shapes: bool,
}

/// Groups the entries by tool call, the report's entry first. The result is a function of the
/// entries alone.
pub(super) fn groups(told: &[Told], reported: Option<Weight>) -> Vec<Vec<&Told>> {
    let place = |one: &Told| {
        let position = reported?.position;
        one.io.iter().find(|io| !io.is_live() && io.position == position).map(|io| io.nth)
    };
    let mut listed: Vec<(u16, &Told)> = Vec::new();
    let mut others: Vec<&Told> = Vec::new();
    for one in told {
        match place(one) {
            Some(nth) => listed.push((nth, one)),
            None => others.push(one),
        }
    }
    if listed.is_empty() && others.len() < 2 {
        return others.into_iter().map(|one| vec![one]).collect();
    }
    listed.sort_unstable_by_key(|(nth, _)| *nth);
    let at = |one: &Told| one.at.as_ref().map_or((i64::MAX, 0), |at| at.value.0);
    others.sort_by(|a, b| at(a).cmp(&at(b)).then_with(|| a.key.cmp(&b.key)));
    let mut matched = Matched::default();
    for (_, entry) in listed {
        // An equal key in another message has already added its reference.
        matched.begin(entry, entry.io.len() > 1);
    }
    let others = matched.attach_all(others, Matched::of_other_shape);
    let others = matched.attach_all(others, Matched::of_same_id);
    let others = matched.attach_all(others, Matched::of_same_tool);
    matched.add_unlisted(others);
    matched.groups.into_iter().map(|group| group.members).collect()
}

#[derive(Default)]
struct Matched<'t> {
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

impl<'t> Matched<'t> {
    fn begin(&mut self, one: &'t Told, is_told: bool) {
        let nth = self.groups.len();
        let key = &one.key;
        let has_id = key.id.is_some();
        if let Some(arguments) = &key.arguments {
            let slot = (key.tool.as_str(), arguments.as_str(), has_id);
            self.by_arguments.entry(slot).or_default().push_back(nth);
        }
        if let Some(id) = &key.id {
            self.known_ids.entry(id).or_default().push(nth);
        }
        if !is_told {
            if let Some(id) = &key.id {
                self.by_id.entry(id).or_default().push_back(nth);
            }
            self.by_tool.entry((key.tool.as_str(), has_id)).or_default().push_back(nth);
        }
        let (members, is_of_both_shapes) = (vec![one], false);
        self.groups.push(Group { members, is_told, has_id, is_of_both_shapes });
    }

    fn attach_all(
        &mut self,
        others: Vec<&'t Told>,
        find: impl Fn(&mut Self, &'t Told) -> Option<usize>,
    ) -> Vec<&'t Told> {
        let mut left = Vec::new();
        for one in others {
            match find(self, one) {
                Some(nth) => self.attach(nth, one),
                None => left.push(one),
            }
        }
        left
    }

    fn attach(&mut self, nth: usize, one: &'t Told) {
        let group = &mut self.groups[nth];
        group.is_told = true;
        group.is_of_both_shapes |= group.has_id != one.key.id.is_some();
        group.members.push(one);
    }

    /// Finds a group with the same tool and arguments, where either the entry or the group has an
    /// id, but not both.
    fn of_other_shape(&mut self, one: &'t Told) -> Option<usize> {
        let arguments = one.key.arguments.as_deref()?;
        let slot = (one.key.tool.as_str(), arguments, one.key.id.is_none());
        let groups = &self.groups;
        next(self.by_arguments.get_mut(&slot)?, |nth| !groups[nth].is_of_both_shapes)
    }

    /// Finds a group with the same id. The report may write the arguments differently, or have the
    /// result only.
    fn of_same_id(&mut self, one: &'t Told) -> Option<usize> {
        let groups = &self.groups;
        let queue = self.by_id.get_mut(one.key.id.as_deref()?)?;
        queue.retain(|nth| !groups[*nth].is_told);
        let is_meant = |nth: &usize| are_one_tool(&groups[*nth].members[0].key.tool, &one.key.tool);
        let at = queue.iter().position(is_meant)?;
        queue.remove(at)
    }

    /// Finds a group with the same tool, where the entry, the group or both have no id.
    fn of_same_tool(&mut self, one: &'t Told) -> Option<usize> {
        if one.key.tool.is_empty() {
            return None;
        }
        let shapes: &[bool] = if one.key.id.is_some() { &[false] } else { &[false, true] };
        let groups = &self.groups;
        shapes.iter().find_map(|has_id| {
            let queue = self.by_tool.get_mut(&(one.key.tool.as_str(), *has_id))?;
            next(queue, |nth| !groups[nth].is_told)
        })
    }

    /// Adds the entries without a match in the report. Entries without a digest of the arguments
    /// (from older builds, or of an erased person) are merged with other entries of the same id.
    fn add_unlisted(&mut self, others: Vec<&'t Told>) {
        let (clear, blind): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|one| one.key.arguments.is_some());
        let (named, nameless): (Vec<_>, Vec<_>) =
            clear.into_iter().partition(|one| one.key.id.is_some());
        for one in named {
            self.begin(one, true);
        }
        for one in self.attach_all(nameless, Self::of_other_shape) {
            self.begin(one, true);
        }
        let (tools, results): (Vec<_>, Vec<_>) =
            blind.into_iter().partition(|one| !one.key.tool.is_empty());
        for one in tools.into_iter().chain(results) {
            match self.known_id(one) {
                Some(nth) => self.attach(nth, one),
                None => self.begin(one, true),
            }
        }
    }

    fn known_id(&self, one: &'t Told) -> Option<usize> {
        let known = self.known_ids.get(one.key.id.as_deref()?)?;
        let is_meant =
            |nth: &usize| are_one_tool(&self.groups[*nth].members[0].key.tool, &one.key.tool);
        known.iter().copied().find(is_meant)
    }
}

/// Returns true if the names are equal or a name is empty; a bare result has no tool name.
fn are_one_tool(one: &str, other: &str) -> bool {
    one == other || one.is_empty() || other.is_empty()
}

/// Removes and returns the first free index; indices that were matched otherwise are dropped.
fn next(queue: &mut VecDeque<usize>, is_free: impl Fn(usize) -> bool) -> Option<usize> {
    std::iter::from_fn(|| queue.pop_front()).find(|nth| is_free(*nth))
}
