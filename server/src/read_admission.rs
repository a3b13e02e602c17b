//! Admission control of reads, per tenant: some requests are served, some more queue, the rest are refused with
//! 503. A tenant with many expensive queries so leaves database connections to the others.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger_core::ids::TenantId;
use ledger_store::shares::Shares;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::problem::ApiError;

/// Queue length for each tenant: a thousand callers may want one time at once.
const MAX_QUEUED: usize = 2_048;
/// The longest time a request queues.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Requests of one tenant that may wait for a projection.
const MAX_AWAITING: usize = 500;

/// Permits of all tenants. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ReadAdmission {
    share: usize,
    permits: Shares<TenantId>,
    queue_slots: Shares<TenantId>,
    projection_waits: Shares<TenantId>,
}

/// Permit of one request; released when dropped or by [`ReadPermit::release`]. Clones share the same permit.
#[derive(Debug, Clone, Default)]
pub struct ReadPermit(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl ReadPermit {
    /// Releases the permit while the request only waits.
    pub fn release(&self) {
        self.put(None);
    }

    fn put(&self, read_permit: Option<OwnedSemaphorePermit>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = read_permit;
    }
}

impl ReadAdmission {
    /// Creates permits for a pool of this size: each tenant gets a quarter of the connections, and at least
    /// two.
    #[must_use]
    pub fn new(connections: u32) -> Self {
        Self {
            share: (connections as usize / 4).max(2),
            permits: Shares::default(),
            queue_slots: Shares::default(),
            projection_waits: Shares::default(),
        }
    }

    /// Acquires a permit for a request, in order of arrival within the tenant.
    ///
    /// # Errors
    /// 503 `tenant-busy` if the tenant's queue is full or the wait timed out.
    pub async fn acquire(&self, tenant_id: TenantId) -> Result<ReadPermit, ApiError> {
        let read_permit = ReadPermit::default();
        self.reacquire(&read_permit, tenant_id).await?;
        Ok(read_permit)
    }

    /// Acquires the permit again after [`ReadPermit::release`].
    ///
    /// # Errors
    /// As [`ReadAdmission::acquire`].
    pub async fn reacquire(
        &self,
        read_permit: &ReadPermit,
        tenant_id: TenantId,
    ) -> Result<(), ApiError> {
        if let Some(free) = self.permits.try_take(&tenant_id, self.share, 1) {
            read_permit.put(Some(free));
            return Ok(());
        }
        let _queue_slot = self.queue_slots.try_take(&tenant_id, MAX_QUEUED, 1).ok_or_else(busy)?;
        let taken = timeout(TIMEOUT, self.permits.take(&tenant_id, self.share, 1)).await;
        read_permit.put(Some(taken.map_err(|_| busy())?));
        Ok(())
    }

    /// Acquires a permit to wait for a projection.
    ///
    /// # Errors
    /// As [`ReadAdmission::acquire`].
    pub fn wait(&self, tenant_id: TenantId) -> Result<OwnedSemaphorePermit, ApiError> {
        self.projection_waits.try_take(&tenant_id, MAX_AWAITING, 1).ok_or_else(busy)
    }
}

fn busy() -> ApiError {
    metrics::counter!("ledger_tenant_busy_total").increment(1);
    let detail = "too many requests of this tenant are being served; try again in a moment";
    ApiError { retry_after: Some(1), ..ApiError::unavailable("tenant-busy", detail) }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_tenant_that_asks_too_much_waits_and_is_refused_alone() {
        let read_admission = ReadAdmission::new(16);
        let (many, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let mut served = Vec::new();
        for _ in 0..4 {
            served.push(read_admission.acquire(many).await.expect("a quarter of the connections"));
        }
        let brief = Duration::from_millis(50);
        let mut waiting = Vec::new();
        for _ in 0..MAX_QUEUED {
            let read_admission = read_admission.clone();
            waiting
                .push(tokio::spawn(async move { read_admission.acquire(many).await.map(|_| ()) }));
        }
        tokio::time::sleep(brief).await;
        let refused = read_admission.acquire(many).await.expect_err("there is no place to wait");
        assert_eq!((refused.code, refused.retry_after), ("tenant-busy", Some(1)));
        timeout(brief, read_admission.acquire(other))
            .await
            .expect("at once")
            .expect("another tenant");
        // A request that only waits for a projection frees its permit.
        served[0].release();
        for one in waiting {
            one.await.expect("a task").expect("each has its turn");
        }
        read_admission.reacquire(&served[0], many).await.expect("it goes on");
    }

    #[test]
    fn waiting_for_a_read_model_has_a_bound_for_each_tenant() {
        let read_admission = ReadAdmission::new(16);
        let (many, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let held: Vec<_> =
            (0..MAX_AWAITING).map(|_| read_admission.wait(many).expect("a place")).collect();
        assert_eq!(read_admission.wait(many).expect_err("no more").code, "tenant-busy");
        assert!(read_admission.wait(other).is_ok());
        drop(held);
        assert!(read_admission.wait(many).is_ok());
    }
}
