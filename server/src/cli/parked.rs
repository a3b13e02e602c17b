//! `parked list`, `parked retry` and `parked drop`.

use ledger_core::ids::EventId;
use ledger_store::Store;
use projections::parked::{self, Dropped, Parked, Reason, drop_event, drop_parked, retry};
use serde_json::{Value, json};
use uuid::Uuid;

use super::exit::{ExitStatus, usage_error};
use super::output;
use crate::config::Config;
use crate::instance::Instance;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the events that could not be applied, with the number of events waiting behind each,
    /// oldest first
    #[command(after_help = "Examples:
  call-ledger parked list
  call-ledger parked list --tenant acme --output json")]
    List(ListParked),
    /// Apply parked events and the events waiting behind them again, in order
    #[command(after_help = "Examples:
  call-ledger parked retry 01a1fcae-5d88-4792-b19c-87f840c88c05
  call-ledger parked retry --all      as after an upgrade that mends the cause

Exit code 1 when one could not be folded this time either: it waits on.")]
    Retry(RetryArgs),
    /// Leave an event out of every version of a read model, and fold what waited behind it
    #[command(after_help = "Examples:
  call-ledger parked drop 01a1fcae-5d88-4792-b19c-87f840c88c05 --reason 'a broken test message' --yes
  call-ledger parked drop 5b8f3c1e-7a64-5d0e-9f2b-0c3d9a1e6f47 --projection calls --tenant acme \\
      --reason 'a cost that no call has' --yes

By the id of its entry when it is parked; by its own id with --projection, whether it is parked, folded
or not reached yet. A folded event is taken out of rows and sums, which are then those of a rebuild. The
event stays in the log. The decision and its reason are recorded in the tenant's log for good: the reason
must hold no personal data. Dropping an event again changes nothing (already_dropped).

Exit code 1 when something of the event's call waits on.")]
    Drop(DropArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListParked {
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
    /// The parked entry; with --projection, the event
    id: Uuid,
    /// The read model that leaves the event out
    #[arg(long, value_name = "NAME", requires = "tenant")]
    projection: Option<String>,
    /// The tenant of the event, by slug or id
    #[arg(long, value_name = "TENANT", requires = "projection")]
    tenant: Option<String>,
    /// Why it is left out, kept in the log, readable: no personal data
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// That it is left out for good
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::List(args) => run_list(config, args).await,
        Command::Retry(args) => run_retry(config, args).await,
        Command::Drop(args) => run_drop(config, args).await,
    }
}

async fn run_list(config: &Config, args: &ListParked) -> anyhow::Result<ExitStatus> {
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
        "waiting_events",
        "attempts",
        "parked_at",
        "reason",
    ];
    output::list(config.output, &columns, &rows)?;
    Ok(ExitStatus::Success)
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
        "waiting_events": one.followers,
    })
}

async fn run_retry(config: &Config, args: &RetryArgs) -> anyhow::Result<ExitStatus> {
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
    Ok(if is_done { ExitStatus::Success } else { ExitStatus::Failure })
}

/// Returns the ids of all entries, oldest first.
async fn all(store: &Store) -> anyhow::Result<Vec<Uuid>> {
    let parked = parked::list(store.projector(), None, i64::MAX).await?;
    Ok(parked.into_iter().map(|one| one.parked_id).collect())
}

async fn run_drop(config: &Config, args: &DropArgs) -> anyhow::Result<ExitStatus> {
    if !args.yes {
        return usage_error("the read model leaves the event out for good: say so with --yes");
    }
    let Some(reason) = Reason::parse(&args.reason) else {
        let longest = Reason::MAX_CHARS;
        return usage_error(format!("--reason says why in one line of 1 to {longest} characters"));
    };
    let dropped =
        Instance::run(config, async |instance| drop_named(&instance.store, args, &reason).await)
            .await?;
    let shown = json!({
        "tenant_id": dropped.tenant_id,
        "name": dropped.name,
        "event_id": dropped.event_id,
        "position": dropped.position,
        "state": state(dropped.goes_on),
        "already_dropped": dropped.decided.is_none(),
    });
    output::object(config.output, &shown)?;
    Ok(if dropped.goes_on { ExitStatus::Success } else { ExitStatus::Failure })
}

/// Drops a parked event by the id of its entry, or any event by its own id.
async fn drop_named(store: &Store, args: &DropArgs, reason: &Reason) -> anyhow::Result<Dropped> {
    let decision = (reason, None);
    let Some((projection, tenant)) = args.projection.as_ref().zip(args.tenant.as_ref()) else {
        return Ok(drop_parked(store, args.id, None, decision).await?);
    };
    let tenant_id = output::find_tenant(store, tenant).await?.tenant_id;
    let event = (projection.as_str(), EventId(args.id));
    Ok(drop_event(store, tenant_id, event, decision).await?)
}

/// Returns the state of a key after a retry.
fn state(is_folded: bool) -> &'static str {
    if is_folded { "folded" } else { "parked" }
}
