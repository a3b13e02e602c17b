//! The `call-ledger` binary: HTTP server, background workers and command line. The only crate with HTTP.

pub mod api;
pub mod app;
pub mod auth;
pub mod bench;
pub mod cli;
pub mod config;
mod connections;
pub mod contract;
pub mod demo;
mod headers;
mod idempotency;
pub mod ingest;
pub mod instance;
pub mod limits;
pub mod ops;
pub mod problem;
mod public_url;
pub mod read_admission;
pub mod read_budget;
pub mod service;
pub mod system;
pub mod systemd;
pub mod telemetry;
