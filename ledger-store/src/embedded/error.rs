//! What can go wrong between a data directory and a running server, said so that a person can act on it.

use std::{io, path::PathBuf, process::ExitStatus};

use super::MINIMUM_MAJOR;

/// Why the private PostgreSQL could not be started, adopted or stopped.
///
/// Nothing here is worth retrying unseen except [`Error::Locked`]; the rest needs a person, and the message says for what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused us.
    #[error(
        "cannot {action} {path}; check the disk, and that this user owns the data directory",
        path = .path.display()
    )]
    Io {
        /// What we were doing, as a verb: `create`, `open`.
        action: &'static str,
        /// What we were doing it to.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The path cannot be written into PostgreSQL's settings.
    #[error(
        "the data directory {path:?} is not plain UTF-8 text without control characters; \
         choose another --data-dir"
    )]
    PathNotText {
        /// The path as the system knows it.
        path: PathBuf,
    },
    /// Another process holds the start lock. Try again later.
    #[error(
        "another process has been starting or stopping the database for {waited_s} s (lock {lock}); \
         let it finish, or end it, and try again",
        lock = .lock.display()
    )]
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// How long we waited, in seconds.
        waited_s: u64,
    },
    /// No server on this machine.
    #[error(
        "no PostgreSQL server found on this machine; install version {MINIMUM_MAJOR} or newer: {install}; \
         or name its directory with --pg-bin, or use a server of yours with --database-url"
    )]
    NoBinaries {
        /// One line that installs it on this system.
        install: &'static str,
    },
    /// The directory given with `--pg-bin` is not one of a server.
    #[error(
        "{dir} holds no working `initdb` and `postgres`; give --pg-bin the directory that holds both",
        dir = .dir.display()
    )]
    NotBinaries {
        /// The directory given.
        dir: PathBuf,
    },
    /// Only servers that are too old were found.
    #[error(
        "PostgreSQL {major} in {dir} is too old, {MINIMUM_MAJOR} is the oldest that works; \
         install a newer one: {install}; \
         data that exists is brought over with pg_upgrade",
        dir = .dir.display()
    )]
    TooOld {
        /// The newest major version found.
        major: u32,
        /// Where it is.
        dir: PathBuf,
        /// One line that installs a newer one on this system.
        install: &'static str,
    },
    /// The data was written by a major version that is not installed.
    #[error(
        "the data in {pgdata} was written by PostgreSQL {wanted}, and this machine has {found}; \
         install PostgreSQL {wanted}, or bring the data to the installed version with pg_upgrade",
        pgdata = .pgdata.display()
    )]
    WrongMajor {
        /// The directory of the data.
        pgdata: PathBuf,
        /// The major version in its `PG_VERSION`.
        wanted: u32,
        /// The major versions found, as text.
        found: String,
    },
    /// The place of the data is taken by something else.
    #[error(
        "{pgdata} exists and its PG_VERSION cannot be read as a number, so it is no PostgreSQL data; \
         move it away, or choose another --data-dir",
        pgdata = .pgdata.display()
    )]
    NotData {
        /// The directory in question.
        pgdata: PathBuf,
    },
    /// The user named, or every user we would choose, is unknown or root.
    #[error(
        "PostgreSQL refuses to run as root and `{tried}` is no other user of this system; \
         name one with --pg-user"
    )]
    NoServerUser {
        /// The names tried.
        tried: String,
    },
    /// Only root may run a server as somebody else.
    #[error(
        "only root can run PostgreSQL as another user; leave out --pg-user {user}, or start as root"
    )]
    NotRoot {
        /// The user asked for.
        user: String,
    },
    /// The data belongs to a user other than the one asked for.
    #[error(
        "{pgdata} does not belong to {user}; leave out --pg-user to run as its owner, \
         or hand it over with `chown -R {user}`",
        pgdata = .pgdata.display()
    )]
    WrongOwner {
        /// The directory of the data.
        pgdata: PathBuf,
        /// The user the server would run as.
        user: String,
    },
    /// The server's user cannot get through a directory above the data or the binaries.
    #[error(
        "user {user}, who runs PostgreSQL, cannot pass through {blocked} to reach {target}; \
         choose another {option}, or open that one directory with `chmod o+x`",
        blocked = .blocked.display(), target = .target.display()
    )]
    Unreachable {
        /// The server's user.
        user: String,
        /// The first directory in the way.
        blocked: PathBuf,
        /// Where the user has to get to.
        target: PathBuf,
        /// The option to change, with a good value.
        option: &'static str,
    },
    /// The socket directory exists and others may enter it.
    #[error(
        "{dir} must be a directory of {user} with mode 0700; remove it, \
         or choose a shorter --data-dir, which needs no directory in /tmp",
        dir = .dir.display()
    )]
    SocketDir {
        /// The directory of the socket.
        dir: PathBuf,
        /// Who has to own it.
        user: String,
    },
    /// `initdb` failed, for instance on a full disk. What it had written is removed at the next start.
    #[error(
        "initdb could not create a database in {dir} ({status}); remedy what it says and start again: {output}",
        dir = .dir.display()
    )]
    Initdb {
        /// The directory it was to fill.
        dir: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last lines it printed.
        output: String,
    },
    /// The server ended during start-up, each time we tried.
    #[error(
        "PostgreSQL ended while starting ({status}); remedy what it says and start again, \
         all of it is in {log}: {tail}",
        log = .log.display()
    )]
    Start {
        /// How it ended the last time.
        status: ExitStatus,
        /// Its log file.
        log: PathBuf,
        /// The last lines of that file.
        tail: String,
    },
    /// The server runs and does not take connections. It is left alone: it may be recovering.
    #[error(
        "PostgreSQL took no connection for {waited_s} s; see {log}, and start again to wait for it: {tail}",
        log = .log.display()
    )]
    NotReady {
        /// How long we waited, in seconds.
        waited_s: u64,
        /// Its log file.
        log: PathBuf,
        /// The last lines of that file.
        tail: String,
    },
    /// A server that keeps other data answers on our socket.
    #[error(
        "the server that answers in {socket} keeps its data in {found}; stop it, then start again",
        socket = .socket.display()
    )]
    Foreign {
        /// The directory of our socket.
        socket: PathBuf,
        /// The data directory it reports.
        found: String,
    },
    /// Durable storage was asked for and the server would lose what it has acknowledged.
    #[error(
        "the server of {pgdata} runs with {setting} off and could lose what it has confirmed; end the \
         processes that use it, take {setting} out of postgresql.auto.conf there, then start again",
        pgdata = .pgdata.display()
    )]
    NotDurable {
        /// The setting that is off.
        setting: &'static str,
        /// The directory of the data.
        pgdata: PathBuf,
    },
    /// The server answers, and refuses what we need of it.
    #[error("cannot {action}; what the server says of it is in {log}", log = .log.display())]
    Database {
        /// What we were doing, as a verb.
        action: &'static str,
        /// Its log file.
        log: PathBuf,
        /// The server's reason.
        source: sqlx::Error,
    },
    /// The server did not end, not even when told to at once.
    #[error(
        "PostgreSQL (process {pid}) does not end; see {log}, then end it with `kill -QUIT {pid}`",
        log = .log.display()
    )]
    Stop {
        /// Its process.
        pid: i32,
        /// Its log file.
        log: PathBuf,
    },
}

impl Error {
    /// For `map_err` on a file operation.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
