//! `doctor`: checks everything a ledger needs and changes nothing. Each check is printed as one
//! line: state, check, target, observation and recommended action.
//!
//! An empty data directory stays empty. An existing private PostgreSQL is started, as by every
//! command, but no migrations are applied.

mod backups;
mod check;
mod database;
mod ledger;
mod machine;
mod pooler;

use std::path::Path;

use serde_json::json;

use self::check::{Check, Severity};
use self::database::Schema;
use super::exit::ExitStatus;
use super::output;
use crate::config::{Config, Output};
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  call-ledger doctor
  call-ledger doctor --output json --database-url postgres://ledger@db.example.com/ledger

Exit code 0 when nothing failed, warnings included; 1 otherwise.")]
pub(super) struct Args {}

pub(super) async fn run(config: &Config, _args: &Args) -> anyhow::Result<ExitStatus> {
    let checks = examine(config).await;
    let is_ok = checks.iter().all(|check| check.state != Severity::Failed);
    let printed = match config.output {
        Output::Json => output::print_line(json!({ "ok": is_ok, "checks": checks })),
        Output::Table => checks.iter().try_for_each(output::print_line),
    };
    if is_ok { printed.map(|()| ExitStatus::Success) } else { Ok(ExitStatus::Failure) }
}

async fn examine(config: &Config) -> Vec<Check> {
    let mut checks = machine::checks(config).await;
    let is_private = config.database_url.is_none();
    if is_private && !has_data(&config.data_dir) {
        let place = config.data_dir.display().to_string();
        let found = "nothing is there yet; the first call-ledger serve or demo sets it up";
        checks.push(Check::ok("database", place, found));
        return checks;
    }
    match Instance::open_without_migrating(config).await {
        Err(error) => {
            let place = if is_private { "private PostgreSQL" } else { "DATABASE_URL" };
            let todo = if is_private {
                format!("see {}", config.data_dir.join("server.log").display())
            } else {
                "check the URL, the network and that the server runs".to_owned()
            };
            checks.push(Check::failed("database", place, format!("{error:#}"), todo));
            checks.push(ledger::root_key(config, None).await);
        }
        Ok(instance) => {
            if !is_private && let Some(found) = pooler::check(&instance.database).await {
                checks.push(found);
                checks.push(ledger::root_key(config, None).await);
                let _ = instance.close().await;
                return checks;
            }
            match database::check(config, &instance, &mut checks).await {
                Schema::Ours => {
                    ledger::check(config, &instance, &mut checks).await;
                    backups::check(config, &instance, &mut checks).await;
                }
                Schema::None => checks.push(ledger::root_key(config, Some(0)).await),
                Schema::Unknown => checks.push(ledger::root_key(config, None).await),
            }
            if let Err(error) = instance.close().await {
                let todo = "see its log, and look for processes that still use it";
                checks.push(Check::failed(
                    "shutdown",
                    "private PostgreSQL",
                    format!("{error:#}"),
                    todo,
                ));
            }
        }
    }
    checks
}

/// Returns whether the private PostgreSQL has been set up in this directory.
pub(super) fn has_data(data_dir: &Path) -> bool {
    data_dir.join("pg").exists()
}
