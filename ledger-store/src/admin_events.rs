//! Administrative events: each change to a tenant's configuration is recorded in its log with the
//! actor, in the transaction that makes the change.

use ledger_core::actor::Actor;
use ledger_core::event::Event;
use ledger_core::ids::{KeyId, Position, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::append::{AppendOutcome, append};
use crate::appender::AppendError;
use crate::error::StoreError;

/// The actor of a change and the request that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribution {
    /// The actor of the change.
    pub actor: Actor,
    /// Id of the request.
    pub request_id: Uuid,
}

impl Attribution {
    /// A request with an API key.
    #[must_use]
    pub const fn key(key_id: KeyId, request_id: Uuid) -> Self {
        Self { actor: Actor::Key(key_id), request_id }
    }
}

impl Store {
    /// The operator as actor, with a new request id.
    #[must_use]
    pub fn operator(&self) -> Attribution {
        Attribution { actor: Actor::Operator, request_id: self.ids.ordered() }
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
        let request = self.tenant_event_request(tenant_id, *by, &event.into(), Vec::new());
        match append(conn, &[&request]).await?.pop() {
            Some(AppendOutcome::Appended(appended)) => Ok(appended.last),
            Some(AppendOutcome::Rejected(why)) => Err(AppendError::Rejected(why).into()),
            Some(AppendOutcome::Conflict(actual)) => Err(AppendError::Conflict { actual }.into()),
            None => Err(AppendError::Unavailable(None).into()),
        }
    }
}
