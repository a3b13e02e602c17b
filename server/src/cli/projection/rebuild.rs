//! `projection rebuild`: creates a version, fills it in this process too, and waits until it is
//! promoted.

mod display;

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use ledger_core::ids::TenantId;
use ledger_store::Store;
use projections::versions::{self, State, Version, VersionError, checksum, named, obstacles};
use projections::{Progress, Runner, progress_within};
use serde_json::{Value, json};

use self::display::ProgressDisplay;
use super::super::exit::ExitStatus;
use super::super::output;
use crate::config::Config;
use crate::instance::Instance;
use ledger_app::shutdown::shutdown_signal;

/// Time between two checks of the progress.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum time to wait for an unresponsive database.
const DATABASE_TIMEOUT: Duration = Duration::from_mins(1);
/// Maximum time to wait for halted tenants while nothing else moves.
const HALTED_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the read model
    name: String,
    /// Rebuild only this tenant (slug or id); its rows replace the served ones
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Do not promote: exit when the version has caught up and has its indexes
    #[arg(long)]
    no_promote: bool,
    /// Continue with the version under construction, as it was begun
    #[arg(long, conflicts_with = "no_promote")]
    resume: bool,
    /// Promote even with keys parked that are not parked in the served version
    #[arg(long)]
    yes: bool,
}

/// Result of a rebuild that did not fail.
enum Ended {
    /// The version is served.
    Shown,
    /// The version has caught up and is promoted manually.
    CaughtUp,
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    named(&args.name)?;
    let instance = Instance::open(config).await?;
    let rebuilt = rebuild(&instance, args).await;
    let closed = instance.close().await;
    let rebuilt = rebuilt?;
    closed?;
    output::object(config.output, &rebuilt)?;
    Ok(ExitStatus::Success)
}

/// Runs the rebuild with an engine of its own. Ctrl-C ends it between two transactions; the version
/// stays.
async fn rebuild(instance: &Instance, args: &Args) -> anyhow::Result<Value> {
    let store = &instance.store;
    let runner = Runner::start(store, projections::all());
    let rebuilt = tokio::select! {
        rebuilt = run_to_end(store, args) => rebuilt,
        signal = shutdown_signal() => Err(match signal {
            Ok(()) => interrupted(store, args).await,
            Err(error) => error.into(),
        }),
    };
    runner.stop().await;
    rebuilt
}

async fn interrupted(store: &Store, args: &Args) -> anyhow::Error {
    let (name, tenant) = (&args.name, tenant_option(args));
    match building(store, args).await {
        Ok(Some(version)) => anyhow!(
            "interrupted; version {} of {name} stays, and servers go on filling it; go on here with: \
             projection rebuild {name}{tenant} --resume, or give it up with: \
             projection cancel {name}{tenant} --yes",
            version.version
        ),
        _ => anyhow!("interrupted"),
    }
}

async fn run_to_end(store: &Store, args: &Args) -> anyhow::Result<Value> {
    let began = Instant::now();
    let version = begin(store, args).await?;
    let name = version.name.as_str();
    let display = ProgressDisplay::new(&version);
    let first = (!args.resume).then_some(0);
    let (ended, first, last) = watch(store, &version, args.yes, first, display).await?;
    let seconds = began.elapsed().as_secs_f64();
    let shown = match (&ended, version.only) {
        // The rows of a single tenant were moved to the served version.
        (Ended::Shown, Some(_)) => active(store, name).await?.version,
        _ => version.version,
    };
    let sum = checksum(store.projector(), name, shown, version.only).await?;
    if matches!(ended, Ended::CaughtUp) {
        eprintln!(
            "compare it with: projection diff {name}; show it with: projection promote {name}"
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = (last - first) as f64 / seconds.max(0.001);
    let mut rebuilt = json!({
        "name": name,
        "version": shown,
        "state": if matches!(ended, Ended::Shown) { "active" } else { "building" },
        "events": last,
        "seconds": (seconds * 1e3).round() / 1e3,
        "events_per_second": rate.round(),
        "rows": sum.map(|sum| sum.rows),
        "checksum": sum,
    });
    if let Some(only) = version.only {
        rebuilt["tenant_id"] = json!(only);
    }
    Ok(rebuilt)
}

/// Returns the version to wait for: a new one, or with `--resume` the one under construction.
async fn begin(store: &Store, args: &Args) -> anyhow::Result<Version> {
    let name = args.name.as_str();
    if !args.resume {
        let only = only(store, args).await?;
        let projector = named(name)?;
        match versions::begin(store.owner(), &*projector, only, !args.no_promote).await {
            Err(error @ VersionError::Running { .. }) => bail!(
                "{error}; go on with it: projection rebuild {name}{tenant} --resume, or give it up: \
                 projection cancel {name}{tenant} --yes",
                tenant = tenant_option(args),
            ),
            begun => begun?,
        };
    }
    if let Some(building) = building(store, args).await? {
        return Ok(building);
    }
    let shown = active(store, name).await?;
    bail!(
        "no version of {name} is being built: version {} is shown, begun at {}; a rebuild that was \
         interrupted is finished by any server, which shows it then; begin another with: projection \
         rebuild {name}",
        shown.version,
        shown.began_at.format("%FT%TZ"),
    )
}

/// Returns the version under construction of the named tenant, or of all tenants. With `--resume`
/// and no tenant, a version of any single tenant is found as well.
async fn building(store: &Store, args: &Args) -> anyhow::Result<Option<Version>> {
    let only = only(store, args).await?;
    let mut conn = store.projector().acquire().await?;
    let building = versions::building_of(&mut conn, &args.name, only).await?;
    Ok(match building {
        None if args.resume && only.is_none() => versions::building(&mut conn, &args.name).await?,
        building => building,
    })
}

async fn only(store: &Store, args: &Args) -> anyhow::Result<Option<TenantId>> {
    Ok(match &args.tenant {
        Some(tenant) => Some(output::find_tenant(store, tenant).await?.tenant_id),
        None => None,
    })
}

/// Returns the `--tenant` option to print in a suggested command.
fn tenant_option(args: &Args) -> String {
    args.tenant.as_ref().map_or_else(String::new, |tenant| format!(" --tenant {tenant}"))
}

async fn active(store: &Store, name: &str) -> anyhow::Result<Version> {
    let all = versions::versions(&mut *store.projector().acquire().await?).await?;
    let active = all.into_iter().find(|one| one.name == name && one.state == State::Active);
    active.context("no version is shown")
}

/// Waits until a version is promoted or ready for it. Returns the result, and the number of applied
/// events at the start and at the end.
async fn watch(
    store: &Store,
    version: &Version,
    with_parked: bool,
    mut first: Option<i64>,
    mut display: ProgressDisplay,
) -> anyhow::Result<(Ended, i64, i64)> {
    let mut last = None::<Progress>;
    let mut done = None::<Instant>;
    let mut answered = Instant::now();
    loop {
        match check_progress(store, version, with_parked).await {
            Ok(RebuildStatus::Ended(ended, now)) => {
                let events = now.or(last).map_or(0, |now| now.events);
                return Ok((ended, first.unwrap_or(0), events));
            }
            Ok(RebuildStatus::Gone) if was_swapped(version, last.as_ref()) => {
                let events = last.map_or(0, |last| last.events);
                return Ok((Ended::Shown, first.unwrap_or(0), events));
            }
            Ok(RebuildStatus::Gone) => bail!(
                "version {} of {} is gone: somebody gave it up",
                version.version,
                version.name
            ),
            Ok(RebuildStatus::Under(now, left)) => {
                first.get_or_insert(now.events);
                let has_moved = last.as_ref().is_none_or(|last| last.events != now.events);
                done = if left == Pending::Halted && !has_moved {
                    done.or_else(|| Some(Instant::now()))
                } else {
                    None
                };
                if done.is_some_and(|done| done.elapsed() > HALTED_TIMEOUT) {
                    bail!(halted(&now));
                }
                display.show(&now);
                last = Some(now);
                answered = Instant::now();
            }
            Err(error) if is_transient(&error) && answered.elapsed() < DATABASE_TIMEOUT => {
                display.message("the database does not answer");
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The reason why a version is not ready yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    /// Progress is still possible: events to apply, indexes to build, or the promotion.
    Work,
    /// Only halted tenants remain.
    Halted,
}

/// Returns what a version with indexes waits for: `behind` tenants are behind the served version,
/// and `halted` tenants of all are halted.
fn left(behind: i64, halted: i64) -> Pending {
    if behind <= halted { Pending::Halted } else { Pending::Work }
}

/// Result of one check of the progress.
enum RebuildStatus {
    Under(Progress, Pending),
    Ended(Ended, Option<Progress>),
    Gone,
}

async fn check_progress(
    store: &Store,
    version: &Version,
    with_parked: bool,
) -> anyhow::Result<RebuildStatus> {
    let all = progress_within(store.projector(), version.only).await?;
    let is_it =
        |one: &Progress| one.name() == version.name && one.version.version == version.version;
    let Some(now) = all.into_iter().find(is_it) else { return Ok(RebuildStatus::Gone) };
    if now.version.state != State::Building {
        return Ok(RebuildStatus::Ended(Ended::Shown, Some(now)));
    }
    let is_filled = now.version.indexed_at.is_some() || version.only.is_some();
    if !is_filled {
        // Halted tenants do not delay the indexes, so these are still to be built. A version of a
        // single tenant has none.
        return Ok(RebuildStatus::Under(now, Pending::Work));
    }
    let obstacles = obstacles(store.projector(), &now.version).await?;
    if obstacles.behind > 0 {
        let left = left(obstacles.behind, now.halted);
        return Ok(RebuildStatus::Under(now, left));
    }
    if !version.promotes_itself {
        return Ok(RebuildStatus::Ended(Ended::CaughtUp, Some(now)));
    }
    if obstacles.parked == 0 {
        return Ok(RebuildStatus::Under(now, Pending::Work));
    }
    let name = version.name.as_str();
    if !with_parked {
        bail!(
            "version {} of {name} has caught up, and {} keys are parked in it that are not parked in \
             what is shown; see parked list, then parked retry or parked drop, and it is shown by \
             itself; or show it all the same: projection promote {name} --yes",
            version.version,
            obstacles.parked
        );
    }
    match versions::promote_version(store.owner(), &now.version, true).await {
        Ok(_) => Ok(RebuildStatus::Ended(Ended::Shown, Some(now))),
        // Another process promoted it, or it fell behind again; the next check decides.
        Err(VersionError::Behind { .. } | VersionError::NoneBuilding { .. }) => {
            Ok(RebuildStatus::Under(now, Pending::Work))
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns whether a missing version of a single tenant was promoted: it is deleted when its rows
/// are served. One that had not caught up was cancelled.
fn was_swapped(version: &Version, last: Option<&Progress>) -> bool {
    version.only.is_some()
        && last.is_some_and(|last| last.lag_events <= projections::Batches::default().close)
}

fn halted(now: &Progress) -> String {
    format!(
        "{} tenants halted, nothing else is left to do: {}; see docs/operations/alerts/read-model-halted.md",
        now.halted,
        now.why.as_deref().unwrap_or("an event cannot be read")
    )
}

/// Returns whether a retry may help.
fn is_transient(error: &anyhow::Error) -> bool {
    let database = error.downcast_ref::<sqlx::Error>();
    let version = error.downcast_ref::<VersionError>();
    database.is_some() || matches!(version, Some(VersionError::Database(_)))
}

/// Returns the tenant of a version as a suffix for messages.
fn tenant_suffix(only: Option<TenantId>) -> String {
    only.map_or_else(String::new, |tenant| format!(" of tenant {tenant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_only_waits_for_halted_tenants_when_all_tenants_behind_are_halted() {
        assert_eq!(left(2, 2), Pending::Halted);
        assert_eq!(left(1, 2), Pending::Halted, "what is shown of the other is no further");
        assert_eq!(left(3, 2), Pending::Work, "a long turn");
        assert_eq!(left(1, 0), Pending::Work);
    }
}
