//! Folds the read models of a restored ledger again, and compares them with those that it has.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use ledger_store::Store;
use projections::versions::{self, State, Version, checksum, obstacles};
use projections::{Runner, progress};

const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Returns a sentence for each read model that differs from what the log comes to.
///
/// # Errors
/// The database did not answer, or the log has an event that this build cannot read.
pub(super) async fn compare(store: &Arc<Store>) -> anyhow::Result<Vec<String>> {
    let mut building = Vec::new();
    for projector in projections::all() {
        building.push(begin(store, &*projector).await?);
    }
    let runner = Runner::start(store, projections::all());
    let compared = compare_all(store, &building).await;
    runner.stop().await;
    for version in &building {
        // A version of a database that is removed anyway; of another one, the operator's.
        let _ = versions::cancel_version(store.owner(), version).await;
    }
    compared
}

async fn begin(store: &Store, projector: &dyn projections::Projector) -> anyhow::Result<Version> {
    let name = projector.name();
    let number = versions::begin(store.owner(), projector, None, false).await?;
    let all = versions::versions(&mut *store.projector().acquire().await?).await?;
    let version = all.into_iter().find(|one| one.name == name && one.version == number);
    version.context("the version that was begun is gone")
}

async fn compare_all(store: &Store, building: &[Version]) -> anyhow::Result<Vec<String>> {
    until_caught_up(store, building).await?;
    let mut findings = Vec::new();
    for version in building {
        let name = version.name.as_str();
        let all = versions::versions(&mut *store.projector().acquire().await?).await?;
        let shown = all.iter().find(|one| one.name == name && one.state == State::Active);
        let shown = shown.context("no version is shown")?.version;
        let has = checksum(store.projector(), name, shown, None).await?;
        let folded = checksum(store.projector(), name, version.version, None).await?;
        if has != folded {
            findings.push(format!("read model {name} differs from what its log comes to"));
        }
    }
    Ok(findings)
}

/// Waits until the served versions and the new ones have every event.
async fn until_caught_up(store: &Store, building: &[Version]) -> anyhow::Result<()> {
    loop {
        let mut is_done = true;
        for one in progress(store.projector()).await? {
            if one.halted > 0 {
                let why = one.why.as_deref().unwrap_or("an event cannot be read");
                bail!("read model {} halted: {why}", one.name());
            }
            let is_wanted = one.version.state == State::Active
                || building.iter().any(|version| {
                    version.version == one.version.version && version.name == one.version.name
                });
            is_done &= !is_wanted || one.lag_events == 0;
            if one.version.state == State::Building && is_wanted {
                is_done &= one.version.indexed_at.is_some();
                is_done &= obstacles(store.projector(), &one.version).await?.behind == 0;
            }
        }
        if is_done {
            return Ok(());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
