//! Named background tasks of a process: cancellation, restart with back-off, and health.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

/// Watch channel that becomes true when a worker must stop.
pub type StopSignal = watch::Receiver<bool>;

/// Delay before a worker that ended unexpectedly is restarted.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Delay before the first restart; each further restart doubles it.
    pub first: Duration,
    /// Longest delay. A worker that has run for this long starts again with the first delay.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_mins(1) }
    }
}

/// State of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerState {
    /// Runs.
    Running,
    /// Ended unexpectedly, and waits to be restarted.
    Restarting,
    /// Ended unexpectedly, and cannot be restarted.
    Died,
    /// Ended after it was told to stop.
    Stopped,
}

impl WorkerState {
    /// Returns the public name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Died => "died",
            Self::Stopped => "stopped",
        }
    }
}

/// Health of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerHealth {
    /// Name of the worker.
    pub name: &'static str,
    /// State of the worker.
    pub state: WorkerState,
    /// Number of restarts since the start of the process.
    pub restarts: u64,
}

/// Health of all workers, in the order of their start. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct WorkersHealth(Arc<Mutex<Vec<WorkerHealth>>>);

impl WorkersHealth {
    /// Returns the current health of each worker.
    #[must_use]
    pub fn all(&self) -> Vec<WorkerHealth> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, name: &'static str, state: WorkerState) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|one| one.name == name) {
            Some(known) => {
                known.restarts += u64::from(state == WorkerState::Restarting);
                known.state = state;
            }
            None => all.push(WorkerHealth { name, state, restarts: 0 }),
        }
    }
}

/// How the end of a worker was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitResult {
    /// The worker has ended.
    Ended,
    /// The worker still runs.
    TimedOut,
}

/// A group of background tasks. Dropping it leaves the tasks running.
#[derive(Debug, Default)]
pub struct Workers {
    backoff: Backoff,
    health: WorkersHealth,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    name: &'static str,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Workers {
    /// Creates an empty group with this restart delay.
    #[must_use]
    pub fn new(backoff: Backoff) -> Self {
        Self { backoff, ..Self::default() }
    }

    /// Returns a handle to the health of the workers.
    #[must_use]
    pub fn health(&self) -> WorkersHealth {
        self.health.clone()
    }

    /// Starts a worker that is restarted whenever it panics or returns before it is told to stop.
    pub fn start<F>(
        &mut self,
        name: &'static str,
        run: impl Fn(StopSignal) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        metrics::counter!("ledger_worker_restarts_total", "worker" => name).increment(0);
        let (health, backoff) = (self.health.clone(), self.backoff);
        self.spawn(name, move |stop| supervise(name, health, backoff, stop, run));
    }

    /// Starts a worker that cannot be restarted, such as one that owns a listener.
    pub fn start_once<F>(
        &mut self,
        name: &'static str,
        run: impl FnOnce(StopSignal) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let health = self.health.clone();
        self.spawn(name, move |stop| async move {
            let ended = run_guarded(run(stop.clone())).await;
            let is_stopped = ended.is_ok() && *stop.borrow();
            if let Err(error) = ended {
                tracing::error!(worker = name, error, "worker.died");
            }
            health.set(name, if is_stopped { WorkerState::Stopped } else { WorkerState::Died });
        });
    }

    fn spawn<F>(&mut self, name: &'static str, task: impl FnOnce(StopSignal) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.health.set(name, WorkerState::Running);
        let stop = watch::Sender::new(false);
        let task = tokio::spawn(task(stop.subscribe()));
        self.workers.push(Worker { name, stop, task });
    }

    /// Tells a worker to stop, without waiting for its end.
    pub fn cancel(&self, name: &str) {
        for worker in self.workers.iter().filter(|worker| worker.name == name) {
            worker.stop.send_replace(true);
        }
    }

    /// Waits for the end of a worker.
    pub async fn wait(&mut self, name: &str, within: Duration) -> WaitResult {
        let Some(at) = self.workers.iter().position(|worker| worker.name == name) else {
            return WaitResult::Ended;
        };
        match timeout(within, &mut self.workers[at].task).await {
            // The supervising task does not panic, and an aborted one has ended.
            Ok(_) => {
                self.workers.remove(at);
                WaitResult::Ended
            }
            Err(_) => WaitResult::TimedOut,
        }
    }

    /// Ends a worker at its next await point, if it still runs.
    pub fn abort(&mut self, name: &str) {
        self.workers.retain(|worker| {
            let is_it = worker.name == name;
            if is_it {
                worker.task.abort();
                self.health.set(worker.name, WorkerState::Stopped);
            }
            !is_it
        });
    }
}

/// Runs the worker again after each unexpected end, until it is told to stop.
async fn supervise<F>(
    name: &'static str,
    health: WorkersHealth,
    backoff: Backoff,
    mut stop: StopSignal,
    run: impl Fn(StopSignal) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut delay = backoff.first;
    loop {
        let began = Instant::now();
        let ended = run_guarded(run(stop.clone())).await;
        if *stop.borrow() {
            break;
        }
        let error = ended.err().unwrap_or_else(|| "it returned".to_owned());
        tracing::error!(worker = name, error, "worker.restarting");
        metrics::counter!("ledger_worker_restarts_total", "worker" => name).increment(1);
        health.set(name, WorkerState::Restarting);
        if began.elapsed() >= backoff.longest {
            delay = backoff.first;
        }
        if timeout(delay, stop.wait_for(|stop| *stop)).await.is_ok() {
            break;
        }
        delay = (delay * 2).min(backoff.longest);
        health.set(name, WorkerState::Running);
    }
    health.set(name, WorkerState::Stopped);
}

/// Runs the future in a task of its own, which ends with this one. The panic itself is printed by the panic
/// hook; its message may hold data and is not repeated here.
async fn run_guarded(run: impl Future<Output = ()> + Send + 'static) -> Result<(), String> {
    let mut task = JoinSet::new();
    task.spawn(run);
    match task.join_next().await {
        Some(Err(error)) if error.is_panic() => Err("it panicked".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);
    const LONG: Duration = Duration::from_secs(30);

    fn workers() -> Workers {
        Workers::new(Backoff { first: SHORT, longest: SHORT * 4 })
    }

    async fn until(is_so: impl Fn() -> bool) {
        let reached = async {
            while !is_so() {
                tokio::time::sleep(SHORT).await;
            }
        };
        timeout(LONG, reached).await.expect("the state is reached");
    }

    #[tokio::test]
    async fn a_worker_that_panics_or_returns_is_restarted_until_it_is_told_to_stop() {
        let mut workers = workers();
        let health = workers.health();
        let starts = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&starts);
        workers.start("flaky", move |mut stop| {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                match start {
                    0 => panic!("the first run fails"),
                    1 => {}
                    _ => drop(stop.wait_for(|stop| *stop).await),
                }
            }
        });
        until(|| starts.load(Ordering::SeqCst) == 3).await;
        let running = WorkerHealth { name: "flaky", state: WorkerState::Running, restarts: 2 };
        until(|| health.all() == [running]).await;
        workers.cancel("flaky");
        assert_eq!(workers.wait("flaky", LONG).await, WaitResult::Ended);
        assert_eq!(health.all(), [WorkerHealth { state: WorkerState::Stopped, ..running }]);
        assert_eq!(starts.load(Ordering::SeqCst), 3, "a stopped worker is not restarted");
    }

    #[tokio::test]
    async fn a_worker_that_cannot_be_restarted_is_reported_as_died() {
        let mut workers = workers();
        let health = workers.health();
        workers.start_once("listener", |_| async { panic!("it fails") });
        until(|| health.all()[0].state == WorkerState::Died).await;
        assert_eq!(workers.wait("listener", LONG).await, WaitResult::Ended);
    }

    #[tokio::test]
    async fn a_worker_that_ignores_the_signal_is_aborted_with_its_task() {
        let mut workers = workers();
        let health = workers.health();
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        workers.start("deaf", move |_| {
            let inside = Arc::clone(&inside);
            async move {
                std::future::pending::<()>().await;
                drop(inside);
            }
        });
        workers.cancel("deaf");
        assert_eq!(workers.wait("deaf", SHORT).await, WaitResult::TimedOut);
        workers.abort("deaf");
        until(|| Arc::strong_count(&held) == 1).await;
        assert_eq!(health.all()[0].state, WorkerState::Stopped);
    }

    #[tokio::test]
    async fn a_stop_during_the_back_off_ends_the_worker_at_once() {
        let mut workers = Workers::new(Backoff { first: LONG * 10, longest: LONG * 10 });
        let health = workers.health();
        workers.start("failing", |_| async { panic!("each run fails") });
        until(|| health.all()[0].state == WorkerState::Restarting).await;
        workers.cancel("failing");
        assert_eq!(workers.wait("failing", LONG).await, WaitResult::Ended);
    }
}
