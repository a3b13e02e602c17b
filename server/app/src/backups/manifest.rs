//! The manifest of a backup. A directory without one is no backup.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::BackupError;

/// Name of the base backup in the directory of a backup.
pub const BASE_DIR: &str = "base";
const FILE: &str = "manifest.json";

/// What belongs to a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of this manifest, 1.
    pub format: u32,
    /// Name of the backup: its begin in UTC.
    pub name: String,
    /// Begin of the backup.
    pub begun_at: DateTime<Utc>,
    /// End of the base backup. A restore can reach any time from then on.
    pub consistent_at: DateTime<Utc>,
    /// Time at which it was complete. Everything recorded before its begin is in it.
    pub finished_at: DateTime<Utc>,
    /// Version of the program that made it.
    pub version: String,
    /// Size of the base backup in bytes.
    pub bytes: u64,
    /// The first segment of the write-ahead log that its restore needs.
    pub first_segment: String,
    /// SHA-256 of `backup_manifest` in the base backup, which has those of all files.
    pub base_sha256: String,
    /// The logs at its begin.
    pub logs: Vec<ManifestLog>,
    /// The vault export of the same time, in the other set.
    pub vault_export: VaultFile,
}

/// The log of a tenant at the begin of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestLog {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Number of events.
    pub size: i64,
    /// SHA-256 over the leaf hashes of these events.
    pub digest: String,
}

/// A vault export by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultFile {
    /// Name of the file.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// The file: the manifest with the SHA-256 of its text.
#[derive(Serialize, Deserialize)]
struct Checked {
    manifest: Box<RawValue>,
    sha256: String,
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// Writes the manifest into the directory of a backup.
pub(super) fn write(dir: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let text = serde_json::value::to_raw_value(manifest).expect("texts and numbers");
    let sha256 = sha256(text.get().as_bytes());
    let text = serde_json::to_string(&Checked { manifest: text, sha256 }).expect("texts");
    let path = dir.join(FILE);
    fs::write(&path, text + "\n").map_err(BackupError::io("write", &path))
}

/// Reads the manifest of a backup.
///
/// # Errors
/// [`BackupError::Damaged`] when it is not the one that was written; [`BackupError::Io`].
pub fn read(dir: &Path) -> Result<Manifest, BackupError> {
    let path = dir.join(FILE);
    let damaged = || BackupError::Damaged { path: path.clone() };
    let text = fs::read_to_string(&path).map_err(BackupError::io("read", &path))?;
    let checked: Checked = serde_json::from_str(&text).map_err(|_| damaged())?;
    if sha256(checked.manifest.get().as_bytes()) != checked.sha256 {
        return Err(damaged());
    }
    let manifest: Manifest = serde_json::from_str(checked.manifest.get()).map_err(|_| damaged())?;
    if manifest.format == 1 { Ok(manifest) } else { Err(damaged()) }
}

/// The complete backups of a directory with a readable manifest, oldest first.
///
/// # Errors
/// [`BackupError::Io`]
pub fn backups(dir: &Path) -> Result<Vec<(PathBuf, Manifest)>, BackupError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(BackupError::io("read", dir))?,
    };
    let mut found: Vec<(PathBuf, Manifest)> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_named(path) && path.join(FILE).exists())
        .filter_map(|path| read(&path).ok().map(|manifest| (path, manifest)))
        .collect();
    found.sort_by_key(|(_, one)| one.begun_at);
    Ok(found)
}

/// Finds a backup by name; `latest` is the newest one.
///
/// # Errors
/// [`BackupError::NotFound`]; [`BackupError::Damaged`] for a backup with an altered manifest.
pub fn find(dir: &Path, name: &str) -> Result<(PathBuf, Manifest), BackupError> {
    let none = || BackupError::NotFound { name: name.to_owned(), dir: dir.to_owned() };
    if name == "latest" {
        return backups(dir)?.pop().ok_or_else(none);
    }
    let path = dir.join(name);
    if name.contains('/') || !is_named(&path) || !path.join(FILE).exists() {
        return Err(none());
    }
    let manifest = read(&path)?;
    if manifest.name == name { Ok((path, manifest)) } else { Err(none()) }
}

/// Finds the backup for a restore to a time; `latest` is the newest one that was complete by then.
///
/// # Errors
/// As [`find`]; [`BackupError::TooEarly`] for a time at which the backup was not complete.
pub(super) fn find_for(
    dir: &Path,
    name: &str,
    until: Option<DateTime<Utc>>,
) -> Result<(PathBuf, Manifest), BackupError> {
    let (path, manifest) = find(dir, name)?;
    let Some(until) = until else { return Ok((path, manifest)) };
    if manifest.consistent_at <= until {
        return Ok((path, manifest));
    }
    let earlier = backups(dir)?.into_iter().rev().find(|(_, other)| other.consistent_at <= until);
    match earlier {
        Some(earlier) if name == "latest" => Ok(earlier),
        earlier => Err(BackupError::TooEarly {
            name: manifest.name,
            consistent_at: manifest.consistent_at,
            earlier: earlier.map_or_else(|| "none".into(), |(_, manifest)| manifest.name),
        }),
    }
}

/// Whether the name is not that of an unfinished backup.
fn is_named(path: &Path) -> bool {
    path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, day: u32) -> Manifest {
        let at = format!("2026-12-{day:02}T00:00:00Z").parse().expect("a time");
        Manifest {
            format: 1,
            name: name.into(),
            begun_at: at,
            consistent_at: at,
            finished_at: at,
            version: "0".into(),
            bytes: 1,
            first_segment: "000000010000000000000002".into(),
            base_sha256: "ab".into(),
            logs: vec![],
            vault_export: VaultFile { file: "f".into(), sha256: "cd".into() },
        }
    }

    #[test]
    fn a_directory_counts_with_its_manifest_and_its_name_only() {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, day) in [("b", 1), ("a", 2), (".c", 3)] {
            fs::create_dir(dir.path().join(name)).expect("a directory");
            write(&dir.path().join(name), &manifest(name, day)).expect("it is written");
        }
        fs::create_dir(dir.path().join("half")).expect("a directory");
        let names: Vec<_> =
            backups(dir.path()).expect("a list").into_iter().map(|(_, m)| m.name).collect();
        assert_eq!(names, ["b", "a"], "by time, not by name");
        assert_eq!(find(dir.path(), "latest").expect("one").1.name, "a");
        let at = |text: &str| Some(text.parse().expect("a time"));
        let found = |name, until| find_for(dir.path(), name, until).map(|(_, found)| found.name);
        assert_eq!(found("latest", at("2026-12-01T12:00:00Z")).expect("one"), "b");
        assert_eq!(found("latest", at("2026-12-02T00:00:00Z")).expect("one"), "a");
        assert_eq!(found("latest", None).expect("one"), "a");
        let early = found("a", at("2026-12-01T12:00:00Z")).expect_err("it was not complete");
        assert!(early.to_string().contains("use b"), "{early}");
        assert!(found("latest", at("2026-11-30T00:00:00Z")).is_err());
        for none in ["half", ".c", "nothing", "../a", ""] {
            assert!(find(dir.path(), none).is_err(), "{none}");
        }
        assert!(matches!(find(&dir.path().join("x"), "latest"), Err(BackupError::NotFound { .. })));
    }

    #[test]
    fn an_altered_manifest_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), &manifest("a", 1)).expect("it is written");
        let path = dir.path().join(FILE);
        let text = fs::read_to_string(&path).expect("a file");
        assert_eq!(read(dir.path()).expect("it is whole"), manifest("a", 1));
        fs::write(&path, text.replace("0002", "0003")).expect("a file");
        assert!(matches!(read(dir.path()), Err(BackupError::Damaged { .. })));
        fs::write(&path, &text[..text.len() / 2]).expect("a file");
        assert!(matches!(read(dir.path()), Err(BackupError::Damaged { .. })));
    }
}
