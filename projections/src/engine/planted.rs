//! A deliberate bug that the torture harness must detect. Compiled only with the feature
//! `planted-bugs`.

use std::time::Duration;

use sqlx::{Postgres, Transaction};

use super::apply::{Target, show_path};
use super::claim::TenantClaims;
use super::fold::{Reached, fold_one};
use super::parking::Waiting;
use super::read::read;
use super::settle::Settled;
use super::turn::Worker;
use crate::projector::Prepared;

/// Delay between the commit of the checkpoints and that of the rows.
const LATE: Duration = Duration::from_millis(40);

impl Worker {
    /// Commits the checkpoints first and the rows later, in a separate transaction.
    pub(super) async fn turn_apart(
        &mut self,
        mut tx: Transaction<'_, Postgres>,
        claimed: Vec<TenantClaims>,
    ) -> sqlx::Result<usize> {
        let (mut late, mut settled) = (Vec::new(), Settled::default());
        for one in claimed {
            let Some(tenant) = one.tenant else { continue };
            for claim in one.claims {
                let after = (one.tenant_id, claim.position);
                let batch = read(&mut tx, self.times(), after, self.batches().read).await?;
                let reached = Reached { len: batch.events.len(), beyond: None };
                settled.reached(one.tenant_id, &claim, &batch, reached);
                late.push((tenant, claim, batch));
            }
        }
        settled.write(&mut tx).await?;
        tx.commit().await?;
        tokio::time::sleep(LATE).await;
        let mut tx = self.store().projector().begin().await?;
        let mut waiting = Waiting::default();
        for (tenant, claim, batch) in &late {
            let (name, version) = claim.key();
            show_path(&mut tx, name, version).await?;
            let (tenant, way) = (*tenant, claim.way);
            let projector = &*claim.projector;
            let target = Target { projector, version, tenant, way };
            fold_one(&mut tx, target, batch, Prepared::default(), &mut waiting).await?;
        }
        tx.commit().await?;
        Ok(late.len())
    }
}
