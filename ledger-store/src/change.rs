//! What is set up and altered, with who did it: each change is an event in the tenant's log, in the
//! transaction that makes it.

use ledger_core::event::Event;
use ledger_core::ids::{KeyId, Position, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::append::{Answer, append};
use crate::appender::AppendError;
use crate::error::StoreError;

/// Who sets things up when nobody is signed in: the operator at the command line.
const OPERATOR: &str = "operator";

/// Who changes something, and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    actor: String,
    request_id: Uuid,
}

impl Author {
    /// Whoever holds a key.
    #[must_use]
    pub fn key(key_id: KeyId, request_id: Uuid) -> Self {
        Self { actor: format!("key:{key_id}"), request_id }
    }
}

impl Store {
    /// The operator, in a request of their own.
    #[must_use]
    pub fn operator(&self) -> Author {
        Author { actor: OPERATOR.to_owned(), request_id: self.ids.ordered() }
    }

    /// Records what an operator changes.
    pub(crate) async fn record_change(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        event: &Event,
    ) -> Result<Position, StoreError> {
        self.record_change_by(&self.operator(), conn, tenant_id, event).await
    }

    /// Records what somebody changes, in the transaction that changes it: neither stands without the
    /// other. The tenant's log is locked until the commit.
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
