//! Advances versions under construction: builds their indexes when most rows are there, and
//! promotes them when no tenant has a lag. Every process runs it; row locks ensure that only
//! one acts.

use std::sync::Arc;
use std::time::Duration;

use ledger_store::Store;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::sync::watch;

use super::pause;
use crate::panic_guard::catch_panic;
use crate::projector::Projector;
use crate::versions::catalogue::{State, Version, lock_checkpoints, versions};
use crate::versions::error::VersionError;
use crate::versions::promote::promote_version;

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Checks until stopped. An interrupted step is rolled back by the database and repeated by the
/// next check of any process.
pub(super) async fn watch(
    store: Arc<Store>,
    projectors: Arc<[Arc<dyn Projector>]>,
    close: i64,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        let checked = tokio::select! {
            checked = catch_panic(advance_all(&store, &projectors, close)) => checked,
            _ = stop.changed() => return,
        };
        match checked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = crate::projector::reason(&error);
                tracing::warn!(error, "projection.steward_failed");
            }
            Err(panic) => tracing::error!(error = panic, "projection.steward_panicked"),
        }
        pause(CHECK_INTERVAL, &mut stop).await;
    }
}

async fn advance_all(
    store: &Store,
    projectors: &[Arc<dyn Projector>],
    close: i64,
) -> sqlx::Result<()> {
    let is_ours = |version: &Version| {
        projectors
            .iter()
            .any(|one| one.name() == version.name && one.schema_version() == version.shape)
    };
    let building: Vec<Version> = versions(&mut *store.projector().acquire().await?)
        .await?
        .into_iter()
        .filter(|version| version.state == State::Building && is_ours(version))
        .collect();
    // Two groups, so that a version of one tenant does not wait for the indexes of a version of all
    // tenants.
    let (of_one, of_all): (Vec<_>, Vec<_>) =
        building.into_iter().partition(|version| version.only.is_some());
    tokio::join!(advance_versions(store, of_one, close), advance_versions(store, of_all, close));
    Ok(())
}

async fn advance_versions(store: &Store, versions: Vec<Version>, close: i64) {
    for version in versions {
        match advance_version(store, &version, close).await {
            // Expected: the version is still behind, an operator must resolve parked events, or
            // another process was faster.
            Ok(())
            | Err(
                VersionError::Behind { .. }
                | VersionError::Filling { .. }
                | VersionError::Parked { .. }
                | VersionError::NoneBuilding { .. },
            ) => {}
            Err(error) => {
                // The remaining versions are still advanced.
                let error = crate::projector::reason(&error);
                tracing::warn!(error, projection = version.name, "projection.steward_failed");
            }
        }
    }
}

/// Takes the next step of a version under construction, if its time has come.
async fn advance_version(store: &Store, version: &Version, close: i64) -> Result<(), VersionError> {
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

/// Returns how many events of the logs a version lacks. Halted tenants are excluded: they wait for
/// another build, and a promotion does not wait for them.
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

/// Builds the indexes of a version and analyzes its tables, in one transaction. Returns whether the
/// version has its indexes now.
///
/// The step is atomic, so a version with row security (which forbids `COPY`) is never mistaken for
/// one still filled by `COPY`. The locked row of the version prevents a second process from doing
/// the same.
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
    let tables = crate::versions::catalogue::tables(&mut tx, name, number).await?;
    // Locks are taken before the long work. Enabling row security needs an exclusive lock on each
    // table; a worker that had read a table by then would wait for this transaction, and this one
    // for the worker.
    lock_checkpoints(&mut tx, name, number).await?;
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
        "update projection.versions set indexed_at = $3
          where projection = $1 and version = $2",
        name,
        number,
        store.clock().now(),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let mut conn = store.owner().acquire().await?;
    for table in &tables {
        // Sets the visibility map for index-only scans; autovacuum would do it later.
        conn.execute(AssertSqlSafe(format!("vacuum {name}_v{number}.{table}"))).await?;
    }
    Ok(true)
}

/// Returns the indexed columns of a table. Statistics of other columns are unused, and collecting
/// them would take most of the time.
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
