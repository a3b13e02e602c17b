//! The versions that exist, and their locks and tables.

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use sqlx::PgConnection;

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
    /// Schema version of its tables and fold; see [`Projector::schema_version`](crate::Projector::schema_version).
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

/// Locks a version and the versions of the same read model in these states, in order of their
/// numbers, and returns them as they are under the lock. Other versions under construction are not
/// locked: building indexes may keep their lock for long.
pub(super) async fn lock(
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
pub(super) fn in_state(versions: &[Version], state: State) -> Option<&Version> {
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
