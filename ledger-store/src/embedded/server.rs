//! One server process: is it there, is it ours, start it, end it.
//!
//! Only a connection decides. `postmaster.pid` outlives a killed server, and its number may be somebody else's by then.

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
    Durability, Error, Settings, binaries::Binaries, identity::ServerUser, initdb, lock::StartLock,
    place, place::Place, process, settings,
};

/// After both of us were killed the old server's children may still hold its memory; they go within a second.
const ATTEMPTS: u32 = 3;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(10);
/// Each question to a server that recovers leaves a line in its log.
const LONGEST_POLL: Duration = Duration::from_millis(500);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Recovery after a crash replays up to `max_wal_size` and answers "starting up" meanwhile.
const READY_LIMIT: Duration = Duration::from_mins(5);
const FAST_STOP_LIMIT: Duration = Duration::from_secs(30);
const IMMEDIATE_STOP_LIMIT: Duration = Duration::from_secs(10);
const CONNECT: &str = "connect to the private PostgreSQL";

/// A server that takes connections and keeps our data.
#[derive(Debug)]
pub(super) struct Running {
    /// The process, when we started it; `None` when we found it.
    pub(super) child: Option<Child>,
    facts: Facts,
}

/// What the server says of itself.
#[derive(Debug, sqlx::FromRow)]
struct Facts {
    data_directory: String,
    fsync: String,
    synchronous_commit: String,
    has_database: bool,
}

/// What is behind our socket.
enum Answer {
    Ready(Facts),
    /// A server that starts or stops.
    NotYet,
    Nobody,
}

/// Adopts the server of `place`, or starts one, creating its data when there is none.
pub(super) async fn ensure_running(
    place: &Place,
    settings: &Settings,
    lock: &StartLock,
) -> Result<Running, Error> {
    // Before the first connection: in a directory that others can enter, anybody may be listening.
    let user = ServerUser::choose(settings.user.as_deref(), &place.pgdata)?;
    place.make_socket_dir(&user)?;
    if let Some(facts) = wait_until_ready(place, None).await? {
        return Ok(Running { child: None, facts });
    }
    let binaries = prepare(place, settings, &user, lock).await?;
    let mut attempt = 1;
    loop {
        process::forget_killed(place)?;
        let mut child = spawn(place, &user, &binaries)?;
        if let Some(facts) = wait_until_ready(place, Some(&mut child)).await? {
            // Another server may have come up first; then ours is about to find its data taken, and end.
            let is_ours = process::written(place) == child.id().and_then(|id| id.try_into().ok());
            return Ok(Running { child: is_ours.then_some(child), facts });
        }
        if attempt == ATTEMPTS {
            let status = child.wait().await.map_err(Error::io("wait for", &place.pgdata))?;
            return Err(Error::Start { status, log: place.log.clone(), tail: place.log_tail() });
        }
        attempt += 1;
        sleep(BETWEEN_ATTEMPTS).await;
    }
}

impl Running {
    /// Refuses a server that could lose what it confirmed, and creates our database at the first start.
    ///
    /// # Errors
    /// [`Error::NotDurable`] or [`Error::Database`].
    pub(super) async fn check(&self, place: &Place, durability: Durability) -> Result<(), Error> {
        let Facts { fsync, synchronous_commit, has_database, .. } = &self.facts;
        if durability == Durability::Durable {
            for (setting, value) in [("fsync", fsync), ("synchronous_commit", synchronous_commit)] {
                if value == "off" {
                    return Err(Error::NotDurable { setting, pgdata: place.pgdata.clone() });
                }
            }
        }
        if *has_database { Ok(()) } else { create_database(place).await }
    }
}

/// Ends the server, and with it every connection; what it confirmed is safe. Does nothing when none runs.
///
/// # Errors
/// [`Error::Stop`] when it ignores both a fast and an immediate shutdown.
pub(super) async fn halt(place: &Place) -> Result<(), Error> {
    match ask(place).await {
        Ok(Answer::Nobody) => return Ok(()),
        Err(foreign @ Error::Foreign { .. }) => return Err(foreign),
        // One that refuses us, being full for instance, is there all the same.
        Ok(_) | Err(_) => {}
    }
    let Some(pid) = process::written(place) else { return Ok(()) };
    for (signal, limit) in
        [(Signal::SIGINT, FAST_STOP_LIMIT), (Signal::SIGQUIT, IMMEDIATE_STOP_LIMIT)]
    {
        let asked = Instant::now();
        if kill(Pid::from_raw(pid), signal) == Err(Errno::EPERM) {
            break;
        }
        while asked.elapsed() < limit {
            if process::is_gone(place, pid) {
                return Ok(());
            }
            sleep(POLL).await;
        }
    }
    Err(Error::Stop { pid, log: place.log.clone() })
}

/// Everything a start needs on disk.
async fn prepare(
    place: &Place,
    settings: &Settings,
    user: &ServerUser,
    lock: &StartLock,
) -> Result<Binaries, Error> {
    let wanted = initdb::major_of_data(place)?;
    let binaries = Binaries::find(settings.binaries.as_deref(), wanted, &place.pgdata).await?;
    user.check_reach(&place.root, &binaries).await?;
    initdb::remove_unfinished(place).await?;
    if wanted.is_none() {
        initdb::create(place, user, &binaries, settings.durability, lock).await?;
    }
    initdb::include_settings(place)?;
    settings::write(place, settings)?;
    rotate(&place.log)?;
    Ok(binaries)
}

/// Keeps the log of the previous start, and of no earlier one.
fn rotate(log: &Path) -> Result<(), Error> {
    match fs::rename(log, log.with_extension("log.1")) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("rename", log)(error)),
        _ => Ok(()),
    }
}

/// Our child directly, rather than through `pg_ctl`, which would leave it to a process 1 that may not reap it.
fn spawn(place: &Place, user: &ServerUser, binaries: &Binaries) -> Result<Child, Error> {
    let log = File::options().append(true).create(true).mode(0o600).open(&place.log);
    let log = log.map_err(Error::io("open", &place.log))?;
    let errors = log.try_clone().map_err(Error::io("open", &place.log))?;
    let program = binaries.program("postgres");
    let mut command = user.command(&program);
    // Its own group: a Ctrl-C on our terminal is for us, and we still need the server to finish our work.
    command.arg("-D").arg(&place.pgdata).process_group(0).stdout(log).stderr(errors);
    command.spawn().map_err(Error::io("run", program))
}

/// Waits while something answers, and as long as `child` lives; `None` when there is nothing left to wait for.
async fn wait_until_ready(
    place: &Place,
    mut child: Option<&mut Child>,
) -> Result<Option<Facts>, Error> {
    let asked = Instant::now();
    let mut pause = POLL;
    loop {
        match ask(place).await? {
            Answer::Ready(facts) => return Ok(Some(facts)),
            Answer::Nobody if child.is_none() => return Ok(None),
            Answer::NotYet | Answer::Nobody => {}
        }
        if asked.elapsed() > READY_LIMIT {
            let (log, tail) = (place.log.clone(), place.log_tail());
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

/// One connection, one question.
///
/// # Errors
/// [`Error::Foreign`], [`Error::Io`] or [`Error::Database`] when waiting cannot help.
async fn ask(place: &Place) -> Result<Answer, Error> {
    let socket = place.socket_dir.join(format!(".s.PGSQL.{}", place::PORT));
    match timeout(ANSWER_LIMIT, read_facts(place)).await {
        Ok(Ok(facts)) if Path::new(&facts.data_directory) == place.pgdata => {
            Ok(Answer::Ready(facts))
        }
        Ok(Ok(Facts { data_directory: found, .. })) => {
            Err(Error::Foreign { socket: place.socket_dir.clone(), found })
        }
        Ok(Err(sqlx::Error::Io(source))) => match source.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(Answer::Nobody),
            ErrorKind::PermissionDenied => Err(Error::io("connect to", socket)(source)),
            _ => Ok(Answer::NotYet),
        },
        Ok(Err(sqlx::Error::Database(refusal))) => match refusal.code().as_deref() {
            // cannot_connect_now, admin_shutdown, crash_shutdown
            Some("57P03" | "57P01" | "57P02") => Ok(Answer::NotYet),
            _ => Err(database(CONNECT, place)(sqlx::Error::Database(refusal))),
        },
        Ok(Err(_)) | Err(_) => Ok(Answer::NotYet),
    }
}

async fn read_facts(place: &Place) -> Result<Facts, sqlx::Error> {
    let mut conn = PgConnection::connect_with(&place.connect_options("postgres")).await?;
    let facts = sqlx::query_as(
        "select current_setting('data_directory') as data_directory,
                current_setting('fsync') as fsync,
                current_setting('synchronous_commit') as synchronous_commit,
                exists (select from pg_database where datname = $1) as has_database",
    )
    .bind(place::NAME)
    .fetch_one(&mut conn)
    .await?;
    conn.close().await?;
    Ok(facts)
}

async fn create_database(place: &Place) -> Result<(), Error> {
    let options = place.connect_options("postgres");
    let action = "create the database `ledger`";
    let mut conn = PgConnection::connect_with(&options).await.map_err(database(CONNECT, place))?;
    sqlx::query("create database ledger")
        .execute(&mut conn)
        .await
        .map_err(database(action, place))?;
    conn.close().await.map_err(database(action, place))
}

fn database(action: &'static str, place: &Place) -> impl FnOnce(sqlx::Error) -> Error {
    let log = place.log.clone();
    move |source| Error::Database { action, log, source }
}
