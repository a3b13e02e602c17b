//! Benchmarks: throughput and latency of the ledger on this machine, compared with limits measured in the
//! same run.
//!
//! Machines differ and are shared, so the ratio to the limit is the result. Each measurement uses a private,
//! durable PostgreSQL below the data directory, which is removed afterwards; an existing ledger in the
//! directory is not touched.

pub mod append;
pub mod book;
pub mod calls;
mod catch_up;
pub mod erase;
pub mod ingest;
pub mod latency;
pub mod read;
pub mod rebuild;
pub mod report;
pub mod roll;
pub mod scratch;
pub mod seal;
mod server;
pub mod tenants;
mod throttled_progress;

pub use latency::Latencies;
pub use report::{Goal, Measured, Report};
pub use scratch::Scratch;
