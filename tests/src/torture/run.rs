//! One run, from an empty directory to a summary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::RwLock;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::checker::Checker;
use super::follower::Follower;
use super::history::History;
use super::injected_bugs::InjectedBug;
use super::nemesis::{Fault, Nemesis, feasible};
use super::report::{Check, Findings, Summary, Times};
use super::sender::Sending;
use super::workload::Workload;
use super::world::World;

/// Time limit at the end for webhooks with an unknown result to be accepted.
const RETRY_TIMEOUT: Duration = Duration::from_mins(1);

/// The parameters of a run.
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) plan: Vec<Fault>,
    pub(super) seconds: u64,
    pub(super) clients: usize,
    pub(super) check_every: usize,
    pub(super) may_mount: bool,
    /// Duration of the traffic before the first fault.
    pub(super) warm_up: Duration,
    /// Directory for copies of the logs.
    pub(super) logs: Option<PathBuf>,
    /// The bug to inject, which the run must find.
    pub(super) plant: Option<&'static InjectedBug>,
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

/// The components of a running run: senders, follower, fault injection, checker and their counts.
struct ActiveRun {
    sending: Arc<Sending>,
    checker: Checker,
    nemesis: Nemesis,
    senders: JoinSet<anyhow::Result<()>>,
    following: JoinHandle<()>,
    faults: BTreeMap<&'static str, u64>,
    not_run: BTreeMap<&'static str, String>,
    kills: u64,
    looks: u64,
    events: u64,
}

impl Run {
    /// Executes the run and removes its processes and files.
    ///
    /// # Errors
    /// If the environment cannot be set up, or the checks cannot be run.
    pub(super) async fn go(self) -> anyhow::Result<(Summary, Arc<Findings>)> {
        let since = Instant::now();
        let world = Arc::new(World::start(self.may_mount, self.plant).await?);
        let done = self.run_phases(&world, since).await;
        if let Some(logs) = &self.logs {
            keep_logs(&world.dir, logs)?;
        }
        match Arc::try_unwrap(world) {
            Ok(world) => world.end().await,
            // A cancelled task still holds it; the guard process ends what is left.
            Err(world) => drop(world),
        }
        done
    }

    async fn run_phases(
        &self,
        world: &Arc<World>,
        since: Instant,
    ) -> anyhow::Result<(Summary, Arc<Findings>)> {
        let findings = Arc::new(Findings::default());
        let mut active = self.open(world, &findings);
        tokio::time::sleep(self.warm_up).await;
        let (plan, not_run) = feasible(world, self.plan.clone());
        active.not_run = not_run;
        let is_well = self.inject_all(&plan, &mut active, since).await?;
        self.close(&mut active, is_well).await?;
        let ActiveRun { sending, nemesis, faults, not_run, kills, looks, events, .. } = active;
        let summary = Summary {
            seed: self.seed,
            seconds: since.elapsed().as_secs(),
            faults,
            kills,
            not_run,
            counts: sending.history.counts(),
            webhooks: sending.history.entries().len(),
            events,
            looks,
            server_ready: nemesis.server_ready,
            postgres_ready: nemesis.postgres_ready,
        };
        Ok((summary, findings))
    }

    /// Starts the senders and the follower.
    fn open(&self, world: &Arc<World>, findings: &Arc<Findings>) -> ActiveRun {
        let sending = Arc::new(Sending {
            world: Arc::clone(world),
            workload: Workload::new(self.seed, world.tenants.len()),
            history: History::new(findings),
            gate: RwLock::new(()),
            is_over: AtomicBool::new(false),
        });
        let follower = Arc::new(Follower::new(world.tenants.len(), findings));
        let mut senders = JoinSet::new();
        for nth in 0..self.clients {
            senders.spawn(Arc::clone(&sending).run(nth, self.seed));
        }
        let following = tokio::spawn(Arc::clone(&follower).run(Arc::clone(&sending)));
        let checker = Checker {
            sending: Arc::clone(&sending),
            follower: Arc::clone(&follower),
            findings: Arc::clone(findings),
        };
        let nemesis = Nemesis {
            world: Arc::clone(world),
            findings: Arc::clone(findings),
            follower,
            sending: Some(Arc::clone(&sending)),
            dice: fastrand::Rng::with_seed(self.seed),
            server_ready: Times::default(),
            postgres_ready: Times::default(),
            set_up: 0,
            held: JoinSet::new(),
        };
        ActiveRun {
            sending,
            checker,
            nemesis,
            senders,
            following,
            faults: BTreeMap::new(),
            not_run: BTreeMap::new(),
            kills: 0,
            looks: 0,
            events: 0,
        }
    }

    /// Injects one fault after the other under traffic, with checks between them. Stops at the time
    /// limit, or when the system does not become ready, which is then a finding.
    async fn inject_all(
        &self,
        plan: &[Fault],
        active: &mut ActiveRun,
        since: Instant,
    ) -> anyhow::Result<bool> {
        for (nth, fault) in (1..).zip(plan) {
            if since.elapsed() > Duration::from_secs(self.seconds) {
                break;
            }
            *active.faults.entry(fault.name()).or_default() += 1;
            active.kills += u64::from(fault.is_kill());
            if active.nemesis.inject_and_recover(*fault).await.is_err() {
                return Ok(false);
            }
            if nth % self.check_every == 0 && nth < plan.len() {
                let _quiet = active.sending.gate.write().await;
                active.checker.check_all().await?;
                active.looks += 1;
            }
        }
        Ok(true)
    }

    /// Stops the traffic, sends webhooks with an unknown result again, and runs all checks.
    async fn close(&self, active: &mut ActiveRun, is_well: bool) -> anyhow::Result<()> {
        active.sending.is_over.store(true, Ordering::Relaxed);
        while let Some(sent) = active.senders.join_next().await {
            sent??;
        }
        active.nemesis.held.shutdown().await;
        (&mut active.following).await?;
        if !is_well {
            return Ok(());
        }
        // With an injected bug some webhooks are never accepted.
        let timeout = if self.plant.is_some() { RETRY_TIMEOUT / 10 } else { RETRY_TIMEOUT };
        let left = active.sending.retry_unknown(timeout).await;
        if left > 0 {
            active
                .checker
                .findings
                .add(Check::NotReady, || format!("{left} webhooks are not taken"));
        }
        active.events = active.checker.check_all().await?;
        active.looks += 1;
        if self.plant.is_none() {
            active.checker.check_slowly(&mut active.nemesis.dice).await?;
        }
        Ok(())
    }
}

/// Copies the logs of the servers and of PostgreSQL.
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
