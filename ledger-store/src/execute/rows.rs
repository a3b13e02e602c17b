//! The command path for aggregates whose state is in rows: configuration of a tenant, which has facts
//! that no event has.
//!
//! The rows are the state at the end of the log: they change only here, in the transaction that
//! appends the events. The log of a tenant also has what is not configuration, so folding it for each
//! command would be slow. The installation has no log: its rows alone are written.

use std::error::Error;
use std::future::Future;

use ledger_core::aggregate::Aggregate;
use ledger_core::ids::{Position, TenantId};
use ledger_core::tenant::TenantState;
use sqlx::PgConnection;
use thiserror::Error;

use super::load;
use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::tenant_tx::begin;
use crate::tenants::stored_state::stored_state;

/// The rows of an aggregate, for one command.
pub(crate) trait Rows<A: Aggregate>: Sync {
    /// The rows, with what decisions do not need.
    type Loaded: Send;

    /// Reads and locks the rows of the command. `tenant` is the tenant's state; `None` if there is no
    /// such tenant, as for the installation.
    fn load(
        &self,
        conn: &mut PgConnection,
        tenant: Option<TenantState>,
    ) -> impl Future<Output = Result<(A::State, Self::Loaded), StoreError>> + Send;

    /// Writes the rows as they are after the events, of which there is at least one.
    fn write(
        &self,
        conn: &mut PgConnection,
        loaded: &mut Self::Loaded,
        events: &[A::Event],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A command that was decided over rows.
pub(crate) struct Changed<L, E> {
    /// The rows after the command.
    pub(crate) rows: L,
    /// The events of the command; empty if nothing changed.
    pub(crate) events: Vec<E>,
    /// Position of the last event; `None` if nothing changed, and for the installation.
    pub(crate) position: Option<Position>,
}

/// The reason for which a configuration was not changed.
#[derive(Debug, Error)]
pub enum ChangeError<R: Error + 'static> {
    /// The change was rejected.
    #[error("the change was rejected")]
    Rejected(#[source] R),
    /// The database did not answer, or the log refused the event.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<R: Error + 'static> From<sqlx::Error> for ChangeError<R> {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Executes a command over rows: locks the tenant's log, looks for events of the same command,
    /// locks the rows, decides, and commits events and rows together. No other change of the tenant
    /// comes between, so there are no conflicts. A repeated command records nothing and gets the
    /// position and the events of its first run. Takes effect in this process at once, in others
    /// within seconds.
    ///
    /// # Errors
    /// [`ChangeError`]; repeating the command with the same id is safe.
    pub(crate) async fn execute_over_rows<A, W>(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        command: &A::Command,
        rows: &W,
    ) -> Result<Changed<W::Loaded, A::Event>, ChangeError<A::Rejection>>
    where
        A: Aggregate<
                Command: Sync,
                Event: Clone + Send + Sync,
                State: Send,
                Rejection: Error + 'static,
            >,
        W: Rows<A>,
    {
        let mut tx = begin(&self.owner).await?;
        // The lock that orders the log: no other change and no append comes between.
        let tenant = sqlx::query_scalar!(
            "select state from ledger.tenants where tenant_id = $1 for no key update",
            tenant_id.0,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let tenant = tenant.map(|word| stored_state(&word)).transpose()?;
        let earlier = match by.command_id {
            Some(command_id) => load::earlier(&mut tx, tenant_id, command_id).await?,
            None => None,
        };
        let (state, mut loaded) = rows.load(&mut tx, tenant).await?;
        if let Some(earlier) = earlier {
            let position = earlier.events.iter().map(|(position, _)| *position).max();
            let events = earlier.events.into_iter().filter_map(|(_, event)| event.try_into().ok());
            return Ok(Changed { rows: loaded, events: events.collect(), position });
        }
        let decided = A::decide(&state, command).map_err(ChangeError::Rejected)?;
        let events: Vec<A::Event> = decided.into_iter().map(|decided| decided.event).collect();
        if events.is_empty() {
            return Ok(Changed { rows: loaded, events, position: None });
        }
        let position = match tenant_id {
            TenantId::INSTALLATION => None,
            _ => {
                let events: Vec<_> = events.iter().cloned().map(Into::into).collect();
                Some(self.record_admin_events(by, &mut tx, tenant_id, &events).await?)
            }
        };
        rows.write(&mut tx, &mut loaded, &events).await?;
        tx.commit().await?;
        self.settings_cache.invalidate(tenant_id);
        self.notifier.notify([tenant_id]);
        Ok(Changed { rows: loaded, events, position })
    }
}
