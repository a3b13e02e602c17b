//! Room for bodies: how much of the memory webhooks under way may hold together.
//!
//! Whoever shows the source's secret in a header is served from a room of its own, which strangers
//! cannot fill. Each room keeps a reserve for small bodies: a voice that waits for an answer is
//! heard even when the room is full of reports.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Larger than any tool call seen; the largest of them carries its conversation in 64 KB.
pub(super) const SMALL: usize = 512 << 10;
/// Who has a place in the reserve leaves it soon, so it is worth a moment's wait.
const RESERVE_PATIENCE: Duration = Duration::from_secs(1);

/// The rooms of a server.
#[derive(Debug, Clone)]
pub struct Rooms {
    proven: Room,
    unproven: Room,
}

impl Rooms {
    /// Rooms for so many kilobytes of proven senders, and a third of that of those who still have to
    /// prove themselves, by a signature over the body.
    #[must_use]
    pub fn new(kilobytes: usize) -> Self {
        Self { proven: Room::new(kilobytes), unproven: Room::new(kilobytes / 3) }
    }

    /// The room of a sender whose header showed the secret, or has yet to prove that it knows it.
    pub(super) fn of(&self, is_proven: bool) -> &Room {
        if is_proven { &self.proven } else { &self.unproven }
    }
}

/// Room for bodies of one kind of sender.
#[derive(Debug, Clone)]
pub(super) struct Room {
    all: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
}

/// Room for one body, as long as it is held.
#[derive(Debug)]
pub(super) struct Place {
    /// How large the body may be.
    pub(super) max_body: usize,
    /// Only for those who wait for an answer that is spoken.
    pub(super) is_reserved: bool,
    _held: OwnedSemaphorePermit,
}

impl Room {
    fn new(kilobytes: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(kilobytes)),
            // Of use only when several of the small find room in it.
            reserve: Arc::new(Semaphore::new((kilobytes / 6).max(4 * SMALL / 1024))),
        }
    }

    /// Room for a body of the length told, or for the largest when none is told; `None` when there
    /// is none, not even in the reserve.
    pub(super) async fn admit(&self, told: Option<usize>, max_body: usize) -> Option<Place> {
        let wanted = kilobytes(told.unwrap_or(max_body));
        if let Ok(held) = Arc::clone(&self.all).try_acquire_many_owned(wanted) {
            return Some(Place { max_body, is_reserved: false, _held: held });
        }
        let small = told.unwrap_or(SMALL);
        if small > SMALL {
            return None;
        }
        let wait = Arc::clone(&self.reserve).acquire_many_owned(kilobytes(small));
        let held = tokio::time::timeout(RESERVE_PATIENCE, wait).await.ok()?.ok()?;
        Some(Place { max_body: max_body.min(SMALL), is_reserved: true, _held: held })
    }
}

fn kilobytes(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_room_has_a_reserve_for_small_bodies_alone() {
        let room = Room::new(9_300);
        let large = room.admit(Some(9_000_000), 9_000_000).await.expect("an empty room");
        assert!(!large.is_reserved);
        assert!(room.admit(Some(2_000_000), 9_000_000).await.is_none());
        let small = room.admit(Some(2_000_000 / 4), 9_000_000).await.expect("the rest");
        assert!(!small.is_reserved);
        let voice = room.admit(Some(500_000), 9_000_000).await.expect("the reserve");
        assert!(voice.is_reserved);
        drop(large);
        assert!(!room.admit(Some(2_000_000), 9_000_000).await.expect("room again").is_reserved);
    }

    #[tokio::test]
    async fn strangers_take_nothing_from_those_who_are_known() {
        let rooms = Rooms::new(12_000);
        let mut held = Vec::new();
        while let Some(place) = rooms.of(false).admit(None, 5_000_000).await {
            held.push(place);
        }
        assert!(!rooms.of(true).admit(None, 5_000_000).await.expect("room").is_reserved);
    }
}
