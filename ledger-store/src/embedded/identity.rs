//! The user that runs the server: the current one, or an unprivileged one when the current one is
//! root, since PostgreSQL refuses to run as root.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use nix::unistd::{User, geteuid};
use tokio::process::Command;

use super::{binaries::Binaries, error::Error, paths};

/// Default users in the order tried; packages create the first, and every system has the second.
const DEFAULT_USERS: [&str; 2] = ["postgres", "nobody"];
const LOCALE: &str = if cfg!(target_os = "macos") { "C" } else { "C.UTF-8" };

/// The user that the server's programs run as.
#[derive(Debug, Clone)]
pub(super) struct ServerUser {
    name: String,
    uid: u32,
    gid: u32,
    /// Whether this process is root and the server's user is another one.
    is_other: bool,
}

impl ServerUser {
    /// As root: the user `named`, else the owner of existing data, else `postgres`, else `nobody`.
    /// Otherwise the current user.
    ///
    /// # Errors
    /// [`Error::NotRoot`], [`Error::NoServerUser`] or [`Error::WrongOwner`]: the operator names
    /// another user.
    pub(super) fn choose(named: Option<&str>, pgdata: &Path) -> Result<Self, Error> {
        let own = geteuid();
        if !own.is_root() {
            let user = User::from_uid(own).ok().flatten();
            let gid = nix::unistd::getegid().as_raw();
            let name = user.map_or_else(|| own.to_string(), |user| user.name);
            return match named {
                Some(named) if named != name => Err(Error::NotRoot { user: named.to_owned() }),
                _ => Ok(Self { name, uid: own.as_raw(), gid, is_other: false }),
            };
        }
        let owner = fs::metadata(pgdata).ok().map(|data| data.uid());
        let candidates = match (named, owner) {
            (Some(named), _) => vec![User::from_name(named)],
            (None, Some(owner)) if owner != 0 => vec![User::from_uid(owner.into())],
            _ => DEFAULT_USERS.map(User::from_name).into(),
        };
        let user =
            candidates.into_iter().filter_map(Result::ok).flatten().find(|u| !u.uid.is_root());
        let Some(User { name, uid, gid, .. }) = user else {
            let tried = named.map_or_else(|| DEFAULT_USERS.join("` or `"), str::to_owned);
            return Err(Error::NoServerUser { tried });
        };
        if owner.is_some_and(|owner| owner != uid.as_raw()) {
            return Err(Error::WrongOwner { pgdata: pgdata.to_owned(), user: name });
        }
        Ok(Self { name, uid: uid.as_raw(), gid: gid.as_raw(), is_other: true })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// Changes the owner of a created path to this user.
    pub(super) fn make_owner_of(&self, path: &Path) -> Result<(), Error> {
        if self.is_other { paths::change_owner(path, self.uid, self.gid) } else { Ok(()) }
    }

    /// A command that runs `program` as this user, without our environment, working directory and
    /// terminal.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LC_ALL", LOCALE)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir("/")
            .stdin(Stdio::null());
        if self.is_other {
            // The standard library also drops our supplementary groups with this call.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Checks that this user can reach the data and the programs, before anything is written.
    ///
    /// # Errors
    /// [`Error::Unreachable`] with the first directory that denies access.
    pub(super) async fn check_reach(&self, root: &Path, binaries: &Binaries) -> Result<(), Error> {
        if !self.is_other {
            return Ok(());
        }
        for (target, option) in [
            (binaries.dir.as_path(), "--pg-bin, such as a system package has"),
            (root, "--data-dir, such as /var/lib/call-ledger"),
        ] {
            if let Some(blocked) = self.first_blocked(target).await? {
                let (user, target) = (self.name.clone(), target.to_owned());
                return Err(Error::Unreachable { user, blocked, target, option });
            }
        }
        Ok(())
    }

    /// The topmost directory on the path to `target`, including `target`, that this user may not
    /// enter.
    async fn first_blocked(&self, target: &Path) -> Result<Option<PathBuf>, Error> {
        if self.can_enter(target).await? {
            return Ok(None);
        }
        let mut way: Vec<&Path> = target.ancestors().collect();
        way.reverse();
        for dir in way {
            if !self.can_enter(dir).await? {
                return Ok(Some(dir.to_owned()));
            }
        }
        Ok(Some(target.to_owned()))
    }

    /// Tries it in a child process, so that access lists and mounts count too: the child changes
    /// user, then directory, then runs a program.
    async fn can_enter(&self, dir: &Path) -> Result<bool, Error> {
        let shell = Path::new("/bin/sh");
        match self.command(shell).current_dir(dir).args(["-c", ":"]).status().await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            Err(error) => Err(Error::io("run", shell)(error)),
        }
    }
}
