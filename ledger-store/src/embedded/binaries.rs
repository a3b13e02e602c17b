//! Finds the PostgreSQL server programs on this machine.

use std::{
    env, fs,
    path::{self, Path, PathBuf},
};

use tokio::process::Command;

use super::{cluster_settings::MINIMUM_MAJOR, error::Error};

/// Directories with one installation per version: parent, prefix of the entry, path below it.
const PACKAGED: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),         // Debian
    ("/usr", "pgsql-", "bin"),                  // PGDG for RHEL
    ("/usr/lib", "postgresql", "bin"),          // SUSE
    ("/usr/libexec", "postgresql", ""),         // Alpine
    ("/opt/homebrew/opt", "postgresql", "bin"), // Homebrew
    ("/usr/local/opt", "postgresql", "bin"),    // Homebrew on Intel
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// The program directory and version of one installed server.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// Chooses the server for data of major version `wanted`, or the newest one when there is no
    /// data. With `named`, only that directory is considered.
    ///
    /// # Errors
    /// [`Error::NotBinaries`], [`Error::NoBinaries`], [`Error::TooOld`] or [`Error::WrongMajor`]:
    /// the operator installs a server or names its directory.
    pub(super) async fn find(
        named: Option<&Path>,
        wanted: Option<u32>,
        pgdata: &Path,
    ) -> Result<Self, Error> {
        choose(Self::all(named).await, named, wanted, pgdata)
    }

    /// Every complete installation, newest first.
    async fn all(named: Option<&Path>) -> Vec<Self> {
        let dirs = match named {
            // Made absolute, because the server does not start in the working directory of this
            // process.
            Some(dir) => vec![path::absolute(dir).unwrap_or_else(|_| dir.to_owned())],
            None => search_dirs().await,
        };
        let mut found = Vec::new();
        for dir in dirs {
            if let Some(major) = major_of(&dir).await {
                found.push(Self { dir, major });
            }
        }
        // The sort is stable, so among equal versions the directory searched first wins.
        found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
        found
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// A PostgreSQL server installed on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The directory of its programs.
    pub dir: PathBuf,
    /// The major version, such as 15.
    pub major: u32,
}

/// Every server that a start would choose from, newest first; with `named`, only that one.
///
/// # Errors
/// [`Error::NotBinaries`] or [`Error::NoBinaries`] when there is none; the message says how to
/// install one.
pub async fn installed(named: Option<&Path>) -> Result<Vec<Installed>, Error> {
    let found = Binaries::all(named).await;
    match named {
        Some(dir) if found.is_empty() => Err(Error::NotBinaries { dir: dir.to_owned() }),
        None if found.is_empty() => Err(Error::NoBinaries { install: install_hint() }),
        _ => {
            let mut found: Vec<_> =
                found.into_iter().map(|Binaries { dir, major }| Installed { dir, major }).collect();
            // A directory may be found in several ways, such as through `pg_config` and `PATH`.
            let mut seen = std::collections::HashSet::new();
            found.retain(|one| seen.insert(one.dir.clone()));
            Ok(found)
        }
    }
}

fn choose(
    found: Vec<Binaries>,
    named: Option<&Path>,
    wanted: Option<u32>,
    pgdata: &Path,
) -> Result<Binaries, Error> {
    let newest = match (found.first(), named) {
        (Some(newest), _) => newest.clone(),
        (None, Some(dir)) => return Err(Error::NotBinaries { dir: dir.to_owned() }),
        (None, None) => return Err(Error::NoBinaries { install: install_hint() }),
    };
    let Some(wanted) = wanted else {
        let Binaries { dir, major } = newest;
        return if major >= MINIMUM_MAJOR {
            Ok(Binaries { dir, major })
        } else {
            Err(Error::TooOld { major, dir, install: install_hint() })
        };
    };
    if wanted < MINIMUM_MAJOR {
        return Err(Error::TooOld {
            major: wanted,
            dir: pgdata.to_owned(),
            install: install_hint(),
        });
    }
    let mut majors: Vec<String> = found.iter().map(|found| found.major.to_string()).collect();
    majors.dedup();
    found.into_iter().find(|found| found.major == wanted).ok_or_else(|| Error::WrongMajor {
        pgdata: pgdata.to_owned(),
        wanted,
        found: majors.join(", "),
    })
}

/// Directories to search, the most likely first.
async fn search_dirs() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    // Debian ships `pg_config` but no server on the PATH, so `pg_config` gives only one candidate.
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output().await
        && let Ok(dir) = String::from_utf8(output.stdout)
        && output.status.success()
    {
        dirs.push(PathBuf::from(dir.trim()));
    }
    let searched = env::var_os("PATH").unwrap_or_default();
    dirs.extend(env::split_paths(&searched).filter(|dir| dir.is_absolute()));
    for (parent, begin, end) in PACKAGED {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let ours =
            entries.filter(|e| e.file_name().as_encoded_bytes().starts_with(begin.as_bytes()));
        dirs.extend(ours.map(|entry| entry.path().join(end)));
    }
    dirs
}

/// The major version of the server in `dir`; `None` when a program is missing or does not run.
async fn major_of(dir: &Path) -> Option<u32> {
    if !["initdb", "postgres"].iter().all(|name| dir.join(name).is_file()) {
        return None;
    }
    // "postgres (PostgreSQL) 15.18 (Debian ...)", and "17beta1" before a release.
    let output = Command::new(dir.join("postgres")).arg("--version").output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().find(|word| word.starts_with(char::is_numeric))?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The command that installs a server on this system.
fn install_hint() -> &'static str {
    if cfg!(target_os = "macos") {
        return "brew install postgresql@17";
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    install_line(&release)
}

/// Chooses the command from the text of os-release(5), by `ID` first and then by `ID_LIKE`.
fn install_line(release: &str) -> &'static str {
    let values = ["ID=", "ID_LIKE="].into_iter().flat_map(|key| {
        release
            .lines()
            .filter_map(move |line| line.strip_prefix(key))
            .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
    });
    for id in values {
        match id {
            "debian" | "ubuntu" => return "apt-get install postgresql",
            "fedora" | "rhel" | "centos" => return "dnf install postgresql-server",
            "alpine" => return "apk add postgresql",
            "suse" | "opensuse" | "sles" => return "zypper install postgresql-server",
            "arch" => return "pacman -S postgresql",
            _ => {}
        }
    }
    "the package `postgresql` or `postgresql-server` of this system"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_install_line_is_that_of_the_system_or_of_one_it_is_like() {
        assert_eq!(install_line("NAME=x\nID=alpine\n"), "apk add postgresql");
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        assert_eq!(install_line(rocky), "dnf install postgresql-server");
        assert!(install_line("").contains("`postgresql`"));
    }

    #[test]
    fn a_machine_without_a_server_is_told_how_to_get_one() {
        let refused = choose(vec![], None, None, Path::new("/data/pg")).unwrap_err();
        assert!(matches!(refused, Error::NoBinaries { .. }), "{refused}");
        assert!(refused.to_string().contains(install_hint()), "{refused}");
    }

    #[test]
    fn data_of_another_major_version_is_never_guessed_at() {
        let found = vec![Binaries { dir: "/seventeen".into(), major: 17 }];
        let refused = choose(found, None, Some(16), Path::new("/data/pg")).unwrap_err();
        assert!(matches!(refused, Error::WrongMajor { wanted: 16, .. }), "{refused}");
        assert!(refused.to_string().contains("pg_upgrade"), "{refused}");
    }

    #[test]
    fn a_server_before_fifteen_is_refused() {
        let found = vec![Binaries { dir: "/fourteen".into(), major: 14 }];
        let refused = choose(found, None, None, Path::new("/data/pg")).unwrap_err();
        assert!(matches!(refused, Error::TooOld { major: 14, .. }), "{refused}");
    }
}
