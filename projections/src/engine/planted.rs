//! A deliberate bug that the torture harness must detect. Compiled only with the feature
//! `fault-injection`.

use std::time::Duration;

use sqlx::{Postgres, Transaction};

use super::apply::{VersionTarget, set_search_path};
use super::checkpoint::CycleResult;
use super::claim::TenantClaims;
use super::cycle::Worker;
use super::fold::{BatchProgress, apply_batch};
use super::parking::ParkedKeys;
use super::read::read;
use crate::projector::Precomputed;

/// Delay between the commit of the checkpoints and that of the rows.
const LATE: Duration = Duration::from_millis(40);

impl Worker {
    /// Commits the checkpoints first and the rows later, in a separate transaction.
    pub(super) async fn run_split_cycle(
        &mut self,
        mut tx: Transaction<'_, Postgres>,
        claimed: Vec<TenantClaims>,
    ) -> sqlx::Result<usize> {
        let (mut late, mut cycle_result) = (Vec::new(), CycleResult::default());
        for one in claimed {
            let Some(tenant) = one.tenant else { continue };
            for claim in one.claims {
                let after = (one.tenant_id, claim.position);
                let batch = read(&mut tx, self.reader(), after, self.batches().read).await?;
                let reached = BatchProgress { len: batch.events.len(), undecodable: None };
                cycle_result.reached(one.tenant_id, &claim, &batch, reached);
                late.push((tenant, claim, batch));
            }
        }
        cycle_result.write(&mut tx, self.store().clock().now()).await?;
        tx.commit().await?;
        tokio::time::sleep(LATE).await;
        let mut tx = self.store().projector().begin().await?;
        let mut parked_keys = ParkedKeys::default();
        for (tenant, claim, batch) in &late {
            let (name, version) = claim.key();
            set_search_path(&mut tx, name, version).await?;
            let (tenant, mode) = (*tenant, claim.mode);
            let projector = &*claim.projector;
            let target = VersionTarget { projector, version, tenant, mode };
            apply_batch(&mut tx, target, batch, Precomputed::default(), &mut parked_keys).await?;
        }
        tx.commit().await?;
        Ok(late.len())
    }
}
