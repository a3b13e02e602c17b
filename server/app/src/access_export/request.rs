//! Requests for exports, and their states.
//!
//! The process that receives the passphrase makes the file; nothing of the passphrase is stored. If
//! the process ends before the file is there, the export has failed and is requested again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::access_export::{Export, NewAccess};
use ledger_core::event::{AccessExported, Requester};
use ledger_core::ids::{CommandId, ExportId, Position, SubjectId, TenantId};
use ledger_store::Store;
use ledger_store::access_exports::ExportRow;
use ledger_store::admin_events::Attribution;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::interval;

use super::error::AccessExportError;
use super::files::ExportFiles;
use super::make::make;
use super::passphrase::Passphrase;
use crate::fault::{Fault, chain};

/// Time for which a file is kept.
const KEPT: TimeDelta = TimeDelta::days(7);
/// Time for which a process has the work on an export unless it prolongs it.
const LEASE: TimeDelta = TimeDelta::minutes(1);
/// Interval in which it is prolonged.
const PROLONG: Duration = Duration::from_secs(15);
/// Exports that a process makes at the same time: the derivation of a key takes 128 MiB.
const AT_ONCE: usize = 1;

/// Exports of a process that may wait or be made; a further request is refused.
const MAX_WAITING: usize = 64;

/// The exports of a process.
#[derive(Clone)]
pub struct AccessExports {
    store: Arc<Store>,
    files: ExportFiles,
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// A request for an export.
#[derive(Debug)]
pub struct NewExport {
    /// The contact.
    pub subject_id: SubjectId,
    /// The party that requests it.
    pub requester: Requester,
    /// The passphrase of the file.
    pub passphrase: Passphrase,
}

/// An export that was requested.
#[derive(Debug, Clone, Copy)]
pub struct Requested {
    /// The export.
    pub export_id: ExportId,
    /// End of the term of the request.
    pub due_at: DateTime<Utc>,
    /// Time after which the file is deleted.
    pub expires_at: DateTime<Utc>,
    /// Position of the request in the log.
    pub position: Option<Position>,
}

/// State of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportState {
    /// The file is made.
    Requested,
    /// The file can be handed over.
    Ready,
    /// The file was deleted at its expiry.
    Expired,
    /// The file was not made.
    Failed,
    /// The file was deleted before its expiry, such as by an erasure.
    Deleted,
}

impl ExportState {
    /// All states.
    pub const ALL: [Self; 5] =
        [Self::Requested, Self::Ready, Self::Expired, Self::Failed, Self::Deleted];

    /// Returns the word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Ready => "ready",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }

    /// The disclosure in the log decides, then the state of the file.
    fn of(row: &ExportRow, exported: Option<&AccessExported>, now: DateTime<Utc>) -> Self {
        match (exported, row.deleted_at) {
            (Some(_), Some(at)) if at < row.expires_at => Self::Deleted,
            (Some(_), None) if now < row.expires_at => Self::Ready,
            (Some(_), _) => Self::Expired,
            (None, _) if row.failure.is_some() || now >= row.working_until => Self::Failed,
            (None, _) => Self::Requested,
        }
    }
}

/// An export with its state.
#[derive(Debug, Clone)]
pub struct ExportStatus {
    /// The subject.
    pub subject_id: SubjectId,
    /// The state.
    pub state: ExportState,
    /// Reason for which the file was not made.
    pub failure: Option<String>,
    /// The request and the disclosure, as the log has them.
    pub export: Export,
    /// Time after which the file is deleted.
    pub expires_at: DateTime<Utc>,
}

impl AccessExports {
    /// Exports of a store, with their files in a directory.
    #[must_use]
    pub fn new(store: Arc<Store>, files: ExportFiles) -> Self {
        let (at_once, waiting) = (Semaphore::new(AT_ONCE), Semaphore::new(MAX_WAITING));
        Self { store, files, at_once: Arc::new(at_once), waiting: Arc::new(waiting) }
    }

    /// The directory of the files.
    #[must_use]
    pub fn files(&self) -> &ExportFiles {
        &self.files
    }

    /// Records a request and makes the file in the background. The export of a command that is
    /// repeated is the same one; a file that was not made is made again.
    ///
    /// # Errors
    /// [`AccessExportError`]; repeating the request with its command id is safe.
    pub async fn request(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        new: NewExport,
    ) -> Result<Requested, AccessExportError> {
        let (requested, work) = self.begin(by, tenant_id, new).await?;
        if let Some(work) = work {
            let exports = self.clone();
            tokio::spawn(async move {
                // The state of the export has the reason.
                let _ = exports.work(tenant_id, work).await;
            });
        }
        Ok(requested)
    }

    /// Records a request and makes the file, for a caller that waits for it.
    ///
    /// # Errors
    /// [`AccessExportError`]
    pub async fn request_and_make(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        new: NewExport,
    ) -> Result<(Requested, AccessExported), AccessExportError> {
        let (requested, work) = self.begin(by, tenant_id, new).await?;
        // A request without a command id is a new export.
        let work = work.ok_or(AccessExportError::Busy)?;
        Ok((requested, self.work(tenant_id, work).await?))
    }

    async fn begin(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        new: NewExport,
    ) -> Result<(Requested, Option<Work>), AccessExportError> {
        let subject_id = new.subject_id;
        let place = Arc::clone(&self.waiting).try_acquire_owned();
        let place = place.map_err(|_| Fault::Overloaded)?;
        let known = self.store.vault().contact(tenant_id, subject_id).await?;
        known.ok_or(AccessExportError::SubjectNotFound)?;
        let command_id = by.command_id.unwrap_or_else(|| CommandId(self.store.ids().ordered()));
        let by = by.with_command(Some(command_id));
        let export_id = ExportId(tenant_id.derive(&[b"access export", command_id.0.as_bytes()]));
        let received_at = self.store.clock().now_micros();
        let access = NewAccess { export_id, requester: new.requester, received_at };
        let executed = self.store.request_access(&by, tenant_id, subject_id, access).await?;
        let state = self.store.access_state(tenant_id, subject_id).await?;
        let export = state.export(export_id).ok_or(AccessExportError::Reused)?;
        let created_at = export.requested.received_at;
        let row = ExportRow {
            export_id,
            subject_id,
            created_at,
            working_until: self.store.clock().now_micros() + LEASE,
            failure: None,
            expires_at: created_at + KEPT,
            deleted_at: None,
        };
        let requested = Requested {
            export_id,
            due_at: export.requested.due_at,
            expires_at: row.expires_at,
            position: executed.position,
        };
        let is_made = export.exported.is_some();
        let work = if !is_made && self.store.begin_export(tenant_id, &row).await? {
            let (passphrase, expires_at) = (new.passphrase, row.expires_at);
            Some(Work { by, export_id, subject_id, passphrase, expires_at, place })
        } else {
            None
        };
        Ok((requested, work))
    }

    /// Makes the file and records the disclosure. Without a disclosure there is no file.
    async fn work(
        &self,
        tenant_id: TenantId,
        work: Work,
    ) -> Result<AccessExported, AccessExportError> {
        let export_id = work.export_id;
        let made = tokio::select! {
            made = self.make(tenant_id, work) => made,
            never = self.prolong(tenant_id, export_id) => match never {},
        };
        let failure = made.as_ref().err().map(AccessExportError::failure);
        if let Err(error) = &made {
            tracing::warn!(%export_id, error = chain(error), "export.failed");
            self.delete_unless_disclosed(tenant_id, export_id, error).await;
        }
        // Without this the work ends by its time, as failed or ready by the log.
        if let Err(error) = self.store.end_export(tenant_id, export_id, failure).await {
            tracing::warn!(%export_id, error = chain(&error), "export.end_not_recorded");
        }
        made
    }

    async fn make(
        &self,
        tenant_id: TenantId,
        work: Work,
    ) -> Result<AccessExported, AccessExportError> {
        let Work { by, export_id, subject_id, passphrase, expires_at, place: _place } = work;
        let _one = self.at_once.acquire().await.expect("it is never closed");
        let path = self.files.prepare(tenant_id, export_id)?;
        let ids = (export_id, subject_id);
        let made = make(&self.store, tenant_id, ids, (path, passphrase)).await?;
        let facts = made.facts(ids, expires_at);
        let command_id = by.command_id.map_or(export_id.0, |command| command.0);
        let complete = tenant_id.derive(&[b"access exported", command_id.as_bytes()]);
        let by = by.with_command(Some(CommandId(complete)));
        self.store.complete_access(&by, tenant_id, facts.clone()).await?;
        tracing::info!(%export_id, events = facts.events, bytes = facts.bytes, "export.made");
        Ok(facts)
    }

    /// Deletes the file of an export that failed. If it is not known whether the disclosure was
    /// recorded, the file stays until its expiry, and the log has the state.
    async fn delete_unless_disclosed(
        &self,
        tenant_id: TenantId,
        export_id: ExportId,
        error: &AccessExportError,
    ) {
        if matches!(error, AccessExportError::OutcomeUnknown) {
            return;
        }
        if let Err(error) = self.files.delete(tenant_id, export_id).await {
            tracing::error!(%export_id, error = %error, "export.file_not_deleted");
        }
    }

    /// Prolongs the work for as long as it is polled.
    async fn prolong(&self, tenant_id: TenantId, export_id: ExportId) -> Infallible {
        let mut times = interval(PROLONG);
        loop {
            times.tick().await;
            let until = self.store.clock().now_micros() + LEASE;
            if let Err(error) = self.store.prolong_export(tenant_id, export_id, until).await {
                tracing::warn!(error = chain(&error), "export.not_prolonged");
            }
        }
    }

    /// Returns an export with its state; `None` if the tenant has no such export.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn status(
        &self,
        tenant_id: TenantId,
        export_id: ExportId,
    ) -> Result<Option<ExportStatus>, AccessExportError> {
        let Some(row) = self.store.export_row(tenant_id, export_id).await? else { return Ok(None) };
        let state = self.store.access_state(tenant_id, row.subject_id).await?;
        // After a restore of the database the log may be behind the row.
        let Some(export) = state.export(export_id).cloned() else { return Ok(None) };
        let now = self.store.clock().now();
        Ok(Some(ExportStatus {
            subject_id: row.subject_id,
            state: ExportState::of(&row, export.exported.as_ref(), now),
            failure: row.failure,
            export,
            expires_at: row.expires_at,
        }))
    }
}

/// An export whose file is to be made.
struct Work {
    by: Attribution,
    export_id: ExportId,
    subject_id: SubjectId,
    passphrase: Passphrase,
    expires_at: DateTime<Utc>,
    /// The place among the exports that wait.
    place: OwnedSemaphorePermit,
}

/// Deletes the files of the exports of subjects, and returns the exports, for an erasure. A file that
/// is made at this time is not handed over: its disclosure is refused after the fence.
///
/// # Errors
/// The database did not answer, or a file is there and cannot be deleted. It can be repeated.
pub async fn delete_exports_of(
    store: &Store,
    files: &ExportFiles,
    tenant_id: TenantId,
    subjects: &[SubjectId],
) -> Result<Vec<ExportId>, AccessExportError> {
    let mut deleted = Vec::new();
    for row in store.exports_of(tenant_id, subjects).await? {
        files.delete(tenant_id, row.export_id).await?;
        store.export_deleted(tenant_id, row.export_id).await?;
        deleted.push(row.export_id);
    }
    Ok(deleted)
}
