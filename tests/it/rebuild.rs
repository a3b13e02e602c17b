//! Read models built anew beside those that are shown: whatever happens meanwhile, the same rows come
//! out, readers never go back in time, and nobody waits for somebody else's trouble.

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
