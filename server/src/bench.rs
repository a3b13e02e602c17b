//! What the ledger can do on this machine, each figure beside the limit measured in the same run.
//!
//! Machines differ and are shared, so what counts is the ratio. Every measurement has a private,
//! durable PostgreSQL of its own below the data directory, which is gone afterwards; the ledger
//! that may already live there is not touched.

pub mod append;
pub mod calls;
mod catch_up;
pub mod ingest;
pub mod latency;
mod paced;
pub mod read;
pub mod rebuild;
pub mod report;
pub mod scratch;
pub mod seal;
mod server;
pub mod tenants;

pub use latency::Latencies;
pub use report::{Goal, Measured, Report};
pub use scratch::Scratch;
