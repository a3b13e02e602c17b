//! Admission control: bounds the memory of webhook bodies in progress.
//!
//! Requests authenticated by a header use a separate budget that unauthenticated requests cannot
//! exhaust. Within a budget each source and tenant has a maximum share, so that slow or large
//! senders leave the rest to others. Each budget keeps a reserve for small bodies, so that tool
//! calls are answered even while reports use up the rest.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::ids::{SourceId, TenantId};
use ledger_store::shares::Shares;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::Limits;

/// Larger than any tool call seen; the largest of them carries its conversation in 64 KB.
pub(super) const SMALL: usize = 512 << 10;
/// Bodies of one tenant that wait for room; more of the large ones are refused at once.
const WAITING: usize = 64;
/// How long a small body waits for them: it may find room in the reserve.
const SMALL_PATIENCE: Duration = Duration::from_millis(250);
/// Maximum time a small body waits for the reserve, where permits are released soon.
const RESERVE_PATIENCE: Duration = Duration::from_secs(1);
/// Minimum cost of a body in kilobytes, because each also occupies a connection.
const LEAST: u32 = 8;

/// The memory budgets of a server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rooms {
    proven: Room,
    unproven: Room,
}

impl Rooms {
    /// Room for the bodies of proven senders, and a third of that for senders that still have to prove
    /// themselves, by a signature over the body. A share has room for the largest body.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let Limits { room, max_body, room_patience, .. } = *limits;
        Self {
            proven: Room::new(room, max_body, room_patience),
            unproven: Room::new(room / 3, max_body, room_patience),
        }
    }

    /// Returns the budget for senders that are authenticated by a header, or not yet authenticated.
    pub(super) fn of(&self, is_proven: bool) -> &Room {
        if is_proven { &self.proven } else { &self.unproven }
    }
}

/// The tenant and source a body is charged to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    pub(super) tenant_id: TenantId,
    pub(super) source_id: SourceId,
}

/// Memory budget for one class of senders.
#[derive(Debug, Clone)]
pub(super) struct Room {
    all: Budget,
    reserve: Budget,
    waiting: Shares<TenantId>,
    /// How long a large body waits, before it is read, for those that came before it.
    patience: Duration,
}

/// Permit for one body; released on drop.
#[derive(Debug)]
pub(super) struct Place {
    /// Maximum size of the body in bytes.
    pub(super) max_body: usize,
    /// Whether it is from the reserve, which is for messages with a waiting caller only.
    pub(super) is_reserved: bool,
    _held: [OwnedSemaphorePermit; 3],
}

impl Room {
    fn new(kilobytes: usize, max_body: usize, patience: Duration) -> Self {
        // Of use only when several of the small find room in it.
        let reserve = (kilobytes / 6).max(4 * SMALL / 1024);
        Self {
            all: Budget::new(kilobytes, max_body),
            reserve: Budget::new(reserve, SMALL),
            waiting: Shares::default(),
            patience,
        }
    }

    /// Acquires a permit for the announced length, or for `max_body` if none is announced. Returns
    /// `None` if neither the budget nor the reserve has room in time.
    pub(super) async fn admit(
        &self,
        sender: Sender,
        told: Option<usize>,
        max_body: usize,
    ) -> Option<Place> {
        if let Some(held) = self.all.try_take(sender, kilobytes(told.unwrap_or(max_body))) {
            return Some(Place { max_body, is_reserved: false, _held: held });
        }
        let small = told.unwrap_or(SMALL);
        let is_large = small > SMALL;
        let waiting = self.waiting.try_take(&sender.tenant_id, WAITING, 1);
        if is_large && waiting.is_none() {
            return None;
        }
        let patience = if is_large { self.patience } else { SMALL_PATIENCE };
        let wait = self.all.take(sender, kilobytes(told.unwrap_or(max_body)));
        if let Ok(held) = tokio::time::timeout(patience, wait).await {
            return Some(Place { max_body, is_reserved: false, _held: held });
        }
        if is_large {
            return None;
        }
        let wait = self.reserve.take(sender, kilobytes(small));
        let held = tokio::time::timeout(RESERVE_PATIENCE, wait).await.ok()?;
        Some(Place { max_body: max_body.min(SMALL), is_reserved: true, _held: held })
    }
}

/// Kilobytes shared by all senders, with maximum shares per tenant and source.
#[derive(Debug, Clone)]
struct Budget {
    all: Arc<Semaphore>,
    tenants: Shares<TenantId>,
    sources: Shares<SourceId>,
    kilobytes: usize,
    /// Kilobytes of the largest body.
    largest: usize,
}

impl Budget {
    fn new(kilobytes: usize, max_body: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(kilobytes)),
            tenants: Shares::default(),
            sources: Shares::default(),
            kilobytes,
            largest: max_body / 1024 + 1,
        }
    }

    /// Returns the shares of a tenant and of a source. A source of the installation serves many
    /// tenants, so its shares are larger.
    fn shares(&self, sender: Sender) -> (usize, usize) {
        let parts = if sender.tenant_id == TenantId::INSTALLATION { (2, 3) } else { (4, 6) };
        let share = |part: usize| (self.kilobytes / part).max(self.largest).min(self.kilobytes);
        (share(parts.0), share(parts.1))
    }

    fn try_take(&self, sender: Sender, wanted: u32) -> Option<[OwnedSemaphorePermit; 3]> {
        let (tenant, source) = self.shares(sender);
        let source = self.sources.try_take(&sender.source_id, source, wanted)?;
        let tenant = self.tenants.try_take(&sender.tenant_id, tenant, wanted)?;
        let all = Arc::clone(&self.all).try_acquire_many_owned(wanted).ok()?;
        Some([source, tenant, all])
    }

    /// Acquires the shares first, so that a sender waiting for its share holds none of the common
    /// budget.
    async fn take(&self, sender: Sender, wanted: u32) -> [OwnedSemaphorePermit; 3] {
        let (tenant, source) = self.shares(sender);
        let source = self.sources.take(&sender.source_id, source, wanted).await;
        let tenant = self.tenants.take(&sender.tenant_id, tenant, wanted).await;
        let all = Arc::clone(&self.all).acquire_many_owned(wanted).await;
        [source, tenant, all.expect("it is never closed")]
    }
}

fn kilobytes(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).max(LEAST)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const BRIEF: Duration = Duration::from_millis(50);

    fn rooms(room: usize) -> Rooms {
        Rooms::new(&Limits { room, room_patience: BRIEF, ..Limits::default() })
    }

    /// The nth source of a tenant.
    fn sender(tenant: u128, nth: u128) -> Sender {
        Sender {
            tenant_id: TenantId(Uuid::from_u128(tenant)),
            source_id: SourceId(Uuid::from_u128(tenant << 8 | nth)),
        }
    }

    /// Acquires permits until there are none left.
    async fn fill(room: &Room, sender: Sender, told: usize) -> Vec<Place> {
        let mut held = Vec::new();
        while let Some(place) = room.admit(sender, Some(told), 5_000_000).await {
            held.push(place);
        }
        held
    }

    #[tokio::test]
    async fn a_full_room_has_a_reserve_for_small_bodies_alone() {
        let (room, one) = (Room::new(9_300, 9_000_000, BRIEF), sender(1, 1));
        let admit = async |told| room.admit(one, Some(told), 9_000_000).await;
        let large = admit(9_000_000).await.expect("an empty room");
        assert!(!large.is_reserved);
        assert!(admit(2_000_000).await.is_none());
        let small = room.admit(sender(2, 1), Some(500_000), 9_000_000).await.expect("the rest");
        assert!(!small.is_reserved);
        let voice = admit(500_000).await.expect("the reserve");
        assert!(voice.is_reserved);
        drop(large);
        assert!(!admit(2_000_000).await.expect("room again").is_reserved);
    }

    #[tokio::test]
    async fn a_large_body_waits_its_turn_and_only_so_many_of_a_tenant_wait() {
        let room = Room::new(8_000, 5_000_000, Duration::from_secs(20));
        let admit = |tenant| {
            let room = room.clone();
            async move { room.admit(sender(tenant, 1), Some(4_600_000), 5_000_000).await.is_some() }
        };
        let first = room.admit(sender(1, 1), Some(4_600_000), 5_000_000).await.expect("room");
        let waiting: Vec<_> = (0..WAITING).map(|_| tokio::spawn(admit(1))).collect();
        tokio::time::sleep(BRIEF).await;
        assert!(!admit(1).await, "no more of this tenant");
        let other = tokio::spawn(admit(2));
        drop(first);
        assert!(other.await.expect("a task"), "another tenant has its turn");
        for one in waiting {
            assert!(one.await.expect("a task"), "each has its turn");
        }
    }

    #[tokio::test]
    async fn strangers_take_nothing_from_those_who_are_known() {
        let rooms = rooms(12_000);
        let mut held = Vec::new();
        for tenant in 1..9 {
            held.extend(fill(rooms.of(false), sender(tenant, 1), 5_000_000).await);
        }
        let known = rooms.of(true).admit(sender(1, 1), None, 5_000_000).await;
        assert!(!known.expect("room").is_reserved);
    }

    #[tokio::test]
    async fn whoever_fills_its_share_leaves_the_others_all_of_theirs() {
        let rooms = rooms(48 << 10);
        for is_proven in [true, false] {
            let room = rooms.of(is_proven);
            // Bodies of every size, so that nothing of the share or of the reserve is left.
            let mut held = Vec::new();
            for told in [5_000_000, 400_000, 1] {
                held.extend(fill(room, sender(1, 1), told).await);
                held.extend(fill(room, sender(1, 2), told).await);
            }
            for tenant in 2..4 {
                let place = room.admit(sender(tenant, 1), Some(4_900_000), 5_000_000).await;
                held.push(place.expect("room for its largest"));
                assert!(!held.last().expect("it").is_reserved);
            }
        }
    }

    #[tokio::test]
    async fn one_source_of_a_tenant_leaves_room_for_its_others() {
        let room = Room::new(48 << 10, 5_000_000, BRIEF);
        let held = fill(&room, sender(1, 1), 400_000).await;
        assert!(!held.is_empty());
        let other = room.admit(sender(1, 2), Some(400_000), 5_000_000).await;
        assert!(!other.expect("room").is_reserved);
    }
}
