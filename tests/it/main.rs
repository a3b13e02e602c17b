//! The one integration test binary: a rule a test, on real PostgreSQL, real HTTP and real samples.

mod append;
mod canaries;
mod immutable;
mod reaper;
mod samples;
mod smoke;
mod tenancy;
mod vault;
