//! Continuous archiving of the write-ahead log of the private PostgreSQL.
//!
//! The server passes each full segment to a script, which copies it durably and under its name only
//! when it is complete. A disk that is almost full is left alone: the script skips segments, which
//! the file `gap` then records, so that backups never stop the ledger. A restore cannot pass a gap;
//! the next base backup ends it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::cluster_settings::Settings;
use super::error::Error;
use super::identity::ServerUser;
use super::paths::{ClusterPaths, make_private_dir};

const SCRIPT: &str = "archive.sh";
/// The file that names the first skipped segment.
const GAP: &str = "gap";
/// Free space, in KB, below which nothing is archived.
const LEAST_FREE_KB: u64 = 512 * 1024;
/// Longest time that a segment with changes stays out of the archive, in seconds. Each forced
/// segment takes 16 MB.
const TIMEOUT_S: u64 = 3600;

/// Writes the script and returns the lines of the server's settings.
pub(super) fn prepare(
    paths: &ClusterPaths,
    settings: &Settings,
    user: &ServerUser,
) -> Result<String, Error> {
    let Some(dir) = &settings.archive else { return Ok("archive_mode = off\n".into()) };
    // A missing disk of the backups does not stop the ledger: the archiver fails, and is retried.
    if let Err(error) = make_archive(dir, user) {
        tracing::warn!(error = &error as &dyn std::error::Error, "the archive cannot be written");
    }
    let script = paths.root.join(SCRIPT);
    let fresh = script.with_extension("tmp");
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
    fs::write(&fresh, text(&dir))
        .and_then(|()| fs::set_permissions(&fresh, Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(&fresh, &script))
        .map_err(Error::io("write", &script))?;
    let command = format!("sh {} \"%p\" %f", shell_quoted(&script).replace('%', "%%"));
    Ok(format!(
        "archive_mode = on\narchive_command = '{}'\narchive_timeout = '{TIMEOUT_S}s'\n",
        command.replace('\\', "\\\\").replace('\'', "''")
    ))
}

fn make_archive(dir: &Path, user: &ServerUser) -> Result<(), Error> {
    if let Some(parent) = dir.parent() {
        make_passable_dir(parent)?;
    }
    make_private_dir(dir)?;
    let found = fs::symlink_metadata(dir).map_err(Error::io("look at", dir))?;
    if found.uid() == user.uid() { Ok(()) } else { user.make_owner_of(dir) }
}

/// Creates a directory that the server's user can enter and not list.
pub(super) fn make_passable_dir(dir: &Path) -> Result<(), Error> {
    let mode = if geteuid().is_root() { 0o711 } else { 0o700 };
    match fs::DirBuilder::new().recursive(true).mode(mode).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::io("create", dir)(error))
        }
        _ => Ok(()),
    }
}

/// The script: its arguments are the path of a segment, relative to the data, and its name.
fn text(dir: &Path) -> String {
    let dir = shell_quoted(dir);
    format!(
        "# Written by call-ledger at each start. Archives one segment of the write-ahead log.\n\
         set -eu\n\
         segment=$1 name=$2 archive={dir}\n\
         # After a crash the server repeats the last segment.\n\
         if [ -f \"$archive/$name\" ]; then exec cmp -s \"$segment\" \"$archive/$name\"; fi\n\
         free=$(df -Pk \"$archive\" | awk 'NR == 2 {{ print $4 }}')\n\
         if [ \"$free\" -lt {LEAST_FREE_KB} ]; then\n\
         \x20 [ -f \"$archive/{GAP}\" ] || echo \"$name\" > \"$archive/{GAP}\"\n\
         \x20 exit 0\n\
         fi\n\
         cp \"$segment\" \"$archive/$name.tmp\"\n\
         sync \"$archive/$name.tmp\"\n\
         mv \"$archive/$name.tmp\" \"$archive/$name\"\n\
         sync \"$archive\"\n"
    )
}

/// A word of the shell.
pub(super) fn shell_quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

/// Content of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveContent {
    /// Number of complete segments.
    pub segments: u64,
    /// Size of all files, in bytes.
    pub bytes: u64,
    /// The first segment that was skipped because the disk was almost full.
    pub gap: Option<String>,
}

/// Counts the content of an archive; empty if there is none.
///
/// # Errors
/// [`Error::Io`] when the directory cannot be read.
pub fn archive_content(dir: &Path) -> Result<ArchiveContent, Error> {
    let mut content = ArchiveContent::default();
    for (path, name) in files(dir)? {
        content.bytes += fs::metadata(&path).map_or(0, |file| file.len());
        content.segments += u64::from(is_segment(&name));
        if name == GAP {
            content.gap = fs::read_to_string(&path).ok().map(|name| name.trim().to_owned());
        }
    }
    Ok(content)
}

/// Removes the segments before `oldest`, which no backup needs; all of them when there is no backup.
/// Returns their number.
///
/// # Errors
/// [`Error::Io`]
pub fn prune_archive(dir: &Path, oldest: Option<&str>) -> Result<u64, Error> {
    let mut removed = 0;
    for (path, name) in files(dir)? {
        // The first 8 digits are the timeline, which does not order segments.
        let is_old = oldest.is_none_or(|oldest| name.get(8..24) < oldest.get(8..24));
        if (is_segment(&name) || name.ends_with(".backup")) && is_old {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Ends a gap: a base backup was begun after it.
///
/// # Errors
/// [`Error::Io`]
pub fn end_gap(dir: &Path) -> Result<(), Error> {
    match fs::remove_file(dir.join(GAP)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", dir.join(GAP))(error))
        }
        _ => Ok(()),
    }
}

fn files(dir: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("read", dir))?,
    };
    Ok(entries
        .flatten()
        .filter_map(|entry| Some((entry.path(), entry.file_name().into_string().ok()?)))
        .collect())
}

fn is_segment(name: &str) -> bool {
    name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_before_the_oldest_backup_are_removed_whatever_their_timeline() {
        let dir = tempfile::tempdir().unwrap();
        let names = [
            "000000010000000000000001",
            "000000010000000000000002",
            "000000020000000000000003",
            "000000010000000000000001.00000028.backup",
            "00000002.history",
        ];
        for name in names {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        fs::write(dir.path().join(GAP), "000000010000000000000002\n").unwrap();
        let content = archive_content(dir.path()).unwrap();
        assert_eq!((content.segments, content.gap.as_deref()), (3, Some(names[1])));
        assert_eq!(prune_archive(dir.path(), Some(names[1])).unwrap(), 2);
        assert!(!dir.path().join(names[0]).exists() && dir.path().join(names[1]).exists());
        assert_eq!(prune_archive(dir.path(), None).unwrap(), 2);
        assert!(dir.path().join(names[4]).exists(), "a history is needed by every restore");
        end_gap(dir.path()).unwrap();
        assert_eq!(archive_content(dir.path()).unwrap().gap, None);
        assert_eq!(archive_content(&dir.path().join("none")).unwrap(), ArchiveContent::default());
    }

    #[test]
    fn a_path_is_one_word_of_the_shell() {
        assert_eq!(shell_quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
