//! `retention due`: what the retention policy of a tenant makes due.

use ledger_store::TenantTx;
use projections::retention::{DueClass, report};
use serde_json::json;

use super::exit::ExitStatus;
use super::output;
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Report what is past the periods of the setting retention, without erasing it
    #[command(after_help = "Examples:
  call-ledger settings set retention '{\"transcripts_days\": 365}' --tenant acme
  call-ledger retention due --tenant acme

The report is that of the read models, which a running server keeps up to date. Legal holds win.")]
    Due(Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Slug or id of the tenant
    #[arg(long)]
    tenant: String,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    let Command::Due(args) = command;
    let classes = Instance::run(config, async |instance| {
        let store = &instance.store;
        let tenant_id = output::find_tenant(store, &args.tenant).await?.tenant_id;
        let policy = store.call_settings(tenant_id).await?.retention;
        let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
        Ok(report(&mut tx, &policy, store.clock().now_micros()).await?)
    })
    .await?;
    let row = |class: &DueClass| {
        json!({
            "class": class.class.as_str(),
            "days": class.days,
            "before": class.before,
            "due": class.objects.due,
            "held": class.objects.held,
            "oldest": class.objects.oldest,
        })
    };
    let rows: Vec<_> = classes.iter().map(row).collect();
    output::list(config.output, &["class", "days", "before", "due", "held", "oldest"], &rows)?;
    Ok(ExitStatus::Success)
}
