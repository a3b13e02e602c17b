//! `restore reconcile`: makes a restored database agree with the erasure journal. Everything that
//! the journal names is destroyed again, and the log is made to tell it.

use std::path::Path;

use ledger_core::erasure::{ErasureAction, ErasureCommand, Erasures, RepeatedErasure};
use ledger_core::event::{ErasureJournaled, KeysDestroyed, SubjectFenced};
use ledger_core::ids::TenantId;
use serde::Serialize;
use thiserror::Error;

use crate::append::{AppendError, AppendRejection};
use crate::execute::{CommandContext, ExecuteError};
use crate::journal::{JournalEntry, JournalError, JournaledErasure};
use crate::vault::{FenceError, VaultError};
use crate::{Store, StoreError};

/// What was done to a restored database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// Number of entries of the journal.
    pub entries: u64,
    /// Number of destroyed keys that the entries name, also of earlier runs.
    pub keys_destroyed: u64,
    /// Number of erasures of which events were recorded in the log.
    pub erasures_recorded: u64,
    /// Entries of tenants that this database does not have.
    pub unknown_tenants: Vec<u64>,
    /// Entries of tenants that are frozen or closed, whose logs were left as they are.
    pub inactive_tenants: Vec<u64>,
    /// Epochs that this database names and whose key files do not exist: the newest export of the
    /// vault was not imported.
    pub missing_epochs: Vec<MissingEpoch>,
}

/// An epoch without its key file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingEpoch {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Number of the epoch.
    pub epoch: i32,
}

/// The reason for which a database was not reconciled, or not completely. It can be repeated.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The keys of an entry were not destroyed.
    #[error("the keys of entry {entry} of the journal were not destroyed")]
    Destroy {
        /// Number of the entry.
        entry: u64,
        /// The reason.
        #[source]
        source: FenceError,
    },
    /// The erasure of an entry was not recorded in the log.
    #[error("the erasure of entry {entry} of the journal was not recorded: {reason}")]
    Record {
        /// Number of the entry.
        entry: u64,
        /// The reason.
        reason: String,
    },
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vault is still refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<sqlx::Error> for ReconcileError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The log of an entry.
enum Log {
    /// The log tells the erasure; whether events were recorded for that.
    Tells(bool),
    UnknownTenant,
    InactiveTenant,
}

impl Store {
    /// Destroys again what the journal names, and records in the log what it does not tell. Then
    /// compares, so that the vault is used again. A repetition records nothing.
    ///
    /// # Errors
    /// [`ReconcileError`]
    pub async fn reconcile(&self) -> Result<Reconciled, ReconcileError> {
        let mut done =
            Reconciled { missing_epochs: self.missing_epochs().await?, ..<_>::default() };
        let destroyer = self.vault.destroyer();
        while let Some(journaled) = self.journal.entry(done.entries + 1).await? {
            done.entries = journaled.entry;
            let JournaledErasure { tenant_id, request, .. } = &journaled.erasure;
            let stream_id = tenant_id.subject_stream(request.subject_id);
            // The log first: after a crash between the two, the entry is applied at the next start.
            let stream_id = match self.repeat_in_log(&journaled).await? {
                Log::Tells(is_new) => {
                    done.erasures_recorded += u64::from(is_new);
                    Some(stream_id)
                }
                Log::UnknownTenant => {
                    done.unknown_tenants.push(journaled.entry);
                    None
                }
                Log::InactiveTenant => {
                    done.inactive_tenants.push(journaled.entry);
                    None
                }
            };
            let outcome = destroyer.destroy(&journaled, stream_id).await;
            let entry = journaled.entry;
            done.keys_destroyed +=
                outcome.map_err(|source| ReconcileError::Destroy { entry, source })?;
        }
        self.vault.gate().check().await?;
        Ok(done)
    }

    /// Records the events of an entry that the log does not have.
    async fn repeat_in_log(&self, journaled: &JournalEntry) -> Result<Log, ReconcileError> {
        let JournalEntry { entry, digest, erasure } = journaled;
        let (tenant_id, erasure_id) = (erasure.tenant_id, erasure.erasure_id());
        let is_known = sqlx::query_scalar!(
            r#"select exists (select from ledger.tenants where tenant_id = $1) as "is_known!""#,
            tenant_id.0,
        )
        .fetch_one(&self.owner)
        .await?;
        if !is_known {
            return Ok(Log::UnknownTenant);
        }
        let now = self.clock.now_micros();
        let keys = u32::try_from(erasure.keys.len()).unwrap_or(u32::MAX);
        let repeated = RepeatedErasure {
            request: erasure.request,
            plan: erasure.plan.clone(),
            fence: SubjectFenced { erasure_id, fenced_at: erasure.fenced_at },
            entry: ErasureJournaled { erasure_id, entry: *entry, digest: *digest },
            destroyed: KeysDestroyed { erasure_id, keys, destroyed_at: now },
        };
        let subject_id = erasure.request.subject_id;
        let action = ErasureAction::Repeat(Box::new(repeated));
        let command = ErasureCommand { subject_id, now, action };
        let by = self.operator();
        let context = CommandContext { tenant_id, by, content: None, subject: None };
        match self.execute::<Erasures>(&context, &command).await {
            Ok(executed) => Ok(Log::Tells(!executed.events.is_empty())),
            Err(ExecuteError::Append(AppendError::Rejected(AppendRejection::TenantNotActive))) => {
                Ok(Log::InactiveTenant)
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                let reason = source.unwrap_or_else(|| error.to_string());
                Err(ReconcileError::Record { entry: *entry, reason })
            }
        }
    }

    /// Epochs of the database, destroyed ones excepted, whose key files do not exist. The import of
    /// the newest export of the vault, which has to come before, replaces these rows.
    async fn missing_epochs(&self) -> Result<Vec<MissingEpoch>, ReconcileError> {
        let rows = sqlx::query!(
            "select tenant_id, epoch from vault.epochs where state <> 'destroyed'
              order by tenant_id, epoch"
        )
        .fetch_all(&self.owner)
        .await?;
        let epochs = rows.into_iter().map(|row| (TenantId(row.tenant_id), row.epoch));
        let has_file = |dir: &Path, (tenant_id, epoch): &(TenantId, i32)| {
            dir.join(tenant_id.to_string()).join(format!("{epoch}.tek")).exists()
        };
        let dir = self.keyring.directory();
        let missing = epochs.filter(|epoch| !has_file(dir, epoch));
        Ok(missing.map(|(tenant_id, epoch)| MissingEpoch { tenant_id, epoch }).collect())
    }
}
