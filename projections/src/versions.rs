//! Versions of read models: made beside the one that is shown, filled, indexed, promoted, and taken
//! back. All of it is done by the owner of the tables; the engine fills them.

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

/// Why a version was not made, promoted or taken back.
#[derive(Debug, Error)]
pub enum VersionError {
    /// There is no such read model.
    #[error("there is no read model {name}; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// One is being built already.
    #[error("version {version} of {name} is being built already")]
    Running {
        /// The read model.
        name: String,
        /// The version under way.
        version: i32,
    },
    /// None is being built.
    #[error("no version of {name} is being built; begin with: projection rebuild {name}")]
    NoneBuilding {
        /// The read model.
        name: String,
    },
    /// It has no indexes yet: the bulk of its rows is still to come.
    #[error("version {version} of {name} is still being filled")]
    Filling {
        /// The read model.
        name: String,
        /// The version.
        version: i32,
    },
    /// There is none to go back to.
    #[error("{name} has no version before the one that is shown")]
    NonePrevious {
        /// The read model.
        name: String,
    },
    /// Readers would go back in time.
    #[error(
        "version {version} of {name} has not caught up: {tenants} tenants are behind what is shown"
    )]
    Behind {
        /// The read model.
        name: String,
        /// The version.
        version: i32,
        /// How many tenants.
        tenants: i64,
    },
    /// Readers would miss what is shown now.
    #[error(
        "version {version} of {name} has {parked} parked keys that are not parked in what is shown"
    )]
    Parked {
        /// The read model.
        name: String,
        /// The version.
        version: i32,
        /// How many keys.
        parked: i64,
    },
    /// What is shown is of another build.
    #[error("what is shown of {name} is of shape {shape}, this build fills shape {ours}")]
    OtherShape {
        /// The read model.
        name: String,
        /// The shape that is shown.
        shape: i32,
        /// The shape of this build.
        ours: i32,
    },
    /// There is no such version to compare with.
    #[error("{name} has no such other version to compare with; it has {known}")]
    Nothing {
        /// The read model.
        name: String,
        /// The versions there are.
        known: String,
    },
    /// Their rows cannot be compared.
    #[error("versions {here} and {there} of {name} have other tables")]
    Apart {
        /// The read model.
        name: String,
        /// The version that is shown.
        here: i32,
        /// The other.
        there: i32,
    },
    /// The database did not answer.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is being filled.
    Building,
    /// It is what `read.*` shows.
    Active,
    /// It was shown before, and is kept current.
    Previous,
}

impl State {
    /// The stored and shown name.
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
    /// The read model.
    pub name: String,
    /// Its version.
    pub version: i32,
    /// Which tables and which fold.
    pub shape: i32,
    /// Where it stands.
    pub state: State,
    /// The one tenant it is of, when it is not of all.
    pub only: Option<TenantId>,
    /// Whether it becomes active by itself.
    pub promotes_itself: bool,
    /// When its filling began.
    pub began_at: DateTime<Utc>,
    /// When it got its indexes.
    pub indexed_at: Option<DateTime<Utc>>,
}

/// The read model of this name.
///
/// # Errors
/// [`VersionError::Unknown`].
pub fn named(name: &str) -> Result<Arc<dyn Projector>, VersionError> {
    let all = crate::all();
    let known: Vec<_> = all.iter().map(|one| one.name()).collect();
    let unknown = || VersionError::Unknown { name: name.to_owned(), known: known.join(", ") };
    all.iter().find(|one| one.name() == name).cloned().ok_or_else(unknown)
}

/// Every version there is.
///
/// # Errors
/// The database did not answer.
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

/// The version of a read model that is being built: of every tenant, or else the first of one tenant.
///
/// # Errors
/// The database did not answer.
pub async fn building(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<Version>> {
    let mut all = versions(conn).await?;
    all.retain(|one| one.name == name && one.state == State::Building);
    let of_all = all.iter().position(|one| one.only.is_none());
    Ok((!all.is_empty()).then(|| all.swap_remove(of_all.unwrap_or(0))))
}

/// The version of a read model that is being built of exactly this: of every tenant, or of one.
///
/// # Errors
/// The database did not answer.
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

/// Begins a new version beside the one that is shown, for every tenant or for one. Servers fill it. One
/// of every tenant and one of each tenant may be built side by side.
///
/// # Errors
/// [`VersionError::Running`] when one of the same is being built, [`VersionError::OtherShape`] when this build
/// cannot fill it.
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
    if active.shape != projector.shape() {
        let (shape, ours) = (active.shape, projector.shape());
        return Err(VersionError::OtherShape { name: name.to_owned(), shape, ours });
    }
    let next = next_version(&mut tx, name, &mine).await?;
    // Whoever was still filling a version of this number when it was given up left its place behind.
    forget(&mut tx, name, next).await?;
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
        projector.shape(),
        promotes_itself,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    tracing::info!(projection = name, version = next, "projection.rebuild_began");
    Ok(next)
}

/// The next number. Schemas that no version speaks of any more are of a retirement that was
/// interrupted: they go.
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

/// Locks a version, and those of the same read model that are in one of these states, always in the same
/// order, and tells where they stand now that nobody else moves them. Others that are being built are
/// left alone: one may be given its indexes, which takes long.
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

/// The one that is in a state.
fn in_state(versions: &[Version], state: State) -> Option<&Version> {
    versions.iter().find(|one| one.state == state)
}

/// Nobody moves a version from here on, until the transaction ends: the engine passes over it.
pub(crate) async fn hold(conn: &mut PgConnection, name: &str, version: i32) -> sqlx::Result<()> {
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

/// Nobody fills it any more, and nothing speaks of it.
async fn forget(conn: &mut PgConnection, name: &str, version: i32) -> sqlx::Result<()> {
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

/// Waits for those who read it. Who showed a tenant's rows, and who begins the next version, both remove
/// what is left over: the second finds it gone.
async fn drop_schema(conn: &mut PgConnection, name: &str, version: i32) -> sqlx::Result<()> {
    match drop_tables_and_schema(conn, name, version).await {
        Err(error) if is_gone(&error) => Ok(()),
        dropped => dropped,
    }
}

/// Readers take its tables in the order of their names, and so do we.
async fn drop_tables_and_schema(
    conn: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<()> {
    let mut tx = conn.begin().await?;
    // Names of read models are ours.
    for table in tables(&mut tx, name, version).await? {
        let lock = format!("lock table {name}_v{version}.{table} in access exclusive mode");
        tx.execute(AssertSqlSafe(lock)).await?;
    }
    tx.execute(AssertSqlSafe(format!("drop schema if exists {name}_v{version} cascade"))).await?;
    tx.commit().await
}

/// The tables of a version.
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
