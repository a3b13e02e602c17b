//! Memory bounds for reads: sections are opened for one call at a time, and the answer holds memory until it
//! is sent. Both have a bound for the process and a share for each tenant.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use ledger_core::ids::TenantId;
use ledger_store::shares::Shares;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::problem::ApiError;

/// Maximum plaintext opened for one call or one page, in bytes: three of the largest webhooks.
pub const BUDGET: usize = 15 << 20;
/// Maximum bytes of plaintext or facts in one page of events, unless its first event is larger.
pub const PAGE: usize = 4 << 20;
/// Kilobytes of answers that are made or on their way.
const TOTAL_KIB: usize = 56 << 10;
/// Share of one tenant in this budget, in KiB.
const TENANT_KIB: usize = 16 << 10;
/// Amount reserved for an answer until its size is known, in KiB.
const INITIAL_KIB: u32 = 8 << 10;
/// Calls that are opened concurrently in this process.
const MAX_OPEN_CALLS: usize = 2;
/// Timeout for a reservation. A client that does not read its answer is disconnected by the write timeout,
/// which is a little longer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Memory budget for reads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ReadBudget {
    all: Arc<Semaphore>,
    shares: Shares<TenantId>,
    open_permits: Arc<Semaphore>,
}

/// A reservation for one answer, released when dropped.
#[derive(Debug)]
pub struct Reservation {
    all: OwnedSemaphorePermit,
    share: OwnedSemaphorePermit,
}

impl ReadBudget {
    /// Reserves memory for an answer to a tenant, in order of arrival within the tenant.
    ///
    /// # Errors
    /// 503 `reads-overloaded` if the reservation timed out.
    pub async fn reservation(&self, tenant_id: TenantId) -> Result<Reservation, ApiError> {
        let reservation = async {
            let share = self.shares.take(&tenant_id, TENANT_KIB, INITIAL_KIB).await;
            let all = Arc::clone(&self.all).acquire_many_owned(INITIAL_KIB).await;
            Reservation { all: all.expect("it is never closed"), share }
        };
        timeout(TIMEOUT, reservation).await.map_err(|_| {
            let detail = "too many large answers are on their way; try again in a moment";
            ApiError::unavailable("reads-overloaded", detail)
        })
    }

    /// A turn to open a call, after its reservation: for reading what is sealed of it, and for the computation.
    pub async fn open_permit(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.open_permits).acquire_owned().await.expect("it is never closed")
    }
}

impl Default for ReadBudget {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(TOTAL_KIB)),
            shares: Shares::default(),
            open_permits: Arc::new(Semaphore::new(MAX_OPEN_CALLS)),
        }
    }
}

impl Reservation {
    /// Reduces the reservation to the size of the answer, and returns bytes that hold it until the last one
    /// is sent.
    #[must_use]
    pub fn hold(mut self, bytes: Vec<u8>) -> Bytes {
        let kept = bytes.len() / 1024 + 1;
        for permit in [&mut self.all, &mut self.share] {
            let surplus = permit.num_permits().saturating_sub(kept);
            drop(permit.split(surplus));
        }
        Bytes::from_owner(Held { bytes, _reservation: self })
    }
}

struct Held {
    bytes: Vec<u8>,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn unread_answers_use_up_only_the_share_of_their_tenant() {
        let (read_budget, slow) = (ReadBudget::default(), TenantId(Uuid::from_u128(1)));
        let mut held = Vec::new();
        for _ in 0..2 {
            let reservation = read_budget.reservation(slow).await.expect("a fresh share");
            held.push(reservation.hold(vec![b'x'; 9_000_000]));
        }
        let brief = Duration::from_millis(20);
        assert!(
            timeout(brief, read_budget.reservation(slow)).await.is_err(),
            "its share is used up"
        );
        let other = read_budget
            .reservation(TenantId(Uuid::from_u128(2)))
            .await
            .expect("reservation for others");
        let small = other.hold(b"[]".to_vec());
        assert_eq!(&*small, b"[]");
        held.pop();
        timeout(brief, read_budget.reservation(slow))
            .await
            .expect("reservation again")
            .expect("reservation");
    }

    #[tokio::test]
    async fn an_answer_holds_what_it_takes_until_its_last_byte_is_gone() {
        let (read_budget, tenant) = (ReadBudget::default(), TenantId(Uuid::from_u128(1)));
        let bytes =
            read_budget.reservation(tenant).await.expect("reservation").hold(vec![0; 100_000]);
        let part = bytes.slice(..10);
        assert_eq!(read_budget.all.available_permits(), TOTAL_KIB - 98);
        drop(bytes);
        assert_eq!(
            read_budget.all.available_permits(),
            TOTAL_KIB - 98,
            "a part is still to be sent"
        );
        drop(part);
        assert_eq!(read_budget.all.available_permits(), TOTAL_KIB);
    }
}
