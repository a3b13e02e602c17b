//! Lists parked events, retries them and drops them.

use chrono::{DateTime, Utc};
use ledger_core::ids::{KeyId, Position, TenantId};
use ledger_store::read::stream_between;
use ledger_store::{Store, StoreError};
use sqlx::{Executor, PgConnection, PgPool};
use thiserror::Error;
use uuid::Uuid;

use crate::calendar;
use crate::engine::{Target, Waiting, apply, show_path};
use crate::marks;
use crate::projector::{LogEvent, Prepared, Projector, Tenant, Way};
use crate::versions::{VersionError, named};

/// A parked key: an event that could not be applied. Later events of its stream wait behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Id of the entry, used by retry and drop.
    pub parked_id: Uuid,
    /// The tenant that owns the log.
    pub tenant_id: TenantId,
    /// Name of the read model.
    pub name: String,
    /// Version of the read model.
    pub version: i32,
    /// Id of the stream that waits.
    pub key: Uuid,
    /// Position of the event that could not be applied.
    pub position: Position,
    /// Type of that event.
    pub event_type: String,
    /// Reason of the failure; contains no personal data.
    pub reason: String,
    /// Number of attempts to apply the event.
    pub attempts: i32,
    /// Time at which the key was parked.
    pub parked_at: DateTime<Utc>,
    /// Number of later events of the stream that wait behind it.
    pub followers: i64,
}

/// An operator's reason for dropping an event. Stored in the log in the clear, so it must not hold
/// personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// Maximum length, in characters.
    pub const LONGEST: usize = 200;

    /// Trims and validates the text. Returns `None` if it is empty, too long, or has control
    /// characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= Self::LONGEST;
        (fits && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
    }
}

/// Error of a retry or drop.
#[derive(Debug, Error)]
pub enum ParkedError {
    /// No entry has this id.
    #[error("nothing is parked under this id")]
    Missing,
    /// This build cannot fill the version of the read model.
    #[error("its read model cannot be filled by this build")]
    Version(#[from] VersionError),
    /// The decision could not be appended to the log.
    #[error("the decision could not be recorded")]
    Store(#[from] StoreError),
    /// A statement failed or the database did not answer.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

/// Returns at most `limit` parked keys of all tenants or of one, oldest first.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn list(pool: &PgPool, only: Option<TenantId>, limit: i64) -> sqlx::Result<Vec<Parked>> {
    page(pool, only, None, limit).await
}

/// Returns a page of parked keys like [`list`], after an entry given by its `parked_at` and id.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn page(
    pool: &PgPool,
    only: Option<TenantId>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Parked>> {
    let (after_at, after_id) = after.unzip();
    let rows = sqlx::query!(
        r#"
        select p.parked_id, p.tenant_id, p.projection, p.version, p.key, p.position, p.event_type,
               p.reason, p.attempts, p.parked_at,
               (select count(*) from ledger.events e
                 where e.tenant_id = p.tenant_id and e.stream_id = p.key
                   and e.position > p.position) as "followers!"
          from projection.parked p
         where ($1::uuid is null or p.tenant_id = $1)
           and ($2::timestamptz is null or (p.parked_at, p.parked_id) > ($2, $3::uuid))
         order by p.parked_at, p.parked_id
         limit $4
        "#,
        only.map(|tenant| tenant.0),
        after_at,
        after_id,
        limit,
    )
    .fetch_all(pool)
    .await?;
    let parked = rows.into_iter().map(|row| Parked {
        parked_id: row.parked_id,
        tenant_id: TenantId(row.tenant_id),
        name: row.projection,
        version: row.version,
        key: row.key,
        position: Position(row.position),
        event_type: row.event_type,
        reason: row.reason,
        attempts: row.attempts,
        parked_at: row.parked_at,
        followers: row.followers,
    });
    Ok(parked.collect())
}

/// Applies a parked event and all events that wait behind it, in order. Returns `false` if it fails
/// again and stays parked.
///
/// # Errors
/// [`ParkedError::Missing`] if there is no such entry, or if it is another tenant's.
/// [`ParkedError::Version`] if this build cannot fill the version.
pub async fn retry(
    pool: &PgPool,
    parked_id: Uuid,
    only: Option<TenantId>,
) -> Result<bool, ParkedError> {
    let mut tx = pool.begin().await?;
    tx.execute("set local lock_timeout = '5s'").await?;
    let parked = find(&mut tx, parked_id, only).await?.ok_or(ParkedError::Missing)?;
    let projector = named(&parked.name)?;
    // The lock keeps the engine from applying later events of this tenant before these.
    let row = sqlx::query!(
        "select c.position, t.timezone, v.shape
           from projection.checkpoints c
           join projection.versions v on v.projection = c.projection and v.version = c.version
           join ledger.tenants t on t.tenant_id = c.tenant_id
          where c.tenant_id = $1 and c.projection = $2 and c.version = $3
            for update of c",
        parked.tenant_id.0,
        parked.name,
        parked.version,
    )
    .fetch_optional(&mut *tx)
    .await?;
    // The version was deleted, and its parked keys with it.
    let row = row.ok_or(ParkedError::Missing)?;
    ensure_shape(&*projector, row.shape)?;
    // Read again under the lock: a concurrent retry may have finished.
    let parked = find(&mut tx, parked_id, only).await?.ok_or(ParkedError::Missing)?;
    let Some(zone) = calendar::zone(&row.timezone) else { return Ok(false) };
    let tenant = Tenant { tenant_id: parked.tenant_id, zone };
    let (from, to) = (parked.position, Position(row.position));
    let stored = stream_between(&mut tx, parked.tenant_id, parked.key, from, to).await?;
    let positions: Vec<i64> = stored.iter().map(|event| event.position).collect();
    let times = marks::times(&mut tx, parked.tenant_id, &positions).await?;
    let events: Vec<LogEvent> = stored
        .into_iter()
        .map(|event| {
            let at = times.get(&event.position).copied().unwrap_or(event.recorded_at);
            LogEvent::new(event, at)
        })
        .collect();
    let mut waiting = Waiting::load(&mut tx, &[parked.tenant_id]).await?;
    waiting.free(parked.tenant_id, &parked.name, parked.version, parked.key);
    show_path(&mut tx, projector.name(), parked.version).await?;
    let wanted = events.iter().filter(|event| projector.wants(&event.stored.stream_kind)).collect();
    let (version, way) = (parked.version, Way::Statements);
    let target = Target { projector: &*projector, version, tenant, way };
    let applied = apply(&mut tx, target, wanted, Prepared::default(), &mut waiting).await?;
    if applied.parked == 0 {
        sqlx::query!(
            "delete from projection.parked where tenant_id = $1 and parked_id = $2",
            parked.tenant_id.0,
            parked_id,
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(applied.parked == 0)
}

/// Fails if the version's schema differs from this build's: the projector cannot write its tables.
fn ensure_shape(projector: &dyn Projector, shape: i32) -> Result<(), VersionError> {
    let (name, ours) = (projector.name().to_owned(), projector.shape());
    if shape == ours { Ok(()) } else { Err(VersionError::OtherShape { name, shape, ours }) }
}

/// Drops a parked event from every version of its read model, permanently, and applies the events
/// that wait behind it. Returns `false` if a version stays parked.
///
/// The decision and its reason are recorded in the tenant's log, with the API key and request id in
/// `by`, or as the operator's if `by` is `None`.
///
/// # Errors
/// [`ParkedError::Store`] if the decision cannot be recorded, otherwise those of [`retry`].
pub async fn drop_event(
    store: &Store,
    parked_id: Uuid,
    only: Option<TenantId>,
    reason: &Reason,
    by: Option<(KeyId, Uuid)>,
) -> Result<bool, ParkedError> {
    let pool = store.projector();
    let parked = find(&mut *pool.acquire().await?, parked_id, only).await?;
    let parked = parked.ok_or(ParkedError::Missing)?;
    let (tenant_id, position) = (parked.tenant_id, parked.position);
    store.record_parked_drop(tenant_id, &parked.name, position, &reason.0, by).await?;
    let mut goes_on = true;
    for same in list(pool, Some(tenant_id), i64::MAX).await? {
        if same.name == parked.name && same.position == position {
            goes_on &= match retry(pool, same.parked_id, only).await {
                // A concurrent retry was faster.
                Err(ParkedError::Missing) => true,
                // A build with the other schema version applies it.
                Err(ParkedError::Version(_)) => false,
                retried => retried?,
            };
        }
    }
    Ok(goes_on)
}

async fn find(
    conn: &mut PgConnection,
    parked_id: Uuid,
    only: Option<TenantId>,
) -> sqlx::Result<Option<Parked>> {
    let row = sqlx::query!(
        "select tenant_id, projection, version, key, position, event_type, reason, attempts, parked_at
           from projection.parked
          where parked_id = $1 and ($2::uuid is null or tenant_id = $2)",
        parked_id,
        only.map(|tenant| tenant.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Parked {
        parked_id,
        tenant_id: TenantId(row.tenant_id),
        name: row.projection,
        version: row.version,
        key: row.key,
        position: Position(row.position),
        event_type: row.event_type,
        reason: row.reason,
        attempts: row.attempts,
        parked_at: row.parked_at,
        followers: 0,
    }))
}
