//! Whether a stream exists.

use ledger_core::envelope::StreamKind;
use ledger_core::ids::StreamId;

use crate::tenant_tx::TenantTx;

/// Returns whether the transaction's tenant has a stream of this kind with this id.
///
/// # Errors
/// The database did not answer.
pub async fn has_stream(
    tx: &mut TenantTx,
    kind: StreamKind,
    stream_id: StreamId,
) -> sqlx::Result<bool> {
    let tenant_id = tx.tenant_id();
    sqlx::query_scalar!(
        r#"select exists (select from ledger.events
                           where tenant_id = $1 and stream_id = $2 and stream_version = 1
                             and stream_kind = $3) as "exists!""#,
        tenant_id.0,
        stream_id.0,
        kind.as_str(),
    )
    .fetch_one(tx.conn())
    .await
}
