//! The five webhook metrics that dashboards of the replaced systems request.
//!
//! All values are read from the database, so a restart loses none and no list is cut off after fifty entries.

pub mod dead_letter_queue;
pub mod delivery_stats;
pub mod queue_health;
pub mod recent_failures;
pub mod retry_failed;
