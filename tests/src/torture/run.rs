//! One run from an empty directory to a summary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::checker::Checker;
use super::follower::Follower;
use super::history::History;
use super::nemesis::{Fault, Nemesis, feasible};
use super::planted::Plant;
use super::report::{Check, Findings, Summary, Times};
use super::sender::Sending;
use super::workload::Workload;
use super::world::World;

/// What is still unknown in the end has this long to be taken.
const SETTLE: Duration = Duration::from_mins(1);

/// What a run is made from.
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) plan: Vec<Fault>,
    pub(super) seconds: u64,
    pub(super) clients: usize,
    pub(super) check_every: usize,
    pub(super) may_mount: bool,
    /// Traffic before the first fault.
    pub(super) warm_up: Duration,
    /// Where logs are kept.
    pub(super) logs: Option<PathBuf>,
    /// A bug that the run is to find.
    pub(super) plant: Option<&'static Plant>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            seed: 1,
            plan: Vec::new(),
            seconds: 120,
            clients: 8,
            check_every: usize::MAX,
            may_mount: false,
            warm_up: Duration::ZERO,
            logs: None,
            plant: None,
        }
    }
}

/// What was done so far.
#[derive(Default)]
struct Done {
    faults: BTreeMap<&'static str, u64>,
    kills: u64,
    looks: u64,
    events: u64,
}

impl Run {
    /// Does it, and leaves nothing behind.
    ///
    /// # Errors
    /// The world cannot be set up, or not be looked at.
    pub(super) async fn go(self) -> anyhow::Result<(Summary, Arc<Findings>)> {
        let since = Instant::now();
        let world = Arc::new(World::start(self.may_mount, self.plant).await?);
        let done = self.torment(&world, since).await;
        if let Some(logs) = &self.logs {
            keep_logs(&world.dir, logs)?;
        }
        match Arc::try_unwrap(world) {
            Ok(world) => world.end().await,
            // A task that was cut off still holds it; the guard ends what is left.
            Err(world) => drop(world),
        }
        done
    }

    async fn torment(
        &self,
        world: &Arc<World>,
        since: Instant,
    ) -> anyhow::Result<(Summary, Arc<Findings>)> {
        let findings = Arc::new(Findings::default());
        let sending = Arc::new(Sending {
            world: Arc::clone(world),
            workload: Workload::new(self.seed, world.tenants.len()),
            history: History::new(&findings),
            gate: RwLock::new(()),
            is_over: AtomicBool::new(false),
        });
        let follower = Arc::new(Follower::new(world.tenants.len(), &findings));
        let mut tasks = JoinSet::new();
        for nth in 0..self.clients {
            tasks.spawn(Arc::clone(&sending).run(nth, self.seed));
        }
        let following = Arc::clone(&follower).run(Arc::clone(&sending));
        let following = tokio::spawn(following);
        let checker = Checker {
            sending: Arc::clone(&sending),
            follower: Arc::clone(&follower),
            findings: Arc::clone(&findings),
        };
        let mut nemesis = Nemesis {
            world: Arc::clone(world),
            findings: Arc::clone(&findings),
            follower: Arc::clone(&follower),
            dice: fastrand::Rng::with_seed(self.seed),
            server_ready: Times::default(),
            postgres_ready: Times::default(),
            set_up: 0,
            held: JoinSet::new(),
        };
        tokio::time::sleep(self.warm_up).await;
        let (plan, not_run) = feasible(world, self.plan.clone());
        let mut done = Done::default();
        let struck = self.strike_all(&plan, &mut nemesis, &checker, &mut done, since).await;

        sending.is_over.store(true, Ordering::Relaxed);
        for sent in tasks.join_all().await {
            sent?;
        }
        nemesis.held.shutdown().await;
        // A world that is not well was found already; what is stored is looked at all the same if it can be.
        if struck.is_ok() {
            // With a bug some are never taken.
            let patience = if self.plant.is_some() { SETTLE / 10 } else { SETTLE };
            let left = sending.settle(patience).await;
            if left > 0 {
                findings.add(Check::NotReady, || format!("{left} webhooks are not taken"));
            }
            done.events = checker.look().await?;
            done.looks += 1;
            if self.plant.is_none() {
                checker.look_deeper(&mut nemesis.dice).await?;
            }
        }
        following.await?;
        let summary = Summary {
            seed: self.seed,
            seconds: since.elapsed().as_secs(),
            faults: done.faults,
            kills: done.kills,
            not_run,
            counts: sending.history.counts(),
            webhooks: sending.history.entries().len(),
            events: done.events,
            quiet_checks: done.looks,
            server_ready: nemesis.server_ready,
            postgres_ready: nemesis.postgres_ready,
        };
        Ok((summary, findings))
    }

    /// Injects one fault after the other under traffic, with quiet looks between; stops when the time is over.
    async fn strike_all(
        &self,
        plan: &[Fault],
        nemesis: &mut Nemesis,
        checker: &Checker,
        done: &mut Done,
        since: Instant,
    ) -> anyhow::Result<()> {
        for (nth, fault) in (1..).zip(plan) {
            if since.elapsed() > Duration::from_secs(self.seconds) {
                break;
            }
            nemesis.strike(*fault).await?;
            *done.faults.entry(fault.name()).or_default() += 1;
            done.kills += u64::from(fault.is_kill());
            if nth % self.check_every == 0 && nth < plan.len() {
                let _quiet = checker.sending.gate.write().await;
                checker.look().await?;
                done.looks += 1;
            }
        }
        Ok(())
    }
}

/// Copies what the servers and PostgreSQL logged.
fn keep_logs(dir: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for name in ["server-0.log", "server-1.log", "data/server.log", "data/server.log.1"] {
        let from = dir.join(name);
        if from.exists() {
            std::fs::copy(from, to.join(name.replace("data/server", "postgresql")))?;
        }
    }
    Ok(())
}
