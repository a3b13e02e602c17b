//! A bound on the fences that a process places a minute. Every server reads the fences of two minutes
//! each second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Most fenced subjects a minute. An erasure with more is fenced alone.
const A_MINUTE: usize = 20_000;
const WINDOW: Duration = Duration::from_mins(1);

/// The fences of the current window.
#[derive(Debug, Default)]
pub(super) struct FenceBudget(Mutex<Option<(Instant, usize)>>);

impl FenceBudget {
    /// Waits until this number of fences may be placed.
    pub(super) async fn acquire(&self, fences: usize) {
        while let Some(next) = self.try_acquire(fences, Instant::now()) {
            sleep_until(next).await;
        }
    }

    /// Returns the time of the next window if this one is full.
    fn try_acquire(&self, fences: usize, now: Instant) -> Option<Instant> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *window {
            Some((begun, used)) if now < *begun + WINDOW => {
                if *used + fences > A_MINUTE {
                    return Some(*begun + WINDOW);
                }
                *used += fences;
            }
            _ => *window = Some((now, fences)),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_filled_once_and_a_large_erasure_has_one_alone() {
        let (budget, now) = (FenceBudget::default(), Instant::now());
        assert_eq!(budget.try_acquire(A_MINUTE - 1, now), None);
        assert_eq!(budget.try_acquire(2, now), Some(now + WINDOW));
        assert_eq!(budget.try_acquire(1, now), None);
        assert_eq!(budget.try_acquire(1, now), Some(now + WINDOW));
        assert_eq!(budget.try_acquire(2 * A_MINUTE, now + WINDOW), None);
        assert_eq!(budget.try_acquire(1, now + WINDOW), Some(now + 2 * WINDOW));
    }
}
