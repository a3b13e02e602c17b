//! Versions of read models: creates, indexes, promotes, rolls back and cancels them.
//!
//! A version is filled while another one is served. All of this runs as the owner of the tables;
//! the engine only fills versions.

mod cancel;
mod compare;
mod promote;
mod scoped;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Postgres, Transaction};
use thiserror::Error;

pub use cancel::{cancel, cancel_version};
use compare::is_gone;
pub use compare::{Checksum, Diff, Difference, checksum, diff, diff_within, pair};
pub use promote::{Obstacles, obstacles, promote, promote_version, rollback};
use scoped::swap;

use crate::projector::Projector;

/// Error of an operation on versions.
#[derive(Debug, Error)]
pub enum VersionError {
    /// No read model has this name.
    #[error("there is no read model {name}; there are {known}")]
    Unknown {
        /// The requested name.
        name: String,
        /// Names of the existing read models, comma-separated.
        known: String,
    },
    /// A version is already under construction.
    #[error("version {version} of {name} is being built already")]
    Running {
        /// Name of the read model.
        name: String,
        /// Number of the version under construction.
        version: i32,
    },
    /// No version is under construction.
    #[error("no version of {name} is being built; begin with: projection rebuild {name}")]
    NoneBuilding {
        /// Name of the read model.
        name: String,
    },
    /// The version has no indexes yet: most of its rows are still missing.
    #[error("version {version} of {name} is still being filled")]
    Filling {
        /// Name of the read model.
        name: String,
        /// Number of the version.
        version: i32,
    },
    /// There is no previous version to roll back to.
    #[error("{name} has no version before the one that is shown")]
    NonePrevious {
        /// Name of the read model.
        name: String,
    },
    /// The version is behind the served one, so readers would see an older position.
    #[error(
        "version {version} of {name} has not caught up: {tenants} tenants are behind what is shown"
    )]
    Behind {
        /// Name of the read model.
        name: String,
        /// Number of the version.
        version: i32,
        /// Number of tenants that are behind.
        tenants: i64,
    },
    /// Keys are parked that are served now, so readers would miss their rows.
    #[error(
        "version {version} of {name} has {parked} parked keys that are not parked in what is shown"
    )]
    Parked {
        /// Name of the read model.
        name: String,
        /// Number of the version.
        version: i32,
        /// Number of newly parked keys.
        parked: i64,
    },
    /// The served version has another schema version than this build.
    #[error("what is shown of {name} is of shape {shape}, this build fills shape {ours}")]
    UnsupportedSchema {
        /// Name of the read model.
        name: String,
        /// Schema version that is served.
        shape: i32,
        /// Schema version of this build.
        ours: i32,
    },
    /// There is no such version to compare with.
    #[error("{name} has no such other version to compare with; it has {known}")]
    NothingToCompare {
        /// Name of the read model.
        name: String,
        /// Numbers of the existing versions, comma-separated.
        known: String,
    },
    /// The versions have different tables, so their rows cannot be compared.
    #[error("versions {here} and {there} of {name} have other tables")]
    SchemaMismatch {
        /// Name of the read model.
        name: String,
        /// Number of the served version.
        here: i32,
        /// Number of the other version.
        there: i32,
    },
    /// A statement failed or the database did not answer.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

/// State of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Under construction; not served.
    Building,
    /// Served by the views `read.*`.
    Active,
    /// Served before, and kept current for a rollback.
    Previous,
}

impl State {
    /// Returns the stored and public name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Active => "active",
            Self::Previous => "previous",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "active" => Self::Active,
            "previous" => Self::Previous,
            _ => Self::Building,
        }
    }
}

/// A version of a read model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Name of the read model.
    pub name: String,
    /// Number of the version, from 1.
    pub version: i32,
    /// Schema version of its tables and fold; see [`Projector::schema_version`].
    pub shape: i32,
    /// State of the version.
    pub state: State,
    /// The only tenant of the version; `None` if it covers all tenants.
    pub only: Option<TenantId>,
    /// Whether the engine promotes it once it has caught up.
    pub promotes_itself: bool,
    /// Time at which filling began.
    pub began_at: DateTime<Utc>,
    /// Time at which its indexes were built; `None` before.
    pub indexed_at: Option<DateTime<Utc>>,
}

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

/// Returns all versions, ordered by read model and number.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn versions(conn: &mut PgConnection) -> sqlx::Result<Vec<Version>> {
    let rows = sqlx::query!(
        "select tenant_id, projection, version, shape, state, promotes_itself, began_at, indexed_at
           from projection.versions
          order by projection, version",
    )
    .fetch_all(conn)
    .await?;
    let version = rows.into_iter().map(|row| Version {
        name: row.projection,
        version: row.version,
        shape: row.shape,
        state: State::parse(&row.state),
        only: Some(TenantId(row.tenant_id)).filter(|id| *id != TenantId::INSTALLATION),
        promotes_itself: row.promotes_itself,
        began_at: row.began_at,
        indexed_at: row.indexed_at,
    });
    Ok(version.collect())
}

/// Returns the version of a read model under construction: the one of all tenants, otherwise the
/// first of a single tenant.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn building(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<Version>> {
    let mut all = versions(conn).await?;
    all.retain(|one| one.name == name && one.state == State::Building);
    let of_all = all.iter().position(|one| one.only.is_none());
    Ok((!all.is_empty()).then(|| all.swap_remove(of_all.unwrap_or(0))))
}

/// Returns the version of a read model under construction with exactly this scope: all tenants, or
/// one.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn building_of(
    conn: &mut PgConnection,
    name: &str,
    only: Option<TenantId>,
) -> sqlx::Result<Option<Version>> {
    let all = versions(conn).await?;
    let is_it =
        |one: &Version| one.name == name && one.state == State::Building && one.only == only;
    Ok(all.into_iter().find(is_it))
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

/// Locks a version and the versions of the same read model in these states, in order of their
/// numbers, and returns them as they are under the lock. Other versions under construction are not
/// locked: building indexes may keep their lock for long.
async fn lock(
    conn: &mut PgConnection,
    version: &Version,
    states: &[State],
) -> sqlx::Result<Vec<Version>> {
    let (name, number) = (version.name.as_str(), version.version);
    let states: Vec<String> = states.iter().map(|state| state.as_str().to_owned()).collect();
    sqlx::query!(
        r#"select count(*) as "locked!" from (
             select from projection.versions
              where projection = $1 and state = any ($2) and (state <> 'building' or version = $3)
              order by version
                for update) locked"#,
        name,
        &states,
        number,
    )
    .fetch_one(&mut *conn)
    .await?;
    let mut all = versions(conn).await?;
    all.retain(|one| {
        let is_locked = one.state != State::Building || one.version == number;
        is_locked && one.name == name && states.iter().any(|state| state == one.state.as_str())
    });
    Ok(all)
}

/// Returns the first version in a state.
fn in_state(versions: &[Version], state: State) -> Option<&Version> {
    versions.iter().find(|one| one.state == state)
}

/// Locks the checkpoints of a version until the end of the transaction; the engine skips them.
pub(crate) async fn lock_checkpoints(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"select count(*) as "held!" from (
             select from projection.checkpoints
              where projection = $1 and version = $2
              order by tenant_id
                for update) held"#,
        name,
        version,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Deletes the version's row, checkpoints and parked events.
async fn delete_version(conn: &mut PgConnection, name: &str, version: i32) -> sqlx::Result<()> {
    sqlx::query!(
        "with gone as (
           delete from projection.versions where projection = $1 and version = $2),
         parked as (
           delete from projection.parked where projection = $1 and version = $2)
         delete from projection.checkpoints where projection = $1 and version = $2",
        name,
        version,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Drops the schema of a version, after running readers have finished. A schema that a concurrent
/// process has dropped already is no error.
async fn drop_schema(conn: &mut PgConnection, name: &str, version: i32) -> sqlx::Result<()> {
    match drop_tables_and_schema(conn, name, version).await {
        Err(error) if is_gone(&error) => Ok(()),
        dropped => dropped,
    }
}

/// Locks the tables and drops the schema. Tables are locked in name order, as readers do, to avoid
/// deadlocks.
async fn drop_tables_and_schema(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<()> {
    let mut tx = conn.begin().await?;
    // Names of read models are constants of this code, not input.
    for table in tables(&mut tx, name, version).await? {
        let lock = format!("lock table {name}_v{version}.{table} in access exclusive mode");
        tx.execute(AssertSqlSafe(lock)).await?;
    }
    tx.execute(AssertSqlSafe(format!("drop schema if exists {name}_v{version} cascade"))).await?;
    tx.commit().await
}

/// Returns the names of a version's tables, in alphabetical order.
pub(crate) async fn tables(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select tablename::text as "table!" from pg_tables where schemaname = $1 order by 1"#,
        format!("{name}_v{version}"),
    )
    .fetch_all(conn)
    .await
}
