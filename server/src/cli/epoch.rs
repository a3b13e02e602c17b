//! `epoch roll` and `epoch list`.

use ledger_app::fault::chain;
use ledger_core::ids::TenantId;
use ledger_store::Store;
use serde_json::json;

use super::exit::ExitStatus;
use super::output;
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a new epoch key, move everything to it, and destroy the old key
    #[command(after_help = "Examples:
  call-ledger epoch roll --tenant acme
  call-ledger epoch roll                    every tenant, one after another

Requests go on meanwhile. A roll that was interrupted is continued.
Servers of release 0.2.0 refuse the tenant afterwards.")]
    Roll(RollArgs),
    /// List the epochs of a tenant, oldest first
    #[command(after_help = "Example:
  call-ledger epoch list --tenant acme")]
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct RollArgs {
    /// Slug or id of the tenant [default: every tenant]
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Roll(args) => roll(config, args).await,
        Command::List(args) => list(config, args).await,
    }
}

async fn roll(config: &Config, args: &RollArgs) -> anyhow::Result<ExitStatus> {
    let (tenants, subjects, failed) = Instance::run(config, async |instance| {
        let store = &instance.store;
        let of = match &args.tenant {
            Some(tenant) => vec![output::find_tenant(store, tenant).await?.tenant_id],
            None => store.tenants().await?.iter().map(|tenant| tenant.tenant_id).collect(),
        };
        Ok(roll_each(store, &of).await)
    })
    .await?;
    output::object(config.output, &json!({ "tenants": tenants, "subjects": subjects }))?;
    Ok(if failed == 0 { ExitStatus::Success } else { ExitStatus::Failure })
}

/// Returns the numbers of tenants that were rolled, of their subject keys, and of tenants that were not.
async fn roll_each(store: &Store, tenants: &[TenantId]) -> (u64, u64, u64) {
    let (mut rolled, mut subjects, mut failed) = (0, 0, 0);
    for tenant_id in tenants {
        match store.roll_epoch(*tenant_id).await {
            Ok(done) => {
                rolled += 1;
                subjects += done.subjects;
            }
            Err(error) => {
                eprintln!("tenant {tenant_id}: {}", chain(&error));
                failed += 1;
            }
        }
    }
    (rolled, subjects, failed)
}

async fn list(config: &Config, args: &ListArgs) -> anyhow::Result<ExitStatus> {
    let epochs = Instance::run(config, async |instance| {
        let tenant = output::find_tenant(&instance.store, &args.tenant).await?;
        Ok(instance.store.epochs(tenant.tenant_id).await?)
    })
    .await?;
    let rows: Vec<_> = epochs
        .iter()
        .map(|epoch| {
            json!({
                "epoch": epoch.epoch,
                "state": epoch.state,
                "created_at": epoch.created_at,
                "destroyed_at": epoch.destroyed_at,
                "check_value": hex::encode(&epoch.check_value),
            })
        })
        .collect();
    let columns = ["epoch", "state", "created_at", "destroyed_at", "check_value"];
    output::list(config.output, &columns, &rows)?;
    Ok(ExitStatus::Success)
}
