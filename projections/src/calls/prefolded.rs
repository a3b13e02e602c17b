//! Calls of a batch that are folded and encoded speculatively, as new calls, while the previous
//! batch is written. Most calls of a rebuild are new.

use std::collections::HashMap;

use ledger_core::ids::TenantId;
use uuid::Uuid;

use super::row::EncodedRow;
use super::update::{BookingsChange, CallUpdate};
use crate::projector::LogEvent;

/// Encoded rows by call id, with the number of folded events.
#[derive(Default)]
pub(super) struct Prefolded(HashMap<Uuid, (usize, EncodedRow)>);

impl Prefolded {
    /// Folds and encodes all calls of the events as if no state of them existed. Calls with an
    /// undecodable event are omitted; the regular path then parks that event.
    pub(super) fn of<'e>(tenant_id: TenantId, events: impl Iterator<Item = &'e LogEvent>) -> Self {
        let mut reported: HashMap<Uuid, Option<Vec<_>>> = HashMap::new();
        for event in events {
            let reported = reported.entry(event.stream()).or_insert_with(|| Some(Vec::new()));
            match (event.recorded(), &mut *reported) {
                (Ok(recorded), Some(events)) => events.push((recorded, event)),
                _ => *reported = None,
            }
        }
        let calls = reported.into_iter().filter_map(|(call_id, events)| {
            let (key, bookings) = ((tenant_id, call_id), BookingsChange::default());
            let update = CallUpdate { key, before: None, bookings, events: events? };
            Some((call_id, (update.events.len(), EncodedRow::of(update))))
        });
        Self(calls.collect())
    }

    /// Removes and returns the encoded row, if the call is new, has no appointments, and exactly the
    /// events of the batch were folded. Returns `None` otherwise: the caller folds the call again.
    pub(super) fn remove(&mut self, update: &CallUpdate<'_>) -> Option<EncodedRow> {
        let (events, encoded) = self.0.remove(&update.key.1)?;
        let is_new = update.before.is_none() && update.bookings == BookingsChange::default();
        (is_new && events == update.events.len()).then_some(encoded)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use ledger_store::read::StoredEvent;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const CALL: Uuid = Uuid::from_u128(2);

    fn event(position: i64, facts: &str) -> LogEvent {
        let stored = StoredEvent {
            position,
            stream_id: CALL,
            stream_kind: "call".to_owned(),
            stream_version: position,
            event_id: Uuid::from_u128(position.unsigned_abs().into()),
            event_type: "call.status_changed".to_owned(),
            schema_version: 1,
            occurred_at: DateTime::UNIX_EPOCH,
            recorded_at: DateTime::UNIX_EPOCH,
            facts: facts.to_owned(),
            sections: None,
            bulk: None,
            subjects: None,
        };
        LogEvent::new(stored, DateTime::UNIX_EPOCH)
    }

    fn reported(position: i64, status: &str) -> LogEvent {
        event(position, &format!(r#"{{"provider_status":"{status}","status":"{status}"}}"#))
    }

    fn update(events: &[LogEvent]) -> CallUpdate<'_> {
        let events = events.iter().map(|event| (event.recorded().expect("it can be read"), event));
        let (key, bookings) = ((TENANT, CALL), BookingsChange::default());
        CallUpdate { key, before: None, bookings, events: events.collect() }
    }

    #[test]
    fn a_call_is_taken_as_it_was_folded_ahead_when_all_of_its_events_are_folded() {
        let events = [reported(1, "ringing"), reported(2, "ended")];
        let taken =
            Prefolded::of(TENANT, events.iter()).remove(&update(&events)).expect("folded ahead");
        assert_eq!(taken, EncodedRow::of(update(&events)));
    }

    #[test]
    fn a_call_without_one_of_its_events_is_not_what_was_folded_ahead() {
        let events = [reported(1, "ringing"), reported(2, "ended")];
        // One event was dropped or is parked.
        assert!(Prefolded::of(TENANT, events.iter()).remove(&update(&events[..1])).is_none());
        // The call has stored state already.
        let known = CallUpdate {
            before: Some(crate::calls::update::CallState::default()),
            ..update(&events)
        };
        assert!(Prefolded::of(TENANT, events.iter()).remove(&known).is_none());
        // One event cannot be decoded.
        let unread = [reported(1, "ringing"), event(2, "{}")];
        assert!(Prefolded::of(TENANT, unread.iter()).remove(&update(&unread[..1])).is_none());
    }
}
