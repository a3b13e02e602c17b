//! `quarantine list`, `quarantine show` and `quarantine replay`.

use anyhow::{anyhow, bail};
use ledger_app::intake::{ReplayError, replay, routing_candidates};
use ledger_core::ids::{QuarantineId, TenantId};
use ledger_store::Store;
use ledger_store::quarantine::{Entry, EntryFilter};
use serde_json::{Value, json};
use uuid::Uuid;

use super::exit::ExitStatus;
use super::output;
use crate::config::Config;
use crate::instance::Instance;

/// Number of entries per page.
const PAGE: i64 = 200;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the waiting entries, newest first
    #[command(after_help = "Examples:
  call-ledger quarantine list
  call-ledger quarantine list --all --output json      with those that were replayed")]
    List(ListEntries),
    /// Show one entry, with the ids that a route could match
    #[command(after_help = "Example:
  call-ledger quarantine show 01a1fcae-5d88-7792-b19c-87f840c88c05")]
    Show {
        /// Id of the entry
        id: Uuid,
    },
    /// Assign entries to the tenants that have a route for them; idempotent
    #[command(after_help = "Examples:
  call-ledger source route --source 3f0e… --tenant acme --assistant-id 054ea7e1-…
  call-ledger quarantine replay --all")]
    Replay(ReplayArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListEntries {
    /// Include entries that were replayed
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct ReplayArgs {
    /// Id of the entry
    id: Option<Uuid>,
    /// Replay everything that waits, oldest first; entries without a single matching route stay
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(config: &Config, command: &Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::List(list) => {
            let is_waiting = (!list.all).then_some(true);
            let entries =
                Instance::run(config, async |instance| entries(&instance.store, is_waiting).await)
                    .await?;
            let rows: Vec<_> = entries.iter().map(row).collect();
            let columns =
                ["quarantine_id", "received_at", "state", "reason", "source_id", "tenant_id"];
            output::list(config.output, &columns, &rows)?;
            Ok(ExitStatus::Success)
        }
        Command::Show { id } => {
            let shown = Instance::run(config, async |instance| {
                show(&instance.store, QuarantineId(*id)).await
            })
            .await?;
            output::object(config.output, &shown)?;
            Ok(ExitStatus::Success)
        }
        Command::Replay(args) => run_replay(config, args).await,
    }
}

/// Returns all entries, newest first.
async fn entries(store: &Store, is_waiting: Option<bool>) -> anyhow::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let before = entries.last().map(|last| last.quarantine_id);
        let filter = EntryFilter { is_waiting, before, limit: PAGE };
        let page = store.quarantined(TenantId::INSTALLATION, filter).await?;
        if page.is_empty() {
            return Ok(entries);
        }
        entries.extend(page);
    }
}

fn row(entry: &Entry) -> Value {
    let replayed = entry.replayed.as_ref();
    json!({
        "quarantine_id": entry.quarantine_id,
        "source_id": entry.source_id,
        "reason": entry.reason,
        "state": if replayed.is_some() { "replayed" } else { "waiting" },
        "received_at": entry.received_at,
        "replayed_at": replayed.map(|replayed| replayed.at),
        "tenant_id": replayed.map(|replayed| replayed.tenant_id),
        "position": replayed.map(|replayed| replayed.position),
    })
}

async fn show(store: &Store, id: QuarantineId) -> anyhow::Result<Value> {
    let found = routing_candidates(store, TenantId::INSTALLATION, id).await;
    let (entry, claims) = found.map_err(|error| with_code(&error))?;
    let mut shown = row(&entry);
    shown["kind"] = claims.kind.into();
    shown["provider_call_id"] = claims.provider_call_id.into();
    shown["assistant_id"] = claims.routing.assistant_id.into();
    shown["phone_number_id"] = claims.routing.phone_number_id.into();
    shown["phone_number"] = claims.routing.phone_number.into();
    shown["claimed_by"] = json!(claims.tenants);
    Ok(shown)
}

async fn run_replay(config: &Config, args: &ReplayArgs) -> anyhow::Result<ExitStatus> {
    let (rows, refused) = Instance::run(config, async |instance| {
        let store = &instance.store;
        let ids = match args.id {
            Some(id) => vec![QuarantineId(id)],
            None => {
                let waiting = entries(store, Some(true)).await?;
                waiting.iter().rev().map(|entry| entry.quarantine_id).collect()
            }
        };
        replay_each(store, ids, args.all).await
    })
    .await?;
    if let (false, Some((_, error))) = (args.all, refused.first()) {
        bail!("{error}");
    }
    let columns = ["quarantine_id", "status", "tenant_id", "position", "code"];
    output::list(config.output, &columns, &rows)?;
    Ok(if refused.is_empty() { ExitStatus::Success } else { ExitStatus::Failure })
}

fn with_code(error: &ReplayError) -> anyhow::Error {
    anyhow!("{error} ({})", error.code())
}

/// Replays each entry. Returns the results, and the errors other than entries that keep waiting.
async fn replay_each(
    store: &Store,
    ids: Vec<QuarantineId>,
    is_all: bool,
) -> anyhow::Result<(Vec<Value>, Vec<(QuarantineId, anyhow::Error)>)> {
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    for id in ids {
        let request_id = store.ids().ordered();
        match replay(store, TenantId::INSTALLATION, id, None, request_id).await {
            Ok(done) => rows.push(json!({
                "quarantine_id": id,
                "status": if done.was_known { "duplicate" } else { "recorded" },
                "tenant_id": done.tenant_id,
                "position": done.position,
                "code": null,
            })),
            Err(error) => {
                rows.push(json!({
                    "quarantine_id": id, "status": "waiting", "tenant_id": null,
                    "position": null, "code": error.code(),
                }));
                let stays = is_all && error.code() == "no-single-route";
                if !stays {
                    refused.push((id, with_code(&error)));
                }
            }
        }
    }
    Ok((rows, refused))
}
