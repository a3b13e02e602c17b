//! Applies the batches of a cycle, version by version: all tenants together, or one tenant at a
//! time.

use ledger_core::ids::Position;
use sqlx::PgConnection;

use super::apply::{TenantEvents, VersionTarget, apply, apply_together};
use super::checkpoint::CycleResult;
use super::claim::Claim;
use super::left_out::{decided, leave_out};
use super::parking::ParkedKeys;
use super::read::EventBatch;
use crate::projector::{LogEvent, Precomputed, Projector, TenantContext};

/// How far a batch was applied to a read model.
pub(super) struct BatchProgress {
    /// Number of leading events of the batch that were applied.
    pub(super) len: usize,
    /// Reason for not applying the next event: this build cannot decode it.
    pub(super) undecodable: Option<String>,
}

/// A batch of one tenant's events, and the versions it is applied to.
pub(super) struct Work {
    pub(super) tenant: TenantContext,
    pub(super) claims: Vec<Claim>,
    pub(super) batch: EventBatch,
}

/// Applies the batch of one tenant to the version in the search path.
pub(super) async fn apply_for_tenant(
    conn: &mut PgConnection,
    work: &mut Work,
    version: (&'static str, i32),
    parked_keys: &mut ParkedKeys,
    cycle_result: &mut CycleResult,
) -> sqlx::Result<()> {
    let Work { tenant, claims, batch } = work;
    for claim in claims.iter().filter(|claim| claim.key() == version) {
        let precomputed = batch.precomputed(claim);
        let (projector, mode) = (&*claim.projector, claim.mode);
        let target = VersionTarget { projector, version: claim.version, tenant: *tenant, mode };
        let reached = apply_batch(conn, target, batch, precomputed, parked_keys).await?;
        leave_out_decided(conn, target, &batch.events[..reached.len]).await?;
        cycle_result.reached(tenant.tenant_id, claim, batch, reached);
    }
    Ok(())
}

/// Applies the batches of all tenants to the version in the search path.
pub(super) async fn apply_for_all(
    conn: &mut PgConnection,
    work: &[Work],
    version: (&'static str, i32),
    parked_keys: &ParkedKeys,
    cycle_result: &mut CycleResult,
) -> sqlx::Result<()> {
    let (mut parts, mut folded) = (Vec::new(), Vec::new());
    let mut projector = None;
    for one in work {
        let Some(claim) = one.claims.iter().find(|claim| claim.key() == version) else { continue };
        let (tenant, tenant_id) = (one.tenant, one.tenant.tenant_id);
        let (mut events, reached) = readable(&*claim.projector, &one.batch);
        let keyed = |event| (claim.projector.key(event), event);
        events.retain(|event| {
            parked_keys.is_applicable(tenant_id, version.0, version.1, keyed(event))
        });
        if !events.is_empty() {
            parts.push(TenantEvents { tenant, events });
        }
        let target = VersionTarget {
            projector: &*claim.projector,
            version: version.1,
            tenant,
            mode: claim.mode,
        };
        folded.push((target, &one.batch.events[..reached.len]));
        cycle_result.reached(tenant_id, claim, &one.batch, reached);
        projector = Some(&*claim.projector);
    }
    if let Some(projector) = projector.filter(|_| !parts.is_empty()) {
        apply_together(conn, projector, &parts).await?;
    }
    for (target, events) in folded {
        leave_out_decided(conn, target, events).await?;
    }
    Ok(())
}

/// Removes the events that these events, all of them folded, decide to drop.
async fn leave_out_decided(
    conn: &mut PgConnection,
    target: VersionTarget<'_>,
    events: &[LogEvent],
) -> sqlx::Result<()> {
    let dropped = decided(events, target.projector.name());
    if let Some(last) = events.last().filter(|_| !dropped.is_empty()) {
        leave_out(conn, target, &dropped, Position(last.stored.position)).await?;
    }
    Ok(())
}

/// Returns the events of a batch the read model handles, up to the first one this build cannot
/// decode.
fn readable<'b>(
    projector: &dyn Projector,
    batch: &'b EventBatch,
) -> (Vec<&'b LogEvent>, BatchProgress) {
    let is_wanted = |event: &LogEvent| projector.handles(&event.stored.stream_kind);
    let unread = |event: &LogEvent| {
        let is_read = projector.reads_facts() && is_wanted(event);
        is_read.then(|| event.requires_newer_build()).flatten()
    };
    let stop = batch.events.iter().enumerate().find_map(|(nth, event)| Some((nth, unread(event)?)));
    let (len, undecodable) =
        stop.map_or((batch.events.len(), None), |(nth, reason)| (nth, Some(reason)));
    let wanted = batch.events[..len].iter().filter(|event| is_wanted(event)).collect();
    (wanted, BatchProgress { len, undecodable })
}

/// Applies a batch to the version in the search path, up to the first event this build cannot
/// decode.
pub(super) async fn apply_batch(
    conn: &mut PgConnection,
    target: VersionTarget<'_>,
    batch: &EventBatch,
    precomputed: Precomputed,
    parked_keys: &mut ParkedKeys,
) -> sqlx::Result<BatchProgress> {
    let (wanted, reached) = readable(target.projector, batch);
    if !wanted.is_empty() {
        apply(conn, target, wanted, precomputed, parked_keys).await?;
    }
    Ok(reached)
}
