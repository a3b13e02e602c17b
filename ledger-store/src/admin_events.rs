//! Administrative events: each change to a tenant's configuration is recorded in its log with the
//! actor, in the transaction that makes the change.

use ledger_core::actor::Actor;
use ledger_core::event::Event;
use ledger_core::ids::{CommandId, KeyId, Position, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::append::AppendError;
use crate::append::{AppendOutcome, AppendRequest, StreamAppend, append};
use crate::error::StoreError;

/// The actor of a change and the request that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribution {
    /// The actor of the change.
    pub actor: Actor,
    /// Id of the request.
    pub request_id: Uuid,
    /// The command; `None` for a request that cannot be repeated.
    pub command_id: Option<CommandId>,
}

impl Attribution {
    /// A request with an API key.
    #[must_use]
    pub const fn key(key_id: KeyId, request_id: Uuid) -> Self {
        Self { actor: Actor::Key(key_id), request_id, command_id: None }
    }

    /// The same attribution for a command that may be repeated. The ids of the events, and of what the
    /// command creates, are derived from the command, so a repetition records and creates nothing.
    #[must_use]
    pub fn with_command(self, command_id: Option<CommandId>) -> Self {
        Self { command_id, ..self }
    }
}

impl Store {
    /// The operator as actor, with a new request id.
    #[must_use]
    pub fn operator(&self) -> Attribution {
        let request_id = self.ids.ordered();
        Attribution { actor: Actor::Operator, request_id, command_id: None }
    }

    /// A background task of the ledger as actor, with a new request id.
    #[must_use]
    pub fn server(&self) -> Attribution {
        let request_id = self.ids.ordered();
        Attribution { actor: Actor::Server, request_id, command_id: None }
    }

    /// Records a change made by the operator.
    pub(crate) async fn record_admin_event(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        event: impl Into<Event>,
    ) -> Result<Position, StoreError> {
        self.record_admin_event_by(&self.operator(), conn, tenant_id, event).await
    }

    /// Records a change in the transaction that makes it, so that both are committed or neither.
    /// The tenant's log is locked until the commit.
    pub(crate) async fn record_admin_event_by(
        &self,
        by: &Attribution,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        event: impl Into<Event>,
    ) -> Result<Position, StoreError> {
        self.record_admin_events(by, conn, tenant_id, &[event.into()]).await
    }

    /// Records the events of a change, of which there is at least one, in the transaction that makes
    /// it. Returns the position of the last one.
    pub(crate) async fn record_admin_events(
        &self,
        by: &Attribution,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        events: &[Event],
    ) -> Result<Position, StoreError> {
        let mut streams: Vec<StreamAppend> = Vec::new();
        for event in events {
            let request = self.tenant_event_request(tenant_id, *by, event, Vec::new());
            for stream in request.streams {
                match streams.iter_mut().find(|known| known.stream_id == stream.stream_id) {
                    Some(known) => known.events.extend(stream.events),
                    None => streams.push(stream),
                }
            }
        }
        if let Some(command_id) = by.command_id {
            let events = streams.iter_mut().flat_map(|stream| &mut stream.events);
            for (nth, event) in (0..).zip(events) {
                event.event_id = tenant_id.command_event(command_id, nth);
            }
        }
        let request = AppendRequest { tenant_id, streams };
        match append(conn, &[&request]).await?.pop() {
            Some(AppendOutcome::Appended(appended)) => Ok(appended.last),
            Some(AppendOutcome::Rejected(why)) => Err(AppendError::Rejected(why).into()),
            Some(AppendOutcome::Conflict(actual)) => Err(AppendError::Conflict { actual }.into()),
            None => Err(AppendError::Unavailable(None).into()),
        }
    }
}
