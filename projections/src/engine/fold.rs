//! Applies the batches of a cycle, version by version: all tenants together, or one tenant at a
//! time.

use ledger_core::ids::Position;
use sqlx::PgConnection;

use super::apply::{Part, Target, apply, apply_together};
use super::claim::Claim;
use super::left_out::{decided, leave_out};
use super::parking::Waiting;
use super::read::Batch;
use super::settle::Settled;
use crate::projector::{LogEvent, Prepared, Projector, Tenant};

/// How far a batch was applied to a read model.
pub(super) struct Reached {
    /// Number of leading events of the batch that were applied.
    pub(super) len: usize,
    /// Reason for not applying the next event: this build cannot decode it.
    pub(super) beyond: Option<String>,
}

/// A batch of one tenant's events, and the versions it is applied to.
pub(super) struct Work {
    pub(super) tenant: Tenant,
    pub(super) claims: Vec<Claim>,
    pub(super) batch: Batch,
}

/// Applies the batch of one tenant to the version in the search path.
pub(super) async fn fold_apart(
    conn: &mut PgConnection,
    work: &mut Work,
    version: (&'static str, i32),
    waiting: &mut Waiting,
    settled: &mut Settled,
) -> sqlx::Result<()> {
    let Work { tenant, claims, batch } = work;
    for claim in claims.iter().filter(|claim| claim.key() == version) {
        let prepared = batch.prepared(claim);
        let (projector, way) = (&*claim.projector, claim.way);
        let target = Target { projector, version: claim.version, tenant: *tenant, way };
        let reached = fold_one(conn, target, batch, prepared, waiting).await?;
        leave_out_decided(conn, target, &batch.events[..reached.len]).await?;
        settled.reached(tenant.tenant_id, claim, batch, reached);
    }
    Ok(())
}

/// Applies the batches of all tenants to the version in the search path.
pub(super) async fn fold_together(
    conn: &mut PgConnection,
    work: &[Work],
    version: (&'static str, i32),
    waiting: &Waiting,
    settled: &mut Settled,
) -> sqlx::Result<()> {
    let (mut parts, mut folded) = (Vec::new(), Vec::new());
    let mut projector = None;
    for one in work {
        let Some(claim) = one.claims.iter().find(|claim| claim.key() == version) else { continue };
        let (tenant, tenant_id) = (one.tenant, one.tenant.tenant_id);
        let (mut events, reached) = readable(&*claim.projector, &one.batch);
        events.retain(|event| waiting.is_free(tenant_id, version.0, version.1, event));
        if !events.is_empty() {
            parts.push(Part { tenant, events });
        }
        let target =
            Target { projector: &*claim.projector, version: version.1, tenant, way: claim.way };
        folded.push((target, &one.batch.events[..reached.len]));
        settled.reached(tenant_id, claim, &one.batch, reached);
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

/// Takes out what these events, all of them folded, decide to drop.
async fn leave_out_decided(
    conn: &mut PgConnection,
    target: Target<'_>,
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
fn readable<'b>(projector: &dyn Projector, batch: &'b Batch) -> (Vec<&'b LogEvent>, Reached) {
    let is_wanted = |event: &LogEvent| projector.wants(&event.stored.stream_kind);
    let unread = |event: &LogEvent| {
        let is_read = projector.reads_facts() && is_wanted(event);
        is_read.then(|| event.is_beyond_this_build()).flatten()
    };
    let stop = batch.events.iter().enumerate().find_map(|(nth, event)| Some((nth, unread(event)?)));
    let (len, beyond) = stop.map_or((batch.events.len(), None), |(nth, why)| (nth, Some(why)));
    let wanted = batch.events[..len].iter().filter(|event| is_wanted(event)).collect();
    (wanted, Reached { len, beyond })
}

/// Applies a batch to the version in the search path, up to the first event this build cannot
/// decode.
pub(super) async fn fold_one(
    conn: &mut PgConnection,
    target: Target<'_>,
    batch: &Batch,
    prepared: Prepared,
    waiting: &mut Waiting,
) -> sqlx::Result<Reached> {
    let (wanted, reached) = readable(target.projector, batch);
    if !wanted.is_empty() {
        apply(conn, target, wanted, prepared, waiting).await?;
    }
    Ok(reached)
}
