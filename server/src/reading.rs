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
/// Plaintext or facts in one page of events, in bytes, unless its first event holds more.
pub const PAGE: usize = 4 << 20;
/// Kilobytes of answers that are made or on their way.
const ROOM: usize = 56 << 10;
/// Share of one tenant in this budget, in KiB.
const SHARE: usize = 16 << 10;
/// Amount reserved for an answer until its size is known, in KiB.
const UNMADE: u32 = 8 << 10;
/// Calls that are opened concurrently in this process.
const TURNS: usize = 2;
/// Timeout for a reservation. A client that does not read its answer is disconnected by the write timeout,
/// which is a little longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Memory budget for reads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reading {
    all: Arc<Semaphore>,
    shares: Shares<TenantId>,
    turns: Arc<Semaphore>,
}

/// A reservation for one answer, released when dropped.
#[derive(Debug)]
pub struct Room {
    all: OwnedSemaphorePermit,
    share: OwnedSemaphorePermit,
}

impl Reading {
    /// Reserves memory for an answer to a tenant, in order of arrival within the tenant.
    ///
    /// # Errors
    /// 503 `reads-overloaded` if the reservation timed out.
    pub async fn room(&self, tenant_id: TenantId) -> Result<Room, ApiError> {
        let room = async {
            let share = self.shares.take(&tenant_id, SHARE, UNMADE).await;
            let all = Arc::clone(&self.all).acquire_many_owned(UNMADE).await;
            Room { all: all.expect("it is never closed"), share }
        };
        timeout(PATIENCE, room).await.map_err(|_| {
            let detail = "too many large answers are on their way; try again in a moment";
            ApiError::unavailable("reads-overloaded", detail)
        })
    }

    /// A turn to open a call, after its room: for reading what is sealed of it, and for the computation.
    pub async fn turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.turns).acquire_owned().await.expect("it is never closed")
    }
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ROOM)),
            shares: Shares::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
        }
    }
}

impl Room {
    /// Reduces the reservation to the size of the answer, and returns bytes that hold it until the last one
    /// is sent.
    #[must_use]
    pub fn hold(mut self, bytes: Vec<u8>) -> Bytes {
        let kept = bytes.len() / 1024 + 1;
        for permit in [&mut self.all, &mut self.share] {
            let surplus = permit.num_permits().saturating_sub(kept);
            drop(permit.split(surplus));
        }
        Bytes::from_owner(Held { bytes, _room: self })
    }
}

struct Held {
    bytes: Vec<u8>,
    _room: Room,
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
    async fn answers_that_nobody_takes_use_up_their_tenants_room_alone() {
        let (reading, slow) = (Reading::default(), TenantId(Uuid::from_u128(1)));
        let mut held = Vec::new();
        for _ in 0..2 {
            let room = reading.room(slow).await.expect("a fresh share");
            held.push(room.hold(vec![b'x'; 9_000_000]));
        }
        let brief = Duration::from_millis(20);
        assert!(timeout(brief, reading.room(slow)).await.is_err(), "its share is used up");
        let other = reading.room(TenantId(Uuid::from_u128(2))).await.expect("room for others");
        let small = other.hold(b"[]".to_vec());
        assert_eq!(&*small, b"[]");
        held.pop();
        timeout(brief, reading.room(slow)).await.expect("room again").expect("room");
    }

    #[tokio::test]
    async fn an_answer_holds_what_it_takes_until_its_last_byte_is_gone() {
        let (reading, tenant) = (Reading::default(), TenantId(Uuid::from_u128(1)));
        let bytes = reading.room(tenant).await.expect("room").hold(vec![0; 100_000]);
        let part = bytes.slice(..10);
        assert_eq!(reading.all.available_permits(), ROOM - 98);
        drop(bytes);
        assert_eq!(reading.all.available_permits(), ROOM - 98, "a part is still to be sent");
        drop(part);
        assert_eq!(reading.all.available_permits(), ROOM);
    }
}
