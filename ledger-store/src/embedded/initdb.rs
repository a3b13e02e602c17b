//! Creates the data of a new cluster atomically.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
};

use nix::libc::O_NOFOLLOW;

use super::{
    binaries::Binaries, cluster_settings::Durability, error::Error, identity::ServerUser,
    lock::StartLock, paths, paths::ClusterPaths, settings,
};

/// The major version of the data in `paths`, or `None` when there is no data yet.
///
/// # Errors
/// [`Error::NotData`] when the directory holds something else.
pub(super) fn major_of_data(paths: &ClusterPaths) -> Result<Option<u32>, Error> {
    let pgdata = &paths.pgdata;
    if !pgdata.try_exists().map_err(Error::io("look at", pgdata))? {
        return Ok(None);
    }
    let version = fs::read_to_string(pgdata.join("PG_VERSION")).ok();
    match version.and_then(|text| text.trim().parse().ok()) {
        Some(major) => Ok(Some(major)),
        None => Err(Error::NotData { pgdata: pgdata.clone() }),
    }
}

/// Fills `pg.tmp` and renames it to `pg`, so that an interrupted first start leaves no incomplete
/// `pg`.
pub(super) async fn create(
    paths: &ClusterPaths,
    user: &ServerUser,
    binaries: &Binaries,
    durability: Durability,
    lock: &StartLock,
) -> Result<(), Error> {
    let unfinished = &paths.unfinished;
    paths::make_private_dir(unfinished)?;
    user.make_owner_of(unfinished)?;
    run(paths, user, binaries, durability, lock).await?;
    fs::rename(unfinished, &paths.pgdata).map_err(Error::io("rename", unfinished))?;
    if durability == Durability::Durable {
        let dir = File::open(&paths.root).map_err(Error::io("open", &paths.root))?;
        dir.sync_all().map_err(Error::io("flush", &paths.root))?;
    }
    Ok(())
}

/// Removes the partial data of an interrupted first start. Call only under the start lock.
pub(super) async fn remove_unfinished(paths: &ClusterPaths) -> Result<(), Error> {
    match tokio::fs::remove_dir_all(&paths.unfinished).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", &paths.unfinished)(error))
        }
        _ => Ok(()),
    }
}

async fn run(
    paths: &ClusterPaths,
    user: &ServerUser,
    binaries: &Binaries,
    durability: Durability,
    lock: &StartLock,
) -> Result<(), Error> {
    let program = binaries.program("initdb");
    let mut command = user.command(&program);
    command
        .arg("--pgdata")
        .arg(&paths.unfinished)
        .arg(format!("--username={}", paths::NAME))
        // `trust` is safe: only the server's user and root can enter the 0700 socket directory.
        .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
        .args(["--encoding=UTF8", "--locale=C", "--no-instructions"]);
    match binaries.major {
        17.. => {
            command.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
        }
        _ if cfg!(target_os = "macos") => {}
        _ => {
            command.arg("--lc-ctype=C.UTF-8");
        }
    }
    match durability {
        Durability::Durable => command.arg("--data-checksums"),
        Durability::Disposable => command.arg("--no-sync"),
    };
    // An `initdb` that outlives this process keeps the start lock, so that no other process removes
    // its directory.
    let held = lock.share().map_err(Error::io("share the lock of", &paths.root))?;
    command.stdin(held).kill_on_drop(true);
    let output = command.output().await.map_err(Error::io("run", program))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let (dir, output_tail) = (paths.unfinished.clone(), paths::tail(&text));
    Err(Error::Initdb { dir, status: output.status, output: output_tail })
}

/// Adds our `include` line to `postgresql.conf`, also for data from elsewhere, such as
/// `pg_upgrade`.
pub(super) fn include_settings(paths: &ClusterPaths) -> Result<(), Error> {
    let path = paths.pgdata.join("postgresql.conf");
    let included = || {
        let mut file = File::options()
            .read(true)
            .append(true)
            // The directory is writable by another user, and this process may be root: never follow
            // a link.
            .custom_flags(O_NOFOLLOW)
            .open(&path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        if text.lines().any(|line| line == settings::INCLUDE) {
            return Ok(());
        }
        file.write_all(format!("\n{}\n", settings::INCLUDE).as_bytes())?;
        file.sync_all()
    };
    included().map_err(Error::io("write", &path))
}
