//! `backup create`, `list`, `verify` and `restore`.

mod list;
mod rebuilt;
mod restore;
mod verify;

use std::path::PathBuf;

use ledger_app::backups::{Created, create};
use serde_json::json;

use super::exit::ExitStatus;
use super::output;
use crate::config::{Config, Output};
use crate::instance::Instance;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Copy the private PostgreSQL while servers run, and export the vault apart from it
    #[command(after_help = "Examples:
  call-ledger backup create
  call-ledger backup create --to /mnt/backups --verify

The keyring, the root key and the signing key are in no backup; copy them by hand, apart from both sets.
With a PostgreSQL of your own only the vault and the erasure journal are written: copy the database with
its own tools.")]
    Create(CreateArgs),
    /// List the backups, with the last verification of each and the times of a restore
    #[command(after_help = "Example:
  call-ledger backup list --output json")]
    List(list::Args),
    /// Restore a backup into a database of its own, compare everything, and store a report
    #[command(after_help = "Examples:
  call-ledger backup verify; echo $?             3 when something was altered or damaged
  call-ledger backup verify 20261201T034700123Z
  call-ledger backup verify --restored-url postgres://ledger@db.example.com/restored

The ledger itself is not touched, and goes on. The restored copy is removed at the end. With
--restored-url the named database is verified, which you have restored by your own tools; its read
models are folded again beside those it has.")]
    Verify(verify::Args),
    /// Restore a backup into an empty data directory, to its end or to a time
    #[command(after_help = "Examples:
  call-ledger --data-dir restored backup restore latest --from data --to latest --yes
  call-ledger --data-dir restored backup restore 20261201T034700123Z --from data --to 2026-12-01T09:30:00Z --yes
  call-ledger --data-dir restored --keyring /mnt/keys/keyring --root-key /mnt/keys/root.key \\
    backup restore latest --backups /mnt/backups --vault-backups /mnt/vault --to latest --yes

The newest vault export is imported, so that keys destroyed since do not return. With --from, links in
the new directory refer to the keyring, the root key and the journal of that data directory.")]
    Restore(restore::Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// Directory for this backup; point-in-time restores also need the archive [default: `backup_dir`]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Verify it at once
    #[arg(long)]
    verify: bool,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Create(args) => run_create(config, args).await,
        Command::List(args) => list::run(config, args).await,
        Command::Verify(args) => verify::run(config, args).await,
        Command::Restore(args) => restore::run(config, args).await,
    }
}

async fn run_create(config: &Config, args: &CreateArgs) -> anyhow::Result<ExitStatus> {
    let created = Instance::run(config, async |instance| {
        Ok(create(config, instance, args.to.as_deref()).await?)
    })
    .await?;
    let name = created.ledger.as_ref().map(|(_, manifest)| manifest.name.clone());
    print(config.output, &created)?;
    match name {
        Some(name) if args.verify => {
            verify::run(config, &verify::Args::of(name, args.to.clone())).await
        }
        _ => Ok(ExitStatus::Success),
    }
}

fn print(output: Output, created: &Created) -> anyhow::Result<()> {
    let mut shown = json!({
        "name": null,
        "path": null,
        "bytes": null,
        "seconds": null,
        "vault_export": created.vault.path,
        "subjects": created.vault.subjects,
        "removed": created.removed,
    });
    match &created.ledger {
        Some((path, manifest)) => {
            let took = manifest.finished_at - manifest.begun_at;
            shown["name"] = json!(manifest.name);
            shown["path"] = json!(path);
            shown["bytes"] = json!(manifest.bytes);
            shown["seconds"] = json!(took.as_seconds_f64());
        }
        None => eprintln!(
            "the database was not copied: it is not the private PostgreSQL; see docs/operations/backup.md"
        ),
    }
    output::object(output, &shown)
}
