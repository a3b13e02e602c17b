//! Sources as listed to operators, without their secrets.

use chrono::{DateTime, Utc};
use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::signature::SignatureScheme;
use ledger_core::tools::ToolSettings;
use uuid::Uuid;

use crate::Store;
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

/// The settings of a source, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    /// Id of the source, part of its URL.
    pub source_id: SourceId,
    /// The platform, which selects the adapter.
    pub provider: String,
    /// The label chosen by the operator.
    pub name: Option<String>,
    /// Whether streaming telemetry is recorded.
    pub record_all: bool,
    /// The assistant returned when the platform asks for one to answer a call.
    pub assistant_id: Option<String>,
    /// Settings for the tools of voice agents.
    pub tools: ToolSettings,
    /// Time of creation.
    pub created_at: DateTime<Utc>,
    /// Time since which the source is disabled and answers like an unknown one.
    pub disabled_at: Option<DateTime<Utc>>,
    /// End of acceptance of the secret before the last rotation, possibly in the past.
    pub old_secret_until: Option<DateTime<Utc>>,
    /// The signature scheme, if configured.
    pub signature: Option<SignatureScheme>,
}

/// A row of `ledger.sources` without the secrets.
pub(super) struct SourceRow {
    pub(super) tenant_id: Uuid,
    pub(super) source_id: Uuid,
    pub(super) provider: String,
    pub(super) name: Option<String>,
    pub(super) record_all: bool,
    pub(super) assistant_id: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) disabled_at: Option<DateTime<Utc>>,
    pub(super) old_secret_until: Option<DateTime<Utc>>,
    pub(super) signature: Option<String>,
    pub(super) tools: Option<String>,
}

impl SourceRow {
    /// Converts the row.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored signature scheme or the settings of tools are invalid.
    pub(super) fn into_info(self) -> Result<SourceInfo, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "ledger.sources", column };
        let signature = self.signature.map(|text| serde_json::from_str(&text)).transpose();
        let tools = read_tools(self.tools.as_deref());
        Ok(SourceInfo {
            source_id: SourceId(self.source_id),
            provider: self.provider,
            name: self.name,
            record_all: self.record_all,
            assistant_id: self.assistant_id,
            created_at: self.created_at,
            disabled_at: self.disabled_at,
            old_secret_until: self.old_secret_until,
            signature: signature.map_err(|_| corrupt("signature"))?,
            tools: tools.ok_or_else(|| corrupt("tools"))?,
        })
    }
}

/// Reads the stored settings of tools; `None` if they are invalid.
pub(super) fn read_tools(stored: Option<&str>) -> Option<ToolSettings> {
    stored.map_or_else(|| Some(ToolSettings::default()), |text| serde_json::from_str(text).ok())
}

impl Store {
    /// Returns the sources of every tenant, or of one, oldest first, each with its tenant. Shared
    /// sources are of the installation.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn sources(
        &self,
        tenant_id: Option<TenantId>,
    ) -> Result<Vec<(TenantId, SourceInfo)>, StoreError> {
        let rows = sqlx::query_as!(
            SourceRow,
            "select tenant_id, source_id, provider, name, record_all, assistant_id, created_at,
                    disabled_at, old_secret_until, signature, tools
               from ledger.sources
              where $1::uuid is null or tenant_id = $1
              order by created_at, source_id",
            tenant_id.map(|id| id.0),
        )
        .fetch_all(&self.owner)
        .await?;
        rows.into_iter().map(|row| Ok((TenantId(row.tenant_id), row.into_info()?))).collect()
    }
}

/// Returns the sources of the transaction's tenant, newest first, disabled ones included. `after`
/// is the last source of the previous page.
///
/// # Errors
/// The database did not answer.
pub async fn list(
    tx: &mut TenantTx,
    after: Option<(DateTime<Utc>, SourceId)>,
    limit: i64,
) -> Result<Vec<SourceInfo>, StoreError> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query_as!(
        SourceRow,
        "select tenant_id, source_id, provider, name, record_all, assistant_id, created_at,
                disabled_at, old_secret_until, signature, tools
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
    rows.into_iter().map(SourceRow::into_info).collect()
}
