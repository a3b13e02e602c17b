//! Making a backup while servers run.

use std::fs;
use std::path::{Path, PathBuf};

use ledger_core::ids::TenantId;
use ledger_store::Store;
use ledger_store::embedded::{self, Durability, Settings, base_backup, end_gap, prune_archive};
use ledger_store::vault::export::{KEPT_EXPORTS, VaultExport, keep_newest_exports};
use nix::sys::statvfs::statvfs;
use tokio::task::spawn_blocking;

use super::manifest::{self, BASE_DIR, Manifest, ManifestLog, VaultFile, sha256};
use super::places::{self, BackupLock, WAL_DIR, make_dir, remove_dir, size_of};
use super::{BackupError, backups};
use crate::config::Config;
use crate::instance::{Instance, cluster_settings};

/// Free space to leave beside a copy of the data, in bytes.
const RESERVE: u64 = 512 << 20;
const MEGABYTE: u64 = 1 << 20;
/// Name of the erasure journal's directory in the data directory.
pub(super) const JOURNAL_DIR: &str = "journal";
const JOURNAL_COPY: &str = "journal-";
/// Begin of the name of a backup that is not complete, or is being removed.
const UNFINISHED: &str = ".unfinished-";

/// The result of a backup.
#[derive(Debug)]
pub struct Created {
    /// The backup of the private PostgreSQL; `None` with a PostgreSQL of the user's own.
    pub ledger: Option<(PathBuf, Manifest)>,
    /// The vault export.
    pub vault: VaultExport,
    /// Number of older backups that were removed.
    pub removed: usize,
}

/// Makes a backup in `to`, or in the configured directory, which also removes those beyond the
/// number to keep, with their part of the archive. A PostgreSQL of the user's own is not copied: then
/// only the vault and the journal are.
///
/// # Errors
/// [`BackupError`]; nothing that counts as a backup was left.
pub async fn create(
    config: &Config,
    instance: &Instance,
    to: Option<&Path>,
) -> Result<Created, BackupError> {
    let store = &instance.store;
    let vault_dir = config.vault_backup_path();
    let now = store.clock().now_micros();
    let name = now.format("%Y%m%dT%H%M%S%3fZ").to_string();
    if config.database_url.is_some() {
        let vault = vault_set(config, store, &vault_dir, &name).await?;
        return Ok(Created { ledger: None, vault, removed: 0 });
    }
    let home = config.backup_path();
    let dir = to.map_or_else(|| home.clone(), Path::to_owned);
    let lock = BackupLock::acquire(&dir)?;
    remove_unfinished(&dir)?;
    refuse_small_disk(config, &dir)?;
    let mut logs = Vec::new();
    for tenant_id in tenants(store).await? {
        let log = store.log_digest(tenant_id, None).await?;
        logs.push(ManifestLog { tenant_id, size: log.size, digest: log.digest });
    }
    let unfinished = dir.join(format!("{UNFINISHED}{name}"));
    make_dir(&unfinished, 0o700)?;
    let base = unfinished.join(BASE_DIR);
    let settings = cluster_settings(config, Durability::Durable);
    let copied = base_backup(&settings, &base).await;
    if let Err(error) = copied {
        remove_dir(&unfinished)?;
        return Err(error.into());
    }
    // Set K is written after the copy, so that it has every key that the copy has.
    let vault = vault_set(config, store, &vault_dir, &name).await?;
    let (first_segment, base_sha256) = described(&base)?;
    let manifest = Manifest {
        format: 1,
        name: name.clone(),
        begun_at: now,
        finished_at: store.clock().now_micros(),
        version: env!("CARGO_PKG_VERSION").into(),
        bytes: size_of(&base),
        first_segment,
        base_sha256,
        logs,
        vault_export: VaultFile {
            file: vault.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: vault.sha256.clone(),
        },
    };
    manifest::write(&unfinished, &manifest)?;
    let finished = dir.join(&name);
    finish(&unfinished, &finished).await?;
    let removed = if dir == home { keep_newest(config, &settings, &dir)? } else { 0 };
    drop(lock);
    Ok(Created { ledger: Some((finished, manifest)), vault, removed })
}

async fn tenants(store: &Store) -> Result<Vec<TenantId>, BackupError> {
    let tenants = store.tenants().await?;
    Ok(tenants.into_iter().map(|tenant| tenant.tenant_id).chain([TenantId::INSTALLATION]).collect())
}

/// Writes the vault export and the copy of the journal, and removes older ones.
async fn vault_set(
    config: &Config,
    store: &Store,
    dir: &Path,
    name: &str,
) -> Result<VaultExport, BackupError> {
    let vault = store.export_vault(dir).await?;
    let journal = config.data_dir.join(JOURNAL_DIR);
    if journal.exists() {
        let unfinished = dir.join(format!("{UNFINISHED}{JOURNAL_COPY}{name}"));
        places::copy_dir(&journal, &unfinished)?;
        places::sync_tree(&unfinished)?;
        let copy = dir.join(format!("{JOURNAL_COPY}{name}"));
        fs::rename(&unfinished, &copy).map_err(BackupError::io("rename", &copy))?;
        places::sync(dir)?;
    }
    keep_newest_exports(dir, KEPT_EXPORTS)?;
    let mut copies = entries(dir, JOURNAL_COPY)?;
    copies.truncate(copies.len().saturating_sub(KEPT_EXPORTS));
    for old in copies.into_iter().chain(entries(dir, UNFINISHED)?) {
        remove_dir(&old)?;
    }
    Ok(vault)
}

/// The entries of a directory whose names begin like this, in the order of names.
fn entries(dir: &Path, prefix: &str) -> Result<Vec<PathBuf>, BackupError> {
    let found = fs::read_dir(dir).map_err(BackupError::io("read", dir))?;
    let mut found: Vec<PathBuf> = found
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    Ok(found)
}

/// Removes what interrupted backups left. The lock of the directory is held.
fn remove_unfinished(dir: &Path) -> Result<(), BackupError> {
    entries(dir, UNFINISHED)?.iter().try_for_each(|path| remove_dir(path))
}

/// Refuses a disk without room for a copy of the data, before anything is written.
fn refuse_small_disk(config: &Config, dir: &Path) -> Result<(), BackupError> {
    let needed = size_of(&config.data_dir.join("pg")) + RESERVE;
    let Ok(disk) = statvfs(dir) else { return Ok(()) };
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    if free < needed {
        let (needed_mb, free_mb) = (needed / MEGABYTE, free / MEGABYTE);
        return Err(BackupError::NoSpace { needed_mb, free_mb, dir: dir.to_owned() });
    }
    Ok(())
}

/// The first segment that a base backup needs, and the SHA-256 of its list of files.
fn described(base: &Path) -> Result<(String, String), BackupError> {
    let label = base.join("backup_label");
    let text = fs::read_to_string(&label).map_err(BackupError::io("read", &label))?;
    // START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
    let segment = text
        .lines()
        .next()
        .and_then(|line| line.split_once("(file ").and_then(|(_, rest)| rest.strip_suffix(')')));
    let list = base.join("backup_manifest");
    let bytes = fs::read(&list).map_err(BackupError::io("read", &list))?;
    match segment {
        Some(segment) => Ok((segment.to_owned(), sha256(&bytes))),
        None => Err(BackupError::Damaged { path: label }),
    }
}

/// Makes the backup durable and gives it its name.
async fn finish(unfinished: &Path, finished: &Path) -> Result<(), BackupError> {
    let (from, to) = (unfinished.to_owned(), finished.to_owned());
    let renamed = spawn_blocking(move || {
        // The base backup is durable already.
        places::sync(&from.join("manifest.json"))?;
        places::sync(&from)?;
        fs::rename(&from, &to).map_err(BackupError::io("rename", &from))?;
        to.parent().map_or(Ok(()), places::sync)
    });
    renamed.await.expect("the task does not panic")
}

/// Removes the backups beyond the number to keep, and the segments that only they needed. A gap in
/// the archive is before the new backup.
fn keep_newest(config: &Config, settings: &Settings, dir: &Path) -> Result<usize, BackupError> {
    let found = backups(dir)?;
    let old = found.len().saturating_sub(config.backup_keep);
    for (path, manifest) in &found[..old] {
        // A half removed backup does not count.
        let going = dir.join(format!("{UNFINISHED}{}", manifest.name));
        fs::rename(path, &going).map_err(BackupError::io("rename", path))?;
        remove_dir(&going)?;
    }
    let wal = settings.archive.clone().unwrap_or_else(|| dir.join(WAL_DIR));
    end_gap(&wal)?;
    let oldest = found.get(old).map(|(_, manifest)| manifest.first_segment.as_str());
    prune_archive(&wal, oldest).map(|_| old).map_err(embedded::Error::into)
}
