//! Rate limit for progress messages.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Minimum interval between two messages.
const PAUSE: Duration = Duration::from_secs(10);

/// Forwards the first message, and then at most one every ten seconds.
pub(crate) struct ThrottledProgress<F> {
    step: F,
    last: Cell<Option<Instant>>,
}

impl<F: Fn(&str)> ThrottledProgress<F> {
    pub(crate) fn new(step: F) -> Self {
        Self { step, last: Cell::new(None) }
    }

    pub(crate) fn report(&self, what: impl FnOnce() -> String) {
        if self.last.get().is_none_or(|last| last.elapsed() >= PAUSE) {
            self.last.set(Some(Instant::now()));
            (self.step)(&what());
        }
    }
}
