//! Versions of read models: creates, indexes, promotes, rolls back and cancels them.
//!
//! A version is filled while another one is served. All of this runs as the owner of the tables;
//! the engine only fills versions.

mod cancel;
pub(crate) mod catalogue;
mod compare;
mod deletion;
pub(crate) mod error;
pub(crate) mod promote;
mod scoped;

use std::sync::Arc;

use ledger_core::ids::TenantId;
use sqlx::{Executor, PgPool, Postgres, Transaction};

pub use cancel::{cancel, cancel_version};
pub use catalogue::{State, Version, building, building_of, versions};
pub use compare::{Checksum, Diff, Difference, checksum, diff, diff_within, pair};
pub use error::VersionError;
pub use promote::{Obstacles, obstacles, promote, promote_version, rollback};

use crate::projector::Projector;
use deletion::{delete_version, drop_schema};

/// Returns the projector with this name.
///
/// # Errors
/// [`VersionError::Unknown`] if this build has none.
pub fn named(name: &str) -> Result<Arc<dyn Projector>, VersionError> {
    let all = crate::all();
    let known: Vec<_> = all.iter().map(|one| one.name()).collect();
    let unknown = || VersionError::Unknown { name: name.to_owned(), known: known.join(", ") };
    all.iter().find(|one| one.name() == name).cloned().ok_or_else(unknown)
}

/// Creates a new version, of all tenants or of one, for servers to fill. Returns its number.
/// Versions of different scope can be built at the same time.
///
/// # Errors
/// [`VersionError::Running`] if a version of the same scope is under construction,
/// [`VersionError::UnsupportedSchema`] if this build cannot fill it.
pub async fn begin(
    owner: &PgPool,
    projector: &dyn Projector,
    only: Option<TenantId>,
    promotes_itself: bool,
) -> Result<i32, VersionError> {
    let name = projector.name();
    let mut tx = owner.begin().await?;
    tx.execute("lock table projection.versions in share row exclusive mode").await?;
    let all = versions(&mut tx).await?;
    let mine: Vec<&Version> = all.iter().filter(|one| one.name == name).collect();
    let is_same = |one: &&&Version| one.state == State::Building && one.only == only;
    if let Some(running) = mine.iter().find(is_same) {
        return Err(VersionError::Running { name: name.to_owned(), version: running.version });
    }
    let active = mine.iter().find(|one| one.state == State::Active);
    let active = active.ok_or(sqlx::Error::RowNotFound)?;
    if active.shape != projector.schema_version() {
        let (shape, ours) = (active.shape, projector.schema_version());
        return Err(VersionError::UnsupportedSchema { name: name.to_owned(), shape, ours });
    }
    let next = next_version(&mut tx, name, &mine).await?;
    // A worker that was filling a cancelled version of this number may have left a checkpoint
    // behind.
    delete_version(&mut tx, name, next).await?;
    sqlx::query!(
        r#"select projection.create_version($1, $2, $3)::text as "none""#,
        name,
        active.version,
        next
    )
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into projection.versions (tenant_id, projection, version, shape, promotes_itself)
         values ($1, $2, $3, $4, $5)",
        only.unwrap_or(TenantId::INSTALLATION).0,
        name,
        next,
        projector.schema_version(),
        promotes_itself,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    tracing::info!(projection = name, version = next, "projection.rebuild_began");
    Ok(next)
}

/// Returns the next version number. Schemas without a version are left over from an interrupted
/// deletion and are dropped.
async fn next_version(
    tx: &mut Transaction<'_, Postgres>,
    name: &str,
    mine: &[&Version],
) -> sqlx::Result<i32> {
    let schemas = sqlx::query_scalar!(
        r#"select substring(nspname from '_v([0-9]+)$')::int as "version!"
             from pg_namespace where nspname ~ ('^' || $1 || '_v[0-9]+$')"#,
        name,
    )
    .fetch_all(&mut **tx)
    .await?;
    let is_known = |version: &i32| mine.iter().any(|one| one.version == *version);
    for orphan in schemas.iter().filter(|version| !is_known(version)) {
        drop_schema(tx, name, *orphan).await?;
    }
    let last = mine.iter().map(|one| one.version).chain(schemas).max();
    Ok(last.unwrap_or(0) + 1)
}
