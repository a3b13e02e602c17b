//! Tenants with a locked row: each has a queue of its own with all of its requests, until the lock
//! is released or the requests reach their deadline. The workers continue with other tenants.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger_core::ids::TenantId;
use sqlx::PgPool;
use tokio::sync::Semaphore;

use super::{APART_CONNECTIONS, AppendWorker, MAX_BYTES, MAX_REQUESTS, PendingAppend, refuse};
use crate::notifier::CommitNotifier;

/// Age after which a request is not retried. With the last try, which waits at most a second for
/// the lock, a caller has its answer within five seconds.
const DEADLINE: Duration = Duration::from_secs(4);
/// Pause between two tries for one tenant, so that other tenants get a connection.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The tenants that are set apart in this process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Apart(Arc<Inner>);

struct Inner {
    pool: PgPool,
    notifier: CommitNotifier,
    /// Has one permit per connection of the pool, so that waiting for a connection is not a pool
    /// timeout.
    permits: Semaphore,
    /// Number of tenants that are set apart, readable without the lock; usually 0.
    tenants: AtomicUsize,
    queues: Mutex<HashMap<TenantId, VecDeque<PendingAppend>>>,
}

impl Apart {
    pub(super) fn new(pool: &PgPool, notifier: &CommitNotifier) -> Self {
        Self(Arc::new(Inner {
            pool: pool.clone(),
            notifier: notifier.clone(),
            permits: Semaphore::new(APART_CONNECTIONS as usize),
            tenants: AtomicUsize::new(0),
            queues: Mutex::default(),
        }))
    }

    /// Returns the request, or queues it behind the others if its tenant is set apart.
    pub(super) fn divert(&self, waiting: PendingAppend) -> Option<PendingAppend> {
        if self.0.tenants.load(Ordering::Acquire) == 0 {
            return Some(waiting);
        }
        match self.0.queues().get_mut(&waiting.request.tenant_id) {
            Some(queue) => {
                queue.push_back(waiting);
                None
            }
            None => Some(waiting),
        }
    }

    /// Sets the request's tenant apart and queues the request.
    pub(super) fn set_apart(&self, waiting: PendingAppend) {
        let tenant_id = waiting.request.tenant_id;
        let mut queues = self.0.queues();
        if let Some(queue) = queues.get_mut(&tenant_id) {
            queue.push_back(waiting);
            return;
        }
        queues.insert(tenant_id, VecDeque::from([waiting]));
        self.0.tenants.fetch_add(1, Ordering::AcqRel);
        metrics::counter!("ledger_append_set_apart_total").increment(1);
        tracing::warn!(%tenant_id, "append.tenant_held");
        tokio::spawn(Arc::clone(&self.0).drain(tenant_id));
    }
}

impl Inner {
    fn queues(&self) -> MutexGuard<'_, HashMap<TenantId, VecDeque<PendingAppend>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends the queued requests of a tenant in order, until the queue is empty.
    async fn drain(self: Arc<Self>, tenant_id: TenantId) {
        let mut worker = AppendWorker::new(&self.pool, &self.notifier);
        while let Some(batch) = self.next(tenant_id) {
            let permit = self.permits.acquire().await;
            let (locked, lock_error) = worker.commit(batch).await;
            // Returned before the permit is released, so that the next task finds a free
            // connection.
            worker.conn = None;
            drop(permit);
            let Some(lock_error) = lock_error else { continue };
            let is_overdue = |waiting: &PendingAppend| waiting.since.elapsed() > DEADLINE;
            let (overdue, rest): (Vec<_>, Vec<_>) = locked.into_iter().partition(is_overdue);
            if !overdue.is_empty() {
                refuse(overdue, lock_error);
            }
            if let Some(queue) = self.queues().get_mut(&tenant_id) {
                for waiting in rest.into_iter().rev() {
                    queue.push_front(waiting);
                }
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    /// The next batch of a tenant; `None` removes the empty queue, and the tenant is no longer
    /// apart.
    fn next(&self, tenant_id: TenantId) -> Option<Vec<PendingAppend>> {
        let mut queues = self.queues();
        let queue = queues.get_mut(&tenant_id)?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < MAX_REQUESTS && bytes < MAX_BYTES {
            let Some(waiting) = queue.pop_front() else { break };
            bytes += waiting.request.size();
            batch.push(waiting);
        }
        if batch.is_empty() {
            queues.remove(&tenant_id);
            self.tenants.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(batch)
    }
}
