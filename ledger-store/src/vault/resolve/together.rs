//! Resolves the messages of all waiting tenants in one transaction.
//!
//! It never waits long for a tenant: a tenant with a lock that is taken is left to a transaction of
//! its own, and so are all tenants when the transaction fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ledger_core::ids::TenantId;
use sqlx::pool::PoolConnection;
use sqlx::{Connection, Postgres};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::batch::Decision;
use super::tenant_batch::TenantBatch;
use super::{PendingResolution, TIMEOUT, Worker, answer, messages};
use crate::vault::{VaultError, database};

/// Idle time after which the connection is returned to the pool, which checks it before reuse.
const IDLE_RELEASE: Duration = Duration::from_secs(1);
/// A row that another session has locked delays the other tenants no longer than this.
const BEGIN: &str = "begin; set local lock_timeout = '50ms'";

/// Messages by tenant.
pub(super) type Waiting = BTreeMap<TenantId, Vec<PendingResolution>>;

/// The connection of these transactions, kept while there is work.
pub(super) struct Together {
    worker: Arc<Worker>,
    conn: Option<PoolConnection<Postgres>>,
}

impl Together {
    pub(super) fn new(worker: &Arc<Worker>) -> Self {
        Self { worker: Arc::clone(worker), conn: None }
    }

    /// Receives the next message. The connection is returned when the pool closes.
    pub(super) async fn next(
        &mut self,
        queue: &mut mpsc::Receiver<PendingResolution>,
    ) -> Option<PendingResolution> {
        if self.conn.is_some() {
            tokio::select! {
                biased;
                next = queue.recv() => return next,
                () = self.worker.pool.close_event() => self.conn = None,
                () = tokio::time::sleep(IDLE_RELEASE) => self.conn = None,
            }
        }
        queue.recv().await
    }

    /// Answers the messages of as many tenants as possible, and returns the others.
    pub(super) async fn resolve(&mut self, mut waiting: Waiting) -> Waiting {
        let keys = &self.worker.keys;
        let epoch = |(tenant_id, waiting): (&TenantId, &Vec<PendingResolution>)| {
            Some(TenantBatch::of(*tenant_id, messages(waiting), keys.cached_epochs(*tenant_id)?))
        };
        // A tenant with an epoch that is not cached reads it in its own transaction.
        let batches: Vec<TenantBatch> = waiting.iter().filter_map(epoch).collect();
        if batches.is_empty() {
            return waiting;
        }
        let timed_out = || database(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
        let decided = timeout(TIMEOUT, self.try_resolve(&batches)).await;
        match decided.unwrap_or_else(|_| Err(timed_out())) {
            Ok(decided) => {
                for (batch, decision) in batches.iter().zip(decided) {
                    let Some(decision) = decision else { continue };
                    let resolved = self.worker.finish(batch, decision);
                    let waiting = waiting.remove(&batch.tenant_id).unwrap_or_default();
                    answer(waiting, Ok(resolved));
                }
            }
            Err(error) if may_concern_one_tenant(&error) => {
                tracing::debug!(error = %error, "vault.resolved_one_by_one");
            }
            Err(error) => {
                let all = batches.iter().filter_map(|batch| waiting.remove(&batch.tenant_id));
                answer(all.flatten().collect(), Err(error));
            }
        }
        waiting
    }

    /// Returns a decision for each batch; `None` if its tenant has to be resolved alone.
    async fn try_resolve(
        &mut self,
        batches: &[TenantBatch],
    ) -> Result<Vec<Option<Decision>>, VaultError> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.worker.pool.acquire().await.map_err(database)?,
        };
        let mut tx = conn.begin_with(BEGIN).await.map_err(database)?;
        let decided = self.worker.decide(&mut tx, batches).await?;
        let decided = match decided {
            Some(decided) => {
                tx.commit().await.map_err(database)?;
                decided
            }
            // A conflict: each tenant decides again, with its attempts.
            None => {
                tx.rollback().await.map_err(database)?;
                batches.iter().map(|_| None).collect()
            }
        };
        self.conn = Some(conn);
        Ok(decided)
    }
}

/// Whether the other tenants may succeed: the database answered, or the keys of one tenant are the
/// cause.
fn may_concern_one_tenant(error: &VaultError) -> bool {
    match error {
        VaultError::Keyring(_) | VaultError::Corrupt { .. } => true,
        VaultError::Database(error) => error.as_database_error().is_some(),
        VaultError::Overloaded | VaultError::Refused(_) => false,
    }
}
