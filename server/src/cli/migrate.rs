//! `migrate`: applies the database migrations, or lists those that are missing.

use ledger_store::migrations::{self, PendingMigration, TableLock};
use serde_json::{Value, json};

use super::doctor::has_data;
use super::exit::ExitStatus;
use super::output;
use crate::config::{Config, Output};
use crate::instance::{Instance, database_error};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  call-ledger migrate --dry-run          before an upgrade: what would run, and which tables wait
  call-ledger migrate

Each migration is one transaction. Its locks are held until the end of that transaction; they are
read from its statements and are an estimate.")]
pub(super) struct Args {
    /// Print the missing migrations and apply none
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    if args.dry_run {
        print(config, &pending(config).await?)?;
    } else {
        let applied = Instance::run(config, async |instance| Ok(instance.migrated)).await?;
        output::object(config.output, &json!({ "applied": applied }))?;
    }
    Ok(ExitStatus::Success)
}

async fn pending(config: &Config) -> anyhow::Result<Vec<PendingMigration>> {
    // A private PostgreSQL that does not exist yet is not created for this.
    if config.database_url.is_none() && !has_data(&config.data_dir) {
        return Ok(migrations::all());
    }
    let instance = Instance::open_without_migrating(config).await?;
    let pending = migrations::pending(&instance.database).await;
    let pending = pending.map_err(|error| database_error::explain(&error, &instance.database));
    let closed = instance.close().await;
    let pending = pending?;
    closed?;
    Ok(pending)
}

fn print(config: &Config, pending: &[PendingMigration]) -> anyhow::Result<()> {
    match config.output {
        Output::Json => output::print_line(json!({
            "applied": 0,
            "pending": pending.iter().map(object).collect::<Vec<_>>(),
        })),
        Output::Table if pending.is_empty() => output::print_line("no migration is missing"),
        Output::Table => {
            let rows: Vec<Value> = pending.iter().map(row).collect();
            output::list(config.output, &["migration", "checksum", "locks"], &rows)
        }
    }
}

fn object(one: &PendingMigration) -> Value {
    let lock = |lock: &TableLock| json!({ "table": lock.table, "mode": lock.mode });
    json!({
        "version": one.version,
        "name": one.name,
        "file": one.file,
        "checksum": one.checksum,
        "locks": one.locks.iter().map(lock).collect::<Vec<_>>(),
        "has_dynamic_statements": one.has_dynamic_statements,
    })
}

fn row(one: &PendingMigration) -> Value {
    let mut locks: Vec<String> =
        one.locks.iter().map(|lock| format!("{}: {}", lock.table, lock.mode)).collect();
    if one.has_dynamic_statements {
        locks.push("statements composed while it runs".into());
    }
    let checksum: String = one.checksum.chars().take(12).collect();
    json!({ "migration": one.file, "checksum": checksum, "locks": locks.join(", ") })
}
