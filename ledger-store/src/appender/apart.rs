//! Tenants whose row is held by somebody else: each waits by itself, with all that comes for it, until
//! the row is let go or its requests have waited long enough. The lanes go on meanwhile.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger_core::ids::TenantId;
use sqlx::PgPool;
use tokio::sync::Semaphore;

use super::{APART, Lane, MAX_BYTES, MAX_REQUESTS, Waiting, refuse};
use crate::wake::Wake;

/// A request is not tried again after this time. With the last try, which may wait for a second, its
/// caller has its answer after five.
const DEADLINE: Duration = Duration::from_secs(4);
/// Between two tries of one tenant: others that are set apart have their turn.
const BETWEEN: Duration = Duration::from_millis(20);

/// The tenants that are set apart in this process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Apart(Arc<Inner>);

struct Inner {
    pool: PgPool,
    wake: Wake,
    /// One for each connection of the pool: waiting for one is no failure.
    turns: Semaphore,
    /// How many tenants are apart, to be read without the lock: mostly none is.
    tenants: AtomicUsize,
    queues: Mutex<HashMap<TenantId, VecDeque<Waiting>>>,
}

impl Apart {
    pub(super) fn new(pool: &PgPool, wake: &Wake) -> Self {
        Self(Arc::new(Inner {
            pool: pool.clone(),
            wake: wake.clone(),
            turns: Semaphore::new(APART as usize),
            tenants: AtomicUsize::new(0),
            queues: Mutex::default(),
        }))
    }

    /// Returns a request, unless its tenant is set apart: then it is queued behind the others of it.
    pub(super) fn pass(&self, waiting: Waiting) -> Option<Waiting> {
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

    /// Sets a request's tenant apart, and the request with it.
    pub(super) fn take(&self, waiting: Waiting) {
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
        tokio::spawn(Arc::clone(&self.0).see_through(tenant_id));
    }
}

impl Inner {
    fn queues(&self) -> MutexGuard<'_, HashMap<TenantId, VecDeque<Waiting>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends what waits of one tenant, in its order, until nothing does.
    async fn see_through(self: Arc<Self>, tenant_id: TenantId) {
        let mut lane = Lane::new(&self.pool, &self.wake);
        while let Some(batch) = self.next(tenant_id) {
            let turn = self.turns.acquire().await;
            let (locked, why) = lane.commit(batch).await;
            // The connection goes back before the next has its turn.
            lane.conn = None;
            drop(turn);
            let Some(why) = why else { continue };
            let is_overdue = |waiting: &Waiting| waiting.since.elapsed() > DEADLINE;
            let (overdue, rest): (Vec<_>, Vec<_>) = locked.into_iter().partition(is_overdue);
            if !overdue.is_empty() {
                refuse(overdue, why);
            }
            if let Some(queue) = self.queues().get_mut(&tenant_id) {
                for waiting in rest.into_iter().rev() {
                    queue.push_front(waiting);
                }
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// The next batch of a tenant; with none it is apart no more.
    fn next(&self, tenant_id: TenantId) -> Option<Vec<Waiting>> {
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
