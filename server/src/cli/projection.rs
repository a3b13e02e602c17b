//! `projection list`, `rebuild`, `promote`, `rollback`, `cancel`, `diff`. None of them needs a key:
//! read models are folded from what is not sealed.

mod change;
mod list;
mod rebuild;

use super::Done;
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the versions of the read models, how far each is and what its rows come to
    #[command(after_help = "Examples:
  call-ledger projection list
  call-ledger projection list --no-checksum      without reading every row")]
    List(list::Args),
    /// Fill a new version from the log beside the one that is shown, then show it
    #[command(after_help = "Examples:
  call-ledger projection rebuild calls
  call-ledger projection rebuild calls --tenant acme       that tenant's rows alone
  call-ledger projection rebuild calls --no-promote        to compare first: projection diff calls
  call-ledger projection rebuild calls --resume            after it was interrupted

It fills the version itself, beside servers that do the same and go on serving. Interrupted, it leaves
the version as it is. No key is needed.")]
    Rebuild(rebuild::Args),
    /// Show the version that is being built, when it has caught up
    #[command(after_help = "Examples:
  call-ledger projection promote calls
  call-ledger projection promote calls --yes      with keys parked that are not parked in what is shown")]
    Promote(change::Promote),
    /// Show the version before again; again takes that back
    #[command(after_help = "Example:
  call-ledger projection rollback calls")]
    Rollback(change::Rollback),
    /// Give up the version that is being built, and what is in it
    #[command(after_help = "Example:
  call-ledger projection cancel calls --yes")]
    Cancel(change::Cancel),
    /// List the rows that what is shown and another version do not agree on, by key
    #[command(after_help = "Examples:
  call-ledger projection diff calls                   with what is being built, else what was shown before
  call-ledger projection diff calls --against 2 --output json

Exit code 0 whether or not rows differ. Rows are named by their keys: no personal data is shown.")]
    Diff(change::DiffArgs),
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<Done> {
    match command {
        Command::List(args) => list::run(config, args).await,
        Command::Rebuild(args) => rebuild::run(config, args).await,
        Command::Promote(args) => change::promote(config, args).await,
        Command::Rollback(args) => change::rollback(config, args).await,
        Command::Cancel(args) => change::cancel(config, args).await,
        Command::Diff(args) => change::diff(config, args).await,
    }
}
