//! Dropping events from a read model, whether they are parked, folded, or not reached yet.

use ledger_core::ids::{EventId, KeyId, Position, TenantId};
use ledger_store::{Store, TenantTx, read};
use sqlx::PgPool;
use uuid::Uuid;

use super::{ParkedError, Reason, begin, find, hold, list, retry};
use crate::engine::{event_at, leave_out};
use crate::projector::{LogEvent, Projector};
use crate::versions::{named, versions};

/// An event that a read model leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The tenant that the event is of.
    pub tenant_id: TenantId,
    /// The read model.
    pub name: String,
    /// The event.
    pub event_id: Uuid,
    /// Its position.
    pub position: Position,
    /// Whether it had been dropped before: nothing was recorded now.
    pub already: bool,
    /// Whether the rest of its stream is folded; `false` while something of it waits.
    pub goes_on: bool,
}

/// The reason, and the key and the request that decide it; without a key it is the operator.
type Decision<'a> = (&'a Reason, Option<(KeyId, Uuid)>);

/// Leaves a parked event out, in every version of its read model and for good, and folds what waited
/// behind it. The decision and its author, a key or else the operator, are recorded in the tenant's log.
///
/// # Errors
/// Those of [`retry`].
pub async fn drop_parked(
    store: &Store,
    parked_id: Uuid,
    only: Option<TenantId>,
    decision: Decision<'_>,
) -> Result<Dropped, ParkedError> {
    let parked = find(&mut *store.projector().acquire().await?, parked_id, only).await?;
    let parked = parked.ok_or(ParkedError::Missing)?;
    let projector = named(&parked.name)?;
    let mut conn = store.projector().acquire().await?;
    let event = event_at(&mut conn, parked.tenant_id, parked.position).await?;
    drop(conn);
    let event = event.ok_or(ParkedError::Missing)?;
    drop_one(store, parked.tenant_id, &*projector, &event, decision).await
}

/// The same with any event of a tenant. One that was folded is taken out, with all it has come to, and
/// one that is not reached yet is passed over; what waited behind it is tried again. Once more changes
/// nothing.
///
/// # Errors
/// [`ParkedError::NoEvent`], for another tenant's as well; [`ParkedError::NotFolded`];
/// [`ParkedError::Version`]: there is no such read model.
pub async fn drop_event(
    store: &Store,
    tenant_id: TenantId,
    (projection, event_id): (&str, EventId),
    decision: Decision<'_>,
) -> Result<Dropped, ParkedError> {
    let projector = named(projection)?;
    let mut tx = TenantTx::begin(store.app(), tenant_id).await?;
    let known = read::find_existing(&mut tx, &[event_id]).await?;
    drop(tx);
    let position = known.first().map(|(_, position)| *position).ok_or(ParkedError::NoEvent)?;
    let event = event_at(&mut *store.projector().acquire().await?, tenant_id, position).await?;
    let event = event.ok_or(ParkedError::NoEvent)?;
    if !projector.handles(&event.stored.stream_kind) {
        return Err(ParkedError::NotFolded);
    }
    drop_one(store, tenant_id, &*projector, &event, decision).await
}

async fn drop_one(
    store: &Store,
    tenant_id: TenantId,
    projector: &dyn Projector,
    event: &LogEvent,
    (reason, by): Decision<'_>,
) -> Result<Dropped, ParkedError> {
    let (pool, name) = (store.projector(), projector.name());
    let position = Position(event.stored.position);
    // Once this is committed, every fold that begins passes the event over. One that is under way holds the
    // checkpoint, and is waited for below.
    let is_new = store.record_event_drop(tenant_id, name, position, &reason.0, by).await?;
    let mut all = versions(&mut *pool.acquire().await?).await?;
    all.retain(|one| one.name == name && one.only.is_none_or(|only| only == tenant_id));
    let mut goes_on = true;
    for version in all {
        goes_on &= leave_out_of(pool, tenant_id, projector, version.version, position).await?;
    }
    retry_behind(pool, tenant_id, name, position).await?;
    Ok(Dropped {
        tenant_id,
        name: name.to_owned(),
        event_id: event.stored.event_id,
        position,
        already: !is_new,
        goes_on,
    })
}

/// Takes an event out of a version, as far as that is filled. A version of another shape is left to the
/// build that fills it.
async fn leave_out_of(
    pool: &PgPool,
    tenant_id: TenantId,
    projector: &dyn Projector,
    version: i32,
    position: Position,
) -> Result<bool, ParkedError> {
    let mut tx = begin(pool).await?;
    let Some(held) = hold(&mut tx, tenant_id, projector, version).await? else { return Ok(true) };
    if held.until < position {
        return Ok(true);
    }
    let Some(target) = held.target(projector, version) else { return Ok(false) };
    let goes_on = leave_out(&mut tx, target, &[position], held.until).await?;
    tx.commit().await?;
    Ok(goes_on)
}

/// Tries again what is parked behind an event: it may have been that event's fault.
async fn retry_behind(
    pool: &PgPool,
    tenant_id: TenantId,
    name: &str,
    position: Position,
) -> Result<(), ParkedError> {
    let mut behind = list(pool, Some(tenant_id), i64::MAX).await?;
    behind.retain(|one| one.name == name && one.position > position);
    behind.sort_unstable_by_key(|one| one.position);
    for one in behind {
        match retry(pool, one.parked_id, Some(tenant_id)).await {
            // Another server was faster, or another build folds it.
            Ok(_) | Err(ParkedError::Missing | ParkedError::Version(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
