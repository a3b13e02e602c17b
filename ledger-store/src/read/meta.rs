//! Metadata of events, for read models of who did what.

use std::collections::HashMap;

use ledger_core::ids::{SourceId, TenantId};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// The origin of an event. Contains no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventMeta {
    /// The webhook source that delivered the event; `None` for events of this installation.
    pub source_id: Option<SourceId>,
    /// The key or operator that caused the event; `None` for deliveries of a source.
    pub actor: Option<String>,
    /// The request that caused the event.
    pub request_id: Uuid,
}

/// Returns the stored metadata of events by position. For projectors, with a connection that reads
/// every tenant.
///
/// # Errors
/// The database did not answer.
pub async fn metadata(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    positions: &[i64],
) -> sqlx::Result<HashMap<i64, String>> {
    let rows = sqlx::query!(
        r#"
        select position, meta::text as "meta!"
          from ledger.events
         where tenant_id = $1 and position = any ($2)
        "#,
        tenant_id.0,
        positions,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.position, row.meta)).collect())
}
