//! `subject hold`, `subject release`, `subject restrict`, `subject unrestrict`.

use ledger_core::event::{HoldReason, RestrictionReason};
use ledger_core::ids::LegalHoldId;
use serde_json::json;
use uuid::Uuid;

use super::{OneSubject, word};
use crate::cli::exit::ExitStatus;
use crate::cli::output;
use crate::config::Config;
use crate::erasures::process;
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    one: OneSubject,
    /// Reason: litigation, investigation or audit
    #[arg(long, value_parser = hold_reason, default_value = "litigation")]
    reason: HoldReason,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    one: OneSubject,
    /// Id of the hold, as printed by subject hold and subject show
    #[arg(long, value_name = "ID")]
    hold: Uuid,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RestrictArgs {
    #[command(flatten)]
    one: OneSubject,
    /// Reason: 18.1.a to 18.1.d
    #[arg(long, value_parser = restriction_reason, default_value = "18.1.a")]
    reason: RestrictionReason,
}

fn hold_reason(text: &str) -> Result<HoldReason, String> {
    word(HoldReason::parse, &["litigation", "investigation", "audit"], text)
}

fn restriction_reason(text: &str) -> Result<RestrictionReason, String> {
    let parse = |text: &str| {
        RestrictionReason::parse(text).filter(|one| *one != RestrictionReason::Deferral)
    };
    word(parse, &["18.1.a", "18.1.b", "18.1.c", "18.1.d"], text)
}

pub(super) async fn run_hold(config: &Config, args: &HoldArgs) -> anyhow::Result<ExitStatus> {
    let placed = Instance::run(config, async |instance| {
        let store = &instance.store;
        let of = args.one.find(store).await?;
        let (hold_id, _) = process(store).place_hold(&store.operator(), of, args.reason).await?;
        let reason = args.reason.as_str();
        Ok(json!({ "hold_id": hold_id, "subject_id": of.1, "reason": reason }))
    })
    .await?;
    output::object(config.output, &placed)?;
    Ok(ExitStatus::Success)
}

pub(super) async fn run_release(config: &Config, args: &ReleaseArgs) -> anyhow::Result<ExitStatus> {
    let released = Instance::run(config, async |instance| {
        let store = &instance.store;
        let of = args.one.find(store).await?;
        let hold_id = LegalHoldId(args.hold);
        process(store).release_hold(&store.operator(), of, hold_id).await?;
        Ok(json!({ "hold_id": hold_id, "subject_id": of.1, "released": true }))
    })
    .await?;
    output::object(config.output, &released)?;
    Ok(ExitStatus::Success)
}

pub(super) async fn run_restrict(
    config: &Config,
    args: &RestrictArgs,
) -> anyhow::Result<ExitStatus> {
    let restricted = Instance::run(config, async |instance| {
        let store = &instance.store;
        let of = args.one.find(store).await?;
        process(store).restrict(&store.operator(), of, args.reason).await?;
        Ok(json!({ "subject_id": of.1, "restricted": true, "reason": args.reason.as_str() }))
    })
    .await?;
    output::object(config.output, &restricted)?;
    Ok(ExitStatus::Success)
}

pub(super) async fn run_unrestrict(
    config: &Config,
    one: &OneSubject,
) -> anyhow::Result<ExitStatus> {
    let lifted = Instance::run(config, async |instance| {
        let store = &instance.store;
        let of = one.find(store).await?;
        process(store).lift_restriction(&store.operator(), of).await?;
        Ok(json!({ "subject_id": of.1, "restricted": false }))
    })
    .await?;
    output::object(config.output, &lifted)?;
    Ok(ExitStatus::Success)
}
