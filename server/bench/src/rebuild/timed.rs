//! Runs and times a rebuild as an operator would: start, fill, promote, compare.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ledger_store::Store;
use projections::versions::{State, begin, checksum, named};

use crate::throttled_progress::ThrottledProgress;

const NAME: &str = "calls";
/// Interval of the polls.
const PAUSE: Duration = Duration::from_millis(100);
/// Time limit without progress.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Result of a promoted rebuild.
#[derive(Debug, Clone)]
pub(super) struct Rebuilt {
    /// Seconds from the start until every event was applied.
    pub(super) filled_seconds: f64,
    /// Seconds from the start until the promotion, the creation of indexes included.
    pub(super) seconds: f64,
    /// Checksum of its rows.
    pub(super) checksum: String,
    /// True if the rows projected live have the same checksum.
    pub(super) is_as_live: bool,
}

/// Runs a rebuild while the engine is running.
pub(super) async fn rebuild(store: &Arc<Store>, step: &impl Fn(&str)) -> anyhow::Result<Rebuilt> {
    let live = active_version(store).await?;
    let began = Instant::now();
    let projector = named(NAME)?;
    let version = begin(store.owner(), &*projector, None, true).await?;
    let filled_seconds = wait(store, version, began, step).await?;
    let seconds = began.elapsed().as_secs_f64();
    let sum = async |version| {
        checksum(store.projector(), NAME, version, None).await?.context("the version is gone")
    };
    let (rebuilt, live) = (sum(version).await?, sum(live).await?);
    Ok(Rebuilt {
        filled_seconds,
        seconds,
        checksum: rebuilt.to_string(),
        is_as_live: rebuilt == live,
    })
}

/// Number of the served version.
async fn active_version(store: &Store) -> anyhow::Result<i32> {
    let all = projections::progress(store.projector()).await?;
    let active = all.iter().find(|one| one.name() == NAME && one.version.state == State::Active);
    Ok(active.context("a version is shown")?.version.version)
}

/// Waits for the promotion of a version. Returns the seconds from `began` until every event was applied.
async fn wait(
    store: &Store,
    version: i32,
    began: Instant,
    step: &impl Fn(&str),
) -> anyhow::Result<f64> {
    let progress = ThrottledProgress::new(step);
    let (mut filled, mut most, mut moved) = (None, -1, Instant::now());
    loop {
        let all = projections::progress(store.projector()).await?;
        let of =
            |one: &&projections::Progress| one.name() == NAME && one.version.version == version;
        let now = all.iter().find(of).context("the version is gone")?;
        if now.halted > 0 || now.parked > 0 {
            bail!(
                "the rebuild met an event it cannot fold: {}",
                now.why.clone().unwrap_or_default()
            );
        }
        if now.lag_events == 0 {
            filled.get_or_insert_with(|| began.elapsed().as_secs_f64());
        }
        if now.version.state == State::Active {
            return Ok(filled.unwrap_or_else(|| began.elapsed().as_secs_f64()));
        }
        if now.events > most || filled.is_some() && now.version.indexed_at.is_none() {
            (most, moved) = (now.events.max(most), Instant::now());
        }
        if moved.elapsed() > TIMEOUT {
            bail!("the rebuild does not move: {} events are left", now.lag_events);
        }
        progress.report(|| format!("{} events in it", now.events));
        tokio::time::sleep(PAUSE).await;
    }
}
