//! `restore reconcile`: after the database was restored from a backup.

use anyhow::Context;
use serde_json::to_value;

use super::exit::{ExitStatus, usage_error};
use super::output;
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Destroy again the keys that the erasure journal names, and record it in the log; idempotent
    #[command(
        after_help = "Run it after the database was restored from a backup, and after the newest export of the \
vault was imported. Until then servers of this database take no webhooks and read no personal data.

Example:
  call-ledger restore reconcile --yes"
    )]
    Reconcile {
        /// Confirm: destroyed keys cannot be restored
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    let Command::Reconcile { yes } = command;
    if !yes {
        return usage_error(
            "restore reconcile destroys keys of erased persons for good; confirm with --yes",
        );
    }
    let done = Instance::run(config, async |instance| {
        instance.store.reconcile().await.context("the database was not reconciled completely")
    })
    .await?;
    output::object(config.output, &to_value(done)?)?;
    Ok(ExitStatus::Success)
}
