//! The private PostgreSQL of a run: the product's own supervisor, real durability, and operations
//! to disturb it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_store::embedded::{Cluster, Durability, Settings};
use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::Mutex;

use super::disk::Disk;
use super::processes;

/// More than two servers and the harness need, and few enough to be exhausted.
const MAX_CONNECTIONS: u16 = 90;
/// Sizes in bytes of the disks for data and write-ahead log, where they can be mounted.
const DATA_BYTES: u64 = 6 << 30;
const WAL_BYTES: u64 = 320 << 20;
/// Small limits, so that checkpoints are frequent in long runs and recovery is short.
const TUNING: [&str; 4] = [
    "alter system set max_wal_size = '96MB'",
    "alter system set min_wal_size = '32MB'",
    "alter system set checkpoint_timeout = '30s'",
    "alter system set log_lock_waits = on",
];

/// A PostgreSQL that is restarted whenever it ends by itself.
pub(super) struct Postgres {
    settings: Settings,
    cluster: Mutex<Option<Cluster>>,
    /// Superuser options over its own socket, without a proxy.
    pub(super) database: PgConnectOptions,
    /// The same connection as a URL.
    pub(super) url: String,
    /// Path of the unix socket.
    pub(super) socket: PathBuf,
    /// The disks that can be filled: data, then write-ahead log. None if mounting is not allowed.
    pub(super) disks: Option<[Disk; 2]>,
}

impl Postgres {
    /// Creates the data directory below `dir`, on separate disks if allowed, and starts the server.
    ///
    /// # Errors
    /// If PostgreSQL cannot be started, or a disk cannot be mounted although it is allowed.
    pub(super) async fn start(dir: &Path, may_mount: bool) -> anyhow::Result<Self> {
        let data_dir = dir.join("data");
        super::world::make_passable(&data_dir)?;
        let data = may_mount.then(|| Disk::mount(&data_dir, DATA_BYTES)).transpose()?;
        let settings = Settings {
            data_dir: data_dir.clone(),
            binaries: None,
            user: None,
            durability: Durability::Durable,
            max_connections: MAX_CONNECTIONS,
            archive: None,
        };
        let mut cluster = Cluster::start_or_adopt(settings.clone()).await?;
        let mut conn = PgConnection::connect_with(&cluster.connect_options()).await?;
        for statement in TUNING {
            conn.execute(statement).await?;
        }
        conn.execute("select pg_reload_conf()").await?;
        conn.close().await?;
        let mut disks = None;
        if let Some(data) = data {
            cluster.stop().await?;
            disks = Some([data, Disk::mount(&data_dir.join("pg/pg_wal"), WAL_BYTES)?]);
            cluster = Cluster::start_or_adopt(settings.clone()).await?;
        }
        Ok(Self {
            settings,
            database: cluster.connect_options(),
            url: cluster.url(),
            socket: cluster.socket_dir().join(".s.PGSQL.5432"),
            cluster: Mutex::new(Some(cluster)),
            disks,
        })
    }

    /// Returns the process id of the running postmaster.
    pub(super) async fn pid(&self) -> Option<i32> {
        let pid = self.cluster.lock().await.as_ref()?.pid()?;
        processes::is_alive(pid).then_some(pid)
    }

    /// Returns the process ids of the postmaster's children.
    pub(super) async fn workers(&self) -> Vec<i32> {
        self.pid().await.map_or_else(Vec::new, processes::children)
    }

    /// Kills all processes at once, without a flush or a shutdown.
    pub(super) async fn kill(&self) {
        if let Some(pid) = self.pid().await {
            processes::kill_family(pid).await;
        }
    }

    /// Continues all stopped processes.
    pub(super) async fn continue_all(&self) {
        for pid in self.workers().await.into_iter().chain(self.pid().await) {
            processes::signal(pid, Signal::SIGCONT);
        }
    }

    /// Starts a new supervisor that adopts the running server, as a new process does; this resets
    /// the restart limit of the supervisor.
    ///
    /// # Errors
    /// If PostgreSQL cannot be started.
    pub(super) async fn restart_supervisor(&self) -> anyhow::Result<()> {
        let mut cluster = self.cluster.lock().await;
        // Dropping the supervisor leaves the server running.
        drop(cluster.take());
        *cluster = Some(Cluster::start_or_adopt(self.settings.clone()).await?);
        Ok(())
    }

    /// Opens a superuser connection within 10 s.
    ///
    /// # Errors
    /// If the connection is not open in time.
    pub(super) async fn connect(&self) -> anyhow::Result<PgConnection> {
        let connecting = PgConnection::connect_with(&self.database);
        Ok(tokio::time::timeout(Duration::from_secs(10), connecting).await??)
    }

    /// Stops PostgreSQL and unmounts its disks.
    pub(super) async fn stop(mut self) {
        if let Some(cluster) = self.cluster.lock().await.take() {
            let _ = cluster.stop().await;
        }
        // The disk of the write-ahead log is mounted inside the other one.
        if let Some([data, wal]) = self.disks.take() {
            drop(wal);
            drop(data);
        }
    }
}
