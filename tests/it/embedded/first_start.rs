//! The first start and its failures.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::SystemTime,
};

use ledger_store::embedded::{Cluster, Durability, Error, Settings};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, PgConnection};

use super::separate_process::{may_mount, script_with_mounts, start_behind};
use super::{Data, OTHER};

#[tokio::test]
async fn a_first_start_creates_a_durable_server_reachable_by_its_user_only() {
    let data = Data::new();
    let durable = Settings { durability: Durability::Durable, ..data.settings() };
    let cluster = Cluster::start_or_adopt(durable).await.unwrap();
    let mut conn = PgConnection::connect_with(&cluster.connect_options()).await.unwrap();
    for (setting, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
    ] {
        let is: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(is, value, "{setting}");
    }
    conn.close().await.unwrap();
    for private in [data.dir().join("data/pg"), cluster.socket_dir().to_owned()] {
        let mode = fs::metadata(&private).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", private.display());
    }
    assert!(!data.dir().join("data/pg.tmp").exists());
    cluster.stop().await.unwrap();
}

/// Starts a process and waits until its `initdb` is running.
fn in_the_middle_of_initdb(data: &Data) -> (Child, Vec<i32>) {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "embedded::the_other_process", "--nocapture"])
        .env(OTHER, data.settings().data_dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let unfinished = data.dir().join("data/pg.tmp");
    let begun = std::time::Instant::now();
    while !unfinished.join("base").exists() {
        assert!(begun.elapsed().as_secs() < 60, "initdb did not begin");
        std::thread::yield_now();
    }
    (child, processes_of(&unfinished))
}

/// Returns the processes with a path among their arguments.
fn processes_of(path: &Path) -> Vec<i32> {
    let wanted = path.to_string_lossy();
    let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(pid);
    let arguments = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    pids.filter(|pid| String::from_utf8_lossy(&arguments(pid)).contains(&*wanted)).collect()
}

fn kill_all(pids: &[i32]) {
    for pid in pids {
        // Some have already ended together with others.
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
}

async fn assert_next_start_is_whole(data: &Data) {
    let cluster = data.start().await.unwrap();
    super::execute(&cluster, "create table kept as select 7 as n").await;
    cluster.stop().await.unwrap();
    assert!(!data.dir().join("data/pg.tmp").exists(), "no half cluster is left");
}

#[tokio::test]
async fn a_first_start_with_a_killed_process_is_repeated_by_the_next() {
    let data = Data::new();
    let (mut child, _) = in_the_middle_of_initdb(&data);
    child.kill().unwrap();
    child.wait().unwrap();
    // Its initdb may still run; its directory must not be removed during that time.
    assert_next_start_is_whole(&data).await;
}

#[tokio::test]
async fn a_first_start_killed_with_all_its_programs_is_repeated_by_the_next() {
    let data = Data::new();
    let (mut child, programs) = in_the_middle_of_initdb(&data);
    assert!(!programs.is_empty(), "initdb runs");
    child.kill().unwrap();
    child.wait().unwrap();
    kill_all(&programs);
    assert!(!data.dir().join("data/pg").exists(), "it did not come to its end");
    assert_next_start_is_whole(&data).await;
}

#[tokio::test]
async fn a_killed_initdb_is_reported_and_the_next_start_works() {
    let data = Data::new();
    let (child, programs) = in_the_middle_of_initdb(&data);
    kill_all(&programs);
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success(), "it could not start");
    let printed = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("Initdb"), "{printed}");
    assert_next_start_is_whole(&data).await;
}

#[test]
fn a_full_disk_at_the_first_start_is_named_and_with_space_the_next_start_works() {
    if !may_mount() {
        return; // The quota test below is the same without mounts.
    }
    let data = Data::new();
    let script = r#"
        mount -t tmpfs -o size=12m,mode=711 tmpfs "$DIR"
        eval "$START"
        mount -o remount,size=400m "$DIR"
        eval "$START"
    "#;
    let printed = script_with_mounts(script, data.dir());
    assert!(printed.starts_with("refused: initdb could not create a database in"), "{printed}");
    assert!(printed.contains("No space left on device"), "{printed}");
    assert!(printed.contains("started, anew"), "{printed}");
}

#[tokio::test]
async fn a_quota_that_stops_the_first_start_is_named_and_without_it_the_next_works() {
    let data = Data::new();
    let quota = ["prlimit", "--fsize=3000000"];
    let printed = start_behind(&quota, &data.settings().data_dir, None);
    assert!(printed.starts_with("refused: initdb could not create a database in"), "{printed}");
    assert!(printed.contains("File too large"), "{printed}");
    assert_next_start_is_whole(&data).await;
}

#[test]
fn without_postgresql_the_package_to_install_is_named_before_anything_is_created() {
    if !may_mount() {
        return; // Without mounts PostgreSQL cannot be hidden; `choose` has a unit test.
    }
    let data = Data::new();
    let script = r#"
        for dir in /usr/lib/postgresql /usr/libexec/postgresql*; do
            if [ -d "$dir" ]; then mount -t tmpfs tmpfs "$dir"; fi
        done
        PATH=/bin:/sbin eval "$START"
    "#;
    let printed = script_with_mounts(script, data.dir());
    assert!(
        printed.starts_with("refused: no PostgreSQL server found on this machine"),
        "{printed}"
    );
    assert!(printed.contains("install version 15 or newer"), "{printed}");
    assert!(printed.contains("--pg-bin") && printed.contains("--database-url"), "{printed}");
    assert!(!data.dir().join("data/pg").exists() && !data.dir().join("data/pg.tmp").exists());
}

/// Returns every file below a directory with its modification time and length.
fn everything(dir: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let about = entry.metadata().unwrap();
        if about.is_dir() {
            found.extend(everything(&entry.path()));
        }
        found.insert(entry.path(), (about.modified().unwrap(), about.len()));
    }
    found
}

#[tokio::test]
async fn data_of_another_major_version_is_refused_and_not_changed() {
    let data = Data::new();
    data.start().await.unwrap().stop().await.unwrap();
    let pgdata = data.dir().join("data/pg");
    for (version, expected) in [("14", "too old"), ("99", "install PostgreSQL 99")] {
        fs::write(pgdata.join("PG_VERSION"), format!("{version}\n")).unwrap();
        let before = everything(&data.dir().join("data"));
        let refused = data.start().await.unwrap_err();
        assert!(matches!(refused, Error::WrongMajor { .. } | Error::TooOld { .. }), "{refused}");
        let printed = refused.to_string();
        assert!(printed.contains(expected) && printed.contains("pg_upgrade"), "{printed}");
        assert!(printed.contains(&*pgdata.to_string_lossy()), "{printed}");
        assert_eq!(everything(&data.dir().join("data")), before);
    }
    fs::write(pgdata.join("PG_VERSION"), "not a number\n").unwrap();
    let refused = data.start().await.unwrap_err();
    assert!(matches!(refused, Error::NotData { .. }), "{refused}");
}

#[tokio::test]
async fn a_lock_file_with_the_number_of_another_process_prevents_no_start() {
    let data = Data::new();
    data.start().await.unwrap().stop().await.unwrap();
    // As after a crash, if the kernel has reused the process id.
    let mut other_process = Command::new("sleep").arg("60").spawn().unwrap();
    let text = format!("{}\n{}\n", other_process.id(), data.dir().join("data/pg").display());
    fs::write(data.dir().join("data/pg/postmaster.pid"), text).unwrap();
    let cluster = data.start().await.unwrap();
    assert!(!cluster.was_adopted());
    assert!(other_process.try_wait().unwrap().is_none(), "the other process lives");
    cluster.stop().await.unwrap();
    assert!(other_process.try_wait().unwrap().is_none(), "and is not stopped with the server");
    other_process.kill().unwrap();
    other_process.wait().unwrap();
}
