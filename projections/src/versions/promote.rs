//! From one version to another, so that readers never go back in time.

use std::time::Duration;

use sqlx::{Executor, PgConnection, PgPool, Postgres, Transaction};
use tokio::time::Instant;

use super::{State, VersionError, drop_schema, forget, lock_state};

/// How long what is shown is held still, for the other version to reach it.
const STILL: Duration = Duration::from_secs(3);

/// Shows the version that is being built, once it has reached what is shown of every tenant. What was
/// shown before is kept current, to go back to; the one before that goes.
///
/// # Errors
/// [`VersionError::NoneBuilding`]; [`VersionError::Behind`]: wait. [`VersionError::Parked`] unless
/// `with_parked`: look at what is parked.
pub async fn promote(owner: &PgPool, name: &str, with_parked: bool) -> Result<i32, VersionError> {
    let mut tx = begin(owner).await?;
    let building = lock_state(&mut tx, name, State::Building).await?;
    let building = building.ok_or_else(|| VersionError::NoneBuilding { name: name.to_owned() })?;
    ensure_indexed(&mut tx, name, building).await?;
    let active = lock_state(&mut tx, name, State::Active).await?.ok_or(sqlx::Error::RowNotFound)?;
    hold_still(&mut tx, name, active, building).await?;
    let parked = newly_parked(&mut tx, name, active, building).await?;
    if parked > 0 && !with_parked {
        return Err(VersionError::Parked { name: name.to_owned(), version: building, parked });
    }
    let retired = lock_state(&mut tx, name, State::Previous).await?;
    if let Some(retired) = retired {
        forget(&mut tx, name, retired).await?;
    }
    set_state(&mut tx, name, active, State::Previous).await?;
    show(tx, name, building).await?;
    tracing::info!(projection = name, version = building, "projection.promoted");
    if let Some(retired) = retired {
        // Readers have left it long ago. A schema that is left over goes with the next rebuild.
        let mut conn = owner.acquire().await?;
        drop_schema(&mut conn, name, retired).await?;
    }
    Ok(building)
}

/// Shows the version before again; the one that is shown now takes its place.
///
/// # Errors
/// [`VersionError::NonePrevious`]; [`VersionError::Behind`].
pub async fn rollback(owner: &PgPool, name: &str) -> Result<i32, VersionError> {
    let mut tx = begin(owner).await?;
    let previous = lock_state(&mut tx, name, State::Previous).await?;
    let previous = previous.ok_or_else(|| VersionError::NonePrevious { name: name.to_owned() })?;
    let active = lock_state(&mut tx, name, State::Active).await?.ok_or(sqlx::Error::RowNotFound)?;
    hold_still(&mut tx, name, active, previous).await?;
    set_state(&mut tx, name, active, State::Previous).await?;
    show(tx, name, previous).await?;
    tracing::info!(projection = name, version = previous, "projection.rolled_back");
    Ok(previous)
}

async fn begin(owner: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut tx = owner.begin().await?;
    // Whoever reads for longer than this is not made to wait behind us.
    tx.execute("set local lock_timeout = '5s'").await?;
    Ok(tx)
}

/// A version without indexes is shown to nobody.
async fn ensure_indexed(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
) -> Result<(), VersionError> {
    let row = sqlx::query!(
        "select indexed_at,
                (select count(*) from ledger.tenants) as tenants
           from projection.versions where projection = $1 and version = $2",
        name,
        version,
    )
    .fetch_one(conn)
    .await?;
    match row.indexed_at {
        Some(_) => Ok(()),
        None => {
            let tenants = row.tenants.unwrap_or(0);
            Err(VersionError::Behind { name: name.to_owned(), version, tenants })
        }
    }
}

/// Stops what is shown, and waits until the other version has reached it.
async fn hold_still(
    conn: &mut PgConnection,
    name: &str,
    shown: i32,
    other: i32,
) -> Result<(), VersionError> {
    // One look before anybody is stopped: whoever is far behind is not waited for.
    let tenants = behind(conn, name, shown, other).await?;
    if tenants > 0 && far_behind(conn, name, shown, other).await? {
        return Err(VersionError::Behind { name: name.to_owned(), version: other, tenants });
    }
    sqlx::query!(
        r#"select count(*) as "held!" from (
             select from projection.checkpoints
              where projection = $1 and version = $2
              order by tenant_id
                for update) held"#,
        name,
        shown,
    )
    .fetch_one(&mut *conn)
    .await?;
    let since = Instant::now();
    loop {
        let tenants = behind(conn, name, shown, other).await?;
        if tenants == 0 {
            return Ok(());
        }
        if since.elapsed() > STILL {
            return Err(VersionError::Behind { name: name.to_owned(), version: other, tenants });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How many tenants of a version are behind what is shown of them.
async fn behind(conn: &mut PgConnection, name: &str, shown: i32, other: i32) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select count(*) as "tenants!"
          from projection.checkpoints a
          left join projection.checkpoints b
            on b.tenant_id = a.tenant_id and b.projection = a.projection and b.version = $3
         where a.projection = $1 and a.version = $2
           and coalesce(b.position, 0) < a.position
        "#,
        name,
        shown,
        other,
    )
    .fetch_one(conn)
    .await
}

/// Whether one is further behind than can be waited for.
async fn far_behind(
    conn: &mut PgConnection,
    name: &str,
    shown: i32,
    other: i32,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select coalesce(sum(a.position - coalesce(b.position, 0)), 0) > 5000
                 or bool_or(b.halted is not null) as "is_far!"
          from projection.checkpoints a
          left join projection.checkpoints b
            on b.tenant_id = a.tenant_id and b.projection = a.projection and b.version = $3
         where a.projection = $1 and a.version = $2
           and coalesce(b.position, 0) < a.position
        "#,
        name,
        shown,
        other,
    )
    .fetch_one(conn)
    .await
}

/// Keys that wait in the one version and not in the other.
async fn newly_parked(
    conn: &mut PgConnection,
    name: &str,
    shown: i32,
    other: i32,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        select count(*) as "parked!"
          from projection.parked b
         where b.projection = $1 and b.version = $3
           and not exists (select from projection.parked a
                            where a.tenant_id = b.tenant_id and a.projection = b.projection
                              and a.version = $2 and a.key = b.key)
        "#,
        name,
        shown,
        other,
    )
    .fetch_one(conn)
    .await
}

async fn set_state(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
    state: State,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update projection.versions
            set state = $3,
                promoted_at = case when $3 = 'active' then coalesce(promoted_at, clock_timestamp())
                                   else promoted_at end
          where projection = $1 and version = $2",
        name,
        version,
        state.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn show(mut tx: Transaction<'_, Postgres>, name: &str, version: i32) -> sqlx::Result<()> {
    set_state(&mut tx, name, version, State::Active).await?;
    sqlx::query!(r#"select projection.show_version($1, $2)::text as "none""#, name, version)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await
}
