//! `backup restore`: a new data directory from a backup.

use std::path::PathBuf;

use anyhow::bail;
use chrono::{DateTime, Utc};
use ledger_app::backups::{Source, restore};
use serde_json::json;

use super::super::exit::{ExitStatus, usage_error};
use super::super::output;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the backup, or `latest`
    name: String,
    /// Time to restore to (RFC 3339), or `latest` for everything that is in the write-ahead log
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Until,
    /// Data directory of the ledger that was backed up: its backups, and links to its keys
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Directory of the backups [default: backups in --from]
    #[arg(long, value_name = "DIR")]
    backups: Option<PathBuf>,
    /// Directory of the vault exports [default: vault-backups in --from]
    #[arg(long, value_name = "DIR")]
    vault_backups: Option<PathBuf>,
    /// Restore without a vault export: persons erased since may be readable
    #[arg(long)]
    without_vault_export: bool,
    /// Confirm the restore into --data-dir
    #[arg(long)]
    yes: bool,
}

/// The end of a restore.
#[derive(Debug, Clone, Copy)]
struct Until(Option<DateTime<Utc>>);

fn time(text: &str) -> Result<Until, String> {
    if text == "latest" {
        return Ok(Until(None));
    }
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| "use a time such as 2026-12-01T09:30:00Z, or latest".to_owned())?;
    Ok(Until(Some(time.to_utc())))
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    if config.database_url.is_some() {
        return usage_error("--database-url: restore that PostgreSQL by its own tools");
    }
    let place = |given: &Option<PathBuf>, name: &str| {
        given.clone().or_else(|| args.from.as_ref().map(|dir| dir.join(name)))
    };
    let (Some(backups), Some(vault)) =
        (place(&args.backups, "backups"), place(&args.vault_backups, "vault-backups"))
    else {
        return usage_error("name the ledger with --from, or both --backups and --vault-backups");
    };
    if !args.yes {
        bail!(
            "{} would get the ledger of {}; confirm with --yes",
            config.data_dir.display(),
            backups.display()
        );
    }
    let source = Source { backups, vault, live: args.from.clone() };
    let restored =
        restore(config, &args.name, &source, args.to.0, args.without_vault_export).await?;
    let import = restored.vault_export.as_ref();
    let shown = json!({
        "name": restored.manifest.name,
        "data_dir": config.data_dir,
        "restored_until": restored.recovered.last_commit,
        "is_log_exhausted": restored.recovered.is_log_exhausted,
        "vault_export": import.map(|(path, _)| path),
        "vault_export_at": import.map(|(_, import)| import.created_at),
        "replaced_tenants": import.map(|(_, import)| import.replaced),
        "linked": restored.linked,
    });
    if args.to.0.is_some() && restored.recovered.is_log_exhausted {
        eprintln!("the write-ahead log ends before that time: everything in it was restored");
    }
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}
