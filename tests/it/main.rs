//! The one integration test binary: a rule a test, on real PostgreSQL, real HTTP and real samples.

mod append;
mod bad_input;
mod calls_api;
mod canaries;
mod catalogue;
mod embedded;
mod exactly_once;
mod fuzz;
mod golden;
mod immutable;
mod live;
mod money;
mod operations;
mod order;
mod overload;
mod plan_limits;
mod projection;
mod quarantine;
mod reaper;
mod routing;
mod samples;
mod sealing;
mod signed_source;
mod tenancy;
mod torture;
mod vault;
