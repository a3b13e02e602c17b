//! Configuration of the private server.

use std::path::PathBuf;

/// The oldest supported major version of PostgreSQL.
pub(super) const MINIMUM_MAJOR: u32 = 15;

/// Configuration of the private server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directory of the cluster, which may also hold other files of this product. Created when
    /// missing.
    pub data_dir: PathBuf,
    /// The directory of `initdb` and `postgres`, and then the only one searched; `None` searches
    /// the usual ones.
    pub binaries: Option<PathBuf>,
    /// The user that runs the server when this process is root; `None` is the owner of existing
    /// data, else `postgres`, else `nobody`.
    pub user: Option<String>,
    /// Whether a confirmed commit is on disk.
    pub durability: Durability,
    /// Connection limit of the server, shared by all of its processes. Takes effect at the server's
    /// next start.
    pub max_connections: u16,
    /// Directory that full segments of the write-ahead log are copied to; `None` archives nothing.
    /// Takes effect at the server's next start.
    pub archive: Option<PathBuf>,
}

/// Whether the server may lose confirmed commits in a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A commit is on disk before it is confirmed, and pages carry checksums.
    Durable,
    /// Nothing is flushed: for tests, which need speed and do not need to survive a crash of the
    /// machine.
    Disposable,
}
