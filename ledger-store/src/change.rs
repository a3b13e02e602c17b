//! Administrative events: each change to a tenant's configuration is recorded in its log with the
//! actor, in the transaction that makes the change.

use ledger_core::event::Event;
use ledger_core::ids::{KeyId, Position, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::append::{Answer, append};
use crate::appender::AppendError;
use crate::error::StoreError;

/// The actor of a change made at the command line, without an API key.
const OPERATOR: &str = "operator";

/// The actor of a change and the request that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    actor: String,
    request_id: Uuid,
}

impl Author {
    /// The holder of an API key.
    #[must_use]
    pub fn key(key_id: KeyId, request_id: Uuid) -> Self {
        Self { actor: format!("key:{key_id}"), request_id }
    }
}

impl Store {
    /// The operator as actor, with a new request id.
    #[must_use]
    pub fn operator(&self) -> Author {
        Author { actor: OPERATOR.to_owned(), request_id: self.ids.ordered() }
    }

    /// Records a change made by the operator.
    pub(crate) async fn record_change(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        event: &Event,
    ) -> Result<Position, StoreError> {
        self.record_change_by(&self.operator(), conn, tenant_id, event).await
    }

    /// Records a change in the transaction that makes it, so that both are committed or neither.
    /// The tenant's log is locked until the commit.
    pub(crate) async fn record_change_by(
        &self,
        author: &Author,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        event: &Event,
    ) -> Result<Position, StoreError> {
        let Author { actor, request_id } = author;
        let request = self.own_request(tenant_id, actor, *request_id, event, Vec::new());
        match append(conn, &[&request]).await?.pop() {
            Some(Answer::Appended(appended)) => Ok(appended.last),
            Some(Answer::Refused(reason)) => Err(AppendError::Refused { reason }.into()),
            Some(Answer::Conflict(actual)) => Err(AppendError::Conflict { actual }.into()),
            None => Err(AppendError::Unavailable(None).into()),
        }
    }
}
