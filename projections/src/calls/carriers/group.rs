//! Computes the changes of records from the changes of calls and from which call names which.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::calls::bookings::{Bookings, Rebooked};
use crate::calls::contribution::Contribution;
use crate::calls::update::{CallKey, RollupChange, StoredCalls};

/// The calls of a batch and the stored calls joined to them.
#[derive(Default)]
pub(super) struct Groups {
    /// What each call is on its own, before and after the batch. Stored calls do not change.
    calls: BTreeMap<CallKey, RollupChange>,
    /// The calls that name each carrier's call, before or after the batch.
    names: BTreeMap<CallKey, BTreeSet<CallKey>>,
    /// Whether a carrier's call is a part after the batch, where that was decided again.
    parts: BTreeMap<CallKey, bool>,
    /// What carriers' calls add to a record, before and after the batch.
    added: BTreeMap<CallKey, [Added; 2]>,
}

/// Handles and appointments of carriers' calls that a record has.
#[derive(Default)]
struct Added {
    handles: BTreeSet<Uuid>,
    bookings: Bookings,
}

/// The side of a change: before or after the batch.
type Side = fn(&RollupChange) -> Option<&Contribution>;

const SIDES: [Side; 2] = [|change| change.before.as_ref(), |change| change.now.as_ref()];

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
    pub(super) fn add_stored(&mut self, stored: StoredCalls) {
        let StoredCalls { calls, bookings } = stored;
        for (key, state) in calls {
            let none = Bookings::default();
            let stored = Contribution::of(key.0, &state.call, bookings.get(&key).unwrap_or(&none));
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

    /// Joins the call of a carrier to the calls that name it, and to those that named it before. Its
    /// handles find each of them; its appointments are those of the first one, so that they count
    /// once.
    pub(super) fn join(&mut self, carrier: CallKey) {
        let Some(part) = self.calls.get(&carrier) else { return };
        let calls = self.names.get(&carrier).into_iter().flatten();
        let calls: Vec<&RollupChange> = calls.filter_map(|call| self.calls.get(call)).collect();
        let mut is_named = false;
        for (nth, side) in SIDES.into_iter().enumerate() {
            let names = |call: &&&RollupChange| {
                side(call).is_some_and(|one| one.carrier_call_id == Some(carrier.1))
            };
            let records: Vec<&RollupChange> = calls.iter().filter(names).copied().collect();
            is_named = !records.is_empty();
            let Some(part) = side(part) else { continue };
            for record in &records {
                let added = &mut self.added.entry(record.key).or_default()[nth];
                added.handles.extend(&part.handles);
            }
            let started_at = |call: &RollupChange| side(call).map(|one| one.started_at);
            let first = records.iter().min_by_key(|call| (started_at(call), call.key));
            if let Some(first) = first {
                self.added.entry(first.key).or_default()[nth].bookings.extend(&part.bookings);
            }
        }
        self.parts.insert(carrier, is_named && part.now.is_some());
    }

    /// Returns the changes of the records, in which a part contributes nothing, the rows to move, and
    /// the rows whose columns about appointments change.
    pub(super) fn finish(self) -> (Vec<RollupChange>, Moves, Vec<Rebooked>) {
        let Self { calls, parts, mut added, .. } = self;
        let (mut records, mut moves) = (Vec::with_capacity(calls.len()), Moves::default());
        let mut rebooked = Vec::new();
        for (key, mut change) in calls {
            let is_part = parts.get(&key).copied().unwrap_or(change.was_part);
            match (change.was_part, is_part) {
                _ if change.now.is_none() => {}
                (false, true) => moves.to_hide.push(key),
                (true, false) => moves.to_show.push(key),
                _ => {}
            }
            let [before, now] = added.remove(&key).unwrap_or_default();
            // A new row was written with the appointments of the call alone, and the row of a part
            // has these only.
            let is_new = change.before.is_none();
            let own = change.now.as_ref().filter(|_| is_new || is_part);
            let own = own.map(|one| one.bookings.clone());
            let held = match (&mut change.before, change.was_part) {
                (None, _) => own.clone(),
                (Some(before), true) => Some(before.bookings.clone()),
                (Some(one), false) => {
                    one.add_bookings(&before.bookings);
                    Some(one.bookings.clone())
                }
            };
            if let Some(one) = change.now.as_mut().filter(|_| !is_part) {
                one.add_bookings(&now.bookings);
            }
            let wanted = change.now.as_ref().map(|one| one.bookings.clone());
            if let Some(bookings) = wanted.filter(|wanted| Some(wanted) != held.as_ref()) {
                rebooked.push(Rebooked { key, is_part, bookings });
            }
            change.before = change.before.filter(|_| !change.was_part);
            change.now = change.now.filter(|_| !is_part);
            for (side, added) in [(&mut change.before, before), (&mut change.now, now)] {
                if let Some(side) = side {
                    side.handles.extend(added.handles);
                }
            }
            if change.before != change.now {
                records.push(change);
            }
        }
        (records, moves, rebooked)
    }
}
