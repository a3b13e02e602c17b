//! The comparison of the journal with the database.

use std::collections::HashSet;
use std::sync::Arc;

use ledger_core::event::HexDigest;
use ledger_core::ids::{ErasureId, StreamId, TenantId};
use sqlx::PgPool;

use super::GateError;
use crate::journal::{Journal, JournalEntry, JournalError, JournalHead};
use crate::vault::{Destroyer, FenceError, VaultError};

/// The result of a comparison; an error of the database has no result.
pub(super) type Compared = Result<Result<(), GateError>, VaultError>;

/// What is done with an entry that the log tells and the vault does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    /// Its keys are destroyed.
    Complete,
    /// The vault is refused.
    Refuse,
}

/// Compares number, last entry and log; everything if one of them differs.
pub(super) async fn compare(
    destroyer: &Destroyer,
    journal: &Journal,
    pending: Pending,
) -> Compared {
    // The database first: an entry is in the journal before it is applied.
    let applied = last_applied(destroyer.pool()).await?;
    journal.expect(applied.last.map_or(0, |last| last.entry));
    let head = match journal.head().await {
        Ok(head) => head,
        Err(error) => return Ok(Err(GateError::Journal(Arc::new(error)))),
    };
    let is_complete = applied.entries == head.map_or(0, |head| head.entry);
    if is_complete && applied.last == head && applied.is_told {
        return Ok(Ok(()));
    }
    in_full(destroyer, journal, pending).await
}

/// Compares every entry, and applies those that a process did not complete.
async fn in_full(destroyer: &Destroyer, journal: &Journal, pending: Pending) -> Compared {
    let pool = destroyer.pool();
    let applied = all_applied(pool).await?;
    let digests = match journal.digests().await {
        Ok(digests) => digests,
        Err(error) => return Ok(Err(GateError::Journal(Arc::new(error)))),
    };
    let entries = digests.len() as u64;
    let mut known = HashSet::new();
    for Applied { entry, digest, is_told } in applied {
        match usize::try_from(entry - 1).ok().and_then(|nth| digests.get(nth)) {
            None => {
                let path = journal.path();
                let error = JournalError::Behind { path, found: entries, applied: entry };
                return Ok(Err(GateError::Journal(Arc::new(error))));
            }
            Some(journaled) if *journaled != digest => {
                return Ok(Err(GateError::OtherJournal { entry }));
            }
            Some(_) if !is_told => return Ok(Err(GateError::LogBehind { entry })),
            Some(_) => drop(known.insert(entry)),
        }
    }
    for entry in (1..=entries).filter(|entry| !known.contains(entry)) {
        let journaled = match journal.entry(entry).await {
            Ok(Some(journaled)) => journaled,
            Ok(None) => continue,
            Err(error) => return Ok(Err(GateError::Journal(Arc::new(error)))),
        };
        if !is_told(pool, &journaled).await? {
            return Ok(Err(GateError::DatabaseBehind { entry, entries }));
        }
        if pending == Pending::Refuse {
            return Ok(Err(GateError::Incomplete { entry }));
        }
        // The log has the fence, so no hold came before it: a process ended before the destruction.
        complete(destroyer, &journaled).await?;
    }
    Ok(Ok(()))
}

async fn complete(destroyer: &Destroyer, journaled: &JournalEntry) -> Result<(), VaultError> {
    match destroyer.destroy(journaled, Some(stream_of(journaled))).await {
        Ok(keys) => {
            tracing::info!(entry = journaled.entry, keys, "gate.erasure_completed");
            Ok(())
        }
        Err(FenceError::Vault(error)) => Err(error),
        Err(error) => Err(VaultError::Database(Arc::new(sqlx::Error::Protocol(error.to_string())))),
    }
}

fn stream_of(journaled: &JournalEntry) -> StreamId {
    let erasure = &journaled.erasure;
    erasure.tenant_id.subject_stream(erasure.request.subject_id)
}

/// Whether the log tells the fence of an entry.
async fn is_told(pool: &PgPool, journaled: &JournalEntry) -> Result<bool, VaultError> {
    let (tenant_id, erasure_id): (TenantId, ErasureId) =
        (journaled.erasure.tenant_id, journaled.erasure.erasure_id());
    sqlx::query_scalar!(
        r#"select ledger.tells_fence($1, $2, $3) as "is_told!""#,
        tenant_id.0,
        stream_of(journaled).0,
        erasure_id.0,
    )
    .fetch_one(pool)
    .await
    .map_err(database)
}

/// What was applied to the database, in short.
struct LastApplied {
    entries: u64,
    last: Option<JournalHead>,
    /// Whether the log tells the last one.
    is_told: bool,
}

async fn last_applied(pool: &PgPool) -> Result<LastApplied, VaultError> {
    let row = sqlx::query!(
        r#"select entries as "entries!", last_entry, digest, is_told
             from vault.journal_state()"#
    )
    .fetch_one(pool)
    .await
    .map_err(database)?;
    let last = match (row.last_entry, row.digest) {
        (Some(entry), Some(digest)) => {
            Some(JournalHead { entry: number(entry), digest: read(digest)? })
        }
        _ => None,
    };
    let is_told = last.is_none() || row.is_told == Some(true);
    Ok(LastApplied { entries: number(row.entries), last, is_told })
}

struct Applied {
    entry: u64,
    digest: HexDigest,
    is_told: bool,
}

async fn all_applied(pool: &PgPool) -> Result<Vec<Applied>, VaultError> {
    let rows = sqlx::query!(
        r#"select entry as "entry!", digest as "digest!", is_told as "is_told!"
             from vault.list_applied_entries()"#
    )
    .fetch_all(pool)
    .await
    .map_err(database)?;
    rows.into_iter()
        .map(|row| {
            let (entry, is_told) = (number(row.entry), row.is_told);
            Ok(Applied { entry, digest: read(row.digest)?, is_told })
        })
        .collect()
}

/// A number that the table allows from 1 on.
fn number(stored: i64) -> u64 {
    stored.unsigned_abs()
}

fn read(digest: Vec<u8>) -> Result<HexDigest, VaultError> {
    let invalid = |_| database(sqlx::Error::Decode("a digest of an entry is not 32 bytes".into()));
    digest.try_into().map(HexDigest).map_err(invalid)
}

fn database(error: sqlx::Error) -> VaultError {
    VaultError::Database(Arc::new(error))
}
