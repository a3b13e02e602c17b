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
use crate::versions::{State, Version, VersionError, hold, promote_version, versions};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(250);

/// Looks until told to stop. What it is in the middle of then is undone by the database, and done by
/// whoever looks next.
pub(super) async fn watch(
    store: Arc<Store>,
    projectors: Arc<[Arc<dyn Projector>]>,
    close: i64,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        let looked = tokio::select! {
            looked = caught(look(&store, &projectors, close)) => looked,
            _ = stop.changed() => return,
        };
        match looked {
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

async fn look(store: &Store, projectors: &[Arc<dyn Projector>], close: i64) -> sqlx::Result<()> {
    let is_ours = |version: &Version| {
        projectors.iter().any(|one| one.name() == version.name && one.shape() == version.shape)
    };
    let building: Vec<Version> = versions(&mut *store.projector().acquire().await?)
        .await?
        .into_iter()
        .filter(|version| version.state == State::Building && is_ours(version))
        .collect();
    // A version of one tenant does not wait while one of every tenant is given its indexes.
    let (of_one, of_all): (Vec<_>, Vec<_>) =
        building.into_iter().partition(|version| version.only.is_some());
    tokio::join!(see_all_through(store, of_one, close), see_all_through(store, of_all, close));
    Ok(())
}

async fn see_all_through(store: &Store, versions: Vec<Version>, close: i64) {
    for version in versions {
        match see_through(store, &version, close).await {
            // It will catch up; somebody has to look at what is parked; somebody else was faster.
            Ok(())
            | Err(
                VersionError::Behind { .. }
                | VersionError::Filling { .. }
                | VersionError::Parked { .. }
                | VersionError::NoneBuilding { .. },
            ) => {}
            Err(error) => {
                // The others do not wait for it.
                let error = crate::projector::reason(&error);
                tracing::warn!(error, projection = version.name, "projection.steward_failed");
            }
        }
    }
}

/// The next step of a version that is being built, when it is time for it.
async fn see_through(store: &Store, version: &Version, close: i64) -> Result<(), VersionError> {
    let is_indexed = version.only.is_some()
        || version.indexed_at.is_some()
        || index(store, version, close).await?;
    if !is_indexed || !version.promotes_itself {
        return Ok(());
    }
    if version.only.is_some() {
        let lag = lag(&mut *store.projector().acquire().await?, version).await?;
        if lag > close {
            return Ok(());
        }
    }
    promote_version(store.owner(), version, false).await.map(|_| ())
}

/// Events in the logs that a version does not have yet, but will. A tenant that is halted waits for
/// another build, and nobody waits for it.
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
         where ($3::uuid is null or t.tenant_id = $3)
           and c.halted is null
        "#,
        version.name,
        version.version,
        only,
    )
    .fetch_one(conn)
    .await
}

/// Gives a version its indexes, and the planner an idea of its rows: all of it or nothing, so that a
/// version whose row security forbids `COPY` is never taken for one that is still filled by it. The row
/// of the version is locked meanwhile: nobody else does the same. Returns whether it has them now.
async fn index(store: &Store, version: &Version, close: i64) -> Result<bool, VersionError> {
    if lag(&mut *store.projector().acquire().await?, version).await? > close {
        return Ok(false);
    }
    let mut tx = store.owner().begin().await?;
    tx.execute("set local lock_timeout = '5s'; set local maintenance_work_mem = '256MB'").await?;
    let is_mine = sqlx::query_scalar!(
        "select version from projection.versions
          where projection = $1 and version = $2 and indexed_at is null
            for update skip locked",
        version.name,
        version.version,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if is_mine.is_none() {
        return Ok(false);
    }
    let active = active_version(&mut tx, &version.name).await?;
    let (name, number) = (&version.name, version.version);
    let tables = crate::versions::tables(&mut tx, name, number).await?;
    // Before the long work, not after it: row security wants each table alone, and whoever fills the
    // version would have read it by then, and wait for us to write it.
    hold(&mut tx, name, number).await?;
    for table in &tables {
        let lock = format!("lock table {name}_v{number}.{table} in access exclusive mode");
        tx.execute(AssertSqlSafe(lock)).await?;
    }
    sqlx::query!(
        r#"select projection.finish_version($1, $2, $3)::text as "none""#,
        name,
        active,
        number,
    )
    .fetch_one(&mut *tx)
    .await?;
    for table in &tables {
        let columns = indexed_columns(&mut tx, name, number, table).await?;
        let analyze = format!("analyze {name}_v{number}.{table} ({columns})");
        tx.execute(AssertSqlSafe(analyze)).await?;
    }
    sqlx::query!(
        "update projection.versions set indexed_at = clock_timestamp()
          where projection = $1 and version = $2",
        name,
        number,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let mut conn = store.owner().acquire().await?;
    for table in &tables {
        // For scans of indexes alone; without it, autovacuum comes sooner or later.
        conn.execute(AssertSqlSafe(format!("vacuum {name}_v{number}.{table}"))).await?;
    }
    Ok(true)
}

/// The columns that rows of a table are found by. Statistics of the others are of no use to anybody, and
/// most of the work.
async fn indexed_columns(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
    table: &str,
) -> sqlx::Result<String> {
    sqlx::query_scalar!(
        r#"
        select string_agg(distinct quote_ident(a.attname), ', ') as "columns!"
          from pg_index i
          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
         where i.indrelid = format('%I.%I', $1::text, $2::text)::regclass
        "#,
        format!("{name}_v{version}"),
        table,
    )
    .fetch_one(conn)
    .await
}

async fn active_version(conn: &mut PgConnection, name: &str) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        "select version from projection.versions where projection = $1 and state = 'active'",
        name,
    )
    .fetch_one(conn)
    .await
}
