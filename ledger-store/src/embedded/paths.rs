//! The paths of one cluster below its data directory, and its connection options.

use std::{
    fmt::Write,
    fs::{self, DirBuilder, Permissions},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use nix::unistd::geteuid;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::{error::Error, identity::ServerUser};

/// Part of the socket file's name; the server opens no TCP port.
pub(super) const PORT: u16 = 5432;
/// Name of the superuser that `initdb` creates, and of our database.
pub(super) const NAME: &str = "ledger";
/// `sun_path` holds 108 bytes with the terminating zero on Linux, and 104 on macOS and the BSDs.
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The paths of a cluster; the files and directories may or may not exist.
#[derive(Debug, Clone)]
pub(super) struct ClusterPaths {
    /// The data directory, owned by the current user. The server's user may enter it, and owns only
    /// `pg` and the socket directory.
    pub(super) root: PathBuf,
    pub(super) pgdata: PathBuf,
    /// The directory that `initdb` fills before the rename to `pgdata`.
    pub(super) unfinished: PathBuf,
    pub(super) socket_dir: PathBuf,
    pub(super) log: PathBuf,
}

impl ClusterPaths {
    /// Creates the data directory if needed and resolves the paths in it.
    pub(super) fn open(data_dir: &Path) -> Result<Self, Error> {
        // As root, the server runs as another user, which has to enter the directory and not list
        // it.
        let mode = if geteuid().is_root() { 0o711 } else { 0o700 };
        if !data_dir.exists() {
            fs::create_dir_all(data_dir)
                .and_then(|()| fs::set_permissions(data_dir, Permissions::from_mode(mode)))
                .map_err(Error::io("create", data_dir))?;
        }
        // The server reports its data directory without links, and that is compared with this path.
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

    /// Creates the socket directory, private to the server's user.
    ///
    /// # Errors
    /// [`Error::SocketDir`] when it exists and is not private: in `/tmp` another user may have
    /// created it, to impersonate the server.
    pub(super) fn make_socket_dir(&self, user: &ServerUser) -> Result<(), Error> {
        let dir = &self.socket_dir;
        make_private_dir(dir)?;
        let found = fs::symlink_metadata(dir).map_err(Error::io("look at", dir))?;
        let ours = found.uid() == user.uid() || found.uid() == geteuid().as_raw();
        if !found.is_dir() || !ours || found.mode() & 0o077 != 0 {
            return Err(Error::SocketDir { dir: dir.clone(), user: user.name().to_owned() });
        }
        user.make_owner_of(dir)
    }

    /// Connects as the superuser over the socket, independent of `PG*` environment variables.
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
        // The port is explicit, because a PGPORT in the environment would change the socket's name.
        write!(url, "&port={PORT}&user={NAME}").expect("a String takes any text");
        url
    }

    /// The last lines of the server's log, for an error message.
    pub(super) fn log_tail(&self) -> String {
        tail(&fs::read(&self.log).unwrap_or_default())
    }
}

/// Creates `dir` with mode 0700; an existing one keeps its mode.
pub(super) fn make_private_dir(dir: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io("create", dir)(error))
        }
        _ => Ok(()),
    }
}

/// Changes the owner of `path`; a symbolic link itself, never its target.
pub(super) fn change_owner(path: &Path, uid: u32, gid: u32) -> Result<(), Error> {
    lchown(path, Some(uid), Some(gid)).map_err(Error::io("change the owner of", path))
}

/// The last 12 non-empty lines of a program's output.
pub(super) fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// `run/`, unless the socket's path would exceed the system's limit.
fn socket_dir(root: &Path) -> PathBuf {
    let run = root.join("run");
    if run.join(format!(".s.PGSQL.{PORT}")).as_os_str().len() <= SOCKET_PATH_MAX {
        return run;
    }
    let hash = digest::digest(&digest::SHA256, root.as_os_str().as_encoded_bytes());
    PathBuf::from(format!("/tmp/call-ledger-{}", hex::encode(&hash.as_ref()[..8])))
}
