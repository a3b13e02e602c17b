//! The private PostgreSQL: a server below the data directory, so that the ledger runs without any
//! setup.
//!
//! The server is an ordinary one from the binaries of this machine, with full durability, reachable
//! through a unix socket in a directory that only its user can enter. No process owns the server:
//! every process that uses it holds a shared lock on `users.lock`, the first one starts the server
//! and the last one stops it. A process that is killed leaves the server running, and the next one
//! adopts it.
//!
//! | Below the data directory | Content |
//! |---|---|
//! | `pg/` | the data, owned by the server's user; `pg.tmp/` while it is created |
//! | `run/` | the socket; a directory in `/tmp` when this path would be too long |
//! | `server.log`, `server.log.1` | the log of this start and of the one before, without statements or parameters |
//! | `call-ledger.conf`, `archive.sh` | the settings and the script of the archive, replaced at each start |
//! | `start.lock`, `users.lock` | the locks of processes that start or stop the server, and that use it |

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinSet;

use self::{
    lock::{StartLock, UserLock},
    paths::ClusterPaths,
};

mod archive;
mod base_backup;
mod binaries;
mod by_hand;
mod cluster_settings;
mod error;
mod identity;
mod initdb;
mod lock;
mod paths;
mod process;
mod restore;
mod server;
mod settings;
mod watch;

pub use archive::{ArchiveContent, archive_content, end_gap, prune_archive};
pub use base_backup::{base_backup, check_base_backup};
pub use binaries::{Installed, installed};
pub use by_hand::{StoppedByHand, stop as stop_by_hand, url as url_of};
pub use cluster_settings::{Durability, Settings};
pub use error::Error;
pub use restore::{Recovered, Restoration, restore};

/// The state of the server after [`Cluster::stop`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The server has ended.
    Ended,
    /// The server still runs: other processes use it and the last one stops it, or an operator
    /// started it by hand.
    LeftRunning,
}

/// The use of a running server by this process.
///
/// While a `Cluster` exists, a server that ends unexpectedly is restarted, and no other process
/// stops it. Dropping the value without [`Cluster::stop`] leaves the server running, for the next
/// process to adopt.
#[derive(Debug)]
pub struct Cluster {
    paths: ClusterPaths,
    was_adopted: bool,
    is_running: Arc<AtomicBool>,
    users: UserLock,
    /// A single task. A `JoinSet` aborts its tasks when dropped.
    watch: JoinSet<()>,
}

impl Cluster {
    /// Adopts the running server of `settings.data_dir` or starts one, and creates the data at the
    /// first start.
    ///
    /// Waits while another process starts or stops the server, and while the server recovers from a
    /// crash. If the returned future is dropped early, a server may be left running; the next start
    /// adopts it.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process took too long: try again. Every other error names
    /// what an operator has to change.
    pub async fn start_or_adopt(settings: Settings) -> Result<Self, Error> {
        let paths = ClusterPaths::open(&settings.data_dir)?;
        let lock = StartLock::acquire(&paths.root).await?;
        let running = server::ensure_running(&paths, &settings, &lock).await?;
        let users = UserLock::acquire(&paths.root, &lock)?;
        if let Err(refused) = running.check(&paths, settings.durability).await {
            if users.release(&lock)? {
                server::shut_down(&paths).await?;
            }
            return Err(refused);
        }
        let was_adopted = running.child.is_none();
        tracing::info!(
            pid = process::recorded_pid(&paths),
            was_adopted,
            "the private PostgreSQL runs"
        );
        let is_running = Arc::new(AtomicBool::new(true));
        let mut watch = JoinSet::new();
        watch.spawn(watch::watch(paths.clone(), settings, running.child, is_running.clone()));
        Ok(Self { paths, was_adopted, is_running, users, watch })
    }

    /// Connects as superuser `ledger` to the database `ledger`, over the unix socket.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.paths.connect_options(paths::NAME)
    }

    /// The connection as a URL, for `psql` and sqlx. The URL holds no secret: access is limited by
    /// the mode of the socket's directory.
    #[must_use]
    pub fn url(&self) -> String {
        self.paths.url()
    }

    /// Whether the server was already running when this process started.
    #[must_use]
    pub fn was_adopted(&self) -> bool {
        self.was_adopted
    }

    /// Whether the server runs. Turns false when an unexpected end is detected, until the restart
    /// has succeeded; readiness must be refused for that time.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// Process id of the server, from its `postmaster.pid`; `None` when it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        process::recorded_pid(&self.paths)
    }

    /// Directory of the unix socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.paths.socket_dir
    }

    /// Path of the server's log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.paths.log
    }

    /// Ends the use of the server by this process, and stops the server when no other process uses
    /// it. Close pools first: open connections are cut.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process took too long to start or stop, and [`Error::Stop`]
    /// when the server does not end. In both cases this process is no longer a user, and the data
    /// is safe.
    pub async fn stop(mut self) -> Result<Stopped, Error> {
        // Restarts run under this lock, so the watch task is never aborted in the middle of one.
        let lock = StartLock::acquire(&self.paths.root).await?;
        self.watch.shutdown().await;
        if !self.users.release(&lock)? || by_hand::is_kept(&self.paths) {
            return Ok(Stopped::LeftRunning);
        }
        server::shut_down(&self.paths).await?;
        Ok(Stopped::Ended)
    }
}
