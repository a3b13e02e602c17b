//! The embedded PostgreSQL with real servers, processes and signals.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod ends;
mod first_start;
mod identity;
mod separate_process;

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use ledger_store::embedded::{Cluster, Durability, Error, Settings, Stopped};
use nix::{
    sys::{
        signal::{Signal, kill},
        statvfs::statvfs,
    },
    unistd::{Pid, geteuid},
};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// Variable with the data directory for [`the_other_process`].
const OTHER: &str = "LEDGER_TEST_OTHER_PROCESS";

#[tokio::test]
async fn a_second_start_has_the_data_of_the_first() {
    let data = Data::new();
    let first = data.start().await.unwrap();
    assert!(!first.was_adopted());
    execute(&first, "create table kept as select 7 as n").await;
    assert_eq!(first.stop().await.unwrap(), Stopped::Ended);

    let second = data.start().await.unwrap();
    assert!(!second.was_adopted());
    let mut conn = PgConnection::connect(&second.url()).await.unwrap();
    let n: i32 = sqlx::query_scalar("select n from kept").fetch_one(&mut conn).await.unwrap();
    assert_eq!(n, 7);
    conn.close().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn the_last_user_stops_the_server_and_no_earlier_one() {
    let data = Data::new();
    let mut starter = OtherProcess::start(&data);
    let ours = data.start().await.unwrap();
    assert!(ours.was_adopted());

    starter.leave();
    execute(&ours, "select 1").await;

    let pid = ours.pid().unwrap();
    assert_eq!(ours.stop().await.unwrap(), Stopped::Ended);
    assert!(is_dead(pid).await);
}

#[tokio::test]
async fn starts_at_the_same_time_share_one_server() {
    let data = Data::new();
    let (a, b, c) = tokio::join!(data.start(), data.start(), data.start());
    let clusters = [a.unwrap(), b.unwrap(), c.unwrap()];
    assert_eq!(clusters.iter().filter(|cluster| !cluster.was_adopted()).count(), 1);
    let mut ends = Vec::new();
    for cluster in clusters {
        ends.push(cluster.stop().await.unwrap());
    }
    assert_eq!(ends, [Stopped::LeftRunning, Stopped::LeftRunning, Stopped::Ended]);
}

#[tokio::test]
async fn the_server_of_a_killed_process_is_adopted() {
    let data = Data::new();
    OtherProcess::start(&data).kill();
    let ours = data.start().await.unwrap();
    assert!(ours.was_adopted());
    assert_eq!(ours.stop().await.unwrap(), Stopped::Ended);
}

#[tokio::test]
async fn a_cluster_that_is_dropped_leaves_its_server_and_no_lock() {
    let data = Data::new();
    drop(data.start().await.unwrap());
    let ours = data.start().await.unwrap();
    assert!(ours.was_adopted());
    assert_eq!(ours.stop().await.unwrap(), Stopped::Ended);
}

#[tokio::test]
async fn a_start_after_process_and_server_were_killed_recovers() {
    let data = Data::new();
    let mut starter = OtherProcess::start(&data);
    let ours = data.start().await.unwrap();
    // Tests run without flushing, but this test needs confirmed commits to survive.
    execute(&ours, "set synchronous_commit = on; create table kept as select 7 as n").await;
    let server = ours.pid().unwrap();
    drop(ours);
    starter.kill();
    send(server, Signal::SIGKILL);

    let again = data.start().await.unwrap();
    assert!(!again.was_adopted());
    execute(&again, "insert into kept values (8)").await;
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_crashed_server_is_reaped_and_restarted_for_all_its_users() {
    let data = Data::new();
    let starter = data.start().await.unwrap();
    let adopter = data.start().await.unwrap();
    let first = starter.pid().unwrap();
    send(first, Signal::SIGKILL);

    for cluster in [&starter, &adopter] {
        eventually(|| !cluster.is_running() || cluster.pid() != Some(first)).await;
        eventually(|| cluster.is_running() && cluster.pid() != Some(first)).await;
        execute(cluster, "select 1").await;
    }
    assert!(is_dead(first).await);
    assert_eq!(starter.stop().await.unwrap(), Stopped::LeftRunning);
    assert_eq!(adopter.stop().await.unwrap(), Stopped::Ended);
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_uses_one_in_tmp() {
    let data = Data::new();
    let long = data.dir().join("a directory, 'quoted' and \"long\"".repeat(3)).join("data");
    let cluster = Cluster::start_or_adopt(Settings { data_dir: long, ..data.settings() });
    let cluster = cluster.await.unwrap();
    assert!(cluster.socket_dir().starts_with("/tmp"));
    let mode = fs::metadata(cluster.socket_dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let socket_dir = cluster.socket_dir().to_owned();
    execute(&cluster, "select 1").await;
    cluster.stop().await.unwrap();
    fs::remove_dir(socket_dir).unwrap();
}

#[tokio::test]
async fn a_path_with_quotes_and_commas_works() {
    let data = Data::new();
    let odd = data.dir().join("a, 'b' \"c\" \\d %e ü+&");
    let cluster = Cluster::start_or_adopt(Settings { data_dir: odd, ..data.settings() });
    let cluster = cluster.await.unwrap();
    PgConnection::connect(&cluster.url()).await.unwrap().close().await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_foreign_directory_at_the_data_path_is_named_before_anything_is_created() {
    if !geteuid().is_root() {
        return; // The server runs as this user and can enter the directory.
    }
    let data = Data::new();
    let closed = data.dir().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let inside = Settings { data_dir: closed.join("data"), ..data.settings() };
    let refused = Cluster::start_or_adopt(inside).await.unwrap_err();
    assert!(matches!(&refused, Error::Unreachable { blocked, .. } if *blocked == closed));
    assert!(!closed.join("data/pg.tmp").exists());
}

#[tokio::test]
async fn a_directory_without_a_server_is_not_taken_for_one() {
    let data = Data::new();
    let empty = Settings { binaries: Some(data.dir().join("bin")), ..data.settings() };
    let refused = Cluster::start_or_adopt(empty).await.unwrap_err();
    assert!(matches!(refused, Error::NotBinaries { .. }), "{refused}");
}

#[tokio::test]
async fn data_of_a_version_that_is_not_installed_is_not_changed() {
    let data = Data::new();
    data.start().await.unwrap().stop().await.unwrap();
    let version = data.dir().join("data/pg/PG_VERSION");
    fs::write(&version, "99\n").unwrap();
    let refused = data.start().await.unwrap_err();
    assert!(matches!(refused, Error::WrongMajor { wanted: 99, .. }), "{refused}");
    assert!(refused.to_string().contains("pg_upgrade"));
}

#[tokio::test]
async fn the_remains_of_an_interrupted_first_start_are_removed() {
    let data = Data::new();
    fs::create_dir_all(data.dir().join("data/pg.tmp/base")).unwrap();
    data.open(&data.dir().join("data"));
    data.start().await.unwrap().stop().await.unwrap();
    assert!(!data.dir().join("data/pg.tmp").exists());
}

#[tokio::test]
async fn a_server_without_durability_is_refused_if_durability_is_required() {
    let data = Data::new();
    let disposable = data.start().await.unwrap();
    let durable = Settings { durability: Durability::Durable, ..data.settings() };
    let refused = Cluster::start_or_adopt(durable.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::NotDurable { setting: "fsync", .. }), "{refused}");
    execute(&disposable, "select 1").await;
    disposable.stop().await.unwrap();

    // The last user has left, so the next start writes the requested settings.
    Cluster::start_or_adopt(durable).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn no_statement_and_no_parameter_reaches_the_log_of_the_server() {
    let data = Data::new();
    let cluster = data.start().await.unwrap();
    let mut conn = PgConnection::connect_with(&cluster.connect_options()).await.unwrap();
    let create = "create table persons (name text constraint one_of_each unique)";
    sqlx::query(create).execute(&mut conn).await.unwrap();
    let insert = "insert into persons values ($1), ($1) -- Statement";
    sqlx::query(insert).bind("Ada Lovelace").execute(&mut conn).await.unwrap_err();
    conn.close().await.unwrap();
    let log = cluster.log().to_owned();
    cluster.stop().await.unwrap();
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("one_of_each"), "{log}");
    assert!(!log.contains("Ada") && !log.contains("Statement"), "{log}");
}

/// Helper process, not a test: the second process of the tests above, started from this binary.
#[tokio::test]
#[ignore = "runs as the other process of other tests"]
async fn the_other_process() {
    let Some(data_dir) = env::var_os(OTHER) else { return };
    let cluster = Cluster::start_or_adopt(disposable(data_dir.into())).await.unwrap();
    println!("{}", cluster.url());
    // The parent process closes standard input to end this process.
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await.unwrap();
    cluster.stop().await.unwrap();
}

/// A separate process that uses the cluster.
struct OtherProcess {
    child: Child,
    /// Kept open: a test harness that cannot print fails.
    output: BufReader<ChildStdout>,
}

impl OtherProcess {
    /// Returns as soon as the process uses the server.
    fn start(data: &Data) -> Self {
        Self::start_in(&data.settings().data_dir)
    }

    fn start_in(data_dir: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "embedded::the_other_process", "--nocapture"])
            .env(OTHER, data_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let started = output.by_ref().lines().any(|line| line.unwrap().contains("postgres://"));
        assert!(started, "the other process did not start");
        Self { child, output }
    }

    fn leave(&mut self) {
        drop(self.child.stdin.take());
        std::io::copy(&mut self.output, &mut std::io::sink()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Returns a directory in memory if there is enough: `initdb` takes most of the time of these
/// tests.
fn data_root() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let has_room = statvfs(&memory)
        .is_ok_and(|about| about.blocks_available() * about.fragment_size() > 1 << 30);
    if has_room { memory } else { env::temp_dir() }
}

/// A directory that the server's user can enter. Dropping it stops the server and removes
/// everything.
struct Data(TempDir);

impl Data {
    fn new() -> Self {
        let data = Self(tempfile::tempdir_in(data_root()).unwrap());
        data.open(data.dir());
        data
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn open(&self, dir: &Path) {
        assert!(dir.starts_with(self.dir()));
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).unwrap();
    }

    fn settings(&self) -> Settings {
        disposable(self.dir().join("data"))
    }

    async fn start(&self) -> Result<Cluster, Error> {
        Cluster::start_or_adopt(self.settings()).await
    }
}

impl Drop for Data {
    /// A failed test may leave a running server, which is useless without its directory.
    fn drop(&mut self) {
        let file = fs::read_to_string(self.dir().join("data/pg/postmaster.pid"));
        if let Ok(text) = file
            && let Some(pid) = text.lines().next().and_then(|line| line.parse().ok())
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
        }
    }
}

fn disposable(data_dir: PathBuf) -> Settings {
    Settings {
        data_dir,
        binaries: None,
        user: None,
        durability: Durability::Disposable,
        max_connections: 20,
        archive: None,
    }
}

async fn execute(cluster: &Cluster, statement: &'static str) {
    let mut conn = PgConnection::connect_with(&cluster.connect_options()).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Waits up to a few seconds for a process to end and be reaped; returns true.
async fn is_dead(pid: i32) -> bool {
    eventually(|| kill(Pid::from_raw(pid), None).is_err()).await;
    true
}

async fn eventually(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("did not come about in time");
}
