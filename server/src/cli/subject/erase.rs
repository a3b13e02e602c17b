//! `subject erase`.

use std::time::Duration;

use anyhow::Context;
use ledger_app::access_export::ExportFiles;
use ledger_app::erasures::{ErasureError, ErasureProcess, ErasureRef, NewRequest, Progress};
use ledger_core::erasure::{ErasureRejection, Step};
use ledger_core::event::{Ground, IdentityCheck, Requester};
use ledger_core::ids::{SubjectId, TenantId};
use ledger_store::Store;
use ledger_store::roll::RollError;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{OneSubject, word};
use crate::cli::exit::{ExitStatus, usage_error};
use crate::cli::output;
use crate::config::Config;
use crate::erasures::{process, with_projections};
use crate::instance::Instance;

/// Longest wait for other work on the keys of the tenant.
const MAX_WAIT: Duration = Duration::from_mins(2);
/// Time between two attempts.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    one: OneSubject,
    /// Ground: 17.1.a to 17.1.f, or retention
    #[arg(long, value_parser = ground)]
    ground: Ground,
    /// Party that requested it: person, representative, controller or authority
    #[arg(long, value_name = "PARTY", value_parser = requester, default_value = "person")]
    requested_by: Requester,
    /// Check of its identity: account, `known_handle`, document or `not_required`
    #[arg(long, value_name = "CHECK", value_parser = identity, default_value = "not_required")]
    identity: IdentityCheck,
    /// Roll the epoch of the tenant too, so that no copy in a backup can be opened, and issue the final certificate
    #[arg(long)]
    now: bool,
    /// Confirm that the person's data become unreadable
    #[arg(long)]
    yes: bool,
}

fn ground(text: &str) -> Result<Ground, String> {
    let known: Vec<&str> = Ground::ALL.iter().map(|one| one.as_str()).collect();
    word(Ground::parse, &known, text)
}

fn requester(text: &str) -> Result<Requester, String> {
    let parse = |text: &str| Requester::parse(text).filter(|one| *one != Requester::Other);
    word(parse, &["person", "representative", "controller", "authority"], text)
}

fn identity(text: &str) -> Result<IdentityCheck, String> {
    let known: Vec<&str> = IdentityCheck::ALL.iter().map(|one| one.as_str()).collect();
    word(IdentityCheck::parse, &known, text)
}

pub(super) async fn run(config: &Config, args: &EraseArgs) -> anyhow::Result<ExitStatus> {
    if !args.yes {
        return usage_error("an erasure cannot be undone; confirm it with --yes");
    }
    let (of, state) = Instance::run(config, async |instance| {
        let store = &instance.store;
        let (tenant_id, subject_id) = args.one.find(store).await?;
        let files = ExportFiles::new(config.exports_path());
        let process = process(store).with_exports(files);
        with_projections(store, async || {
            let of = requested(&process, store, (tenant_id, subject_id), args).await?;
            let progress = process.run_to(of, Step::Certified).await?;
            if args.now && progress == Progress::Advanced {
                roll(store, tenant_id).await?;
                process.run_to(of, Step::Erased).await?;
            }
            let rights = store.rights(tenant_id, of.subject_id).await?;
            let erasure = rights.state.erasure(of.erasure_id).ok_or(ErasureError::NotFound)?;
            Ok((of, erasure.phase.state()))
        })
        .await
    })
    .await?;
    let done = json!({ "erasure_id": of.erasure_id, "state": state.as_str() });
    output::object(config.output, &done)?;
    Ok(ExitStatus::Success)
}

/// Rolls the epoch of the tenant. Waits for a roll that runs, and for other erasures between their fence and
/// the destruction of their keys.
async fn roll(store: &Store, tenant_id: TenantId) -> anyhow::Result<()> {
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        match store.roll_epoch(tenant_id).await {
            Ok(_) => return Ok(()),
            Err(RollError::Running | RollError::Fenced { .. }) if Instant::now() < deadline => {
                sleep(RETRY).await;
            }
            Err(error) => return Err(error).context("the epoch was not rolled"),
        }
    }
}

/// Requests the erasure; one that has not ended is continued.
async fn requested(
    process: &ErasureProcess,
    store: &Store,
    (tenant_id, subject_id): (TenantId, SubjectId),
    args: &EraseArgs,
) -> Result<ErasureRef, ErasureError> {
    let new = NewRequest {
        ground: args.ground,
        requested_by: Some(args.requested_by.as_str().to_owned()),
        identity: args.identity,
        received_at: None,
        note: None,
    };
    match process.request(&store.operator(), tenant_id, subject_id, &new).await {
        Ok(requested) => Ok(requested.of),
        Err(ErasureError::Rejected(ErasureRejection::Open(erasure_id))) => {
            Ok(ErasureRef { tenant_id, subject_id, erasure_id })
        }
        Err(error) => Err(error),
    }
}
