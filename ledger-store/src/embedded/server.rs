//! Life cycle of the server process: find, identify, start and stop it.
//!
//! Only a connection proves that the server runs. `postmaster.pid` remains after a kill, and its
//! process id may then be in use by another process.

use std::{
    fs::{self, File},
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, PgConnection};
use tokio::{
    process::Child,
    time::{Instant, sleep, timeout},
};

use super::{
    binaries::Binaries,
    cluster_settings::{Durability, Settings},
    error::Error,
    identity::ServerUser,
    initdb,
    lock::StartLock,
    paths,
    paths::ClusterPaths,
    process, settings,
};

/// Starts are retried, because children of a killed server may hold its shared memory for up to a
/// second.
const ATTEMPTS: u32 = 3;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(10);
/// Upper limit of the poll interval: each attempt adds a line to the log of a recovering server.
const LONGEST_POLL: Duration = Duration::from_millis(500);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Recovery after a crash replays up to `max_wal_size` and rejects connections as "starting up".
const READY_LIMIT: Duration = Duration::from_mins(5);
const FAST_STOP_LIMIT: Duration = Duration::from_secs(30);
const IMMEDIATE_STOP_LIMIT: Duration = Duration::from_secs(10);
const CONNECT: &str = "connect to the private PostgreSQL";

/// A server that accepts connections and has our data directory.
#[derive(Debug)]
pub(super) struct Running {
    /// The process, if this one started it; `None` when it was adopted.
    pub(super) child: Option<Child>,
    facts: ReportedSettings,
}

/// The settings that the server reports about itself.
#[derive(Debug, sqlx::FromRow)]
struct ReportedSettings {
    data_directory: String,
    fsync: String,
    synchronous_commit: String,
    has_database: bool,
}

/// The result of a connection attempt on our socket.
enum Probe {
    Ready(ReportedSettings),
    /// A server is starting or stopping.
    Busy,
    NoServer,
}

/// Adopts the server of `paths`, or starts one and creates its data when missing.
pub(super) async fn ensure_running(
    paths: &ClusterPaths,
    settings: &Settings,
    lock: &StartLock,
) -> Result<Running, Error> {
    // Checked before the first connection: in a directory that others can enter, another user's
    // process may be listening.
    let user = ServerUser::choose(settings.user.as_deref(), &paths.pgdata)?;
    paths.make_socket_dir(&user)?;
    if let Some(facts) = wait_until_ready(paths, None).await? {
        return Ok(Running { child: None, facts });
    }
    let binaries = prepare(paths, settings, &user, lock).await?;
    let mut attempt = 1;
    loop {
        process::remove_stale_locks(paths)?;
        let mut child = spawn(paths, &user, &binaries, &[])?;
        if let Some(facts) = wait_until_ready(paths, Some(&mut child)).await? {
            // Another server may have started first; then our child finds its data in use, and
            // ends.
            let is_ours =
                process::recorded_pid(paths) == child.id().and_then(|id| id.try_into().ok());
            return Ok(Running { child: is_ours.then_some(child), facts });
        }
        if attempt == ATTEMPTS {
            let status = child.wait().await.map_err(Error::io("wait for", &paths.pgdata))?;
            return Err(Error::Start { status, log: paths.log.clone(), tail: paths.log_tail() });
        }
        attempt += 1;
        sleep(BETWEEN_ATTEMPTS).await;
    }
}

impl Running {
    /// Rejects a server with settings that could lose commits, and creates our database at the first
    /// start.
    ///
    /// # Errors
    /// [`Error::NotDurable`] or [`Error::Database`].
    pub(super) async fn check(
        &self,
        paths: &ClusterPaths,
        durability: Durability,
    ) -> Result<(), Error> {
        let ReportedSettings { fsync, synchronous_commit, has_database, .. } = &self.facts;
        if durability == Durability::Durable {
            for (setting, value) in [("fsync", fsync), ("synchronous_commit", synchronous_commit)] {
                if value == "off" {
                    return Err(Error::NotDurable { setting, pgdata: paths.pgdata.clone() });
                }
            }
        }
        if *has_database { Ok(()) } else { create_database(paths).await }
    }
}

/// Stops the server and cuts every connection; confirmed commits are safe. Does nothing when no
/// server runs.
///
/// # Errors
/// [`Error::Stop`] when neither a fast nor an immediate shutdown ends the server.
pub(super) async fn shut_down(paths: &ClusterPaths) -> Result<(), Error> {
    match probe(paths).await {
        Ok(Probe::NoServer) => return Ok(()),
        Err(foreign @ Error::Foreign { .. }) => return Err(foreign),
        // A server that rejects the connection, for instance at its connection limit, still runs.
        Ok(_) | Err(_) => {}
    }
    let Some(pid) = process::recorded_pid(paths) else { return Ok(()) };
    for (signal, limit) in
        [(Signal::SIGINT, FAST_STOP_LIMIT), (Signal::SIGQUIT, IMMEDIATE_STOP_LIMIT)]
    {
        let started = Instant::now();
        if kill(Pid::from_raw(pid), signal) == Err(Errno::EPERM) {
            break;
        }
        while started.elapsed() < limit {
            if process::has_ended(paths, pid) {
                return Ok(());
            }
            sleep(POLL).await;
        }
    }
    Err(Error::Stop { pid, log: paths.log.clone() })
}

/// Prepares the files that a start needs: data, settings and log.
async fn prepare(
    paths: &ClusterPaths,
    settings: &Settings,
    user: &ServerUser,
    lock: &StartLock,
) -> Result<Binaries, Error> {
    let wanted = initdb::major_of_data(paths)?;
    let binaries = Binaries::find(settings.binaries.as_deref(), wanted, &paths.pgdata).await?;
    user.check_reach(&paths.root, &binaries).await?;
    initdb::remove_unfinished(paths).await?;
    if wanted.is_none() {
        initdb::create(paths, user, &binaries, settings.durability, lock).await?;
    }
    write_settings(paths, settings, user)?;
    Ok(binaries)
}

/// Prepares the files that a start of existing data needs.
pub(super) async fn prepare_data(
    paths: &ClusterPaths,
    settings: &Settings,
    user: &ServerUser,
) -> Result<Binaries, Error> {
    let wanted = initdb::major_of_data(paths)?;
    let binaries = Binaries::find(settings.binaries.as_deref(), wanted, &paths.pgdata).await?;
    user.check_reach(&paths.root, &binaries).await?;
    write_settings(paths, settings, user)?;
    Ok(binaries)
}

fn write_settings(
    paths: &ClusterPaths,
    settings: &Settings,
    user: &ServerUser,
) -> Result<(), Error> {
    initdb::include_settings(paths)?;
    settings::write(paths, settings, user)?;
    rotate(&paths.log)
}

/// Renames the log of the previous start, which replaces the one before it.
fn rotate(log: &Path) -> Result<(), Error> {
    match fs::rename(log, log.with_extension("log.1")) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("rename", log)(error)),
        _ => Ok(()),
    }
}

/// Spawns the server as a direct child. Through `pg_ctl` its parent would be process 1, which may
/// not reap it. `options` are settings for this start, as `name=value`.
pub(super) fn spawn(
    paths: &ClusterPaths,
    user: &ServerUser,
    binaries: &Binaries,
    options: &[String],
) -> Result<Child, Error> {
    let log = File::options().append(true).create(true).mode(0o600).open(&paths.log);
    let log = log.map_err(Error::io("open", &paths.log))?;
    let errors = log.try_clone().map_err(Error::io("open", &paths.log))?;
    let program = binaries.program("postgres");
    let mut command = user.command(&program);
    // Its own process group: Ctrl-C on the terminal must not end the server while we still finish
    // work.
    command.arg("-D").arg(&paths.pgdata).process_group(0).stdout(log).stderr(errors);
    for option in options {
        command.arg("-c").arg(option);
    }
    command.spawn().map_err(Error::io("run", program))
}

/// Polls until the server accepts connections. Returns `None` when `child` ends, or when there is
/// no child and nothing answers.
async fn wait_until_ready(
    paths: &ClusterPaths,
    mut child: Option<&mut Child>,
) -> Result<Option<ReportedSettings>, Error> {
    let started = Instant::now();
    let mut pause = POLL;
    loop {
        match probe(paths).await? {
            Probe::Ready(facts) => return Ok(Some(facts)),
            Probe::NoServer if child.is_none() => return Ok(None),
            Probe::Busy | Probe::NoServer => {}
        }
        if started.elapsed() > READY_LIMIT {
            let (log, tail) = (paths.log.clone(), paths.log_tail());
            return Err(Error::NotReady { waited_s: READY_LIMIT.as_secs(), log, tail });
        }
        pause = (pause + pause / 4).min(LONGEST_POLL);
        let Some(child) = child.as_mut() else {
            sleep(pause).await;
            continue;
        };
        if timeout(pause, child.wait()).await.is_ok() {
            return Ok(None);
        }
    }
}

/// Opens one connection and reads the server's settings.
///
/// # Errors
/// [`Error::Foreign`], [`Error::Io`] or [`Error::Database`] when waiting cannot help.
async fn probe(paths: &ClusterPaths) -> Result<Probe, Error> {
    let socket = paths.socket_dir.join(format!(".s.PGSQL.{}", paths::PORT));
    match timeout(ANSWER_LIMIT, read_settings(paths)).await {
        Ok(Ok(facts)) if Path::new(&facts.data_directory) == paths.pgdata => {
            Ok(Probe::Ready(facts))
        }
        Ok(Ok(ReportedSettings { data_directory: found, .. })) => {
            Err(Error::Foreign { socket: paths.socket_dir.clone(), found })
        }
        Ok(Err(sqlx::Error::Io(source))) => match source.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(Probe::NoServer),
            ErrorKind::PermissionDenied => Err(Error::io("connect to", socket)(source)),
            _ => Ok(Probe::Busy),
        },
        Ok(Err(sqlx::Error::Database(refusal))) => match refusal.code().as_deref() {
            // cannot_connect_now, admin_shutdown, crash_shutdown
            Some("57P03" | "57P01" | "57P02") => Ok(Probe::Busy),
            _ => Err(database(CONNECT, paths)(sqlx::Error::Database(refusal))),
        },
        Ok(Err(_)) | Err(_) => Ok(Probe::Busy),
    }
}

async fn read_settings(paths: &ClusterPaths) -> Result<ReportedSettings, sqlx::Error> {
    let mut conn = PgConnection::connect_with(&paths.connect_options("postgres")).await?;
    let facts = sqlx::query_as(
        "select current_setting('data_directory') as data_directory,
                current_setting('fsync') as fsync,
                current_setting('synchronous_commit') as synchronous_commit,
                exists (select from pg_database where datname = $1) as has_database",
    )
    .bind(paths::NAME)
    .fetch_one(&mut conn)
    .await?;
    conn.close().await?;
    Ok(facts)
}

async fn create_database(paths: &ClusterPaths) -> Result<(), Error> {
    let options = paths.connect_options("postgres");
    let action = "create the database `ledger`";
    let mut conn = PgConnection::connect_with(&options).await.map_err(database(CONNECT, paths))?;
    sqlx::query("create database ledger")
        .execute(&mut conn)
        .await
        .map_err(database(action, paths))?;
    conn.close().await.map_err(database(action, paths))
}

fn database(action: &'static str, paths: &ClusterPaths) -> impl FnOnce(sqlx::Error) -> Error {
    let log = paths.log.clone();
    move |source| Error::Database { action, log, source }
}
