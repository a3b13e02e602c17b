//! The private PostgreSQL of a run: the product's own supervisor, real durability, and ways to hurt it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_store::embedded::{Cluster, Durability, Settings};
use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::Mutex;

use super::disk::Disk;
use super::processes;

/// More than two servers and the harness need, and few enough to be used up.
const MAX_CONNECTIONS: u16 = 90;
/// Room for the data and for the write-ahead log when they are on disks of their own.
const DATA_BYTES: u64 = 6 << 30;
const WAL_BYTES: u64 = 320 << 20;
/// Small, so that long runs check point often and recovery has little to replay.
const TUNING: [&str; 4] = [
    "alter system set max_wal_size = '96MB'",
    "alter system set min_wal_size = '32MB'",
    "alter system set checkpoint_timeout = '30s'",
    "alter system set log_lock_waits = on",
];

/// A PostgreSQL that is started again when it ends by itself.
pub(super) struct Postgres {
    settings: Settings,
    cluster: Mutex<Option<Cluster>>,
    /// As its superuser, over its own socket: nothing stands between.
    pub(super) database: PgConnectOptions,
    /// The same as a URL.
    pub(super) url: String,
    /// Its socket.
    pub(super) socket: PathBuf,
    /// The disks that can be filled: data, then write-ahead log. None when they may not be mounted.
    pub(super) disks: Option<[Disk; 2]>,
}

impl Postgres {
    /// Creates the data below `dir` and starts the server, on disks of its own when it may.
    ///
    /// # Errors
    /// PostgreSQL cannot be had, or a disk cannot be mounted although we are allowed to.
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

    /// The postmaster, when there is one.
    pub(super) async fn pid(&self) -> Option<i32> {
        let pid = self.cluster.lock().await.as_ref()?.pid()?;
        processes::is_alive(pid).then_some(pid)
    }

    /// Its processes but the first, which do the work.
    pub(super) async fn workers(&self) -> Vec<i32> {
        self.pid().await.map_or_else(Vec::new, processes::children)
    }

    /// Kills all of it at once: nothing is flushed, nothing is said to anybody.
    pub(super) async fn kill(&self) {
        if let Some(pid) = self.pid().await {
            processes::kill_family(pid).await;
        }
    }

    /// Continues what was stopped.
    pub(super) async fn continue_all(&self) {
        for pid in self.workers().await.into_iter().chain(self.pid().await) {
            processes::signal(pid, Signal::SIGCONT);
        }
    }

    /// Takes the supervision over anew, as a process that has just started does: its patience with a server that keeps
    /// ending starts anew, too.
    ///
    /// # Errors
    /// PostgreSQL cannot be started.
    pub(super) async fn supervise_anew(&self) -> anyhow::Result<()> {
        let mut cluster = self.cluster.lock().await;
        // Dropped, it leaves the server as it is.
        drop(cluster.take());
        *cluster = Some(Cluster::start_or_adopt(self.settings.clone()).await?);
        Ok(())
    }

    /// A connection of the superuser, within a bound.
    ///
    /// # Errors
    /// It does not answer in time.
    pub(super) async fn connect(&self) -> anyhow::Result<PgConnection> {
        let connecting = PgConnection::connect_with(&self.database);
        Ok(tokio::time::timeout(Duration::from_secs(10), connecting).await??)
    }

    /// Ends it, and its disks with it.
    pub(super) async fn stop(mut self) {
        if let Some(cluster) = self.cluster.lock().await.take() {
            let _ = cluster.stop().await;
        }
        // The log's disk lies in the other one.
        if let Some([data, wal]) = self.disks.take() {
            drop(wal);
            drop(data);
        }
    }
}
