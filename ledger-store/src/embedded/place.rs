//! Where everything of one cluster lies below its data directory, and how to connect to it.

use std::{
    fmt::Write,
    fs::{self, DirBuilder, Permissions},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use nix::unistd::geteuid;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::{Error, identity::ServerUser};

/// Names the socket file; no TCP port is ever opened.
pub(super) const PORT: u16 = 5432;
/// The superuser that `initdb` creates, and the database we create.
pub(super) const NAME: &str = "ledger";
/// `sun_path` takes 108 bytes with its end on Linux, and 104 on macOS and the BSDs.
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Paths only: what they hold may or may not exist.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Ours: the server's user passes through it and owns nothing in it but `pg` and the socket directory.
    pub(super) root: PathBuf,
    pub(super) pgdata: PathBuf,
    /// What `initdb` fills before it is renamed to `pgdata`.
    pub(super) unfinished: PathBuf,
    pub(super) socket_dir: PathBuf,
    pub(super) log: PathBuf,
}

impl Place {
    /// Creates the data directory if needed and settles the paths in it.
    pub(super) fn open(data_dir: &Path) -> Result<Self, Error> {
        // As root we run the server as somebody else, who has to pass through and need not look around.
        let mode = if geteuid().is_root() { 0o711 } else { 0o700 };
        if !data_dir.exists() {
            fs::create_dir_all(data_dir)
                .and_then(|()| fs::set_permissions(data_dir, Permissions::from_mode(mode)))
                .map_err(Error::io("create", data_dir))?;
        }
        // The server reports its directory without links, and we recognise it by that.
        let root = fs::canonicalize(data_dir).map_err(Error::io("open", data_dir))?;
        match root.to_str() {
            Some(text) if !text.contains(char::is_control) => {}
            _ => return Err(Error::PathNotText { path: root }),
        }
        Ok(Self {
            pgdata: root.join("pg"),
            unfinished: root.join("pg.tmp"),
            socket_dir: socket_dir(&root),
            log: root.join("server.log"),
            root,
        })
    }

    /// Makes the socket directory, private to the server's user.
    ///
    /// # Errors
    /// [`Error::SocketDir`] when it exists and is not private: in `/tmp` anybody may have made it, to listen in our place.
    pub(super) fn make_socket_dir(&self, user: &ServerUser) -> Result<(), Error> {
        let dir = &self.socket_dir;
        make_private_dir(dir)?;
        let found = fs::symlink_metadata(dir).map_err(Error::io("look at", dir))?;
        let ours = found.uid() == user.uid() || found.uid() == geteuid().as_raw();
        if !found.is_dir() || !ours || found.mode() & 0o077 != 0 {
            return Err(Error::SocketDir { dir: dir.clone(), user: user.name().to_owned() });
        }
        user.give(dir)
    }

    /// The superuser on the socket, whatever the `PG*` variables of the environment say.
    pub(super) fn connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(PORT)
            .username(NAME)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    pub(super) fn url(&self) -> String {
        let mut url = format!("postgres:///{NAME}?host=");
        for &byte in self.socket_dir.as_os_str().as_encoded_bytes() {
            if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
                url.push(char::from(byte));
            } else {
                write!(url, "%{byte:02X}").expect("a String takes any text");
            }
        }
        // Written out because a PGPORT in the environment would otherwise choose the socket's name.
        write!(url, "&port={PORT}&user={NAME}").expect("a String takes any text");
        url
    }

    /// The last lines of the server's log, for an error message.
    pub(super) fn log_tail(&self) -> String {
        tail(&fs::read(&self.log).unwrap_or_default())
    }
}

/// Creates `dir` with mode 0700; one that exists is left as it is.
pub(super) fn make_private_dir(dir: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io("create", dir)(error))
        }
        _ => Ok(()),
    }
}

/// Hands `path` itself, never what a link there points to, to a user.
pub(super) fn hand_over(path: &Path, uid: u32, gid: u32) -> Result<(), Error> {
    lchown(path, Some(uid), Some(gid)).map_err(Error::io("change the owner of", path))
}

/// The last lines of what a program printed.
pub(super) fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// `run/`, unless the socket's path would be longer than the system allows.
fn socket_dir(root: &Path) -> PathBuf {
    let run = root.join("run");
    if run.join(format!(".s.PGSQL.{PORT}")).as_os_str().len() <= SOCKET_PATH_MAX {
        return run;
    }
    let hash = digest::digest(&digest::SHA256, root.as_os_str().as_encoded_bytes());
    PathBuf::from(format!("/tmp/call-ledger-{}", hex::encode(&hash.as_ref()[..8])))
}
