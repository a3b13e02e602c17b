//! Sources as they are administered: without their secrets.

use chrono::{DateTime, Utc};
use ledger_core::ids::SourceId;

use crate::tenant_tx::TenantTx;

/// A source without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub source_id: SourceId,
    /// Which adapter reads its messages.
    pub provider: String,
    /// What the operator calls it.
    pub name: Option<String>,
    /// Whether streaming telemetry is recorded.
    pub record_all: bool,
    /// Which assistant answers the telephone when the platform asks.
    pub assistant_id: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it answers like an unknown one.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// The sources of the transaction's tenant, newest first, disabled ones too; after the one a page
/// ended with.
///
/// # Errors
/// The database did not answer.
pub async fn list(
    tx: &mut TenantTx,
    after: Option<(DateTime<Utc>, SourceId)>,
    limit: i64,
) -> sqlx::Result<Vec<Listed>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        "select source_id, provider, name, record_all, assistant_id, created_at, disabled_at
           from ledger.sources
          where tenant_id = $1
            and ($2::timestamptz is null or (created_at, source_id) < ($2, $3))
          order by created_at desc, source_id desc
          limit $4",
        tenant_id.0,
        after.map(|(created_at, _)| created_at),
        after.map(|(_, source_id)| source_id.0),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let listed = rows.into_iter().map(|row| Listed {
        source_id: SourceId(row.source_id),
        provider: row.provider,
        name: row.name,
        record_all: row.record_all,
        assistant_id: row.assistant_id,
        created_at: row.created_at,
        disabled_at: row.disabled_at,
    });
    Ok(listed.collect())
}
