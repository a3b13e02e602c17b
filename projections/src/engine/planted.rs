//! A bug on purpose, for the torture harness to find. In no build but its own: the feature `planted-bugs`.

use std::time::Duration;

use ledger_store::read::events_after;
use sqlx::{PgConnection, Postgres, Transaction};

use super::{BATCH, Claim, Worker};
use crate::projector::ProjectError;

/// How long the rows stay behind their checkpoint.
const LATE: Duration = Duration::from_millis(40);

impl Worker {
    /// Commits the checkpoints, then the rows.
    pub(super) async fn turn_apart(
        &self,
        tx: Transaction<'_, Postgres>,
        claims: Vec<Claim>,
    ) -> sqlx::Result<usize> {
        tx.commit().await?;
        let mut conn = self.store.projector().acquire().await?;
        for claim in &claims {
            self.advance_apart(&mut conn, claim).await?;
        }
        Ok(claims.len())
    }

    async fn advance_apart(&self, conn: &mut PgConnection, claim: &Claim) -> sqlx::Result<()> {
        let events = events_after(conn, claim.tenant_id, claim.position, BATCH).await?;
        let Some(last) = events.last() else { return Ok(()) };
        self.move_checkpoint(conn, claim, ledger_core::ids::Position(last.position)).await?;
        tokio::time::sleep(LATE).await;
        match self.projector.project(conn, claim.tenant_id, &events).await {
            Err(ProjectError::Database(error)) => Err(error),
            Ok(()) | Err(ProjectError::Halt(_)) => Ok(()),
        }
    }
}
