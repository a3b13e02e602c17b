//! The shared cluster: started by the first test that needs it, stopped after the test process has
//! ended. Test runners with one process per test set `LEDGER_TESTS_CLUSTER` instead; then each
//! process has a database of its own in one cluster (`.config/nextest.toml`).

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ledger_store::embedded::{Cluster, Durability, Settings};
use ledger_store::keyring::Keyring;
use ledger_store::migrate;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::OnceCell;

/// Variable with the directory of a cluster that [`hold`] keeps for many test processes. Without it
/// each process starts a cluster of its own.
const SHARED_DIR: &str = "LEDGER_TESTS_CLUSTER";
/// The name of the test that acts as reaper. [`REAPER_DIR`] is the variable with its directory.
const REAPER: &str = "the_reaper_ends_the_cluster";
const REAPER_DIR: &str = "LEDGER_TESTS_REAP";

/// The cluster, database and keyring that all tests of the process share.
pub struct Shared {
    /// Directory with the cluster's data, its log and the keyring.
    pub dir: PathBuf,
    /// Connection options of the migrated database, as superuser.
    pub database: PgConnectOptions,
    /// The keyring with the epoch keys of every tenant in the database.
    pub keyring: Arc<Keyring>,
    _cluster: Cluster,
}

/// Returns the shared cluster with one migrated database; the first call starts it.
///
/// # Panics
/// If PostgreSQL cannot be started; the message has the reason.
pub async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED.get_or_init(start).await
}

async fn start() -> Shared {
    crate::logs::capture();
    if let Some(dir) = std::env::var_os(SHARED_DIR) {
        return start_in(Path::new(&dir)).await;
    }
    let dir = new_dir();
    spawn_reaper(&dir);
    let cluster = Cluster::start_or_adopt(settings(&dir)).await.expect("PostgreSQL starts");
    let database = cluster.connect_options();
    migrate(&database).await.expect("the migrations apply");
    let keyring = Keyring::new(dir.join("keyring"), dir.join("root.key"));
    Shared { dir, database, keyring: Arc::new(keyring), _cluster: cluster }
}

/// Creates a database of this process in a cluster that [`hold`] keeps, as a copy of the migrated
/// one.
async fn start_in(dir: &Path) -> Shared {
    let cluster = Cluster::start_or_adopt(settings(dir)).await.expect("the cluster is there");
    let name = format!("process_{}", std::process::id());
    let maintenance = cluster.connect_options().database("postgres");
    let mut conn = PgConnection::connect_with(&maintenance).await.expect("the cluster answers");
    let create = format!("create database {name} template ledger");
    conn.execute(AssertSqlSafe(create)).await.expect("a copy of the migrated database");
    let dir = dir.join(&name);
    std::fs::create_dir(&dir).expect("a directory of this process");
    let database = cluster.connect_options().database(&name);
    let keyring = Keyring::new(dir.join("keyring"), dir.join("root.key"));
    Shared { dir, database, keyring: Arc::new(keyring), _cluster: cluster }
}

/// Starts a cluster with a migrated database `ledger`, calls `ready` with its directory, and stops
/// the cluster when the process `until` has ended.
///
/// # Panics
/// If PostgreSQL cannot be started or stopped.
pub async fn hold(until: Pid, ready: impl FnOnce(&Path)) {
    let dir = new_dir();
    let cluster = Cluster::start_or_adopt(settings(&dir)).await.expect("PostgreSQL starts");
    migrate(&cluster.connect_options()).await.expect("the migrations apply");
    ready(&dir);
    while kill(until, None).is_ok() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    cluster.stop().await.expect("it ends");
    let _ = std::fs::remove_dir_all(&dir);
}

fn new_dir() -> PathBuf {
    // Not below the target directory: the unprivileged user of the server may have no access to it.
    let dir = tempfile::Builder::new().prefix("call-ledger-tests-").tempdir().expect("a directory");
    let dir = dir.keep();
    make_passable(&dir);
    dir
}

fn settings(dir: &Path) -> Settings {
    Settings {
        data_dir: dir.to_owned(),
        binaries: None,
        user: None,
        durability: Durability::Disposable,
        max_connections: 400,
        archive: None,
    }
}

/// Makes a temporary directory passable: it is private by default, and the server runs as another
/// user.
fn make_passable(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let passable = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(dir, passable).expect("our own directory");
}

/// Starts the reaper: a process that stops the cluster after this one has ended in any way. It
/// reads from a pipe, and the end of this process closes the writing end.
#[expect(clippy::zombie_processes, reason = "it outlives us by design")]
fn spawn_reaper(dir: &Path) {
    let myself = std::env::current_exe().expect("a test binary");
    let reaper = Command::new(myself)
        .args(["--ignored", "--exact", &format!("reaper::{REAPER}")])
        .env(REAPER_DIR, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the reaper starts");
    // The pipe stays open until this process ends.
    std::mem::forget(reaper.stdin);
}

/// The body of the reaper. Returns at once in a process without `LEDGER_TESTS_REAP`.
///
/// # Panics
/// If the cluster does not stop.
pub async fn reap() {
    let Ok(dir) = std::env::var(REAPER_DIR) else { return };
    let dir = PathBuf::from(dir);
    let mut sink = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut sink);
    let cluster = Cluster::start_or_adopt(settings(&dir)).await.expect("it is there");
    cluster.stop().await.expect("it ends");
    let _ = std::fs::remove_dir_all(&dir);
}

/// Opens a superuser connection to the shared database, which bypasses row security.
///
/// # Panics
/// If the connection fails.
pub async fn superuser() -> PgConnection {
    PgConnection::connect_with(&shared().await.database).await.expect("the cluster answers")
}
