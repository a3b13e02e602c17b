//! The command line of the `torture` binary.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Runs real traffic with injected faults and checks the stored data by direct reads of the
/// database.
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
    /// Seed of the traffic and of the order of the faults
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Number of faults to inject
    #[arg(long, default_value_t = 30)]
    pub(super) faults: usize,
    /// Minimum number of faults that kill the server, PostgreSQL or a backend
    #[arg(long, default_value_t = 10)]
    pub(super) kills: usize,
    /// End the run after this many seconds, even if faults are left
    #[arg(long, default_value_t = 1_200)]
    pub(super) seconds: u64,
    /// Number of concurrent senders
    #[arg(long, default_value_t = 8)]
    pub(super) clients: usize,
    /// Number of faults between two complete checks
    #[arg(long, default_value_t = 100)]
    pub(super) check_every: usize,
    /// Inject a bug that the checker must find: its name, or `all` of them in turn
    #[arg(long, value_name = "BUG")]
    pub(super) planted: Option<String>,
    /// Keep the logs of the servers and of PostgreSQL in this directory
    #[arg(long, value_name = "DIR")]
    pub(super) logs: Option<PathBuf>,
    /// Format of standard output
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    /// Do not mount disks of limited size, even as root; the faults of full disks are skipped
    #[arg(long)]
    pub(super) no_mounts: bool,
}

/// The format of standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Tables for people.
    Table,
    /// One JSON document.
    Json,
}
