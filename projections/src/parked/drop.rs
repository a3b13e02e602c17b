//! Drops events from a read model, whether they are parked, folded, or not reached yet.

use ledger_core::ids::{EventId, KeyId, Position, TenantId};
use ledger_store::{Store, TenantTx, read};
use sqlx::PgPool;
use uuid::Uuid;

use super::{ParkedError, Reason, begin, find, hold, list, retry};
use crate::engine::{event_at, leave_out};
use crate::projector::{LogEvent, Projector};
use crate::versions::{named, versions};

/// Result of a drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The tenant of the event.
    pub tenant_id: TenantId,
    /// Name of the read model.
    pub name: String,
    /// Id of the dropped event.
    pub event_id: Uuid,
    /// Position of the dropped event in the tenant's log.
    pub position: Position,
    /// Position of the decision in the tenant's log; `None` if the event had been dropped before, and
    /// nothing was recorded.
    pub decided: Option<Position>,
    /// Whether the rest of the stream is folded; `false` while some of it is parked.
    pub goes_on: bool,
}

/// The reason, and the key and request that decided; without a key it is the operator.
type Decision<'a> = (&'a Reason, Option<(KeyId, Uuid)>);

/// Drops a parked event from every version of its read model and folds the events behind it. The
/// decision and its author, a key or the operator, are recorded in the tenant's log.
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

/// Drops any event of a tenant from a read model. A folded event is removed with everything it
/// contributed, one that is not reached yet will be skipped, and events parked after it are
/// retried. Idempotent.
///
/// # Errors
/// [`ParkedError::NoEvent`], also for an event of another tenant; [`ParkedError::NotFolded`];
/// [`ParkedError::Version`] if the read model does not exist.
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
    // Every fold that begins after this commit skips the event. A fold in progress holds the
    // checkpoint, and the code below waits for it.
    let decided = store.record_event_drop(tenant_id, name, position, &reason.0, by).await?;
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
        decided,
        goes_on,
    })
}

/// Removes an event from a version, if the version has reached it. A version with another schema
/// version is left to the build that fills it.
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

/// Retries the keys that are parked after an event, because that event may have caused the failure.
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
            // Another server was faster, or another build folds the version.
            Ok(_) | Err(ParkedError::Missing | ParkedError::Version(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
