//! Fault injection: each fault is injected, held for a while under traffic, and removed.

mod hostile;
mod network;
mod processes;
mod resources;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::follower::Follower;
use super::report::{Check, Findings, Times};
use super::sender::Sending;
use super::serving::READY_TIMEOUT;
use super::world::World;

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    KillServer,
    KillPostgres,
    KillBackend,
    KillAll,
    StopServer,
    PauseServer,
    TerminateBackends,
    PauseBackend,
    PausePostgres,
    DatabaseCut,
    DatabaseReset,
    DatabaseBlackHole,
    DatabaseSlow,
    DatabaseAnswersLost,
    ClientCut,
    ClientReset,
    ClientBlackHole,
    ClientSlow,
    ClientAnswersLost,
    DataFull,
    WalFull,
    KeyringFull,
    ClockForward,
    ClockBack,
    ConnectionsUsedUp,
    TenantsLocked,
    OldSnapshot,
    IdleWriter,
    HostileHeaders,
    SlowBodies,
    AbsurdValues,
    HugePages,
    TenantHeld,
    SilentPeer,
}

/// The faults that kill a process with state in memory.
const KILLS: [Fault; 4] =
    [Fault::KillServer, Fault::KillPostgres, Fault::KillBackend, Fault::KillAll];

/// All others.
const OTHERS: [Fault; 30] = [
    Fault::StopServer,
    Fault::PauseServer,
    Fault::TerminateBackends,
    Fault::PauseBackend,
    Fault::PausePostgres,
    Fault::DatabaseCut,
    Fault::DatabaseReset,
    Fault::DatabaseBlackHole,
    Fault::DatabaseSlow,
    Fault::DatabaseAnswersLost,
    Fault::ClientCut,
    Fault::ClientReset,
    Fault::ClientBlackHole,
    Fault::ClientSlow,
    Fault::ClientAnswersLost,
    Fault::DataFull,
    Fault::WalFull,
    Fault::KeyringFull,
    Fault::ClockForward,
    Fault::ClockBack,
    Fault::ConnectionsUsedUp,
    Fault::TenantsLocked,
    Fault::OldSnapshot,
    Fault::IdleWriter,
    Fault::HostileHeaders,
    Fault::SlowBodies,
    Fault::AbsurdValues,
    Fault::HugePages,
    Fault::TenantHeld,
    Fault::SilentPeer,
];

impl Fault {
    /// The name of the fault in the summary.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::KillServer => "kill server",
            Self::KillPostgres => "kill PostgreSQL",
            Self::KillBackend => "kill a backend",
            Self::KillAll => "kill PostgreSQL and a server",
            Self::StopServer => "stop server in good order",
            Self::PauseServer => "pause server",
            Self::TerminateBackends => "terminate backends",
            Self::PauseBackend => "pause a backend",
            Self::PausePostgres => "pause PostgreSQL",
            Self::DatabaseCut => "server-database: cut",
            Self::DatabaseReset => "server-database: reset",
            Self::DatabaseBlackHole => "server-database: black hole",
            Self::DatabaseSlow => "server-database: slow",
            Self::DatabaseAnswersLost => "server-database: answers lost",
            Self::ClientCut => "client-server: cut",
            Self::ClientReset => "client-server: reset",
            Self::ClientBlackHole => "client-server: black hole",
            Self::ClientSlow => "client-server: slow",
            Self::ClientAnswersLost => "client-server: answers lost",
            Self::DataFull => "disk full: data",
            Self::WalFull => "disk full: write-ahead log",
            Self::KeyringFull => "disk full: keyring",
            Self::ClockForward => "clock ahead",
            Self::ClockBack => "clock behind",
            Self::ConnectionsUsedUp => "connections used up",
            Self::TenantsLocked => "tenants locked",
            Self::OldSnapshot => "old snapshot",
            Self::IdleWriter => "idle writer elsewhere",
            Self::HostileHeaders => "one tenant: hostile headers",
            Self::SlowBodies => "one tenant: slow bodies",
            Self::AbsurdValues => "one tenant: absurd values",
            Self::HugePages => "one tenant: huge pages",
            Self::TenantHeld => "one tenant: row held",
            Self::SilentPeer => "one address: silent connections",
        }
    }

    pub(super) fn is_kill(self) -> bool {
        KILLS.contains(&self)
    }

    /// The reason why the fault cannot be injected on this machine, if there is one.
    fn obstacle(self, world: &World) -> Option<&'static str> {
        let needs_disk = matches!(self, Self::DataFull | Self::WalFull | Self::KeyringFull);
        (needs_disk && world.keys.is_none()).then_some("no disks of our own could be mounted")
    }
}

/// Returns `faults` faults in an order derived from the seed, at least `kills` of them kills, all
/// kinds equally often.
pub(super) fn plan(seed: u64, faults: usize, kills: usize) -> Vec<Fault> {
    let kills = kills.min(faults);
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut others = OTHERS;
    dice.shuffle(&mut others);
    let mut plan: Vec<Fault> = KILLS.into_iter().cycle().take(kills).collect();
    plan.extend(others.into_iter().cycle().take(faults - kills));
    dice.shuffle(&mut plan);
    plan
}

/// Splits a plan into the feasible faults and the others with their reasons.
pub(super) fn feasible(
    world: &World,
    plan: Vec<Fault>,
) -> (Vec<Fault>, std::collections::BTreeMap<&'static str, String>) {
    let mut not_run = std::collections::BTreeMap::new();
    let mut left = Vec::new();
    for fault in plan {
        match fault.obstacle(world) {
            Some(why) => drop(not_run.insert(fault.name(), why.to_owned())),
            None => left.push(fault),
        }
    }
    (left, not_run)
}

/// Injects the faults and holds what it needs for this.
pub(super) struct Nemesis {
    pub(super) world: Arc<World>,
    pub(super) findings: Arc<Findings>,
    pub(super) follower: Arc<Follower>,
    /// Used to measure other tenants during a fault of one tenant; none if no traffic is sent.
    pub(super) sending: Option<Arc<Sending>>,
    pub(super) dice: fastrand::Rng,
    pub(super) server_ready: Times,
    pub(super) postgres_ready: Times,
    /// Number of tenants that were created on a full disk.
    pub(super) set_up: u64,
    /// Transactions that stay open across faults.
    pub(super) held: tokio::task::JoinSet<()>,
}

impl Nemesis {
    /// Injects a fault, removes it, and waits until every server is ready.
    ///
    /// # Errors
    /// If the servers do not become ready: the run cannot continue.
    pub(super) async fn inject_and_recover(&mut self, fault: Fault) -> anyhow::Result<()> {
        sleep(Duration::from_millis(self.dice.u64(60..260))).await;
        let done = tokio::time::timeout(3 * READY_TIMEOUT, async {
            self.inject(fault).await?;
            self.world.heal().await
        });
        let done = done.await.unwrap_or_else(|_| Err(anyhow::anyhow!("it does not end")));
        if let Err(error) = &done {
            self.findings.add(Check::NotReady, || format!("after {}: {error:#}", fault.name()));
        }
        done
    }

    async fn inject(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::KillServer => self.kill_server().await?,
            Fault::StopServer => self.stop_server().await,
            Fault::PauseServer => self.pause_server().await,
            Fault::KillPostgres => self.kill_postgres().await,
            Fault::KillBackend => self.kill_backend().await,
            Fault::KillAll => self.kill_all().await?,
            Fault::TerminateBackends => self.terminate_backends().await,
            Fault::PauseBackend => self.pause_backends(1).await,
            Fault::PausePostgres => self.pause_backends(usize::MAX).await,
            Fault::DataFull | Fault::WalFull => self.fill_disk(fault).await?,
            Fault::KeyringFull => self.fill_keyring().await?,
            Fault::ClockForward => self.shift_clock(1).await?,
            Fault::ClockBack => self.shift_clock(-1).await?,
            Fault::ConnectionsUsedUp => self.use_up_connections().await,
            Fault::TenantsLocked => self.lock_tenants().await,
            Fault::OldSnapshot => {
                self.hold_snapshot();
                self.check_follower(fault).await;
            }
            Fault::IdleWriter => {
                self.hold_writer();
                self.check_follower(fault).await;
            }
            Fault::HostileHeaders
            | Fault::SlowBodies
            | Fault::AbsurdValues
            | Fault::HugePages
            | Fault::TenantHeld
            | Fault::SilentPeer => self.inject_hostile(fault).await,
            network => self.disturb(network).await,
        }
        Ok(())
    }

    /// Holds a fault: mostly shorter than any timeout, sometimes longer than all of them.
    async fn hold(&mut self) {
        let is_long = self.dice.u8(..8) == 0;
        let for_ms = if is_long { self.dice.u64(2_000..7_000) } else { self.dice.u64(100..1_000) };
        sleep(Duration::from_millis(for_ms)).await;
    }

    fn any_server(&mut self) -> usize {
        self.dice.usize(..self.world.servers.len())
    }
}

/// The text of the finding for a system that does not become ready after a fault.
fn not_ready(fault: Fault, since: Instant) -> String {
    format!("after {} it was not ready within {:?}", fault.name(), since.elapsed())
}
