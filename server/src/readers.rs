//! Admission control for reads, per tenant: some requests are served, some more queue, the rest are refused
//! with 503. A tenant with many expensive queries so leaves database connections to the others.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger_core::ids::TenantId;
use ledger_store::shares::Shares;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::problem::ApiError;

/// Queue length for each tenant.
const WAITING: usize = 512;
/// The longest time a request queues.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests of one tenant that may wait for a projection.
const AWAITING: usize = 500;

/// Permits of all tenants. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readers {
    share: usize,
    seats: Shares<TenantId>,
    places: Shares<TenantId>,
    awaiting: Shares<TenantId>,
}

/// Permit of one request; released when dropped or by [`Seat::leave`]. Clones share the same permit.
#[derive(Debug, Clone, Default)]
pub struct Seat(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Seat {
    /// Releases the permit while the request only waits.
    pub fn leave(&self) {
        self.put(None);
    }

    fn put(&self, seat: Option<OwnedSemaphorePermit>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seat;
    }
}

impl Readers {
    /// Creates permits for a pool of this size: each tenant gets a quarter of the connections, and at least
    /// two.
    #[must_use]
    pub fn new(connections: u32) -> Self {
        Self {
            share: (connections as usize / 4).max(2),
            seats: Shares::default(),
            places: Shares::default(),
            awaiting: Shares::default(),
        }
    }

    /// Acquires a permit for a request, in order of arrival within the tenant.
    ///
    /// # Errors
    /// 503 `tenant-busy` if the tenant's queue is full or the wait timed out.
    pub async fn enter(&self, tenant_id: TenantId) -> Result<Seat, ApiError> {
        let seat = Seat::default();
        self.come_back(&seat, tenant_id).await?;
        Ok(seat)
    }

    /// Acquires the permit again after [`Seat::leave`].
    ///
    /// # Errors
    /// As [`Readers::enter`].
    pub async fn come_back(&self, seat: &Seat, tenant_id: TenantId) -> Result<(), ApiError> {
        if let Some(free) = self.seats.try_take(&tenant_id, self.share, 1) {
            seat.put(Some(free));
            return Ok(());
        }
        let _place = self.places.try_take(&tenant_id, WAITING, 1).ok_or_else(busy)?;
        let taken = timeout(PATIENCE, self.seats.take(&tenant_id, self.share, 1)).await;
        seat.put(Some(taken.map_err(|_| busy())?));
        Ok(())
    }

    /// Acquires a permit to wait for a projection.
    ///
    /// # Errors
    /// As [`Readers::enter`].
    pub fn wait(&self, tenant_id: TenantId) -> Result<OwnedSemaphorePermit, ApiError> {
        self.awaiting.try_take(&tenant_id, AWAITING, 1).ok_or_else(busy)
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
        let readers = Readers::new(16);
        let (many, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let mut served = Vec::new();
        for _ in 0..4 {
            served.push(readers.enter(many).await.expect("a quarter of the connections"));
        }
        let brief = Duration::from_millis(50);
        let mut waiting = Vec::new();
        for _ in 0..WAITING {
            let readers = readers.clone();
            waiting.push(tokio::spawn(async move { readers.enter(many).await.map(|_| ()) }));
        }
        tokio::time::sleep(brief).await;
        let refused = readers.enter(many).await.expect_err("there is no place to wait");
        assert_eq!((refused.code, refused.retry_after), ("tenant-busy", Some(1)));
        timeout(brief, readers.enter(other)).await.expect("at once").expect("another tenant");
        // A request that only waits for a projection frees its permit.
        served[0].leave();
        for one in waiting {
            one.await.expect("a task").expect("each has its turn");
        }
        readers.come_back(&served[0], many).await.expect("it goes on");
    }

    #[test]
    fn waiting_for_a_read_model_has_a_bound_for_each_tenant() {
        let readers = Readers::new(16);
        let (many, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let held: Vec<_> = (0..AWAITING).map(|_| readers.wait(many).expect("a place")).collect();
        assert_eq!(readers.wait(many).expect_err("no more").code, "tenant-busy");
        assert!(readers.wait(other).is_ok());
        drop(held);
        assert!(readers.wait(many).is_ok());
    }
}
