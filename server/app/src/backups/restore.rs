//! Restoring a backup into an empty data directory, to its end or to a time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use ledger_store::embedded::{
    Durability, Recovered, Restoration, check_base_backup, restore as replay,
};
use ledger_store::vault::export::{VaultImport, vault_exports};

use super::create::JOURNAL_DIR;
use super::manifest::{BASE_DIR, Manifest, sha256};
use super::places::WAL_DIR;
use super::{BackupError, find};
use crate::config::Config;
use crate::instance::{Instance, cluster_settings};

/// Where a backup and what belongs to it are.
#[derive(Debug, Clone)]
pub struct Source {
    /// Directory of the backups.
    pub backups: PathBuf,
    /// Directory of the vault exports.
    pub vault: PathBuf,
    /// The data directory of the ledger that was backed up, if it is there: the end of its write-ahead
    /// log that is not archived yet, its keyring, root key and journal.
    pub live: Option<PathBuf>,
}

/// The result of a restore.
#[derive(Debug)]
pub struct Restored {
    /// The backup.
    pub manifest: Manifest,
    /// The state that was reached.
    pub recovered: Recovered,
    /// The vault export that was imported.
    pub vault_export: Option<(PathBuf, VaultImport)>,
    /// Files of the live data directory that the new one refers to.
    pub linked: Vec<PathBuf>,
}

/// Checks the base backup against its checksums.
///
/// # Errors
/// [`BackupError::Damaged`] and [`BackupError::Cluster`] when a file differs.
pub async fn check(config: &Config, dir: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let base = dir.join(BASE_DIR);
    let list = base.join("backup_manifest");
    let bytes = fs::read(&list).map_err(BackupError::io("read", &list))?;
    if sha256(&bytes) != manifest.base_sha256 {
        return Err(BackupError::Damaged { path: list });
    }
    check_base_backup(&cluster_settings(config, Durability::Durable), &base).await?;
    Ok(())
}

/// Restores a backup into the data directory of `config`, which must have no ledger, and imports the
/// newest vault export. Without `until` all of the write-ahead log is replayed.
///
/// The keyring, the root key and the journal are never copied: a copy of a key would survive its
/// destruction. The new directory refers to those of the live one by links, unless it has its own.
///
/// # Errors
/// [`BackupError`], and errors of opening the restored ledger.
pub async fn restore(
    config: &Config,
    name: &str,
    source: &Source,
    until: Option<DateTime<Utc>>,
    without_vault: bool,
) -> anyhow::Result<Restored> {
    let pg = config.data_dir.join("pg");
    if pg.exists() {
        return Err(BackupError::NotEmpty { path: pg }.into());
    }
    let (dir, manifest) = find(&source.backups, name)?;
    let export = vault_exports(&source.vault).map_err(BackupError::from)?.pop();
    if export.is_none() && !without_vault {
        return Err(BackupError::NoVaultExport { dir: source.vault.clone() }.into());
    }
    check(config, &dir, &manifest).await?;
    let recovered = replay_into(config, &dir, source, until).await?;
    let linked = link_keys(config, source)?;
    let instance = Instance::open_as(config, "call-ledger restore").await?;
    let imported = match &export {
        Some(path) => Some(instance.store.import_vault(path).await),
        None => None,
    };
    let closed = instance.close().await;
    let imported = imported.transpose().map_err(BackupError::from)?;
    closed?;
    Ok(Restored { manifest, recovered, vault_export: export.zip(imported), linked })
}

/// Restores the data alone: neither keys nor the vault export.
///
/// # Errors
/// [`BackupError`]
pub async fn replay_into(
    config: &Config,
    dir: &Path,
    source: &Source,
    until: Option<DateTime<Utc>>,
) -> Result<Recovered, BackupError> {
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let mut wal = vec![absolute(source.backups.join(WAL_DIR))];
    if let Some(live) = &source.live {
        wal.push(absolute(live.join("pg/pg_wal")));
    }
    let restoration = Restoration { base: dir.join(BASE_DIR), wal, until };
    let settings = cluster_settings(config, Durability::Durable);
    Ok(replay(&settings, &restoration).await?)
}

/// Links the keyring, the root key and the journal of the live data directory.
fn link_keys(config: &Config, source: &Source) -> Result<Vec<PathBuf>, BackupError> {
    let Some(live) = &source.live else { return Ok(Vec::new()) };
    let live = fs::canonicalize(live).map_err(BackupError::io("open", live))?;
    let mut linked = Vec::new();
    let wanted = [
        ("keyring", config.keyring.is_none()),
        ("root.key", config.root_key.is_none()),
        (JOURNAL_DIR, true),
    ];
    for (name, is_default) in wanted {
        let (target, link) = (live.join(name), config.data_dir.join(name));
        if is_default && target.exists() && fs::symlink_metadata(&link).is_err() {
            symlink(&target, &link).map_err(BackupError::io("link", &link))?;
            linked.push(target);
        }
    }
    Ok(linked)
}
