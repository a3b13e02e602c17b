//! Events about the tenant itself and about access to its data. They have no sealed sections.

use ledger_core::envelope::StreamKind;
use ledger_core::event::Event;
use ledger_core::ids::{EventId, SubjectId, TenantId};

use super::Meta;
use crate::Store;
use crate::admin_events::Attribution;
use crate::append::AppendError;
use crate::append::{AppendRequest, Appended, Expected, NewEvent, StreamAppend};

impl Store {
    /// Records an event about the tenant itself, or about access to its data. `subjects` are the
    /// ids of the persons concerned.
    ///
    /// Settings are in the tenant's own stream; an access is in the stream of its actor and day.
    ///
    /// # Errors
    /// [`AppendError`]; an access that could not be recorded must not be granted.
    pub async fn record_tenant_event(
        &self,
        tenant_id: TenantId,
        by: Attribution,
        event: impl Into<Event>,
        subjects: Vec<SubjectId>,
    ) -> Result<Appended, AppendError> {
        let request = self.tenant_event_request(tenant_id, by, &event.into(), subjects);
        self.appender.append(request).await
    }

    /// Builds the append request of [`Store::record_tenant_event`].
    pub(crate) fn tenant_event_request(
        &self,
        tenant_id: TenantId,
        by: Attribution,
        event: &Event,
        subjects: Vec<SubjectId>,
    ) -> AppendRequest {
        let now = self.clock.now_micros();
        let meta = Meta {
            source_id: None,
            actor: Some(by.actor),
            request_id: by.request_id,
            content: None,
            erased: false,
        };
        let new = NewEvent {
            event_id: EventId(self.ids.ordered()),
            event_type: event.event_type(),
            schema_version: event.schema_version(),
            occurred_at: now,
            recorded_at: now,
            facts: event.to_facts(),
            sections: None,
            bulk: None,
            subjects,
            meta: serde_json::to_string(&meta).expect("plain strings and ids"),
        };
        let (stream_id, kind) = match event {
            Event::Access(_) => {
                (by.actor.access_stream(tenant_id, now.date_naive()), StreamKind::Access)
            }
            _ => (tenant_id.tenant_stream(), StreamKind::Tenant),
        };
        let stream = StreamAppend { stream_id, kind, expected: Expected::Any, events: vec![new] };
        AppendRequest { tenant_id, streams: vec![stream] }
    }
}
