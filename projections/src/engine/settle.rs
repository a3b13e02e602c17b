//! Where a read model stands after a batch: its checkpoint, and why it goes no further.

use ledger_core::ids::{Position, TenantId};
use sqlx::PgConnection;

use super::claim::{Claim, TenantClaims};
use super::read::Batch;
use super::turn::Reached;
use crate::projector::Tenant;

/// Moves the checkpoint behind what was folded, and says why it stops there when it does.
pub(super) async fn settle(
    conn: &mut PgConnection,
    tenant: Tenant,
    claim: &Claim,
    batch: &Batch,
    reached: Reached,
) -> sqlx::Result<()> {
    if let Some(last) = batch.events[..reached.len].last() {
        move_checkpoint(conn, tenant.tenant_id, claim, Position(last.stored.position)).await?;
        let projection = claim.projector.name();
        metrics::counter!("ledger_projected_events_total", "projection" => projection)
            .increment(reached.len as u64);
    }
    if let Some(why) = reached.beyond {
        halt(conn, tenant.tenant_id, claim, &why).await?;
    }
    Ok(())
}

/// Compare and set: a checkpoint that is not where it was read has been moved by somebody else, and
/// what was folded here must not stand.
async fn move_checkpoint(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    claim: &Claim,
    to: Position,
) -> sqlx::Result<()> {
    let moved = sqlx::query!(
        "update projection.checkpoints
            set position = $5, halted = null, updated_at = clock_timestamp()
          where tenant_id = $1 and projection = $2 and version = $3 and position = $4",
        tenant_id.0,
        claim.projector.name(),
        claim.version,
        claim.position.0,
        to.0,
    )
    .execute(conn)
    .await?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

async fn halt(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    claim: &Claim,
    why: &str,
) -> sqlx::Result<()> {
    let projection = claim.projector.name();
    if claim.halted.as_deref() != Some(why) {
        tracing::error!(error = why, %tenant_id, projection, "projection.halted");
    }
    sqlx::query!(
        "update projection.checkpoints set halted = $4
          where tenant_id = $1 and projection = $2 and version = $3",
        tenant_id.0,
        projection,
        claim.version,
        why,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn halt_all(conn: &mut PgConnection, one: &TenantClaims) -> sqlx::Result<()> {
    for claim in &one.claims {
        halt(conn, one.tenant_id, claim, "the tenant's time zone is not known to this build")
            .await?;
    }
    Ok(())
}
