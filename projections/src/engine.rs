//! The engine: claims tenants whose read models are behind their log, folds their next events, and
//! moves the checkpoints in the same transaction.
//!
//! Any number of servers run it without a leader: work is claimed by `for update skip locked`, and a
//! checkpoint only moves from where it was read. Rows and checkpoints can be redone, so a commit need
//! not wait for the disk. Workers of the live lane keep what is shown current, and those of the
//! rebuild lane fill new versions beside it, so that neither waits for the other.

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

/// The sweep that finds what no wake-up told of.
const SWEEP: Duration = Duration::from_millis(500);
/// From the beginning of a turn to that of the next at least: what arrives meanwhile shares it, instead
/// of each event having a transaction of its own.
const REST: Duration = Duration::from_millis(25);
/// The more read models a turn moved, the more their next one gathers. By this for each, so that a few
/// quiet tenants are shown at once.
const REST_EACH: Duration = Duration::from_millis(3);
/// An event waits no longer than this for its turn to begin, and is shown when it ends.
const LONGEST_REST: Duration = Duration::from_millis(100);
/// A turn that takes this long waits for a database that went silent.
const TURN: Duration = Duration::from_secs(90);
/// After a failure of the database.
const BACKOFF: Duration = Duration::from_secs(1);
/// Workers that fill new versions.
const REBUILDERS: usize = 2;

/// The running engine; stops when told, after the transactions under way.
pub struct Runner {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    health: Health,
}

impl Runner {
    /// Starts the workers, for every version of these read models that is of this build's shape.
    #[must_use]
    pub fn start(store: &Arc<Store>, projectors: Vec<Arc<dyn Projector>>) -> Self {
        Self::start_with(store, projectors, Batches::default())
    }

    /// The same, with other batches.
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

    /// What the workers last complained of.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Stops after the transactions under way.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(error = %error, "projection.worker_died");
            }
        }
    }
}

/// Spawns a worker whose processor time is that of the read models.
fn spawn(worker: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(stage::drive(Stage::Project, worker))
}

/// Follows the wake-ups: looks only at tenants whose logs have grown, so that a turn costs the same
/// however many tenants there are.
async fn follow(mut worker: Worker, mut stop: watch::Receiver<bool>) {
    let wake = worker.store().wake().clone();
    let mut rung = wake.subscribe();
    let mut later: Vec<TenantId> = Vec::new();
    while !*stop.borrow() {
        rung.mark_unchanged();
        let woken = wake.take();
        let begun = Instant::now();
        // Whoever had a turn and was not done with it comes after the others.
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

/// Looks at all tenants again and again. What grows while live turns are made is left to those that
/// follow the wake-ups, which gather it.
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

/// What became of a turn.
enum Done {
    /// So many checkpoints moved.
    Moved(usize),
    /// Nothing of it was kept, for the sake of one tenant; the others may go on at once.
    Postponed,
    /// Nothing of it was kept.
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

/// How long after the beginning of a turn that moved so many checkpoints the next one begins.
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
