//! Checks of backups and of the archive of the write-ahead log.

use chrono::{DateTime, Utc};
use ledger_app::backups::{WAL_DIR, backups};
use ledger_store::diagnostics::{Archiver, archiver};
use ledger_store::embedded::{ArchiveContent, archive_content};
use sqlx::{Connection, PgConnection};

use super::check::Check;
use crate::config::Config;
use crate::instance::Instance;

const MEGABYTE: u64 = 1 << 20;
/// Segments that wait for the archive above this size are named, in bytes.
const WAITING_WARNING: i64 = 512 << 20;
/// Hours without a verified backup until a warning.
const UNVERIFIED_HOURS: i64 = 24;

/// Checks the backups of the private PostgreSQL; a PostgreSQL of the user's own is backed up by its
/// own tools.
pub(super) async fn check(config: &Config, instance: &Instance, checks: &mut Vec<Check>) {
    if config.database_url.is_some() {
        return;
    }
    checks.push(verified(config, instance).await);
    checks.push(archive(config, instance).await);
}

async fn verified(config: &Config, instance: &Instance) -> Check {
    let (name, dir) = ("backups", config.backup_path());
    let place = dir.display().to_string();
    let newest = match backups(&dir) {
        Ok(mut found) => found.pop().map(|(_, manifest)| manifest.finished_at),
        Err(error) => {
            let todo = "check that the disk of the backups is mounted";
            return Check::failed(name, place, error.to_string(), todo);
        }
    };
    let verified = match instance.store.backup_verified_at().await {
        Ok(verified) => verified,
        Err(error) => {
            return Check::warning(name, place, error.to_string(), "see the check of the database");
        }
    };
    judge(config, newest, verified, instance.store.clock().now(), place)
}

fn judge(
    config: &Config,
    newest: Option<DateTime<Utc>>,
    verified: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    place: String,
) -> Check {
    let name = "backups";
    let is_scheduled = config.backup_interval_hours > 0;
    let Some(newest) = newest else {
        return if is_scheduled {
            Check::ok(name, place, "none yet; a running server makes the first within minutes")
        } else {
            let todo = "call-ledger backup create --verify, every day; docs/operations/backup.md";
            Check::warning(name, place, "none, and none is scheduled", todo)
        };
    };
    let hours = |from: DateTime<Utc>| (now - from).num_hours();
    let found = match verified {
        Some(verified) => {
            format!("the newest is {} h old; verified {} h ago", hours(newest), hours(verified))
        }
        None => format!("the newest is {} h old; none was verified", hours(newest)),
    };
    if verified.is_none_or(|verified| hours(verified) >= UNVERIFIED_HOURS) {
        let todo = "call-ledger backup verify; docs/operations/alerts/backup-not-verified.md";
        return Check::warning(name, place, found, todo);
    }
    Check::ok(name, place, found)
}

async fn archive(config: &Config, instance: &Instance) -> Check {
    let (name, dir) = ("wal_archive", config.backup_path().join(WAL_DIR));
    let place = dir.display().to_string();
    if !config.wal_archive {
        return Check::ok(name, place, "off: a restore ends with the newest backup");
    }
    let read = async {
        let mut conn = PgConnection::connect_with(&instance.database).await?;
        let found = archiver(&mut conn).await;
        conn.close().await?;
        found
    };
    let (found, content) = match (read.await, archive_content(&dir)) {
        (Ok(found), Ok(content)) => (found, content),
        (Err(error), _) => {
            return Check::warning(name, place, error.to_string(), "see the check of the database");
        }
        (_, Err(error)) => {
            let todo = "check that the disk of the backups is mounted";
            return Check::warning(name, place, error.to_string(), todo);
        }
    };
    judge_archive(&found, &content, place)
}

fn judge_archive(found: &Archiver, content: &ArchiveContent, place: String) -> Check {
    let name = "wal_archive";
    let size = format!("{} segments, {} MB", content.segments, content.bytes / MEGABYTE);
    if found.mode == "off" {
        let observed = format!("{size}; begins when the private PostgreSQL is started next");
        return Check::ok(name, place, observed);
    }
    if let Some(gap) = &content.gap {
        let observed =
            format!("{size}; {gap} and later ones were skipped: the disk was almost full");
        let todo = "make room, then call-ledger backup create --verify: no restore passes the gap";
        return Check::failed(name, place, observed, todo);
    }
    if let Some(segment) = &found.failing {
        let waiting = found.waiting_bytes.unsigned_abs() / MEGABYTE;
        let observed = format!("{size}; {segment} cannot be archived, {waiting} MB wait in pg_wal");
        let todo = "see server.log: the directory must be there and belong to PostgreSQL's user";
        return Check::failed(name, place, observed, todo);
    }
    if found.waiting_bytes > WAITING_WARNING {
        let observed =
            format!("{size}; {} MB wait in pg_wal", found.waiting_bytes.unsigned_abs() / MEGABYTE);
        let todo = "the disk of the archive is slower than the log grows";
        return Check::warning(name, place, observed, todo);
    }
    Check::ok(name, place, size)
}
