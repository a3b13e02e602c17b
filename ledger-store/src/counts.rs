//! How many webhooks came to each source, by hour, type, what became of them and why not.
//!
//! The log cannot tell: a repetition, telemetry and a refusal leave nothing in it. Whoever takes
//! webhooks counts them in memory and adds batches here. A batch is added once, however often it is
//! sent, so the figures stay exact when an answer of the database is lost.

use chrono::{DateTime, Utc};
use ledger_core::ids::{SourceId, TenantId};
use uuid::Uuid;

use crate::Store;
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

/// The type of a webhook for which nobody showed a right proof. Anybody who knows the path can send
/// one, so figures about the sender leave it out.
pub const UNPROVEN: &str = "unproven";

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is in the log now.
    Recorded,
    /// It was in the log before.
    Duplicate,
    /// Telemetry that the report repeats: acknowledged, not kept.
    Ignored,
    /// The sender's fault: a wrong proof, no message, a tenant that takes none.
    Refused,
    /// Whose it is could not be told.
    Quarantined,
    /// Our fault, or nobody heard the answer. It may be in the log nevertheless: then the next one is a
    /// duplicate.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Recorded,
        Self::Duplicate,
        Self::Ignored,
        Self::Refused,
        Self::Quarantined,
        Self::Failed,
    ];

    /// The stored word, which metrics use too.
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

    /// The outcome of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|outcome| outcome.as_str() == word)
    }

    fn stored(word: &str) -> Result<Self, StoreError> {
        let corrupt = StoreError::Corrupt { table: "ledger.source_counts", column: "outcome" };
        Self::parse(word).ok_or(corrupt)
    }
}

/// Webhooks that are alike, to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Whose source.
    pub tenant_id: TenantId,
    /// The hour they arrived in.
    pub hour: DateTime<Utc>,
    /// Where they arrived.
    pub source_id: SourceId,
    /// Their type: a word of a closed list.
    pub kind: &'static str,
    /// What became of them.
    pub outcome: Outcome,
    /// Why not: a word of a closed list, empty where they were taken.
    pub reason: &'static str,
    /// How many; at least one.
    pub count: i64,
    /// When the last of them arrived.
    pub last_at: DateTime<Utc>,
}

/// Who adds, and which batch this is. The numbers of one writer only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchId {
    /// The process.
    pub writer_id: Uuid,
    /// From 1.
    pub batch: i64,
}

/// From one hour to another, the first included, the last not; open where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hours {
    /// The first.
    pub from: Option<DateTime<Utc>>,
    /// The first that is not meant any more.
    pub to: Option<DateTime<Utc>>,
}

/// The webhooks of one source, type and outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The source.
    pub source_id: SourceId,
    /// Their type.
    pub kind: String,
    /// What became of them.
    pub outcome: Outcome,
    /// How many.
    pub count: i64,
    /// When the last of them arrived.
    pub last_at: DateTime<Utc>,
}

/// Webhooks of one hour that were not taken, for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// When the last of them arrived.
    pub last_at: DateTime<Utc>,
    /// The hour.
    pub hour: DateTime<Utc>,
    /// The source.
    pub source_id: SourceId,
    /// Their type.
    pub kind: String,
    /// `Refused`, `Quarantined` or `Failed`.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: i64,
}

impl Store {
    /// Adds a batch, in one statement. The same batch again adds nothing, so whoever did not hear
    /// the answer sends it again as it was.
    ///
    /// # Errors
    /// The database did not answer: it is not known whether the batch was added.
    pub async fn add_counts(&self, id: BatchId, counts: &[Count]) -> Result<(), StoreError> {
        let column = |of: fn(&Count) -> Uuid| counts.iter().map(of).collect::<Vec<_>>();
        let words = |of: fn(&Count) -> &str| {
            counts.iter().map(|count| of(count).to_owned()).collect::<Vec<_>>()
        };
        let times = |of: fn(&Count) -> DateTime<Utc>| counts.iter().map(of).collect::<Vec<_>>();
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

/// What came to the sources of the transaction's tenant, to all of them or to these.
///
/// # Errors
/// The database did not answer.
pub async fn tallies(
    tx: &mut TenantTx,
    sources: Option<&[SourceId]>,
    hours: Hours,
) -> Result<Vec<Tally>, StoreError> {
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
    let tally = rows.into_iter().map(|row| {
        Ok(Tally {
            source_id: SourceId(row.source_id),
            outcome: Outcome::stored(&row.outcome)?,
            kind: row.kind,
            count: row.count,
            last_at: row.last_at,
        })
    });
    tally.collect()
}

/// When something with a right proof last came to any source of the transaction's tenant.
///
/// # Errors
/// The database did not answer.
pub async fn last_proven(tx: &mut TenantTx) -> sqlx::Result<Option<DateTime<Utc>>> {
    let tenant_id = tx.tenant_id();
    sqlx::query_scalar!(
        "select last_at from ledger.source_counts
          where tenant_id = $1 and kind <> $2
          order by hour desc, last_at desc
          limit 1",
        tenant_id.0,
        UNPROVEN,
    )
    .fetch_optional(tx.conn())
    .await
}

/// What was not taken, newest first, after the one a page ended with.
///
/// # Errors
/// The database did not answer.
pub async fn not_taken(
    tx: &mut TenantTx,
    hours: Hours,
    after: Option<&NotTaken>,
    limit: i64,
) -> Result<Vec<NotTaken>, StoreError> {
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
    let not_taken = rows.into_iter().map(|row| {
        Ok(NotTaken {
            last_at: row.last_at,
            hour: row.hour,
            source_id: SourceId(row.source_id),
            kind: row.kind,
            outcome: Outcome::stored(&row.outcome)?,
            reason: row.reason,
            count: row.count,
        })
    });
    not_taken.collect()
}
