//! The private PostgreSQL: a server of our own below the data directory, so that the ledger runs with nothing set up.
//!
//! It is an ordinary server from the binaries of this machine, with full durability, reachable through a unix socket
//! in a directory that only its user can enter. The server belongs to no process in particular: every process that
//! uses it holds `users.lock` shared, whoever comes first starts it, and whoever leaves last ends it. A process that is
//! killed leaves a running server behind, and the next one adopts it.
//!
//! | Below the data directory | Is |
//! |---|---|
//! | `pg/` | the data, owned by the server's user; `pg.tmp/` while it is created |
//! | `run/` | the socket; a directory in `/tmp` when this path would be too long |
//! | `server.log`, `server.log.1` | the log of this start and of the one before, without statements or parameters |
//! | `call-ledger.conf` | the settings, written at each start |
//! | `start.lock`, `users.lock` | who starts or stops, and who uses it |

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinSet;

use self::{
    lock::{StartLock, UserLock},
    place::Place,
};

mod binaries;
mod by_hand;
mod error;
mod identity;
mod initdb;
mod lock;
mod place;
mod process;
mod server;
mod settings;
mod watch;

pub use binaries::{Installed, installed};
pub use by_hand::{StoppedByHand, stop as stop_by_hand, url as url_of};
pub use error::Error;

/// The oldest major version we run on.
const MINIMUM_MAJOR: u32 = 15;

/// What to run, and where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Holds everything of the cluster and may hold other things of ours. Created when missing.
    pub data_dir: PathBuf,
    /// The directory of `initdb` and `postgres`, and the only one looked at; `None` searches the usual ones.
    pub binaries: Option<PathBuf>,
    /// Who runs the server when we are root; `None` is the owner of existing data, else `postgres`, else `nobody`.
    pub user: Option<String>,
    /// Whether confirmed means safe on disk.
    pub durability: Durability,
    /// How many connections the server takes, counting those of every process that shares it. Holds from its next start.
    pub max_connections: u16,
}

/// Whether the server may lose what it has confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A commit is on disk before it is confirmed, and pages carry checksums.
    Durable,
    /// Nothing is flushed: for tests, where speed matters and a crash of the machine does not.
    Disposable,
}

/// How [`Cluster::stop`] left the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It has ended.
    Ended,
    /// Other processes use it, and the last of them will end it; or it was started by hand.
    LeftRunning,
}

/// This process's use of a running server.
///
/// While it lives, a server that ends by itself is started again, and no other process ends it. Dropping it without
/// [`Cluster::stop`] leaves the server running, for the next process to adopt.
#[derive(Debug)]
pub struct Cluster {
    place: Place,
    was_adopted: bool,
    is_running: Arc<AtomicBool>,
    users: UserLock,
    /// One task, in a set because a set ends its tasks when it is dropped.
    watch: JoinSet<()>,
}

impl Cluster {
    /// Finds the running server of `settings.data_dir`, or starts one, and creates its data at the first start.
    ///
    /// Waits while another process starts or stops it, and while it recovers from a crash. When the returned future
    /// is dropped early, a server may be left running; the next start adopts it.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process took too long: try again. The others say what a person has to change.
    pub async fn start_or_adopt(settings: Settings) -> Result<Self, Error> {
        let place = Place::open(&settings.data_dir)?;
        let lock = StartLock::acquire(&place.root).await?;
        let running = server::ensure_running(&place, &settings, &lock).await?;
        let users = UserLock::acquire(&place.root, &lock)?;
        if let Err(refused) = running.check(&place, settings.durability).await {
            if users.release(&lock)? {
                server::halt(&place).await?;
            }
            return Err(refused);
        }
        let was_adopted = running.child.is_none();
        tracing::info!(pid = process::written(&place), was_adopted, "the private PostgreSQL runs");
        let is_running = Arc::new(AtomicBool::new(true));
        let mut watch = JoinSet::new();
        watch.spawn(watch::watch(place.clone(), settings, running.child, is_running.clone()));
        Ok(Self { place, was_adopted, is_running, users, watch })
    }

    /// The superuser `ledger` on the database `ledger`, over the unix socket.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.place.connect_options(place::NAME)
    }

    /// The same as a URL, for `psql` and sqlx. It holds no secret: the directory of the socket is what keeps others out.
    #[must_use]
    pub fn url(&self) -> String {
        self.place.url()
    }

    /// The server was running before us.
    #[must_use]
    pub fn was_adopted(&self) -> bool {
        self.was_adopted
    }

    /// False from the moment the server is seen to have ended until it runs again; answer "not ready" meanwhile.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// The server's process, as it wrote it down; `None` when it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        process::written(&self.place)
    }

    /// The directory of the socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.place.socket_dir
    }

    /// The server's log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.place.log
    }

    /// Ends this process's use of the server, and the server itself when nobody else uses it. Close pools first:
    /// a connection that is still open is cut.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process took too long to start or stop, and [`Error::Stop`] when the server
    /// does not end. Either way this process no longer counts as a user, and the data is safe.
    pub async fn stop(mut self) -> Result<Stopped, Error> {
        // A restart happens under this lock, so the watch is not in the middle of one when it is ended.
        let lock = StartLock::acquire(&self.place.root).await?;
        self.watch.shutdown().await;
        if !self.users.release(&lock)? || by_hand::is_kept(&self.place) {
            return Ok(Stopped::LeftRunning);
        }
        server::halt(&self.place).await?;
        Ok(Stopped::Ended)
    }
}
