//! Calls of a batch that are folded and spelled before it is known that they are new, while the batch
//! before is written: most are.

use std::collections::HashMap;

use ledger_core::ids::TenantId;
use uuid::Uuid;

use super::Touched;
use super::row::Spelled;
use crate::projector::LogEvent;

/// By the call, with the number of its events.
#[derive(Default)]
pub(super) struct Ahead(HashMap<Uuid, (usize, Spelled)>);

impl Ahead {
    /// Folds all calls, each as if nothing had been told of it before. One with an event that cannot be
    /// read is left out: it is met in its turn.
    pub(super) fn of<'e>(tenant_id: TenantId, events: impl Iterator<Item = &'e LogEvent>) -> Self {
        let mut told: HashMap<Uuid, Option<Vec<_>>> = HashMap::new();
        for event in events {
            let told = told.entry(event.key()).or_insert_with(|| Some(Vec::new()));
            match (event.recorded(), &mut *told) {
                (Ok(recorded), Some(events)) => events.push((recorded, &event.stored)),
                _ => *told = None,
            }
        }
        let calls = told.into_iter().filter_map(|(call_id, events)| {
            let touched = Touched { call_id, before: None, events: events? };
            Some((call_id, (touched.events.len(), Spelled::of(tenant_id, touched))))
        });
        Self(calls.collect())
    }

    /// A call of which all events of the batch are folded, and nothing else.
    pub(super) fn take(&mut self, touched: &Touched<'_>) -> Option<Spelled> {
        let (events, spelled) = self.0.remove(&touched.call_id)?;
        (touched.before.is_none() && events == touched.events.len()).then_some(spelled)
    }
}
