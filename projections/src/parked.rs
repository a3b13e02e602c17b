//! Lists parked events, retries them and drops them.

mod drop;

use chrono::{DateTime, Utc};
use ledger_core::ids::{Position, TenantId};
use ledger_core::text::is_line;
use ledger_store::StoreError;
use sqlx::{Executor, PgConnection, PgPool, Postgres, Transaction};
use thiserror::Error;
use uuid::Uuid;

pub use drop::{Dropped, drop_event, drop_parked};

use crate::calendar;
use crate::engine::{
    ParkedKeys, VersionTarget, apply, dropped_of, events_of, leave_out, set_search_path,
};
use crate::projector::{Precomputed, Projector, TenantContext, WriteMode};
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
    /// The key that waits: a stream, unless the read model chooses its keys.
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
    /// Number of later events of the stream that wait behind it; 0 if the key is not a stream.
    pub followers: i64,
}

/// The reason for a drop, as given by the operator. It is stored readable in the log and must not
/// contain personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// Maximum length, in characters.
    pub const MAX_CHARS: usize = 200;

    /// Trims and validates the text. Returns `None` if it is empty, too long, or is not
    /// one line of visible characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX_CHARS;
        (fits && is_line(text)).then(|| Self(text.to_owned()))
    }
}

/// Error of a retry or drop.
#[derive(Debug, Error)]
pub enum ParkedError {
    /// No entry has this id.
    #[error("nothing is parked under this id")]
    Missing,
    /// The tenant's log has no event with this id.
    #[error("the tenant has no event of this id")]
    NoEvent,
    /// The read model never folds events of this kind.
    #[error("the read model does not fold events of this kind: there is nothing to leave out")]
    NotFolded,
    /// This build cannot fill its version.
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
    let mut tx = begin(pool).await?;
    let parked = find(&mut tx, parked_id, only).await?.ok_or(ParkedError::Missing)?;
    let projector = named(&parked.name)?;
    // The engine waits for this lock, so the events it folds next follow those folded here.
    let held = hold(&mut tx, parked.tenant_id, &*projector, parked.version).await?;
    // The version was removed since, and its parked entries with it.
    let held = held.ok_or(ParkedError::Missing)?;
    ensure_schema_version(&*projector, held.shape)?;
    // A concurrent retry of the entry has finished by now.
    let parked = find(&mut tx, parked_id, only).await?.ok_or(ParkedError::Missing)?;
    let Some(target) = held.target(&*projector, parked.version) else { return Ok(false) };
    let key = (&*projector, parked.key);
    let dropped = dropped_of(&mut tx, parked.tenant_id, key, held.until).await?;
    let dropped: Vec<Position> = dropped.iter().map(|one| Position(one.position)).collect();
    let is_folded = dropped.contains(&parked.position)
        || fold_waiting(&mut tx, target, &parked, held.until).await?;
    let is_resolved = is_folded && leave_out(&mut tx, target, &dropped, held.until).await?;
    tx.commit().await?;
    Ok(is_resolved)
}

/// Folds the events of a parked key, from the parked one on. Returns `false` if it is parked again.
async fn fold_waiting(
    conn: &mut PgConnection,
    target: VersionTarget<'_>,
    parked: &Parked,
    until: Position,
) -> Result<bool, ParkedError> {
    let projector = target.projector;
    let key = (projector, parked.key);
    let events = events_of(conn, parked.tenant_id, key, parked.position, until).await?;
    let mut parked_keys = ParkedKeys::load(conn, &[parked.tenant_id]).await?;
    parked_keys.free(parked.tenant_id, &parked.name, parked.version, parked.key);
    let wanted =
        events.iter().filter(|event| projector.handles(&event.stored.stream_kind)).collect();
    let applied = apply(conn, target, wanted, Precomputed::default(), &mut parked_keys).await?;
    if applied.parked == 0 {
        sqlx::query!(
            "delete from projection.parked where tenant_id = $1 and parked_id = $2",
            parked.tenant_id.0,
            parked.parked_id,
        )
        .execute(conn)
        .await?;
    }
    Ok(applied.parked == 0)
}

async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut tx = pool.begin().await?;
    tx.execute("set local lock_timeout = '5s'").await?;
    Ok(tx)
}

/// The locked checkpoint of a tenant in a version; no other transaction can move it.
struct Held {
    tenant_id: TenantId,
    until: Position,
    timezone: String,
    shape: i32,
}

impl Held {
    /// Returns the version to fold events into. `None` if this build does not know the tenant's
    /// time zone, or the version has another schema version.
    fn target<'p>(&self, projector: &'p dyn Projector, version: i32) -> Option<VersionTarget<'p>> {
        let zone =
            calendar::zone(&self.timezone).filter(|_| self.shape == projector.schema_version())?;
        let tenant = TenantContext { tenant_id: self.tenant_id, zone };
        Some(VersionTarget { projector, version, tenant, mode: WriteMode::Upsert })
    }
}

/// Locks a checkpoint, and sets the search path to its version if this build can fill it. `None` if
/// the version was removed or does not include the tenant.
async fn hold(
    conn: &mut PgConnection,
    tenant_id: TenantId,
    projector: &dyn Projector,
    version: i32,
) -> sqlx::Result<Option<Held>> {
    let row = sqlx::query!(
        "select c.position, coalesce(t.sums_timezone, t.timezone) as \"timezone!\", v.shape
           from projection.checkpoints c
           join projection.versions v on v.projection = c.projection and v.version = c.version
           join ledger.tenants t on t.tenant_id = c.tenant_id
          where c.tenant_id = $1 and c.projection = $2 and c.version = $3
            for update of c",
        tenant_id.0,
        projector.name(),
        version,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.shape == projector.schema_version() {
        set_search_path(conn, projector.name(), version).await?;
    }
    let (until, timezone, shape) = (Position(row.position), row.timezone, row.shape);
    Ok(Some(Held { tenant_id, until, timezone, shape }))
}

/// Fails if the version's schema differs from this build's: the projector cannot write its tables.
fn ensure_schema_version(projector: &dyn Projector, shape: i32) -> Result<(), VersionError> {
    let (name, ours) = (projector.name().to_owned(), projector.schema_version());
    if shape == ours { Ok(()) } else { Err(VersionError::UnsupportedSchema { name, shape, ours }) }
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
