//! Progress of long work: a word of it now and then, not of every step.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Between two words.
const PAUSE: Duration = Duration::from_secs(10);

/// Says the first thing it is told, and then what it is told ten seconds later.
pub(super) struct Paced<F> {
    step: F,
    last: Cell<Option<Instant>>,
}

impl<F: Fn(&str)> Paced<F> {
    pub(super) fn new(step: F) -> Self {
        Self { step, last: Cell::new(None) }
    }

    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if self.last.get().is_none_or(|last| last.elapsed() >= PAUSE) {
            self.last.set(Some(Instant::now()));
            (self.step)(&what());
        }
    }
}
