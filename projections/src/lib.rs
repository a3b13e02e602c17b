//! Read models, each folded from the log and rebuildable at any time.
//!
//! Projections never write the log and hold no keys, and no decision reads a projection. A new read
//! model is a file here, a migration, and a line in [`all`]; most are row-wise ([`simple`]).

pub mod analytics;
pub mod appointments;
pub mod calendar;
pub mod calls;
pub mod contacts;
pub mod copy;
pub mod due;
pub mod engine;
pub mod erasures;
pub mod event_counts;
pub mod histogram;
mod marks;
mod panic_guard;
pub mod parked;
pub mod position_watch;
pub mod positions;
pub mod progress;
pub mod projector;
pub mod retention;
pub mod simple;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod versions;

use std::sync::Arc;

pub use engine::{Batches, Health, Runner};
pub use position_watch::PositionWatch;
pub use positions::{position, wait_for};
pub use progress::{Halt, Progress, halts, progress, progress_within};
pub use projector::{
    Again, LeftOut, LogEvent, Precomputed, ProjectError, ProjectionBatch, Projector, TenantContext,
    TenantKeys, WriteMode,
};

/// Returns every projector of this build.
#[must_use]
pub fn all() -> Vec<Arc<dyn Projector>> {
    vec![
        Arc::new(appointments::Appointments),
        Arc::new(calls::Calls),
        Arc::new(contacts::Contacts),
        Arc::new(due::DueWork),
        Arc::new(erasures::Erasures),
        simple::projector(event_counts::EventCounts),
    ]
}
