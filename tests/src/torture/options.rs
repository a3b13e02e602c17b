//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Real traffic, real faults, and a checker that reads the database behind the server's back.
#[derive(Debug, Clone, Parser)]
#[command(name = "torture")]
#[command(
    after_help = "Exit codes: 0 nothing was found, 1 something was, 2 usage, 130 interrupted.

Examples:
  torture                                        a short run
  torture --seed 7 --faults 500 --kills 200      a long one
  torture --planted all                          whether the checks find what they are for"
)]
pub(super) struct Options {
    /// Chooses the traffic and the order of the faults
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// How many faults are injected
    #[arg(long, default_value_t = 30)]
    pub(super) faults: usize,
    /// How many of them, at least, are kills of the server, of PostgreSQL or of a backend
    #[arg(long, default_value_t = 10)]
    pub(super) kills: usize,
    /// The run ends after this many seconds, whatever is left to inject
    #[arg(long, default_value_t = 1_200)]
    pub(super) seconds: u64,
    /// Senders under way at once
    #[arg(long, default_value_t = 8)]
    pub(super) clients: usize,
    /// How often everything is checked while it goes on, in faults
    #[arg(long, default_value_t = 100)]
    pub(super) check_every: usize,
    /// Run with a bug planted that must be found: its name, or `all` of them in turn
    #[arg(long, value_name = "BUG")]
    pub(super) planted: Option<String>,
    /// Keep the logs of the servers and of PostgreSQL in this directory
    #[arg(long, value_name = "DIR")]
    pub(super) logs: Option<PathBuf>,
    /// What standard output holds
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    /// Do not mount size-capped disks, even as root: disks do not fill up then
    #[arg(long)]
    pub(super) no_mounts: bool,
}

/// What standard output holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Tables for people.
    Table,
    /// One JSON document.
    Json,
}
