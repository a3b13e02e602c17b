//! Rebuilds of read models in parallel to the active versions: the rows are the same after any
//! interruption, readers never go back in time, and one failure delays nothing else.

mod apart;
mod doubles;
mod dropped;
mod engine;
mod equal;
mod history;
mod kills;
mod paused;
mod poison;
mod readers;
mod scoped;
mod side_by_side;
mod sums;
mod together;
