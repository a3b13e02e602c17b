//! Collects the new checkpoints and halts of a cycle, and writes them at its end.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger_core::ids::{Position, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::claim::{Claim, TenantClaims};
use super::fold::BatchProgress;
use super::read::EventBatch;

/// Results of a cycle by tenant and version, written together at the end of its transaction.
#[derive(Default)]
pub(super) struct CycleResult {
    moves: Vec<Move>,
    halts: Vec<Halt>,
}

/// Advance of one checkpoint.
struct Move {
    tenant_id: TenantId,
    projection: &'static str,
    version: i32,
    from: Position,
    to: Position,
    events: u64,
}

/// A checkpoint that cannot advance, with the reason.
struct Halt {
    tenant_id: TenantId,
    projection: &'static str,
    version: i32,
    reason: String,
    is_known: bool,
}

impl CycleResult {
    /// Records how far a batch was applied, and the reason if an undecodable event stopped it.
    pub(super) fn reached(
        &mut self,
        tenant_id: TenantId,
        claim: &Claim,
        batch: &EventBatch,
        reached: BatchProgress,
    ) {
        let (projection, version) = (claim.projector.name(), claim.version);
        if let Some(last) = batch.events[..reached.len].last() {
            let (from, to) = (claim.position, Position(last.stored.position));
            let events = reached.len as u64;
            self.moves.push(Move { tenant_id, projection, version, from, to, events });
        }
        if let Some(reason) = reached.undecodable {
            self.halt(tenant_id, claim, &reason);
        }
    }

    /// Halts all read models of a tenant: this build does not know its time zone.
    pub(super) fn halt_all(&mut self, one: &TenantClaims) {
        for claim in &one.claims {
            let reason = "the tenant's time zone is not known to this build";
            self.halt(one.tenant_id, claim, reason);
        }
    }

    fn halt(&mut self, tenant_id: TenantId, claim: &Claim, reason: &str) {
        let (projection, version) = (claim.projector.name(), claim.version);
        let is_known = claim.halted.as_deref() == Some(reason);
        self.halts.push(Halt {
            tenant_id,
            projection,
            version,
            reason: reason.to_owned(),
            is_known,
        });
    }

    /// Splits the results by tenant, to be written one tenant after the other.
    pub(super) fn by_tenant(self) -> BTreeMap<TenantId, Self> {
        let mut tenants: BTreeMap<TenantId, Self> = BTreeMap::new();
        for one in self.moves {
            tenants.entry(one.tenant_id).or_default().moves.push(one);
        }
        for one in self.halts {
            tenants.entry(one.tenant_id).or_default().halts.push(one);
        }
        tenants
    }

    /// Writes the checkpoints, as moved at `now`, and halts, and counts the applied events.
    pub(super) async fn write(
        self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> sqlx::Result<()> {
        move_checkpoints(conn, &self.moves, now).await?;
        for halted in &self.halts {
            halt(conn, halted).await?;
        }
        for one in &self.moves {
            metrics::counter!("ledger_projected_events_total", "projection" => one.projection)
                .increment(one.events);
        }
        Ok(())
    }
}

/// Moves checkpoints by compare-and-set. Fails if a checkpoint was moved by another worker since it
/// was read; the transaction must then roll back.
async fn move_checkpoints(
    conn: &mut PgConnection,
    moves: &[Move],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    if moves.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Uuid> = moves.iter().map(|one| one.tenant_id.0).collect();
    let projections: Vec<&str> = moves.iter().map(|one| one.projection).collect();
    let versions: Vec<i32> = moves.iter().map(|one| one.version).collect();
    let from: Vec<i64> = moves.iter().map(|one| one.from.0).collect();
    let to: Vec<i64> = moves.iter().map(|one| one.to.0).collect();
    let updated = sqlx::query!(
        "update projection.checkpoints c
            set position = m.to_position, halted = null, updated_at = $6
           from unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[], $5::bigint[])
             as m (tenant_id, projection, version, from_position, to_position)
          where c.tenant_id = m.tenant_id and c.projection = m.projection
            and c.version = m.version and c.position = m.from_position",
        &tenants,
        &projections as _,
        &versions,
        &from,
        &to,
        now,
    )
    .execute(conn)
    .await?;
    let is_whole = updated.rows_affected() == moves.len() as u64;
    if is_whole { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

async fn halt(conn: &mut PgConnection, halt: &Halt) -> sqlx::Result<()> {
    let Halt { tenant_id, projection, version, reason, is_known } = halt;
    if !is_known {
        tracing::error!(error = reason, %tenant_id, projection, "projection.halted");
    }
    sqlx::query!(
        "update projection.checkpoints set halted = $4
          where tenant_id = $1 and projection = $2 and version = $3",
        tenant_id.0,
        projection,
        version,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}
