//! `backup verify`: a backup is proved by its restore.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, Utc};
use ledger_app::backups::{
    BackupError, BackupLock, Manifest, Source, check, find, remove_dir, remove_unfinished,
    replay_into,
};
use ledger_app::log_check::check_log;
use ledger_store::Store;
use ledger_store::backups::BackupReport;
use ledger_store::vault::export::{VaultExportError, vault_exports};
use serde_json::json;

use super::super::exit::{ExitStatus, usage_error};
use super::super::output;
use super::rebuilt;
use crate::config::{Config, Output, Secret};
use crate::instance::Instance;

/// Begin of the name of the restored copy. The next backup removes what an interrupted verification
/// left.
const COPY: &str = ".unfinished-verify-";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the backup [default: the newest]
    #[arg(default_value = "latest", hide_default_value = true)]
    name: String,
    /// Directory of the backups [default: `backup_dir`]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Verify this database instead, which was restored by other tools
    #[arg(long, value_name = "URL", conflicts_with_all = ["name", "from"], hide_env_values = true)]
    restored_url: Option<String>,
}

impl Args {
    /// The verification of a backup that was just made.
    pub(super) fn of(name: String, from: Option<PathBuf>) -> Self {
        Self { name, from, restored_url: None }
    }
}

/// The result of a verification.
#[derive(Debug, Default)]
struct Findings {
    sentences: Vec<String>,
    events: i64,
    restore_ms: i64,
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    if let Some(url) = &args.restored_url {
        return verify_url(config, url).await;
    }
    if config.database_url.is_some() {
        return usage_error(
            "--database-url: restore a backup of that PostgreSQL by its own tools, then name the \
             restored database with --restored-url",
        );
    }
    let dir = args.from.clone().unwrap_or_else(|| config.backup_path());
    let report = Instance::run(config, async |instance| {
        let lock = BackupLock::acquire(&dir)?;
        let (path, manifest) = find(&dir, &args.name)?;
        let clock = instance.store.clock();
        let (started_at, begun) = (clock.now_micros(), Instant::now());
        let found = verify(config, &instance.store, &dir, &path, &manifest).await?;
        let report = BackupReport {
            name: manifest.name.clone(),
            started_at,
            finished_at: clock.now_micros(),
            findings: found.sentences,
            taken_at: manifest.finished_at,
            restore_ms: found.restore_ms,
            verify_ms: millis(begun),
            bytes: i64::try_from(manifest.bytes).unwrap_or(i64::MAX),
            events: found.events,
        };
        instance.store.record_backup_report(&report).await?;
        drop(lock);
        Ok(report)
    })
    .await?;
    print(config.output, &report)
}

/// Restores a copy beside the backups, and verifies it.
async fn verify(
    config: &Config,
    live: &Store,
    dir: &Path,
    path: &Path,
    manifest: &Manifest,
) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let begun = Instant::now();
    if let Err(error) = check(config, path, manifest).await {
        // A program that could not run says nothing about the backup.
        let is_damage = matches!(
            error,
            BackupError::Damaged { .. }
                | BackupError::Cluster(ledger_store::embedded::Error::Program { .. })
        );
        anyhow::ensure!(is_damage, error);
        found.sentences.push(format!("{:#}", anyhow::Error::from(error)));
        return Ok(found);
    }
    prove_vault(config, live, manifest, &mut found).await?;
    let copy = dir.join(format!("{COPY}{}", std::process::id()));
    remove_unfinished(config, dir).await?;
    let root_key = config.root_key.clone().unwrap_or_else(|| config.data_dir.join("root.key"));
    let restored = Config {
        data_dir: copy.clone(),
        keyring: Some(config.keyring_path()),
        root_key: Some(root_key),
        journal: Some(config.journal_path()),
        wal_archive: false,
        backup_dir: None,
        vault_backup_dir: None,
        ..config.clone()
    };
    let source = Source { backups: dir.to_owned(), vault: config.vault_backup_path(), live: None };
    let replayed = replay_into(&restored, path, &source, None).await;
    let verified = match replayed {
        Ok(_) => {
            found.restore_ms = millis(begun);
            verify_restored(&restored, manifest, &mut found).await
        }
        Err(error) => Err(error.into()),
    };
    let removed = remove_dir(&copy);
    verified?;
    removed?;
    Ok(found)
}

/// Proves the export of the same time, or the newest one when that one is not kept any more.
async fn prove_vault(
    config: &Config,
    live: &Store,
    manifest: &Manifest,
    found: &mut Findings,
) -> anyhow::Result<()> {
    let exports = vault_exports(&config.vault_backup_path())?;
    let own = exports.iter().find(|path| path.ends_with(&manifest.vault_export.file));
    let Some(export) = own.or(exports.last()) else {
        found.sentences.push("there is no vault export".into());
        return Ok(());
    };
    match live.prove_vault_export(export).await {
        Ok(_) => Ok(()),
        Err(error @ (VaultExportError::Damaged { .. } | VaultExportError::DoesNotOpen { .. })) => {
            found.sentences.push(error.to_string());
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn verify_restored(
    config: &Config,
    manifest: &Manifest,
    found: &mut Findings,
) -> anyhow::Result<()> {
    let instance = Instance::open(config).await.context("the restored copy cannot be opened")?;
    let verified = async {
        logs(&instance.store, found).await?;
        for log in &manifest.logs {
            let has = instance.store.log_digest(log.tenant_id, Some(log.size)).await?;
            if has.size != log.size || has.digest != log.digest {
                let tenant_id = log.tenant_id;
                found.sentences.push(format!(
                    "the log of tenant {tenant_id} is not the one that was backed up"
                ));
            }
        }
        found.sentences.extend(rebuilt::compare(&instance.store).await?);
        anyhow::Ok(())
    };
    let verified = verified.await;
    let closed = instance.close().await;
    verified?;
    closed
}

/// Checks every event of every log.
async fn logs(store: &Store, found: &mut Findings) -> anyhow::Result<()> {
    for tenant_id in output::tenants_of(store, None).await? {
        let log = check_log(store, tenant_id).await?;
        found.events += log.size;
        if let Some(position) = log.first_bad {
            found
                .sentences
                .push(format!("the log of tenant {tenant_id} was altered at position {position}"));
        }
    }
    Ok(())
}

/// Verifies a database that was restored by other tools. No report is stored, because the ledger that
/// it is a backup of is not named.
async fn verify_url(config: &Config, url: &str) -> anyhow::Result<ExitStatus> {
    let restored = Config { database_url: Some(Secret(url.to_owned())), ..config.clone() };
    let begun = Instant::now();
    let found = Instance::run(&restored, async |instance| {
        let mut found = Findings::default();
        logs(&instance.store, &mut found).await?;
        let store = Arc::clone(&instance.store);
        found.sentences.extend(rebuilt::compare(&store).await?);
        Ok(found)
    })
    .await?;
    let ok = found.sentences.is_empty();
    let shown = json!({
        "ok": ok, "findings": found.sentences, "events": found.events,
        "seconds": seconds(millis(begun)),
    });
    finish(ok, output::object(config.output, &shown))
}

fn print(output: Output, report: &BackupReport) -> anyhow::Result<ExitStatus> {
    let ok = report.findings.is_empty();
    let shown = json!({
        "name": report.name,
        "ok": ok,
        "findings": report.findings,
        "events": report.events,
        "bytes": report.bytes,
        "restore_seconds": seconds(report.restore_ms),
        "seconds": seconds(report.verify_ms),
    });
    finish(ok, output::object(output, &shown))
}

/// The exit code reports findings even if standard output is closed.
fn finish(ok: bool, printed: anyhow::Result<()>) -> anyhow::Result<ExitStatus> {
    if ok { printed.map(|()| ExitStatus::Success) } else { Ok(ExitStatus::TamperingFound) }
}

fn millis(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn seconds(millis: i64) -> f64 {
    chrono::TimeDelta::milliseconds(millis).as_seconds_f64()
}

/// Seconds from a time to another.
pub(super) fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    (to - from).num_seconds().max(0)
}
