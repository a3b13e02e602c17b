//! Calls of a batch that are folded and encoded speculatively, as new calls, while the previous
//! batch is written. Most calls of a rebuild are new.

use std::collections::HashMap;

use ledger_core::ids::TenantId;
use uuid::Uuid;

use super::Touched;
use super::row::Spelled;
use crate::projector::LogEvent;

/// Encoded rows by call id, with the number of folded events.
#[derive(Default)]
pub(super) struct Ahead(HashMap<Uuid, (usize, Spelled)>);

impl Ahead {
    /// Folds and encodes all calls of the events as if no state of them existed. Calls with an
    /// undecodable event are omitted; the regular path then parks that event.
    pub(super) fn of<'e>(tenant_id: TenantId, events: impl Iterator<Item = &'e LogEvent>) -> Self {
        let mut told: HashMap<Uuid, Option<Vec<_>>> = HashMap::new();
        for event in events {
            let told = told.entry(event.key()).or_insert_with(|| Some(Vec::new()));
            match (event.recorded(), &mut *told) {
                (Ok(recorded), Some(events)) => events.push((recorded, event)),
                _ => *told = None,
            }
        }
        let calls = told.into_iter().filter_map(|(call_id, events)| {
            let touched = Touched { key: (tenant_id, call_id), before: None, events: events? };
            Some((call_id, (touched.events.len(), Spelled::of(touched))))
        });
        Self(calls.collect())
    }

    /// Removes and returns the encoded row, if the call is new and exactly the events of the batch
    /// were folded. Returns `None` otherwise: the caller folds the call again.
    pub(super) fn take(&mut self, touched: &Touched<'_>) -> Option<Spelled> {
        let (events, spelled) = self.0.remove(&touched.key.1)?;
        (touched.before.is_none() && events == touched.events.len()).then_some(spelled)
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

    fn told(position: i64, status: &str) -> LogEvent {
        event(position, &format!(r#"{{"provider_status":"{status}","status":"{status}"}}"#))
    }

    fn touched(events: &[LogEvent]) -> Touched<'_> {
        let events = events.iter().map(|event| (event.recorded().expect("it can be read"), event));
        Touched { key: (TENANT, CALL), before: None, events: events.collect() }
    }

    #[test]
    fn a_call_is_taken_as_it_was_folded_ahead_when_all_of_its_events_are_folded() {
        let events = [told(1, "ringing"), told(2, "ended")];
        let taken = Ahead::of(TENANT, events.iter()).take(&touched(&events)).expect("folded ahead");
        assert_eq!(taken, Spelled::of(touched(&events)));
    }

    #[test]
    fn a_call_without_one_of_its_events_is_not_what_was_folded_ahead() {
        let events = [told(1, "ringing"), told(2, "ended")];
        // One event was dropped or is parked.
        assert!(Ahead::of(TENANT, events.iter()).take(&touched(&events[..1])).is_none());
        // The call has stored state already.
        let known = Touched { before: Some(crate::calls::Folded::default()), ..touched(&events) };
        assert!(Ahead::of(TENANT, events.iter()).take(&known).is_none());
        // One event cannot be decoded.
        let unread = [told(1, "ringing"), event(2, "{}")];
        assert!(Ahead::of(TENANT, unread.iter()).take(&touched(&unread[..1])).is_none());
    }
}
