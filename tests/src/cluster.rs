//! The shared cluster: started by the first test that needs it, ended after the last.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use ledger_store::embedded::{Cluster, Durability, Settings};
use ledger_store::keyring::Keyring;
use ledger_store::migrate;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;

/// The name of the test that plays the reaper, and of the variable that tells it which directory.
const REAPER: &str = "the_reaper_ends_the_cluster";
const REAPER_DIR: &str = "LEDGER_TESTS_REAP";

/// What all tests share.
pub struct Shared {
    /// Everything on disk: the cluster's data, its log, the keyring.
    pub dir: PathBuf,
    /// The migrated database, as its superuser.
    pub database: PgConnectOptions,
    /// The keys of every tenant in it.
    pub keyring: Arc<Keyring>,
    _cluster: Cluster,
}

/// The shared cluster with one migrated database.
///
/// # Panics
/// When PostgreSQL cannot be started; the message says why.
pub async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED.get_or_init(start).await
}

async fn start() -> Shared {
    crate::logs::capture();
    // Not below the target directory: a dropped server user may not be able to reach it.
    let dir = tempfile::Builder::new().prefix("call-ledger-tests-").tempdir().expect("a directory");
    let dir = dir.keep();
    open_to_the_server(&dir);
    spawn_reaper(&dir);
    let cluster = Cluster::start_or_adopt(settings(&dir)).await.expect("PostgreSQL starts");
    let database = cluster.connect_options();
    migrate(&database).await.expect("the migrations apply");
    let keyring = Keyring::new(dir.join("keyring"), dir.join("root.key"));
    Shared { dir, database, keyring: Arc::new(keyring), _cluster: cluster }
}

fn settings(dir: &Path) -> Settings {
    Settings {
        data_dir: dir.to_owned(),
        binaries: None,
        user: None,
        durability: Durability::Disposable,
        max_connections: 400,
    }
}

/// Temporary directories are private; the server's user must pass through this one.
fn open_to_the_server(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let passable = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(dir, passable).expect("our own directory");
}

/// A process that waits for this one to end, however it ends, and then ends the cluster: it holds
/// the reading end of a pipe whose writing end dies with us.
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
    // Kept open until this process ends.
    std::mem::forget(reaper.stdin);
}

/// What the reaper does. Anybody else who runs it finds nothing to do.
///
/// # Panics
/// When the cluster does not end.
pub async fn reap() {
    let Ok(dir) = std::env::var(REAPER_DIR) else { return };
    let dir = PathBuf::from(dir);
    let mut sink = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut sink);
    let cluster = Cluster::start_or_adopt(settings(&dir)).await.expect("it is there");
    cluster.stop().await.expect("it ends");
    let _ = std::fs::remove_dir_all(&dir);
}

/// A connection of the superuser, for looking behind the curtain.
///
/// # Panics
/// When the shared cluster does not answer.
pub async fn superuser() -> PgConnection {
    PgConnection::connect_with(&shared().await.database).await.expect("the cluster answers")
}
