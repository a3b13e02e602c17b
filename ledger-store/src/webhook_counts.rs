//! Counts of webhooks for each source, by hour, type, outcome and reason.
//!
//! The log cannot provide these figures, because duplicates, telemetry and refusals leave nothing
//! in it. The intake counts in memory and adds batches here. A batch is idempotent by its id, so
//! the figures stay exact when a response of the database is lost and the batch is sent again.

use chrono::{DateTime, Utc};
use ledger_core::ids::{SourceId, TenantId};
use uuid::Uuid;

use crate::Store;
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

/// The type of a webhook without a valid signature. Anyone with the URL can send one, so figures
/// about the provider exclude this type.
pub const UNAUTHENTICATED: &str = "unauthenticated";

/// The outcome of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Appended to the log.
    Recorded,
    /// Already in the log.
    Duplicate,
    /// Telemetry that the report repeats: acknowledged and not stored.
    Ignored,
    /// Rejected for a fault of the sender: an invalid signature, an unreadable message, or a tenant
    /// that accepts none.
    Refused,
    /// Stored in quarantine, because no tenant could be determined.
    Quarantined,
    /// Failed on our side, or the connection closed before the answer. The event may be in the log;
    /// then the provider's retry is a duplicate.
    Failed,
}

impl Outcome {
    /// Every outcome, in the order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::Recorded,
        Self::Duplicate,
        Self::Ignored,
        Self::Refused,
        Self::Quarantined,
        Self::Failed,
    ];

    /// The stored word, also used as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
        }
    }

    /// The outcome with this stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|outcome| outcome.as_str() == word)
    }

    fn stored(word: &str) -> Result<Self, StoreError> {
        let corrupt = StoreError::Corrupt { table: "ledger.source_counts", column: "outcome" };
        Self::parse(word).ok_or(corrupt)
    }
}

/// A number to add for webhooks that agree in every other field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountDelta {
    /// The tenant of the source.
    pub tenant_id: TenantId,
    /// The start of the hour of arrival.
    pub hour: DateTime<Utc>,
    /// The source that received them.
    pub source_id: SourceId,
    /// The message type, from a closed list.
    pub kind: &'static str,
    /// The outcome they share.
    pub outcome: Outcome,
    /// The reason for the outcome, from a closed list; empty if they were accepted.
    pub reason: &'static str,
    /// Number of webhooks; at least one.
    pub count: i64,
    /// Arrival of the latest one.
    pub last_at: DateTime<Utc>,
}

/// Identifies a batch. The batch numbers of one writer only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchId {
    /// The process that counted.
    pub writer_id: Uuid,
    /// The number of the batch, from 1.
    pub batch: i64,
}

/// A half-open range of hours; `None` leaves that end open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hours {
    /// The first hour of the range.
    pub from: Option<DateTime<Utc>>,
    /// The hour after the last one of the range.
    pub to: Option<DateTime<Utc>>,
}

/// Sum over the webhooks of one source, type and outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCount {
    /// The source that received them.
    pub source_id: SourceId,
    /// The message type.
    pub kind: String,
    /// The outcome they share.
    pub outcome: Outcome,
    /// Number of webhooks.
    pub count: i64,
    /// Arrival of the latest one.
    pub last_at: DateTime<Utc>,
}

/// Webhooks of one hour that were not accepted, for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedCount {
    /// Arrival of the latest one.
    pub last_at: DateTime<Utc>,
    /// The start of the hour of arrival.
    pub hour: DateTime<Utc>,
    /// The source that received them.
    pub source_id: SourceId,
    /// The message type.
    pub kind: String,
    /// `Refused`, `Quarantined` or `Failed`.
    pub outcome: Outcome,
    /// The reason, from a closed list.
    pub reason: String,
    /// Number of webhooks.
    pub count: i64,
}

impl Store {
    /// Adds a batch of counts in one statement. The call is idempotent: after an error, send the
    /// same batch again unchanged.
    ///
    /// # Errors
    /// The database did not answer, and the batch may have been added or not.
    pub async fn add_counts(&self, id: BatchId, counts: &[CountDelta]) -> Result<(), StoreError> {
        let column = |of: fn(&CountDelta) -> Uuid| counts.iter().map(of).collect::<Vec<_>>();
        let words = |of: fn(&CountDelta) -> &str| {
            counts.iter().map(|count| of(count).to_owned()).collect::<Vec<_>>()
        };
        let times =
            |of: fn(&CountDelta) -> DateTime<Utc>| counts.iter().map(of).collect::<Vec<_>>();
        sqlx::query!(
            "select ledger.add_source_counts($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            id.writer_id,
            id.batch,
            self.clock.now_micros(),
            &column(|count| count.tenant_id.0),
            &times(|count| count.hour),
            &column(|count| count.source_id.0),
            &words(|count| count.kind),
            &words(|count| count.outcome.as_str()),
            &words(|count| count.reason),
            &counts.iter().map(|count| count.count).collect::<Vec<_>>(),
            &times(|count| count.last_at),
        )
        .execute(&self.app)
        .await?;
        Ok(())
    }
}

/// Sums the webhooks of the transaction's tenant by source, type and outcome. `sources` restricts
/// the sum to those sources.
///
/// # Errors
/// The database did not answer.
pub async fn source_counts(
    tx: &mut TenantTx,
    sources: Option<&[SourceId]>,
    hours: Hours,
) -> Result<Vec<SourceCount>, StoreError> {
    let tenant_id = tx.tenant_id();
    let sources: Option<Vec<Uuid>> =
        sources.map(|sources| sources.iter().map(|source| source.0).collect());
    let rows = sqlx::query!(
        r#"
        select source_id, kind, outcome, sum(count)::bigint as "count!", max(last_at) as "last_at!"
          from ledger.source_counts
         where tenant_id = $1
           and ($2::uuid[] is null or source_id = any ($2))
           and ($3::timestamptz is null or hour >= $3)
           and ($4::timestamptz is null or hour < $4)
         group by source_id, kind, outcome
         order by source_id, kind, outcome
        "#,
        tenant_id.0,
        sources.as_deref(),
        hours.from,
        hours.to,
    )
    .fetch_all(tx.conn())
    .await?;
    let source_count = rows.into_iter().map(|row| {
        Ok(SourceCount {
            source_id: SourceId(row.source_id),
            outcome: Outcome::stored(&row.outcome)?,
            kind: row.kind,
            count: row.count,
            last_at: row.last_at,
        })
    });
    source_count.collect()
}

/// Arrival of the latest webhook with a valid signature, at any source of the transaction's tenant.
///
/// # Errors
/// The database did not answer.
pub async fn last_authenticated_at(tx: &mut TenantTx) -> sqlx::Result<Option<DateTime<Utc>>> {
    let tenant_id = tx.tenant_id();
    sqlx::query_scalar!(
        "select last_at from ledger.source_counts
          where tenant_id = $1 and kind <> $2
          order by hour desc, last_at desc
          limit 1",
        tenant_id.0,
        UNAUTHENTICATED,
    )
    .fetch_optional(tx.conn())
    .await
}

/// Returns the webhooks that were not accepted, newest first. `after` is the last entry of the
/// previous page.
///
/// # Errors
/// The database did not answer.
pub async fn rejected(
    tx: &mut TenantTx,
    hours: Hours,
    after: Option<&RejectedCount>,
    limit: i64,
) -> Result<Vec<RejectedCount>, StoreError> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "select last_at, hour, source_id, kind, outcome, reason, count
           from ledger.source_counts
          where tenant_id = $1
            and outcome in ('refused', 'quarantined', 'failed')
            and ($2::timestamptz is null or hour >= $2)
            and ($3::timestamptz is null or hour < $3)
            and ($4::timestamptz is null
                 or (last_at, hour, source_id, kind, outcome, reason) < ($4, $5, $6, $7, $8, $9))
          order by last_at desc, hour desc, source_id desc, kind desc, outcome desc, reason desc
          limit $10",
        tenant_id.0,
        hours.from,
        hours.to,
        after.map(|after| after.last_at),
        after.map(|after| after.hour),
        after.map(|after| after.source_id.0),
        after.map(|after| after.kind.as_str()),
        after.map(|after| after.outcome.as_str()),
        after.map(|after| after.reason.as_str()),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let rejected = rows.into_iter().map(|row| {
        Ok(RejectedCount {
            last_at: row.last_at,
            hour: row.hour,
            source_id: SourceId(row.source_id),
            kind: row.kind,
            outcome: Outcome::stored(&row.outcome)?,
            reason: row.reason,
            count: row.count,
        })
    });
    rejected.collect()
}
