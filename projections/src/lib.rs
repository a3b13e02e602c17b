//! Read models, each folded from the log and rebuildable at any time.
//!
//! Projections never write the log and hold no keys, and no decision reads a projection. A new read
//! model is a file here, a migration, and a line in [`all`].

pub mod analytics;
pub mod arrivals;
pub mod calendar;
pub mod calls;
mod caught;
pub mod copy;
pub mod engine;
pub mod histogram;
mod marks;
pub mod parked;
pub mod positions;
pub mod progress;
pub mod projector;
pub mod usage;
pub mod versions;

use std::sync::Arc;

pub use arrivals::Arrivals;
pub use engine::{Batches, Health, Runner};
pub use positions::{position, wait_for};
pub use progress::{Halt, Progress, halts, progress, progress_within};
pub use projector::{
    Again, Fold, LeftOut, LogEvent, Prepared, ProjectError, Projector, Tenant, TenantKeys, Way,
};

/// Returns every projector of this build.
#[must_use]
pub fn all() -> Vec<Arc<dyn Projector>> {
    vec![Arc::new(calls::Calls), Arc::new(usage::Usage)]
}
