//! The `call-ledger` binary: HTTP server, background workers and command line. The only crate with HTTP.

pub mod api;
pub mod app;
pub mod auth;
pub mod backup_schedule;
pub mod cli;
mod connections;
pub mod contract;
pub mod demo;
pub mod erasures;
mod headers;
pub mod http;
mod idempotency;
pub mod ingest;
pub mod limits;
pub mod ops;
pub mod problem;
mod public_url;
pub mod read_admission;
pub mod read_budget;
pub mod router;
pub mod service;
pub mod systemd;
pub mod telemetry;

pub use ledger_app::{config, instance, system};
