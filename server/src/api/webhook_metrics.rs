//! The five figures about webhooks that dashboards of the replaced systems ask for, with true
//! numbers: nothing here is kept in memory only, or forgotten after the fifty-first.

pub mod dead_letter_queue;
pub mod delivery_stats;
pub mod queue_health;
pub mod recent_failures;
pub mod retry_failed;
