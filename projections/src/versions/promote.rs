//! Switches the served version (promotion, rollback) so that no reader sees an older position
//! afterwards.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use sqlx::{Executor, PgConnection, PgPool, Postgres, Transaction};
use tokio::time::Instant;

use super::catalogue::{
    State, Version, building, building_of, in_state, lock, lock_checkpoints, versions,
};
use super::deletion::{delete_version, drop_schema};
use super::error::VersionError;
use super::scoped::swap;

/// Maximum time the served version is stopped while the other one catches up.
const MAX_STOP: Duration = Duration::from_secs(3);
/// Number of attempts to lock views that are being read, and the pause in which readers proceed.
const TRIES: usize = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Promotes the version under construction that [`building`] returns, like [`promote_version`].
///
/// # Errors
/// As for [`promote_version`].
pub async fn promote(owner: &PgPool, name: &str, with_parked: bool) -> Result<i32, VersionError> {
    let building = building(&mut *owner.acquire().await?, name).await?;
    let none = || VersionError::NoneBuilding { name: name.to_owned() };
    promote_version(owner, &building.ok_or_else(none)?, with_parked).await
}

/// Promotes this version, once it has reached the served version for every tenant. Returns its
/// number.
///
/// The version served before is kept current for a rollback; the one before that is deleted. A
/// version of one tenant replaces that tenant's rows.
///
/// # Errors
/// [`VersionError::NoneBuilding`] if it is not under construction. [`VersionError::Filling`] or
/// [`VersionError::Behind`] if it is too far behind: retry later. [`VersionError::Parked`] if it
/// has newly parked keys, unless `with_parked`: an operator must look at them.
pub async fn promote_version(
    owner: &PgPool,
    version: &Version,
    with_parked: bool,
) -> Result<i32, VersionError> {
    for _ in 0..TRIES {
        match promote_once(owner, version, with_parked).await {
            Err(error) if is_lock_timeout(&error) => tokio::time::sleep(RETRY_PAUSE).await,
            done => return done,
        }
    }
    promote_once(owner, version, with_parked).await
}

/// Returns whether the SQLSTATE is 55P03 (lock not available).
fn is_lock_timeout(error: &VersionError) -> bool {
    let VersionError::Database(error) = error else { return false };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "55P03")
}

async fn promote_once(
    owner: &PgPool,
    version: &Version,
    with_parked: bool,
) -> Result<i32, VersionError> {
    let name = version.name.as_str();
    let none = || VersionError::NoneBuilding { name: name.to_owned() };
    // Check before taking locks: a version whose indexes are being built stays locked for long.
    let building = building_of(&mut *owner.acquire().await?, name, version.only).await?;
    let building = building.filter(|one| one.version == version.version).ok_or_else(none)?;
    if let Some(only) = building.only {
        swap(owner, &building, only, with_parked).await?;
        return Ok(building.version);
    }
    if building.indexed_at.is_none() {
        return Err(VersionError::Filling { name: name.to_owned(), version: building.version });
    }
    let mut tx = begin(owner).await?;
    let all = lock(&mut tx, version, &[State::Building, State::Active, State::Previous]).await?;
    let building = in_state(&all, State::Building).filter(|one| one.version == building.version);
    let building = building.ok_or_else(none)?.version;
    let active = in_state(&all, State::Active).ok_or(sqlx::Error::RowNotFound)?.version;
    stop_and_catch_up(&mut tx, name, active, building).await?;
    let parked = newly_parked(&mut tx, name, active, building, None).await?;
    if parked > 0 && !with_parked {
        return Err(VersionError::Parked { name: name.to_owned(), version: building, parked });
    }
    let retired = in_state(&all, State::Previous).map(|one| one.version);
    if let Some(retired) = retired {
        delete_version(&mut tx, name, retired).await?;
    }
    set_state(&mut tx, name, active, State::Previous, None).await?;
    serve_version(tx, name, building).await?;
    tracing::info!(projection = name, version = building, "projection.promoted");
    if let Some(retired) = retired {
        // No reader uses it any more. A schema left over by a failure is dropped by the next
        // rebuild.
        let mut conn = owner.acquire().await?;
        drop_schema(&mut conn, name, retired).await?;
    }
    Ok(building)
}

/// Serves the previous version again and keeps the current one as previous. Returns the served
/// version.
///
/// # Errors
/// [`VersionError::NonePrevious`] if there is none, [`VersionError::Behind`] if it cannot catch up
/// in time.
pub async fn rollback(owner: &PgPool, name: &str) -> Result<i32, VersionError> {
    for _ in 0..TRIES {
        match rollback_once(owner, name).await {
            Err(error) if is_lock_timeout(&error) => tokio::time::sleep(RETRY_PAUSE).await,
            done => return done,
        }
    }
    rollback_once(owner, name).await
}

async fn rollback_once(owner: &PgPool, name: &str) -> Result<i32, VersionError> {
    let mut all = versions(&mut *owner.acquire().await?).await?;
    all.retain(|one| one.name == name);
    let shown = in_state(&all, State::Active).ok_or(sqlx::Error::RowNotFound)?;
    let mut tx = begin(owner).await?;
    let all = lock(&mut tx, shown, &[State::Active, State::Previous]).await?;
    let previous = in_state(&all, State::Previous);
    let previous = previous.ok_or_else(|| VersionError::NonePrevious { name: name.to_owned() })?;
    let previous = previous.version;
    let active = in_state(&all, State::Active).ok_or(sqlx::Error::RowNotFound)?.version;
    stop_and_catch_up(&mut tx, name, active, previous).await?;
    set_state(&mut tx, name, active, State::Previous, None).await?;
    serve_version(tx, name, previous).await?;
    tracing::info!(projection = name, version = previous, "projection.rolled_back");
    Ok(previous)
}

/// Conditions that prevent the promotion of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obstacles {
    /// Number of tenants that are behind the served version.
    pub behind: i64,
    /// Number of keys parked in this version but not in the served one.
    pub parked: i64,
}

/// Returns what prevents the promotion of a version under construction.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn obstacles(pool: &PgPool, version: &Version) -> sqlx::Result<Obstacles> {
    let mut conn = pool.acquire().await?;
    let name = version.name.as_str();
    let all = versions(&mut conn).await?;
    let is_shown = |one: &&Version| one.name == name && one.state == State::Active;
    let shown = all.iter().find(is_shown).ok_or(sqlx::Error::RowNotFound)?.version;
    Ok(Obstacles {
        behind: behind(&mut conn, name, shown, version.version, version.only).await?.tenants,
        parked: newly_parked(&mut conn, name, shown, version.version, version.only).await?,
    })
}

async fn begin(owner: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut tx = owner.begin().await?;
    // Bounds the time that other statements queue behind this transaction's lock requests.
    tx.execute("set local lock_timeout = '5s'").await?;
    Ok(tx)
}

/// Locks the checkpoints of the served version and waits until the other version has reached them.
async fn stop_and_catch_up(
    conn: &mut PgConnection,
    name: &str,
    shown: i32,
    other: i32,
) -> Result<(), VersionError> {
    // Check before taking locks: a version that is far behind is not waited for.
    let Distance { tenants, is_far } = behind(conn, name, shown, other, None).await?;
    if is_far {
        return Err(VersionError::Behind { name: name.to_owned(), version: other, tenants });
    }
    lock_checkpoints(conn, name, shown).await?;
    let since = Instant::now();
    loop {
        let tenants = behind(conn, name, shown, other, None).await?.tenants;
        if tenants == 0 {
            return Ok(());
        }
        if since.elapsed() > MAX_STOP {
            return Err(VersionError::Behind { name: name.to_owned(), version: other, tenants });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Distance between a version and the served one.
struct Distance {
    /// Number of tenants that are behind the served version.
    tenants: i64,
    /// True if waiting is pointless: more than 5,000 positions behind, a halted tenant, or a tenant
    /// without a checkpoint. Creating that checkpoint would wait for the lock held here.
    is_far: bool,
}

async fn behind(
    conn: &mut PgConnection,
    name: &str,
    shown: i32,
    other: i32,
    only: Option<TenantId>,
) -> sqlx::Result<Distance> {
    sqlx::query_as!(
        Distance,
        r#"
        select count(*) as "tenants!",
               coalesce(sum(a.position - coalesce(b.position, 0)) > 5000
                          or bool_or(b.halted is not null or b.tenant_id is null),
                        false) as "is_far!"
          from projection.checkpoints a
          left join projection.checkpoints b
            on b.tenant_id = a.tenant_id and b.projection = a.projection and b.version = $3
         where a.projection = $1 and a.version = $2
           and coalesce(b.position, 0) < a.position
           and ($4::uuid is null or a.tenant_id = $4)
        "#,
        name,
        shown,
        other,
        only.map(|tenant| tenant.0),
    )
    .fetch_one(conn)
    .await
}

/// Returns the number of keys parked in the other version, but not or only later in the served one.
pub(super) async fn newly_parked(
    conn: &mut PgConnection,
    name: &str,
    shown: i32,
    other: i32,
    only: Option<TenantId>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select count(*) as "parked!"
          from projection.parked b
         where b.projection = $1 and b.version = $3
           and ($4::uuid is null or b.tenant_id = $4)
           and not exists (select from projection.parked a
                            where a.tenant_id = b.tenant_id and a.projection = b.projection
                              and a.version = $2 and a.key = b.key
                              and a.position <= b.position)
        "#,
        name,
        shown,
        other,
        only.map(|tenant| tenant.0),
    )
    .fetch_one(conn)
    .await
}

/// Returns the time by the database's clock, to be written as a parameter.
pub(super) async fn database_time(conn: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(conn).await
}

/// Sets the state of a version. The first promotion keeps its time.
async fn set_state(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
    state: State,
    promoted_at: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update projection.versions
            set state = $3, promoted_at = coalesce(promoted_at, $4)
          where projection = $1 and version = $2",
        name,
        version,
        state.as_str(),
        promoted_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn serve_version(
    mut tx: Transaction<'_, Postgres>,
    name: &str,
    version: i32,
) -> sqlx::Result<()> {
    let now = database_time(&mut tx).await?;
    set_state(&mut tx, name, version, State::Active, Some(now)).await?;
    // A reader that did not query the position first may lock one view and wait for another that is
    // locked here. The short timeout ends this transaction before PostgreSQL's deadlock check; it
    // is then retried.
    tx.execute("set local lock_timeout = '200ms'").await?;
    sqlx::query!(r#"select projection.show_version($1, $2)::text as "none""#, name, version)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await
}
