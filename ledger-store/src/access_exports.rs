//! Exports of a subject's data: their commands, and the rows that find an export by its id.
//!
//! The log decides whether an export was requested and made; a row has the state of the file.

use chrono::{DateTime, Utc};
use ledger_core::access_export::{
    AccessAction, AccessCommand, AccessExports, AccessRejection, AccessState, NewAccess,
};
use ledger_core::aggregate::{Aggregate, fold};
use ledger_core::erasure::ErasureEvent;
use ledger_core::event::AccessExported;
use ledger_core::ids::{ExportId, SubjectId, TenantId};
use uuid::Uuid;

use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::execute::{CommandContext, ExecuteError, Executed, load_streams};
use crate::tenant_tx::TenantTx;

/// Maximum number of rows that one look for expired files returns.
const MAX_EXPIRED: i64 = 100;

/// An export, as far as its file is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRow {
    /// The export.
    pub export_id: ExportId,
    /// The subject.
    pub subject_id: SubjectId,
    /// Time of the request.
    pub created_at: DateTime<Utc>,
    /// Time until which a process makes the file.
    pub working_until: DateTime<Utc>,
    /// Reason for which the file was not made.
    pub failure: Option<String>,
    /// Time after which the file is deleted.
    pub expires_at: DateTime<Utc>,
    /// Time at which the file was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// The error of a command on an export.
pub type AccessError = ExecuteError<AccessRejection>;

impl Store {
    /// Records a request for a copy of a subject's data.
    ///
    /// # Errors
    /// [`AccessError`]; repeating the command with the same id is safe.
    pub async fn request_access(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        subject_id: SubjectId,
        new: NewAccess,
    ) -> Result<Executed<ErasureEvent>, AccessError> {
        self.execute_access(by, tenant_id, subject_id, AccessAction::Request(new)).await
    }

    /// Records that the copy was made. Until then it is not handed over.
    ///
    /// # Errors
    /// [`AccessError`]; after a fence or a merge the copy must be deleted.
    pub async fn complete_access(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        made: AccessExported,
    ) -> Result<Executed<ErasureEvent>, AccessError> {
        let subject_id = made.subject_id;
        self.execute_access(by, tenant_id, subject_id, AccessAction::Complete(made)).await
    }

    async fn execute_access(
        &self,
        by: &Attribution,
        tenant_id: TenantId,
        subject_id: SubjectId,
        action: AccessAction,
    ) -> Result<Executed<ErasureEvent>, AccessError> {
        let context = CommandContext { tenant_id, by: *by, content: None, subject: None };
        let command = AccessCommand { subject_id, now: self.clock.now(), action };
        self.execute::<AccessExports>(&context, &command).await
    }

    /// Returns the exports of a subject, and what they depend on, as the log has them.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn access_state(
        &self,
        tenant_id: TenantId,
        subject_id: SubjectId,
    ) -> Result<AccessState, StoreError> {
        // The command names the streams; its action is not decided.
        let action = AccessAction::Request(NewAccess {
            export_id: ExportId(Uuid::nil()),
            requester: ledger_core::event::Requester::Person,
            received_at: DateTime::UNIX_EPOCH,
        });
        let command = AccessCommand { subject_id, now: DateTime::UNIX_EPOCH, action };
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let streams = AccessExports::streams(tenant_id, &command);
        let mut events: Vec<ErasureEvent> = load_streams(&mut tx, &streams).await?;
        let state = fold::<AccessExports>(&events);
        let further = AccessExports::further_streams(tenant_id, &state, &command);
        events.extend(load_streams::<ErasureEvent>(&mut tx, &further).await?);
        Ok(fold::<AccessExports>(&events))
    }

    /// Takes the work on an export: false if another process makes its file, or made it. A file
    /// that failed is made again.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn begin_export(
        &self,
        tenant_id: TenantId,
        row: &ExportRow,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now_micros();
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let begun = sqlx::query!(
            r#"
            insert into ledger.access_exports as e
                   (tenant_id, export_id, subject_id, created_at, working_until, expires_at)
            values ($1, $2, $3, $4, $5, $6)
                on conflict (tenant_id, export_id) do update
               set working_until = excluded.working_until, failure = null
             where e.working_until <= $7 and e.deleted_at is null and e.expires_at > $7
               and e.subject_id = excluded.subject_id
            "#,
            tenant_id.0,
            row.export_id.0,
            row.subject_id.0,
            row.created_at,
            row.working_until,
            row.expires_at,
            now,
        )
        .execute(tx.conn())
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(begun == 1)
    }

    /// Prolongs the work on an export.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn prolong_export(
        &self,
        tenant_id: TenantId,
        export_id: ExportId,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        sqlx::query!(
            "update ledger.access_exports set working_until = $3
              where tenant_id = $1 and export_id = $2 and failure is null",
            tenant_id.0,
            export_id.0,
            until,
        )
        .execute(tx.conn())
        .await?;
        Ok(tx.commit().await?)
    }

    /// Ends the work on an export, with the reason if its file was not made.
    ///
    /// # Errors
    /// The database did not answer; the work then ends by its time.
    pub async fn end_export(
        &self,
        tenant_id: TenantId,
        export_id: ExportId,
        failure: Option<&str>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now_micros();
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        sqlx::query!(
            "update ledger.access_exports set working_until = $3, failure = $4
              where tenant_id = $1 and export_id = $2",
            tenant_id.0,
            export_id.0,
            now,
            failure,
        )
        .execute(tx.conn())
        .await?;
        Ok(tx.commit().await?)
    }

    /// Returns an export of the tenant.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn export_row(
        &self,
        tenant_id: TenantId,
        export_id: ExportId,
    ) -> Result<Option<ExportRow>, StoreError> {
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let row = sqlx::query_as!(
            StoredRow,
            "select export_id, subject_id, created_at, working_until, failure, expires_at, deleted_at
               from ledger.access_exports
              where tenant_id = $1 and export_id = $2",
            tenant_id.0,
            export_id.0,
        )
        .fetch_optional(tx.conn())
        .await?;
        Ok(row.map(ExportRow::from))
    }

    /// Returns the exports of subjects whose file was not deleted, the oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn exports_of(
        &self,
        tenant_id: TenantId,
        subjects: &[SubjectId],
    ) -> Result<Vec<ExportRow>, StoreError> {
        let subjects: Vec<Uuid> = subjects.iter().map(|subject| subject.0).collect();
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let rows = sqlx::query_as!(
            StoredRow,
            "select export_id, subject_id, created_at, working_until, failure, expires_at, deleted_at
               from ledger.access_exports
              where tenant_id = $1 and subject_id = any ($2) and deleted_at is null
              order by created_at, export_id",
            tenant_id.0,
            &subjects,
        )
        .fetch_all(tx.conn())
        .await?;
        Ok(rows.into_iter().map(ExportRow::from).collect())
    }

    /// Returns those of the tenant's exports whose file is to be deleted: they are past their
    /// expiry, and were not deleted.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn expired_exports(&self, tenant_id: TenantId) -> Result<Vec<ExportRow>, StoreError> {
        let now = self.clock.now_micros();
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let rows = sqlx::query_as!(
            StoredRow,
            "select export_id, subject_id, created_at, working_until, failure, expires_at, deleted_at
               from ledger.access_exports
              where tenant_id = $1 and expires_at <= $2 and deleted_at is null
              order by expires_at
              limit $3",
            tenant_id.0,
            now,
            MAX_EXPIRED,
        )
        .fetch_all(tx.conn())
        .await?;
        Ok(rows.into_iter().map(ExportRow::from).collect())
    }

    /// Records that the file of an export was deleted. The first time stays.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn export_deleted(
        &self,
        tenant_id: TenantId,
        export_id: ExportId,
    ) -> Result<(), StoreError> {
        let now = self.clock.now_micros();
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        sqlx::query!(
            "update ledger.access_exports set deleted_at = $3
              where tenant_id = $1 and export_id = $2 and deleted_at is null",
            tenant_id.0,
            export_id.0,
            now,
        )
        .execute(tx.conn())
        .await?;
        Ok(tx.commit().await?)
    }
}

/// A row as it is stored.
struct StoredRow {
    export_id: Uuid,
    subject_id: Uuid,
    created_at: DateTime<Utc>,
    working_until: DateTime<Utc>,
    failure: Option<String>,
    expires_at: DateTime<Utc>,
    deleted_at: Option<DateTime<Utc>>,
}

impl From<StoredRow> for ExportRow {
    fn from(row: StoredRow) -> Self {
        Self {
            export_id: ExportId(row.export_id),
            subject_id: SubjectId(row.subject_id),
            created_at: row.created_at,
            working_until: row.working_until,
            failure: row.failure,
            expires_at: row.expires_at,
            deleted_at: row.deleted_at,
        }
    }
}
