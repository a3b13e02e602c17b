//! Rebuilds of read models in parallel to the active versions: the rows are the same after any
//! interruption, readers never go back in time, and one failure delays nothing else.

mod bookings;
mod carriers;
mod concurrent_versions;
mod doubles;
mod dropped;
mod engine;
mod equal;
mod halted;
mod history;
mod isolation;
mod kills;
mod paused;
mod poison;
mod readers;
mod scoped;
mod shared_cycles;
mod sums;
