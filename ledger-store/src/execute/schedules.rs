//! Events of schedule streams that this process has read before. A booking of any resource depends on the
//! schedules of all of them, of which few have changed since the booking before it.

use std::sync::Arc;

use ledger_core::event::Event;
use ledger_core::ids::{EventId, StreamId, StreamVersion, TenantId};
use moka::sync::Cache;

use crate::caches;

/// The first events of a stream, in the order of the log.
#[derive(Debug, Clone)]
pub(super) struct FirstEvents {
    /// With their positions.
    pub(super) events: Arc<[(i64, Event)]>,
    /// Id of the last one. A restored database may have another event in its place.
    pub(super) last: Option<EventId>,
}

/// The known events, by stream.
pub(super) struct Schedules(Cache<(TenantId, StreamId), FirstEvents>);

impl Schedules {
    pub(super) fn new() -> Self {
        let events =
            |_: &_, events: &FirstEvents| u32::try_from(events.events.len()).unwrap_or(u32::MAX);
        Self(caches::SCHEDULE_EVENTS.build_weighted(events))
    }

    pub(super) fn get(&self, tenant_id: TenantId, stream_id: StreamId) -> Option<FirstEvents> {
        self.0.get(&(tenant_id, stream_id))
    }

    pub(super) fn put(&self, tenant_id: TenantId, stream_id: StreamId, events: &FirstEvents) {
        self.0.insert((tenant_id, stream_id), events.clone());
    }
}

impl FirstEvents {
    /// No events.
    pub(super) fn none() -> Self {
        Self { events: Arc::new([]), last: None }
    }

    /// Version of the last one; versions are 1, 2, 3 ….
    pub(super) fn version(&self) -> StreamVersion {
        StreamVersion(i64::try_from(self.events.len()).unwrap_or(i64::MAX))
    }
}
