//! The background task that makes and verifies backups of the private PostgreSQL.
//!
//! Each backup is a process of its own, `backup create --verify`: a restore needs memory and time
//! that a server has not to spare, and a failure of one does not touch the other.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ledger_app::backups::{BackupLock, WAL_DIR, backups};
use ledger_app::workers::StopSignal;
use ledger_core::clock::Clock;
use ledger_store::embedded::prune_archive;
use tokio::process::Command;

use crate::config::Config;

/// Time after the start of the server before the first look: a restart is not the time for a backup.
const FIRST_LOOK: Duration = Duration::from_mins(10);
/// Time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);
/// Time after a failed backup before the next attempt.
const RETRY_AFTER: TimeDelta = TimeDelta::hours(1);

/// When and how backups are made.
#[derive(Debug)]
pub struct BackupSchedule {
    /// Directory of the backups.
    pub dir: PathBuf,
    interval: TimeDelta,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
}

impl BackupSchedule {
    /// The schedule of a configuration; `None` with a PostgreSQL of the user's own.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        if config.database_url.is_some() {
            return None;
        }
        let mut arguments: Vec<OsString> = Vec::new();
        for (flag, value) in [
            ("--data-dir", Some(config.data_dir.clone().into_os_string())),
            ("--root-key", config.root_key.clone().map(PathBuf::into_os_string)),
            ("--root-key-token", config.root_key_token.clone().map(PathBuf::into_os_string)),
            ("--journal", config.journal.clone().map(PathBuf::into_os_string)),
            ("--keyring", config.keyring.clone().map(PathBuf::into_os_string)),
            ("--pg-bin", config.pg_bin.clone().map(PathBuf::into_os_string)),
            ("--pg-user", config.pg_user.clone().map(OsString::from)),
        ] {
            arguments.extend(value.into_iter().flat_map(|value| [flag.into(), value]));
        }
        arguments.extend(["--output", "json", "backup", "create", "--verify"].map(OsString::from));
        let environment = vec![
            ("CALL_LEDGER_BACKUP_DIR", config.backup_path().into_os_string()),
            ("CALL_LEDGER_VAULT_BACKUP_DIR", config.vault_backup_path().into_os_string()),
            ("CALL_LEDGER_BACKUP_KEEP", config.backup_keep.to_string().into()),
            ("CALL_LEDGER_WAL_ARCHIVE", config.wal_archive.to_string().into()),
        ];
        let interval = TimeDelta::hours(i64::from(config.backup_interval_hours));
        Some(Self { dir: config.backup_path(), interval, arguments, environment })
    }

    /// Makes backups when they are due, until the signal.
    pub async fn run(&self, clock: &dyn Clock, mut stop: StopSignal) {
        let mut failed_at = None;
        let mut pause = FIRST_LOOK;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            pause = LOOK_INTERVAL;
            let newest = self.newest();
            if newest.is_none() {
                self.bound_archive();
            }
            if !self.is_due(clock.now(), newest, failed_at) {
                continue;
            }
            tokio::select! {
                made = self.make() => failed_at = (!made).then(|| clock.now()),
                // The process is killed; the next backup removes what it left.
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Begin of the newest backup.
    fn newest(&self) -> Option<DateTime<Utc>> {
        let found = backups(&self.dir).unwrap_or_default();
        found.last().map(|(_, manifest)| manifest.begun_at)
    }

    fn is_due(
        &self,
        now: DateTime<Utc>,
        newest: Option<DateTime<Utc>>,
        failed_at: Option<DateTime<Utc>>,
    ) -> bool {
        let has_just_failed = failed_at.is_some_and(|at| now - at < RETRY_AFTER);
        let is_old = newest.is_none_or(|newest| now - newest >= self.interval);
        self.interval > TimeDelta::zero() && is_old && !has_just_failed
    }

    /// Without a base backup the archive restores nothing, and would only grow.
    fn bound_archive(&self) {
        let Ok(_lock) = BackupLock::acquire(&self.dir) else { return };
        match prune_archive(&self.dir.join(WAL_DIR), None) {
            Ok(0) => {}
            Ok(segments) => tracing::info!(segments, "backup.archive_without_backup_removed"),
            Err(error) => tracing::warn!(error = %error, "backup.archive_not_pruned"),
        }
    }

    /// Runs the command; returns whether a verified backup was made.
    async fn make(&self) -> bool {
        let program = match std::env::current_exe() {
            Ok(program) => program,
            Err(error) => {
                tracing::error!(error = %error, "backup.program_not_found");
                return false;
            }
        };
        let ran = Command::new(program)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        match ran {
            Ok(output) if output.status.success() => {
                metrics::counter!("ledger_backups_total", "outcome" => "verified").increment(1);
                tracing::info!("backup.verified");
                true
            }
            Ok(output) => {
                metrics::counter!("ledger_backups_total", "outcome" => "failed").increment(1);
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                let found = String::from_utf8_lossy(&output.stdout).into_owned();
                tracing::error!(status = %output.status, text, found, "backup.failed");
                false
            }
            Err(error) => {
                metrics::counter!("ledger_backups_total", "outcome" => "failed").increment(1);
                tracing::error!(error = %error, "backup.not_started");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(hours: u32) -> BackupSchedule {
        let config = Config { backup_interval_hours: hours, ..Config::default() };
        BackupSchedule::of(&config).expect("the private PostgreSQL")
    }

    #[test]
    fn a_backup_is_due_when_there_is_none_or_an_old_one_and_not_right_after_a_failure() {
        let now: DateTime<Utc> = "2026-12-01T12:00:00Z".parse().expect("a time");
        let ago = |hours| Some(now - TimeDelta::hours(hours));
        assert!(schedule(12).is_due(now, None, None));
        assert!(schedule(12).is_due(now, ago(12), None));
        assert!(!schedule(12).is_due(now, ago(11), None));
        assert!(!schedule(12).is_due(now, None, Some(now - TimeDelta::minutes(59))));
        assert!(schedule(12).is_due(now, None, ago(1)));
        assert!(!schedule(0).is_due(now, None, None), "0 is never");
    }

    #[test]
    fn a_database_of_the_users_own_has_no_schedule() {
        let url = Some(crate::config::Secret("postgres://localhost/x".into()));
        assert!(BackupSchedule::of(&Config { database_url: url, ..Config::default() }).is_none());
    }
}
