//! `db url`, `db psql`, `db start` and `db stop`: manual control of the private PostgreSQL.

use std::ffi::OsString;
use std::process::Stdio;

use anyhow::{Context, bail};
use ledger_store::embedded::{Durability, StoppedByHand, installed, stop_by_hand, url_of};
use serde_json::json;

use super::exit::{ExitStatus, usage_error};
use super::output;
use crate::config::Config;
use crate::instance::{cluster_settings, start};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the connection URL; the server need not run
    #[command(after_help = "Example:
  psql \"$(call-ledger db url)\"")]
    Url,
    /// Open psql, starting the server for that time if it does not run
    #[command(after_help = "Examples:
  call-ledger db psql
  call-ledger db psql -- -c 'select count(*) from ledger.events'

The login is the owner of everything: row security does not bind it.")]
    Psql(Psql),
    /// Start the server and leave it running until db stop
    #[command(after_help = "Example:
  call-ledger db start")]
    Start,
    /// Stop the server; refused while another process uses it
    #[command(after_help = "Example:
  call-ledger db stop")]
    Stop,
}

#[derive(Debug, clap::Args)]
pub(super) struct Psql {
    /// Arguments passed to psql
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    if config.database_url.is_some() {
        return usage_error(
            "--database-url: there is no private PostgreSQL when another one is named",
        );
    }
    match command {
        Command::Url => {
            let url = url_of(&config.data_dir)?;
            output::object(config.output, &json!({ "url": url }))?;
        }
        Command::Psql(psql) => return run_psql(config, psql).await,
        Command::Start => {
            let cluster = start(config, Durability::Durable).await?;
            cluster.keep_running()?;
            let shown = json!({ "url": cluster.url(), "state": "running", "pid": cluster.pid() });
            cluster.stop().await?;
            output::object(config.output, &shown)?;
        }
        Command::Stop => {
            let stopped = stop_by_hand(&cluster_settings(config, Durability::Durable)).await?;
            if stopped == StoppedByHand::InUse {
                bail!("other processes use the private PostgreSQL; the last of them ends it");
            }
            let url = url_of(&config.data_dir)?;
            output::object(config.output, &json!({ "url": url, "state": "stopped" }))?;
        }
    }
    Ok(ExitStatus::Success)
}

async fn run_psql(config: &Config, psql: &Psql) -> anyhow::Result<ExitStatus> {
    let programs = installed(config.pg_bin.as_deref()).await?;
    let found = programs.iter().map(|one| one.dir.join("psql")).find(|path| path.exists());
    let program = found.context("psql is not beside the server's programs; install it")?;
    let cluster = start(config, Durability::Durable).await?;
    let ran = tokio::process::Command::new(&program)
        .arg(cluster.url())
        .args(&psql.arguments)
        .stdin(Stdio::inherit())
        .status()
        .await
        .with_context(|| format!("{} does not run", program.display()));
    cluster.stop().await?;
    Ok(if ran?.success() { ExitStatus::Success } else { ExitStatus::Failure })
}
