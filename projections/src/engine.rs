//! The engine claims tenants with read models behind their log, applies the next events, and
//! moves the checkpoints in the same transaction.
//!
//! Any number of servers run it without a leader: work is claimed by `for update skip locked`, and
//! a checkpoint moves by compare-and-set. Rows and checkpoints can be recomputed, so commits are
//! asynchronous. Live workers keep served versions current, rebuild workers fill new versions;
//! neither waits for the other.

mod apply;
mod claim;
mod fold;
mod health;
mod left_out;
mod parking;
#[cfg(feature = "planted-bugs")]
mod planted;
mod postponed;
mod read;
mod settle;
mod steward;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use ledger_core::ids::TenantId;
use ledger_store::Store;
use ledger_store::stage::{self, Stage};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

pub use apply::{Applied, Target, apply, show_path};
pub use claim::Lane;
pub use health::Health;
pub(crate) use left_out::{dropped_of, event_at, events_of, leave_out};
pub use parking::Waiting;
pub use turn::Batches;

use crate::caught::caught;
use crate::projector::Projector;
use postponed::{Postponed, is_about_rows};
use turn::Worker;

/// Interval of the sweep, which finds log growth without a commit notification.
const SWEEP: Duration = Duration::from_millis(500);
/// Minimum time between the starts of two live cycles, so that new events share a transaction.
const REST: Duration = Duration::from_millis(25);
/// Addition to the minimum time per moved checkpoint: busy cycles collect more events, and a few
/// quiet tenants are updated at once.
const REST_EACH: Duration = Duration::from_millis(3);
/// Maximum time between the starts of two live cycles; bounds the delay of an event.
const LONGEST_REST: Duration = Duration::from_millis(100);
/// Timeout of a cycle; reached when the database stops responding.
const TURN: Duration = Duration::from_secs(90);
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
    /// Starts the workers for all versions of these read models with this build's schema version.
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
        let (live, rebuild) = (Postponed::default(), Postponed::default());
        let worker = |lane, postponed: &Postponed| {
            let (store, projectors) = (Arc::clone(store), Arc::clone(&projectors));
            Worker::new(store, projectors, (lane, batches), &health, postponed.clone())
        };
        let mut tasks = vec![
            spawn(follow(worker(Lane::Live, &live), stop.subscribe())),
            spawn(sweep(worker(Lane::Live, &live), stop.subscribe())),
        ];
        for _ in 0..REBUILDERS {
            tasks.push(spawn(sweep(worker(Lane::Rebuild, &rebuild), stop.subscribe())));
        }
        let steward = steward::watch(
            Arc::clone(store),
            Arc::clone(&projectors),
            batches.close,
            stop.subscribe(),
        );
        tasks.push(spawn(steward));
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
async fn follow(mut worker: Worker, mut stop: watch::Receiver<bool>) {
    let wake = worker.store().wake().clone();
    let mut rung = wake.subscribe();
    let mut later: Vec<TenantId> = Vec::new();
    while !*stop.borrow() {
        rung.mark_unchanged();
        let woken = wake.take();
        let begun = Instant::now();
        // Tenants not read to the end in the last cycle are put after newly notified ones, for
        // fairness.
        let mut tenants: Vec<TenantId> =
            woken.tenants.into_iter().filter(|tenant| !later.contains(tenant)).collect();
        tenants.append(&mut later);
        let done = if woken.any {
            attempt(&mut worker, None).await
        } else if tenants.is_empty() {
            Done::Moved(0)
        } else {
            attempt(&mut worker, Some(&tenants)).await
        };
        match done {
            Done::Moved(0) => {
                worker.rest();
                tokio::select! {
                    _ = rung.changed() => {}
                    _ = stop.changed() => {}
                }
            }
            Done::Moved(moved) => {
                later = worker.left_behind();
                pause(rest_after(moved).saturating_sub(begun.elapsed()), &mut stop).await;
            }
            Done::Postponed => {
                wake.remember(tenants);
                pause(REST, &mut stop).await;
            }
            Done::Failed => {
                wake.remember(tenants);
                pause(BACKOFF, &mut stop).await;
            }
        }
    }
}

/// Sweeps all tenants periodically. Growth during live cycles is left to `follow`, which batches
/// it.
async fn sweep(mut worker: Worker, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match attempt(&mut worker, None).await {
            Done::Moved(moved) if moved == 0 || !worker.is_kept_on(moved) => {
                worker.rest();
                pause(SWEEP, &mut stop).await;
            }
            Done::Moved(_) => {}
            Done::Postponed => pause(REST, &mut stop).await,
            Done::Failed => pause(BACKOFF, &mut stop).await,
        }
    }
}

/// Outcome of a cycle.
enum Done {
    /// Committed; the number of moved checkpoints.
    Moved(usize),
    /// Rolled back because of one tenant, now postponed; other tenants may continue at once.
    Postponed,
    /// Rolled back because of the database or the connection.
    Failed,
}

async fn attempt(worker: &mut Worker, tenants: Option<&[TenantId]>) -> Done {
    let (failure, is_about_rows) = match timeout(TURN, caught(worker.turn(tenants))).await {
        Ok(Ok(Ok(moved))) => {
            worker.health().recovered(worker.lane());
            if moved > 0 {
                worker.store().wake().has_moved();
            }
            return Done::Moved(moved);
        }
        Ok(Ok(Err(error))) => (crate::projector::reason(&error), is_about_rows(&error)),
        Ok(Err(panic)) => (format!("the engine panicked: {panic}"), true),
        Err(_) => ("the database does not answer".to_owned(), true),
    };
    let lane = worker.lane();
    tracing::warn!(error = failure, ?lane, tenant_id = ?worker.at(), "projection.turn_failed");
    worker.health().failed(lane, failure);
    worker.forget();
    if is_about_rows && worker.postpone() { Done::Postponed } else { Done::Failed }
}

/// Returns the minimum time from the start of a cycle that moved `moved` checkpoints to the start
/// of the next.
fn rest_after(moved: usize) -> Duration {
    let moved = u32::try_from(moved).unwrap_or(u32::MAX);
    (REST + REST_EACH.saturating_mul(moved)).min(LONGEST_REST)
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
    fn the_more_a_turn_moved_the_longer_the_next_one_gathers_within_a_bound() {
        let ms = |moved| rest_after(moved).as_millis();
        assert_eq!([ms(0), ms(2), ms(20)], [25, 31, 85]);
        assert_eq!([ms(64), ms(usize::MAX)], [100, 100]);
    }
}
