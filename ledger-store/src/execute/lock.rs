//! The lock of the tenant's log.

use crate::tenant_tx::TenantTx;

/// Locks the tenant's log until the end of the transaction: no append of the tenant comes between.
pub(super) async fn lock_log(tx: &mut TenantTx) -> sqlx::Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!("select ledger.lock_tenant($1)", tenant_id.0).execute(tx.conn()).await?;
    Ok(())
}
