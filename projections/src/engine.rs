//! The engine claims tenants with read models behind their log, applies the next events, and
//! moves the checkpoints in the same transaction.
//!
//! Any number of servers run it without a leader: work is claimed by `for update skip locked`, and
//! a checkpoint moves by compare-and-set. Rows and checkpoints can be recomputed, so commits are
//! asynchronous. Live workers keep served versions current, rebuild workers fill new versions;
//! neither waits for the other.

mod apply;
mod backoff;
mod batches;
mod checkpoint;
mod claim;
mod cycle;
mod fold;
mod health;
mod left_out;
mod parking;
#[cfg(feature = "fault-injection")]
mod planted;
mod promotion_worker;
mod read;

use std::sync::Arc;
use std::time::Duration;

use ledger_core::ids::TenantId;
use ledger_store::Store;
use ledger_store::placement::Placements;
use ledger_store::stage::{self, Stage};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

pub use apply::{Applied, VersionTarget, apply, set_search_path};
pub use batches::Batches;
pub use claim::Lane;
pub use health::Health;
pub(crate) use left_out::{dropped_of, event_at, events_of, leave_out};
pub use parking::ParkedKeys;

use crate::panic_guard::catch_panic;
use crate::projector::Projector;
use backoff::{Backoff, is_about_rows};
use cycle::Worker;

/// Interval of the sweep, which finds log growth without a commit notification.
const SWEEP: Duration = Duration::from_millis(500);
/// Minimum time between the starts of two live cycles, so that new events share a transaction.
const MIN_INTERVAL: Duration = Duration::from_millis(25);
/// Addition to the minimum time per moved checkpoint: busy cycles collect more events, and a few
/// quiet tenants are updated at once.
const INTERVAL_PER_CHECKPOINT: Duration = Duration::from_millis(3);
/// Maximum time between the starts of two live cycles; bounds the delay of an event.
const MAX_INTERVAL: Duration = Duration::from_millis(100);
/// Timeout of a cycle; reached when the database stops responding.
const CYCLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Pause after a database failure.
const BACKOFF: Duration = Duration::from_secs(1);
/// Number of workers that fill new versions.
const REBUILDERS: usize = 2;

/// The running engine. [`Runner::stop`] ends it after the transactions in progress.
pub struct Runner {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    health: Health,
}

impl Runner {
    /// Starts the workers of each placement for all versions of these read models with this build's
    /// schema version.
    #[must_use]
    pub fn start(store: &Arc<Store>, projectors: Vec<Arc<dyn Projector>>) -> Self {
        Self::start_with(store, projectors, Batches::default())
    }

    /// Starts the workers like [`Runner::start`], with other batch sizes.
    #[must_use]
    pub fn start_with(
        store: &Arc<Store>,
        projectors: Vec<Arc<dyn Projector>>,
        batches: Batches,
    ) -> Self {
        let stop = watch::Sender::new(false);
        let health = Health::default();
        let projectors: Arc<[Arc<dyn Projector>]> = projectors.into();
        let mut tasks = Vec::new();
        for placement in Placements::CURRENT.all() {
            let (live, rebuild) = (Backoff::default(), Backoff::default());
            let worker = |lane, postponed: &Backoff| {
                let store = (Arc::clone(store), placement);
                let projectors = Arc::clone(&projectors);
                Worker::new(store, projectors, (lane, batches), &health, postponed.clone())
            };
            tasks.push(spawn(process_notifications(worker(Lane::Live, &live), stop.subscribe())));
            tasks.push(spawn(sweep(worker(Lane::Live, &live), stop.subscribe())));
            for _ in 0..REBUILDERS {
                tasks.push(spawn(sweep(worker(Lane::Rebuild, &rebuild), stop.subscribe())));
            }
            let promotion_worker = promotion_worker::watch(
                Arc::clone(store),
                Arc::clone(&projectors),
                batches.close,
                stop.subscribe(),
            );
            tasks.push(spawn(promotion_worker));
        }
        Self { stop, tasks, health }
    }

    /// Returns a handle to the current worker errors.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Stops the workers after the transactions in progress.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(error = %error, "projection.worker_died");
            }
        }
    }
}

/// Spawns a worker and accounts its CPU time to the projection stage.
fn spawn(worker: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(stage::drive(Stage::Project, worker))
}

/// Processes commit notifications. Only notified tenants are read, so the cost of a cycle does not
/// depend on the number of tenants.
async fn process_notifications(mut worker: Worker, mut stop: watch::Receiver<bool>) {
    let notifier = worker.notifier().clone();
    let mut commits = notifier.subscribe();
    let mut later: Vec<TenantId> = Vec::new();
    while !has_stopped(&stop) {
        commits.mark_unchanged();
        let pending = notifier.take_pending();
        let started_at = Instant::now();
        // Tenants not read to the end in the last cycle are put after newly notified ones, for
        // fairness.
        let mut tenants: Vec<TenantId> =
            pending.tenants.into_iter().filter(|tenant| !later.contains(tenant)).collect();
        tenants.append(&mut later);
        let done = if pending.any {
            attempt(&mut worker, None).await
        } else if tenants.is_empty() {
            CycleOutcome::Moved(0)
        } else {
            attempt(&mut worker, Some(&tenants)).await
        };
        match done {
            CycleOutcome::Moved(0) => {
                worker.release_connection();
                tokio::select! {
                    _ = commits.changed() => {}
                    _ = stop.changed() => {}
                }
            }
            CycleOutcome::Moved(moved) => {
                later = worker.backlog();
                pause(interval_after(moved).saturating_sub(started_at.elapsed()), &mut stop).await;
            }
            CycleOutcome::Postponed => {
                notifier.requeue(tenants);
                pause(MIN_INTERVAL, &mut stop).await;
            }
            CycleOutcome::Failed => {
                notifier.requeue(tenants);
                pause(BACKOFF, &mut stop).await;
            }
        }
    }
}

/// Sweeps all tenants periodically. Growth during live cycles is left to `process_notifications`, which batches
/// it.
async fn sweep(mut worker: Worker, mut stop: watch::Receiver<bool>) {
    while !has_stopped(&stop) {
        match attempt(&mut worker, None).await {
            CycleOutcome::Moved(moved) if moved == 0 || !worker.continues_at_once(moved) => {
                worker.release_connection();
                pause(SWEEP, &mut stop).await;
            }
            CycleOutcome::Moved(_) => {}
            CycleOutcome::Postponed => pause(MIN_INTERVAL, &mut stop).await,
            CycleOutcome::Failed => pause(BACKOFF, &mut stop).await,
        }
    }
}

/// Outcome of a cycle.
enum CycleOutcome {
    /// Committed; the number of moved checkpoints.
    Moved(usize),
    /// Rolled back because of one tenant, now postponed; other tenants may continue at once.
    Postponed,
    /// Rolled back because of the database or the connection.
    Failed,
}

async fn attempt(worker: &mut Worker, tenants: Option<&[TenantId]>) -> CycleOutcome {
    let (failure, is_about_rows) =
        match timeout(CYCLE_TIMEOUT, catch_panic(worker.run_cycle(tenants))).await {
            Ok(Ok(Ok(moved))) => {
                worker.health().recovered(worker.lane());
                if moved > 0 {
                    worker.notifier().notify_read_models();
                }
                return CycleOutcome::Moved(moved);
            }
            Ok(Ok(Err(error))) => (crate::projector::reason(&error), is_about_rows(&error)),
            Ok(Err(panic)) => (format!("the engine panicked: {panic}"), true),
            Err(_) => ("the database does not answer".to_owned(), true),
        };
    let lane = worker.lane();
    tracing::warn!(error = failure, ?lane, tenant_id = ?worker.current_tenant(), "projection.turn_failed");
    worker.health().failed(lane, failure);
    worker.discard_read_ahead();
    if is_about_rows && worker.postpone() { CycleOutcome::Postponed } else { CycleOutcome::Failed }
}

/// Returns the minimum time from the start of a cycle that moved `moved` checkpoints to the start
/// of the next.
fn interval_after(moved: usize) -> Duration {
    let moved = u32::try_from(moved).unwrap_or(u32::MAX);
    (MIN_INTERVAL + INTERVAL_PER_CHECKPOINT.saturating_mul(moved)).min(MAX_INTERVAL)
}

/// Whether the engine is to stop. Dropping the engine stops it too: the channel is then always ready, so
/// workers that went on would never pause.
fn has_stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

async fn pause(length: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(length) => {}
        _ = stop.changed() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_stop_when_they_are_told_to_and_when_the_engine_is_dropped() {
        let (stop, told) = watch::channel(false);
        assert!(!has_stopped(&told));
        let dropped = told.clone();
        stop.send_replace(true);
        assert!(has_stopped(&told));
        stop.send_replace(false);
        drop(stop);
        assert!(has_stopped(&dropped));
    }

    #[test]
    fn the_more_a_turn_moved_the_longer_the_next_one_gathers_within_a_bound() {
        let ms = |moved| interval_after(moved).as_millis();
        assert_eq!([ms(0), ms(2), ms(20)], [25, 31, 85]);
        assert_eq!([ms(64), ms(usize::MAX)], [100, 100]);
    }
}
