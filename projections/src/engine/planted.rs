//! A bug on purpose, for the torture harness to find. In no build but its own: the feature `planted-bugs`.

use std::time::Duration;

use sqlx::{Postgres, Transaction};

use super::claim::TenantClaims;
use super::parking::Waiting;
use super::read::read;
use super::settle::settle;
use super::turn::{Reached, Worker, fold_one};
use crate::projector::Prepared;

/// How long the rows stay behind their checkpoint.
const LATE: Duration = Duration::from_millis(40);

impl Worker {
    /// Commits the checkpoints, then the rows.
    pub(super) async fn turn_apart(
        &mut self,
        mut tx: Transaction<'_, Postgres>,
        claimed: Vec<TenantClaims>,
    ) -> sqlx::Result<usize> {
        let mut late = Vec::new();
        for one in claimed {
            let Some(tenant) = one.tenant else { continue };
            for claim in one.claims {
                let after = (one.tenant_id, claim.position);
                let batch = read(&mut tx, self.times(), after, self.batches().read).await?;
                let reached = Reached { len: batch.events.len(), beyond: None };
                settle(&mut tx, tenant, &claim, &batch, reached).await?;
                late.push((tenant, claim, batch));
            }
        }
        tx.commit().await?;
        tokio::time::sleep(LATE).await;
        let mut tx = self.store().projector().begin().await?;
        let mut waiting = Waiting::default();
        for (tenant, claim, batch) in &late {
            fold_one(&mut tx, *tenant, claim, batch, Prepared::default(), &mut waiting).await?;
        }
        tx.commit().await?;
        Ok(late.len())
    }
}
