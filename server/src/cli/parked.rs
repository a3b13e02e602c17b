//! `parked list`, `parked retry` and `parked drop`.

use ledger_store::Store;
use projections::parked::{self, Parked, Reason, drop_event, retry};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Done, output, usage};
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the events that could not be applied, with the number of events waiting behind each,
    /// oldest first
    #[command(after_help = "Examples:
  call-ledger parked list
  call-ledger parked list --tenant acme --output json")]
    List(List),
    /// Apply parked events and the events waiting behind them again, in order
    #[command(after_help = "Examples:
  call-ledger parked retry 01a1fcae-5d88-4792-b19c-87f840c88c05
  call-ledger parked retry --all      as after an upgrade that mends the cause

Exit code 1 when one could not be folded this time either: it waits on.")]
    Retry(RetryArgs),
    /// Drop a parked event from every version of its read model, and apply the events waiting
    /// behind it
    #[command(after_help = "Example:
  call-ledger parked drop 01a1fcae-5d88-4792-b19c-87f840c88c05 --reason 'a broken test message' --yes

The event stays in the log. That it is done without, and why, is recorded in the tenant's log for good:
the reason must hold no personal data.")]
    Drop(DropArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// List only this tenant's events (slug or id)
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct RetryArgs {
    /// Id of the entry
    id: Option<Uuid>,
    /// Retry everything that is parked, oldest first
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DropArgs {
    /// Id of the entry
    id: Uuid,
    /// Reason for dropping the event; kept in the log in the clear, so no personal data
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Confirm that the event is dropped permanently
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<Done> {
    match command {
        Command::List(args) => run_list(config, args).await,
        Command::Retry(args) => run_retry(config, args).await,
        Command::Drop(args) => run_drop(config, args).await,
    }
}

async fn run_list(config: &Config, args: &List) -> anyhow::Result<Done> {
    let rows = Instance::run(config, async |instance| {
        let store = &instance.store;
        let only = match &args.tenant {
            Some(tenant) => Some(output::find_tenant(store, tenant).await?.tenant_id),
            None => None,
        };
        Ok(parked::list(store.projector(), only, i64::MAX).await?)
    })
    .await?;
    let rows: Vec<_> = rows.iter().map(row).collect();
    let columns = [
        "parked_id",
        "tenant_id",
        "name",
        "version",
        "position",
        "event_type",
        "followers",
        "attempts",
        "parked_at",
        "reason",
    ];
    output::list(config.output, &columns, &rows)?;
    Ok(Done::Well)
}

fn row(one: &Parked) -> Value {
    json!({
        "parked_id": one.parked_id,
        "tenant_id": one.tenant_id,
        "name": one.name,
        "version": one.version,
        "key": one.key,
        "position": one.position,
        "event_type": one.event_type,
        "reason": one.reason,
        "attempts": one.attempts,
        "parked_at": one.parked_at,
        "followers": one.followers,
    })
}

async fn run_retry(config: &Config, args: &RetryArgs) -> anyhow::Result<Done> {
    let rows = Instance::run(config, async |instance| {
        let ids = match args.id {
            Some(id) => vec![id],
            None => all(&instance.store).await?,
        };
        let mut rows = Vec::new();
        for id in ids {
            let is_folded = match retry(instance.store.projector(), id, None).await {
                // A concurrent retry was faster.
                Err(parked::ParkedError::Missing) if args.all => true,
                retried => retried?,
            };
            rows.push(json!({ "parked_id": id, "state": state(is_folded) }));
        }
        Ok(rows)
    })
    .await?;
    output::list(config.output, &["parked_id", "state"], &rows)?;
    let is_done = rows.iter().all(|row| row["state"] == state(true));
    Ok(if is_done { Done::Well } else { Done::Unwell })
}

/// Returns the ids of all entries, oldest first.
async fn all(store: &Store) -> anyhow::Result<Vec<Uuid>> {
    let parked = parked::list(store.projector(), None, i64::MAX).await?;
    Ok(parked.into_iter().map(|one| one.parked_id).collect())
}

async fn run_drop(config: &Config, args: &DropArgs) -> anyhow::Result<Done> {
    if !args.yes {
        return usage("the read model does without the event for good: say so with --yes");
    }
    let Some(reason) = Reason::parse(&args.reason) else {
        let longest = Reason::LONGEST;
        return usage(format!("--reason says why in one line of 1 to {longest} characters"));
    };
    let is_folded = Instance::run(config, async |instance| {
        Ok(drop_event(&instance.store, args.id, None, &reason, None).await?)
    })
    .await?;
    let dropped = json!({ "parked_id": args.id, "state": state(is_folded) });
    output::object(config.output, &dropped)?;
    Ok(if is_folded { Done::Well } else { Done::Unwell })
}

/// Returns the state of a key after a retry.
fn state(is_folded: bool) -> &'static str {
    if is_folded { "folded" } else { "parked" }
}
