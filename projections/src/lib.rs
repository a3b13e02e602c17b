//! Read models, each folded from the log and droppable at any time.
//!
//! Projections never write the log, hold no keys, and nothing reads a projection to decide a fact.
//! A new one is a file here, a migration, and a line in [`all`].

pub mod calendar;
pub mod calls;
pub mod histogram;
pub mod progress;
pub mod projector;
pub mod runner;

use std::sync::Arc;

pub use progress::{Halt, Progress, halts, progress};
pub use projector::{ProjectError, Projector};
pub use runner::{Runner, position, wait_for};

/// Every projector of this build.
#[must_use]
pub fn all() -> Vec<Arc<dyn Projector>> {
    vec![Arc::new(calls::Calls)]
}
