//! `backup list`: the backups, their verification, and the times of a restore.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use ledger_app::backups::{WAL_DIR, backups};
use ledger_store::backups::BackupReport;
use ledger_store::diagnostics::archiver;
use ledger_store::embedded::{ArchiveContent, archive_content};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::super::exit::ExitStatus;
use super::super::output;
use super::verify::{seconds, seconds_between};
use crate::config::{Config, Output};
use crate::instance::Instance;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directory of the backups [default: `backup_dir`]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    let dir = args.from.clone().unwrap_or_else(|| config.backup_path());
    let found = backups(&dir)?;
    let (reports, archive, now) = Instance::run(config, async |instance| {
        let mut conn = PgConnection::connect_with(&instance.database).await?;
        // Not every login may read it.
        let archive = archiver(&mut conn).await.ok();
        conn.close().await?;
        Ok((instance.store.backup_reports().await?, archive, instance.store.clock().now()))
    })
    .await?;
    let content = archive_content(&dir.join(WAL_DIR))?;
    let rows: Vec<Value> = found
        .iter()
        .rev()
        .map(|(path, manifest)| {
            let report = reports.iter().find(|report| report.name == manifest.name);
            json!({
                "name": manifest.name,
                "path": path,
                "taken_at": manifest.finished_at,
                "bytes": manifest.bytes,
                "verified_at": report.map(|report| report.finished_at),
                "ok": report.map(|report| report.findings.is_empty()),
                "findings": report.map(|report| &report.findings),
                "restore_seconds": report.map(|report| seconds(report.restore_ms)),
            })
        })
        .collect();
    let newest = found.last().map(|(_, manifest)| manifest.finished_at);
    let recoverable = recoverable(newest, &content);
    let shown = json!({
        "backups": rows,
        // Recovery time: how long the last restore took. Recovery point: what a lost disk would cost.
        "rto_seconds": restore_time(&reports),
        "rpo_seconds": recoverable.map(|until| seconds_between(until, now)),
        "archive": {
            "segments": content.segments,
            "bytes": content.bytes,
            "gap": content.gap,
            "last_archived_at": content.newest_at,
            "failing": archive.as_ref().and_then(|archive| archive.failing.clone()),
        },
    });
    match config.output {
        Output::Json => output::print_line(shown)?,
        Output::Table => {
            let columns = ["name", "taken_at", "bytes", "verified_at", "ok", "restore_seconds"];
            output::list(config.output, &columns, &rows)?;
            for name in ["rto_seconds", "rpo_seconds"] {
                output::print_line(format_args!("{name}: {}", shown[name]))?;
            }
            output::print_line(format_args!("archive: {}", shown["archive"]))?;
        }
    }
    Ok(ExitStatus::Success)
}

/// The newest time that backups and archive can restore to without the disk of the data.
fn recoverable(newest: Option<DateTime<Utc>>, content: &ArchiveContent) -> Option<DateTime<Utc>> {
    // Nothing after a gap can be restored.
    let archived = content.newest_at.filter(|_| content.gap.is_none());
    newest.map(|newest| archived.map_or(newest, |archived| archived.max(newest)))
}

/// Seconds of the last restore that succeeded.
fn restore_time(reports: &[BackupReport]) -> Option<f64> {
    let last = reports.iter().find(|report| report.findings.is_empty())?;
    Some(seconds(last.restore_ms))
}
