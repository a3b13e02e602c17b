//! Administrative events: each change to a tenant's configuration is recorded in its log with the
//! actor, in the transaction that makes the change.

use ledger_core::event::Event;
use ledger_core::ids::{CommandId, KeyId, Position, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::append::{AppendOutcome, append};
use crate::appender::AppendError;
use crate::error::StoreError;

/// The actor of a change made at the command line, without an API key.
const OPERATOR: &str = "operator";

/// The actor of a change, the request that made it, and the command it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub(crate) actor: String,
    pub(crate) request_id: Uuid,
    /// The command; `None` for a request that cannot be repeated.
    pub(crate) command_id: Option<CommandId>,
}

impl Actor {
    /// The holder of an API key.
    #[must_use]
    pub fn key(key_id: KeyId, request_id: Uuid) -> Self {
        Self { actor: format!("key:{key_id}"), request_id, command_id: None }
    }

    /// The same actor for a command that may be repeated. The ids of the events, and of what the
    /// command creates, are derived from the command, so a repetition records and creates nothing.
    #[must_use]
    pub fn with_command(self, command_id: Option<CommandId>) -> Self {
        Self { command_id, ..self }
    }
}

impl Store {
    /// The operator as actor, with a new request id.
    #[must_use]
    pub fn operator(&self) -> Actor {
        Actor { actor: OPERATOR.to_owned(), request_id: self.ids.ordered(), command_id: None }
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
        let Actor { actor, request_id, command_id } = actor;
        let mut request =
            self.tenant_event_request(tenant_id, actor, *request_id, event, Vec::new());
        if let Some(command_id) = command_id {
            request.streams[0].events[0].event_id = tenant_id.command_event(*command_id, 0);
        }
        match append(conn, &[&request]).await?.pop() {
            Some(AppendOutcome::Appended(appended)) => Ok(appended.last),
            Some(AppendOutcome::Refused(reason)) => Err(AppendError::Refused { reason }.into()),
            Some(AppendOutcome::Conflict(actual)) => Err(AppendError::Conflict { actual }.into()),
            None => Err(AppendError::Unavailable(None).into()),
        }
    }

    /// The position of the event that an earlier run of the actor's command recorded; `None` when
    /// there is none, or when the command cannot be repeated.
    pub(crate) async fn recorded_by_command(
        &self,
        actor: &Actor,
        conn: &mut PgConnection,
        tenant_id: TenantId,
    ) -> Result<Option<Position>, StoreError> {
        let Some(command_id) = actor.command_id else { return Ok(None) };
        let position = sqlx::query_scalar!(
            "select position from ledger.events where tenant_id = $1 and event_id = $2",
            tenant_id.0,
            tenant_id.command_event(command_id, 0).0,
        )
        .fetch_optional(conn)
        .await?;
        Ok(position.map(Position))
    }
}
