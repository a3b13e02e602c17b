//! Administrative events: each change to a tenant's configuration is recorded in its log with the
//! actor, in the transaction that makes the change.

use ledger_core::event::Event;
use ledger_core::ids::{KeyId, Position, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::append::{AppendOutcome, append};
use crate::appender::AppendError;
use crate::error::StoreError;

/// The actor of a change made at the command line, without an API key.
const OPERATOR: &str = "operator";

/// The actor of a change and the request that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    actor: String,
    request_id: Uuid,
}

impl Actor {
    /// The holder of an API key.
    #[must_use]
    pub fn key(key_id: KeyId, request_id: Uuid) -> Self {
        Self { actor: format!("key:{key_id}"), request_id }
    }
}

impl Store {
    /// The operator as actor, with a new request id.
    #[must_use]
    pub fn operator(&self) -> Actor {
        Actor { actor: OPERATOR.to_owned(), request_id: self.ids.ordered() }
    }

    /// Records a change made by the operator.
    pub(crate) async fn record_admin_event(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        event: &Event,
    ) -> Result<Position, StoreError> {
        self.record_admin_event_by(&self.operator(), conn, tenant_id, event).await
    }

    /// Records a change in the transaction that makes it, so that both are committed or neither.
    /// The tenant's log is locked until the commit.
    pub(crate) async fn record_admin_event_by(
        &self,
        actor: &Actor,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        event: &Event,
    ) -> Result<Position, StoreError> {
        let Actor { actor, request_id } = actor;
        let request = self.tenant_event_request(tenant_id, actor, *request_id, event, Vec::new());
        match append(conn, &[&request]).await?.pop() {
            Some(AppendOutcome::Appended(appended)) => Ok(appended.last),
            Some(AppendOutcome::Refused(reason)) => Err(AppendError::Refused { reason }.into()),
            Some(AppendOutcome::Conflict(actual)) => Err(AppendError::Conflict { actual }.into()),
            None => Err(AppendError::Unavailable(None).into()),
        }
    }
}
