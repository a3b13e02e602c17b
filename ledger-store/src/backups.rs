//! What the database knows of backups: reports of their verification, and digests of the logs to
//! compare a restored one with.

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;

use crate::Store;
use crate::error::StoreError;
use crate::tenant_tx::{TenantTx, begin};

/// Number of positions that one statement reads.
const CHUNK: i64 = 200_000;

/// The size of a tenant's log, and a digest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDigest {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Number of events.
    pub size: i64,
    /// SHA-256 over the leaf hashes of these events, in the order of positions; in hexadecimal.
    pub digest: String,
}

/// A report of the verification of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// Name of the backup.
    pub name: String,
    /// Begin of the verification.
    pub started_at: DateTime<Utc>,
    /// End of the verification.
    pub finished_at: DateTime<Utc>,
    /// What was found, one sentence each; empty if nothing was.
    pub findings: Vec<String>,
    /// Time at which the backup was complete.
    pub taken_at: DateTime<Utc>,
    /// Milliseconds to restore the backup.
    pub restore_ms: i64,
    /// Milliseconds of the whole verification.
    pub verify_ms: i64,
    /// Size of the backup in bytes.
    pub bytes: i64,
    /// Events in the restored logs.
    pub events: i64,
}

impl Store {
    /// Returns the digest of the first `size` events of a tenant's log, or of all with `None`.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn log_digest(
        &self,
        tenant_id: TenantId,
        size: Option<i64>,
    ) -> Result<LogDigest, StoreError> {
        // A pool without a timeout of statements: a chunk of a large log may take longer.
        let mut tx = begin(&self.owner).await?;
        let last = sqlx::query_scalar!(
            r#"select coalesce(max(position), 0) as "last!" from ledger.events where tenant_id = $1"#,
            tenant_id.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        let size = size.map_or(last, |size| size.min(last));
        let mut digest = digest::Context::new(&digest::SHA256);
        let mut after = 0;
        while after < size {
            let upto = size.min(after + CHUNK);
            let hashes = sqlx::query_scalar!(
                "select string_agg(leaf_hash, '' order by position) from ledger.events
                  where tenant_id = $1 and position > $2 and position <= $3",
                tenant_id.0,
                after,
                upto,
            )
            .fetch_one(&mut *tx)
            .await?;
            digest.update(&hashes.unwrap_or_default());
            after = upto;
        }
        Ok(LogDigest { tenant_id, size, digest: hex::encode(digest.finish()) })
    }

    /// Stores a report. A repetition for the same begin changes nothing.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn record_backup_report(&self, report: &BackupReport) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into ledger.backups
                    (tenant_id, name, started_at, finished_at, is_ok, findings, taken_at, restore_ms,
                     verify_ms, bytes, events)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                 on conflict do nothing",
            TenantId::INSTALLATION.0,
            report.name,
            report.started_at,
            report.finished_at,
            report.findings.is_empty(),
            &report.findings,
            report.taken_at,
            report.restore_ms,
            report.verify_ms,
            report.bytes,
            report.events,
        )
        .execute(&self.owner)
        .await?;
        Ok(())
    }

    /// Returns the newest report of each backup, newest first; at most 1,000.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn backup_reports(&self) -> Result<Vec<BackupReport>, StoreError> {
        let mut tx = TenantTx::begin(&self.app, TenantId::INSTALLATION).await?;
        let mut reports = sqlx::query_as!(
            BackupReport,
            "select distinct on (name) name, started_at, finished_at, findings, taken_at, restore_ms,
                    verify_ms, bytes, events
               from ledger.backups
              where tenant_id = $1
              order by name desc, started_at desc
              limit 1000",
            TenantId::INSTALLATION.0,
        )
        .fetch_all(tx.conn())
        .await?;
        reports.sort_by_key(|report| std::cmp::Reverse(report.finished_at));
        Ok(reports)
    }

    /// Returns the end of the last verification that found nothing.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn backup_verified_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut tx = TenantTx::begin(&self.app, TenantId::INSTALLATION).await?;
        let verified = sqlx::query_scalar!(
            "select finished_at from ledger.backups
              where tenant_id = $1 and is_ok
              order by finished_at desc limit 1",
            TenantId::INSTALLATION.0,
        )
        .fetch_optional(tx.conn())
        .await?;
        Ok(verified)
    }
}
