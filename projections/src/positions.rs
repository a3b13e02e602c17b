//! The position a served read model has reached, and waiting for one.

use std::time::Duration;

use ledger_core::ids::{Position, TenantId};
use ledger_store::TenantTx;
use sqlx::PgPool;

/// Returns the position of a read model for the transaction's tenant; 0 before its first event.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn position(tx: &mut TenantTx, name: &str) -> sqlx::Result<Position> {
    let tenant_id = tx.tenant_id();
    let position = sqlx::query_scalar!(
        "select position from read.positions where tenant_id = $1 and projection = $2",
        tenant_id.0,
        name,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(Position(position.flatten().unwrap_or(0)))
}

/// Waits at most `max_wait` until a read model has reached `wanted`. Returns `false` on timeout.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn wait_for(
    pool: &PgPool,
    tenant_id: TenantId,
    name: &str,
    wanted: Position,
    max_wait: Duration,
) -> sqlx::Result<bool> {
    let reached = async {
        loop {
            let mut tx = TenantTx::begin(pool, tenant_id).await?;
            if position(&mut tx, name).await? >= wanted {
                return Ok(());
            }
            drop(tx);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(max_wait, reached).await {
        Ok(reached) => reached.map(|()| true),
        Err(_) => Ok(false),
    }
}
