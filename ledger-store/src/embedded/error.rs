//! Errors of starting and stopping the private PostgreSQL. Each message says what an operator has
//! to do.

use std::{io, path::PathBuf, process::ExitStatus};

use super::cluster_settings::MINIMUM_MAJOR;

/// The reason why the private PostgreSQL could not be started, adopted or stopped.
///
/// Only [`Error::Locked`] is worth an automatic retry. Every other error needs an operator, and its
/// message names the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file operation failed.
    #[error(
        "cannot {action} {path}; check the disk, and that this user owns the data directory",
        path = .path.display()
    )]
    Io {
        /// The attempted operation as a verb: `create`, `open`.
        action: &'static str,
        /// The path of the operation.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The path cannot be written into PostgreSQL's configuration file.
    #[error(
        "the data directory {path:?} is not plain UTF-8 text without control characters; \
         choose another --data-dir"
    )]
    PathNotText {
        /// The path as the operating system reports it.
        path: PathBuf,
    },
    /// Another process holds the start lock. Try again later.
    #[error(
        "another process has been starting or stopping the database for {waited_s} s (lock {lock}); \
         let it finish, or end it, and try again",
        lock = .lock.display()
    )]
    Locked {
        /// Path of the lock file.
        lock: PathBuf,
        /// Seconds until the attempt was given up.
        waited_s: u64,
    },
    /// No server was found on this machine.
    #[error(
        "no PostgreSQL server found on this machine; install version {MINIMUM_MAJOR} or newer: {install}; \
         or name its directory with --pg-bin, or use a server of yours with --database-url"
    )]
    NoBinaries {
        /// The command that installs one on this system.
        install: &'static str,
    },
    /// The directory given with `--pg-bin` does not hold a working server.
    #[error(
        "{dir} holds no working `initdb` and `postgres`; give --pg-bin the directory that holds both",
        dir = .dir.display()
    )]
    NotBinaries {
        /// The directory given with the option.
        dir: PathBuf,
    },
    /// Only servers below the minimum version were found.
    #[error(
        "PostgreSQL {major} in {dir} is too old, {MINIMUM_MAJOR} is the oldest that works; \
         install a newer one: {install}; \
         data that exists is brought over with pg_upgrade",
        dir = .dir.display()
    )]
    TooOld {
        /// The newest major version found.
        major: u32,
        /// The directory of that version.
        dir: PathBuf,
        /// The command that installs a newer one on this system.
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
        /// The major versions found, comma separated.
        found: String,
    },
    /// The data directory exists and is not PostgreSQL data.
    #[error(
        "{pgdata} exists and its PG_VERSION cannot be read as a number, so it is no PostgreSQL data; \
         move it away, or choose another --data-dir",
        pgdata = .pgdata.display()
    )]
    NotData {
        /// The directory in question.
        pgdata: PathBuf,
    },
    /// The user named, or every default user, is unknown or root.
    #[error(
        "PostgreSQL refuses to run as root and `{tried}` is no other user of this system; \
         name one with --pg-user"
    )]
    NoServerUser {
        /// The user names tried.
        tried: String,
    },
    /// The process is not root, so it cannot run the server as another user.
    #[error(
        "only root can run PostgreSQL as another user; leave out --pg-user {user}, or start as root"
    )]
    NotRoot {
        /// The user asked for.
        user: String,
    },
    /// The data is owned by a user other than the one asked for.
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
    /// The server's user has no permission on a directory above the data or the binaries.
    #[error(
        "user {user}, who runs PostgreSQL, cannot pass through {blocked} to reach {target}; \
         choose another {option}, or open that one directory with `chmod o+x`",
        blocked = .blocked.display(), target = .target.display()
    )]
    Unreachable {
        /// The user that runs the server.
        user: String,
        /// The topmost directory without permission.
        blocked: PathBuf,
        /// The directory the user has to reach.
        target: PathBuf,
        /// The option to change, with an example value.
        option: &'static str,
    },
    /// The socket directory exists with another owner or with access for other users.
    #[error(
        "{dir} must be a directory of {user} with mode 0700; remove it, \
         or choose a shorter --data-dir, which needs no directory in /tmp",
        dir = .dir.display()
    )]
    SocketDir {
        /// Path of the socket directory.
        dir: PathBuf,
        /// The required owner.
        user: String,
    },
    /// `initdb` failed, for instance on a full disk. The next start removes its partial output.
    #[error(
        "initdb could not create a database in {dir} ({status}); remedy what it says and start again: {output}",
        dir = .dir.display()
    )]
    Initdb {
        /// The directory that `initdb` was to fill.
        dir: PathBuf,
        /// Exit status of `initdb`.
        status: ExitStatus,
        /// The last lines of its output.
        output: String,
    },
    /// The server ended during start-up in every attempt.
    #[error(
        "PostgreSQL ended while starting ({status}); remedy what it says and start again, \
         all of it is in {log}: {tail}",
        log = .log.display()
    )]
    Start {
        /// Exit status of the last attempt.
        status: ExitStatus,
        /// Path of the server's log file.
        log: PathBuf,
        /// The last lines of that file.
        tail: String,
    },
    /// The data directory has data, which a restore never overwrites.
    #[error(
        "{pgdata} exists; restore into a --data-dir without one",
        pgdata = .pgdata.display()
    )]
    NotEmpty {
        /// The directory of the data.
        pgdata: PathBuf,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// Name of the program.
        program: &'static str,
        /// Its exit status.
        status: ExitStatus,
        /// The last lines of its output.
        output: String,
    },
    /// The server runs and does not accept connections. The process is left running, because it may
    /// be recovering.
    #[error(
        "PostgreSQL took no connection for {waited_s} s; see {log}, and start again to wait for it: {tail}",
        log = .log.display()
    )]
    NotReady {
        /// Seconds until the attempt was given up.
        waited_s: u64,
        /// Path of the server's log file.
        log: PathBuf,
        /// The last lines of that file.
        tail: String,
    },
    /// A server with another data directory answers on our socket.
    #[error(
        "the server that answers in {socket} keeps its data in {found}; stop it, then start again",
        socket = .socket.display()
    )]
    Foreign {
        /// The directory of our socket.
        socket: PathBuf,
        /// The data directory that the server reports.
        found: String,
    },
    /// Durable storage was asked for, and the server's settings could lose confirmed commits.
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
    /// The server answers and rejects a required operation.
    #[error("cannot {action}; what the server says of it is in {log}", log = .log.display())]
    Database {
        /// The attempted operation as a verb.
        action: &'static str,
        /// Path of the server's log file.
        log: PathBuf,
        /// The error of the server.
        source: sqlx::Error,
    },
    /// The server ended neither on a fast nor on an immediate shutdown.
    #[error(
        "PostgreSQL (process {pid}) does not end; see {log}, then end it with `kill -QUIT {pid}`",
        log = .log.display()
    )]
    Stop {
        /// Process id of the server.
        pid: i32,
        /// Path of the server's log file.
        log: PathBuf,
    },
}

impl Error {
    /// Builds the closure for `map_err` after a file operation.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
