//! Sees versions that are being built through: gives them their indexes when the bulk of their rows is
//! there, and shows them when every tenant has caught up. Whoever notices first does it.

use std::sync::Arc;
use std::time::Duration;

use ledger_store::Store;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::sync::watch;

use super::pause;
use crate::caught::caught;
use crate::projector::Projector;
use crate::versions::{State, Version, VersionError, promote, swap, versions};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(250);
/// A version this close to the log is given its indexes.
const CLOSE: i64 = 5_000;

/// Looks until told to stop.
pub(super) async fn watch(
    store: Arc<Store>,
    projectors: Arc<[Arc<dyn Projector>]>,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        match caught(look(&store, &projectors)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = crate::projector::reason(&error);
                tracing::warn!(error, "projection.steward_failed");
            }
            Err(panic) => tracing::error!(error = panic, "projection.steward_panicked"),
        }
        pause(LOOK, &mut stop).await;
    }
}

async fn look(store: &Store, projectors: &[Arc<dyn Projector>]) -> Result<(), VersionError> {
    let is_ours = |version: &Version| {
        projectors.iter().any(|one| one.name() == version.name && one.shape() == version.shape)
    };
    let building: Vec<Version> = versions(&mut *store.projector().acquire().await?)
        .await?
        .into_iter()
        .filter(|version| version.state == State::Building && is_ours(version))
        .collect();
    for version in building {
        let seen_through = match version.only {
            Some(only) => {
                let lag = lag(&mut *store.projector().acquire().await?, &version).await?;
                if lag > CLOSE { Ok(()) } else { swap(store.owner(), &version, only).await }
            }
            None if version.indexed_at.is_none() => index(store, &version).await,
            None if version.promotes_itself => {
                promote(store.owner(), &version.name, false).await.map(|_| ())
            }
            None => Ok(()),
        };
        match seen_through {
            // It will catch up; somebody has to look at what is parked; somebody else was faster.
            Err(
                VersionError::Behind { .. }
                | VersionError::Parked { .. }
                | VersionError::NoneBuilding { .. },
            ) => {}
            seen_through => seen_through?,
        }
    }
    Ok(())
}

/// Events in the logs that a version does not have yet.
async fn lag(conn: &mut PgConnection, version: &Version) -> sqlx::Result<i64> {
    let only = version.only.map(|tenant| tenant.0);
    sqlx::query_scalar!(
        r#"
        select coalesce(sum(h.position - coalesce(c.position, 0)), 0)::bigint as "lag!"
          from ledger.tenants t
          join lateral (select e.position from ledger.events e
                         where e.tenant_id = t.tenant_id
                         order by e.position desc limit 1) h on true
          left join projection.checkpoints c
            on c.tenant_id = t.tenant_id and c.projection = $1 and c.version = $2
         where $3::uuid is null or t.tenant_id = $3
        "#,
        version.name,
        version.version,
        only,
    )
    .fetch_one(conn)
    .await
}

/// Gives a version its indexes, and the planner an idea of its rows. The row of the version is locked
/// meanwhile: nobody else does the same.
async fn index(store: &Store, version: &Version) -> Result<(), VersionError> {
    if lag(&mut *store.projector().acquire().await?, version).await? > CLOSE {
        return Ok(());
    }
    let mut guard = store.owner().begin().await?;
    let is_mine = sqlx::query_scalar!(
        "select version from projection.versions
          where projection = $1 and version = $2 and indexed_at is null
            for update skip locked",
        version.name,
        version.version,
    )
    .fetch_optional(&mut *guard)
    .await?;
    if is_mine.is_none() {
        return Ok(());
    }
    let mut conn = store.owner().acquire().await?;
    let active = active_version(&mut conn, &version.name).await?;
    sqlx::query!(
        r#"select projection.finish_version($1, $2, $3)::text as "none""#,
        version.name,
        active,
        version.version,
    )
    .fetch_one(&mut *conn)
    .await?;
    for table in crate::versions::tables(&mut conn, &version.name, version.version).await? {
        let (name, version) = (&version.name, version.version);
        conn.execute(AssertSqlSafe(format!("vacuum (analyze) {name}_v{version}.{table}"))).await?;
    }
    sqlx::query!(
        "update projection.versions set indexed_at = clock_timestamp()
          where projection = $1 and version = $2",
        version.name,
        version.version,
    )
    .execute(&mut *guard)
    .await?;
    guard.commit().await?;
    Ok(())
}

async fn active_version(conn: &mut PgConnection, name: &str) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        "select version from projection.versions where projection = $1 and state = 'active'",
        name,
    )
    .fetch_one(conn)
    .await
}
