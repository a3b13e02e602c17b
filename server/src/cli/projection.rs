//! `projection list`, `rebuild`, `promote`, `rollback`, `cancel` and `diff`. None of them needs a
//! key: read models are folded from data that is not sealed.

mod change;
mod list;
mod rebuild;

use super::exit::ExitStatus;
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the versions of the read models, with progress and checksum
    #[command(after_help = "Examples:
  call-ledger projection list
  call-ledger projection list --no-checksum      without reading every row")]
    List(list::Args),
    /// Fill a new version from the log while the current one is served, then promote it
    #[command(after_help = "Examples:
  call-ledger projection rebuild calls
  call-ledger projection rebuild calls --tenant acme       that tenant's rows alone
  call-ledger projection rebuild calls --no-promote        to compare first: projection diff calls
  call-ledger projection rebuild calls --resume            after it was interrupted

It fills the version itself, beside servers that do the same and go on serving. Interrupted, it leaves
the version as it is. No key is needed.")]
    Rebuild(rebuild::Args),
    /// Promote the version under construction, once it has caught up
    #[command(after_help = "Examples:
  call-ledger projection promote calls
  call-ledger projection promote calls --yes      with keys parked that are not parked in what is shown")]
    Promote(change::Promote),
    /// Serve the previous version again; a second rollback reverts the first
    #[command(after_help = "Example:
  call-ledger projection rollback calls")]
    Rollback(change::Rollback),
    /// Cancel the version under construction and delete its rows
    #[command(after_help = "Example:
  call-ledger projection cancel calls --yes")]
    Cancel(change::Cancel),
    /// List the rows that differ between the served version and another one, by key
    #[command(after_help = "Examples:
  call-ledger projection diff calls                   with what is being built, else what was shown before
  call-ledger projection diff calls --against 2 --output json

Exit code 0 whether or not rows differ. Rows are named by their keys: no personal data is shown.")]
    Diff(change::DiffArgs),
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::List(args) => list::run(config, args).await,
        Command::Rebuild(args) => rebuild::run(config, args).await,
        Command::Promote(args) => change::promote(config, args).await,
        Command::Rollback(args) => change::rollback(config, args).await,
        Command::Cancel(args) => change::cancel(config, args).await,
        Command::Diff(args) => change::diff(config, args).await,
    }
}
