//! Computes the changes of records from the changes of calls and from which call names which.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::calls::contribution::Contribution;
use crate::calls::update::{CallKey, CallState, RollupChange};

/// The calls of a batch and the stored calls joined to them.
#[derive(Default)]
pub(super) struct Groups {
    /// What each call is on its own, before and after the batch. Stored calls do not change.
    calls: BTreeMap<CallKey, RollupChange>,
    /// The calls that name each carrier's call, before or after the batch.
    names: BTreeMap<CallKey, BTreeSet<CallKey>>,
    /// Whether a carrier's call is a part after the batch, where that was decided again.
    parts: BTreeMap<CallKey, bool>,
    /// Handles of carriers' calls that a record has, before and after the batch.
    added: BTreeMap<CallKey, [BTreeSet<Uuid>; 2]>,
}

/// Rows that change their table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// Records that are parts now.
    pub(super) to_hide: Vec<CallKey>,
    /// Parts that are records now.
    pub(super) to_show: Vec<CallKey>,
}

impl Groups {
    pub(super) fn new(changes: Vec<RollupChange>) -> Self {
        let mut groups = Self::default();
        for change in changes {
            groups.add(change);
        }
        groups
    }

    /// Adds stored calls that the batch does not change.
    pub(super) fn add_stored(&mut self, states: HashMap<CallKey, CallState>) {
        for (key, state) in states {
            let stored = Contribution::of(key.0, &state.call);
            let before = Some(stored.clone());
            self.add(RollupChange { key, before, now: Some(stored), was_part: state.is_part });
        }
    }

    fn add(&mut self, change: RollupChange) {
        let key = change.key;
        for one in change.before.iter().chain(&change.now) {
            if let Some(carrier) = one.carrier_call_id {
                self.names.entry((key.0, carrier)).or_default().insert(key);
            }
        }
        self.calls.insert(key, change);
    }

    pub(super) fn contains(&self, key: &CallKey) -> bool {
        self.calls.contains_key(key)
    }

    /// Joins the call of a carrier to the calls that name it, and to those that named it before.
    pub(super) fn join(&mut self, carrier: CallKey) {
        let Some(part) = self.calls.get(&carrier) else { return };
        let names = |one: &Option<Contribution>| {
            one.as_ref().is_some_and(|one| one.carrier_call_id == Some(carrier.1))
        };
        let mut is_named = false;
        for call in self.names.get(&carrier).into_iter().flatten() {
            let Some(call) = self.calls.get(call) else { continue };
            let added = self.added.entry(call.key).or_default();
            let sides = [(&call.before, &part.before), (&call.now, &part.now)];
            for (added, (call, part)) in added.iter_mut().zip(sides) {
                if let (true, Some(part)) = (names(call), part) {
                    added.extend(&part.handles);
                }
            }
            is_named |= names(&call.now);
        }
        self.parts.insert(carrier, is_named && part.now.is_some());
    }

    /// Returns the changes of the records, in which a part contributes nothing, and the rows to
    /// move.
    pub(super) fn finish(self) -> (Vec<RollupChange>, Moves) {
        let Self { calls, parts, mut added, .. } = self;
        let (mut records, mut moves) = (Vec::with_capacity(calls.len()), Moves::default());
        for (key, mut change) in calls {
            let is_part = parts.get(&key).copied().unwrap_or(change.was_part);
            match (change.was_part, is_part) {
                _ if change.now.is_none() => {}
                (false, true) => moves.to_hide.push(key),
                (true, false) => moves.to_show.push(key),
                _ => {}
            }
            let sides = [(&mut change.before, change.was_part), (&mut change.now, is_part)];
            for ((side, is_part), added) in
                sides.into_iter().zip(added.remove(&key).unwrap_or_default())
            {
                *side = side.take().filter(|_| !is_part);
                if let Some(side) = side {
                    side.handles.extend(added);
                }
            }
            if change.before != change.now {
                records.push(change);
            }
        }
        (records, moves)
    }
}
