//! Compares two versions of a read model.

use ledger_core::ids::TenantId;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Row};
use uuid::Uuid;

use super::catalogue::{State, in_state, tables, versions};
use super::error::VersionError;

/// Order-independent checksum of the rows of a version, 128 bits. Not cryptographic: it detects
/// errors, not manipulation, which is what the leaf hashes of the log are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checksum {
    /// Number of rows in all tables.
    pub rows: i64,
    bits: u128,
}

impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.bits)
    }
}

impl Serialize for Checksum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A row that differs between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Name of the table.
    pub table: String,
    /// Primary key of the row as JSON: ids and dimensions, no personal data.
    pub key: String,
    /// Kind of difference: `only_here`, `only_there` or `differs`.
    pub how: String,
    /// Names of the columns that differ.
    pub columns: Vec<String>,
}

/// Differences between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Name of the read model.
    pub name: String,
    /// Number of the first version, "here".
    pub here: i32,
    /// Number of the second version, "there".
    pub there: i32,
    /// Number of tenants that were compared.
    pub tenants: usize,
    /// Number of tenants not compared, because the two versions are at different positions.
    pub not_compared: usize,
    /// Number of rows that differ.
    pub rows: i64,
    /// The first of the differing rows, up to the requested limit.
    pub differences: Vec<Difference>,
}

/// Returns the checksum of a version, of all tenants or of one. Returns `None` if the version no
/// longer exists.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn checksum(
    pool: &PgPool,
    name: &str,
    version: i32,
    only: Option<TenantId>,
) -> sqlx::Result<Option<Checksum>> {
    match sum(pool, name, version, only).await {
        Err(error) if is_gone(&error) => Ok(None),
        summed => summed,
    }
}

/// Returns whether the SQLSTATE is 42P01 (undefined table) or 3F000 (undefined schema): the version
/// was dropped concurrently.
pub(super) fn is_gone(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["42P01", "3F000"].contains(&&*code))
}

async fn sum(
    pool: &PgPool,
    name: &str,
    version: i32,
    only: Option<TenantId>,
) -> sqlx::Result<Option<Checksum>> {
    let mut conn = pool.acquire().await?;
    let mut tx = conn.begin().await?;
    configure_transaction(&mut tx).await?;
    let tables = tables(&mut tx, name, version).await?;
    if tables.is_empty() {
        return Ok(None);
    }
    let mut sum = Checksum::default();
    for table in tables {
        let statement = format!(
            "select count(*),
                    coalesce(bit_xor(hashtextextended('{table}' || t::text, 0)), 0),
                    coalesce(bit_xor(hashtextextended('{table}' || t::text, 1)), 0)
               from {name}_v{version}.{table} t
              where $1::uuid is null or tenant_id = $1"
        );
        let row = sqlx::query(AssertSqlSafe(statement))
            .bind(only.map(|tenant| tenant.0))
            .fetch_one(&mut *tx)
            .await?;
        let (rows, high, low): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let (high, low) = (u128::from(high.cast_unsigned()), u128::from(low.cast_unsigned()));
        sum.rows += rows;
        sum.bits ^= (high << 64) | low;
    }
    tx.commit().await?;
    Ok(Some(sum))
}

/// Configures a transaction for comparisons: one snapshot for all tables, times printed in UTC
/// whatever the session, and no statement timeout, because every row is read.
async fn configure_transaction(conn: &mut PgConnection) -> sqlx::Result<()> {
    let settings = "set transaction isolation level repeatable read;
                    set local timezone = 'UTC'; set local statement_timeout = 0";
    conn.execute(settings).await?;
    Ok(())
}

/// Returns the served version and the one to compare it with: `against`, otherwise the version
/// under construction, otherwise the previous one. Versions of tenants other than `only` are
/// ignored.
///
/// # Errors
/// [`VersionError::NothingToCompare`] if there is no such other version, [`VersionError::Filling`] if it has
/// no indexes yet, [`VersionError::SchemaMismatch`] if its tables have another schema version.
pub async fn pair(
    pool: &PgPool,
    name: &str,
    against: Option<i32>,
    only: Option<TenantId>,
) -> Result<(i32, i32), VersionError> {
    let mut all = versions(&mut *pool.acquire().await?).await?;
    all.retain(|one| {
        let is_others = one.only.is_some_and(|of| only.is_some_and(|id| id != of));
        one.name == name && !is_others
    });
    let shown = in_state(&all, State::Active).ok_or(sqlx::Error::RowNotFound)?;
    let other = match against {
        Some(version) => all.iter().find(|one| one.version == version && *one != shown),
        None => {
            let is_own =
                |one: &&super::catalogue::Version| one.state == State::Building && one.only == only;
            let own = all.iter().find(is_own);
            own.or(in_state(&all, State::Building)).or(in_state(&all, State::Previous))
        }
    };
    let name = name.to_owned();
    let Some(other) = other else {
        let known: Vec<String> = all.iter().map(|one| one.version.to_string()).collect();
        return Err(VersionError::NothingToCompare { name, known: known.join(", ") });
    };
    if other.indexed_at.is_none() && other.only.is_none() {
        return Err(VersionError::Filling { name, version: other.version });
    }
    if other.shape != shown.shape {
        return Err(VersionError::SchemaMismatch {
            name,
            here: shown.version,
            there: other.version,
        });
    }
    Ok((shown.version, other.version))
}

/// Returns rows that differ between two versions, at most `limit`, ordered by key. Only tenants at
/// the same position in both are compared.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn diff(
    pool: &PgPool,
    name: &str,
    here: i32,
    there: i32,
    limit: i64,
) -> Result<Diff, VersionError> {
    diff_within(pool, name, (here, there), None, limit).await
}

/// Compares two versions like [`diff`], limited to one tenant if `only` is given.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn diff_within(
    pool: &PgPool,
    name: &str,
    (here, there): (i32, i32),
    only: Option<TenantId>,
    limit: i64,
) -> Result<Diff, VersionError> {
    let mut conn = pool.acquire().await?;
    let mut tx = conn.begin().await?;
    configure_transaction(&mut tx).await?;
    let positions = sqlx::query!(
        r#"
        select a.tenant_id, a.position = coalesce(b.position, 0) as "is_same!"
          from projection.checkpoints a
          left join projection.checkpoints b
            on b.tenant_id = a.tenant_id and b.projection = a.projection and b.version = $3
         where a.projection = $1 and a.version = $2
           and ($4::uuid is null or a.tenant_id = $4)
        "#,
        name,
        here,
        there,
        only.map(|tenant| tenant.0),
    )
    .fetch_all(&mut *tx)
    .await?;
    let same: Vec<Uuid> =
        positions.iter().filter(|row| row.is_same).map(|row| row.tenant_id).collect();
    let mut diff = Diff {
        name: name.to_owned(),
        here,
        there,
        tenants: same.len(),
        not_compared: positions.len() - same.len(),
        rows: 0,
        differences: Vec::new(),
    };
    for table in tables(&mut tx, name, here).await? {
        let left = limit - i64::try_from(diff.differences.len()).unwrap_or(limit);
        let (differing, found) = differences(&mut tx, &diff, &table, &same, left).await?;
        diff.rows += differing;
        diff.differences.extend(found);
    }
    tx.commit().await?;
    Ok(diff)
}

async fn differences(
    conn: &mut PgConnection,
    diff: &Diff,
    table: &str,
    tenants: &[Uuid],
    limit: i64,
) -> sqlx::Result<(i64, Vec<Difference>)> {
    let (name, here, there) = (&diff.name, diff.here, diff.there);
    let key = sqlx::query_scalar!(
        r#"
        select string_agg(quote_ident(a.attname), ', ' order by array_position(i.indkey::int2[], a.attnum)) as "key!"
          from pg_index i
          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
         where i.indrelid = $1::text::regclass and i.indisprimary
        "#,
        format!("{name}_v{here}.{table}"),
    )
    .fetch_one(&mut *conn)
    .await?;
    let statement = format!(
        "select (select row_to_json(k)::text from (select {key}) k),
                case when h.row is null then 'only_there' when t.row is null then 'only_here'
                     else 'differs' end,
                array(select x.key from json_each_text(h.row) x join json_each_text(t.row) y using (key)
                       where x.value is distinct from y.value),
                count(*) over ()
           from (select {key}, row_to_json(r) as row from {name}_v{here}.{table} r
                  where tenant_id = any ($1)) h
           full join (select {key}, row_to_json(r) as row from {name}_v{there}.{table} r
                       where tenant_id = any ($1)) t using ({key})
          where h.row::text is distinct from t.row::text
          order by {key}
          limit $2"
    );
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(tenants)
        .bind(limit.max(1))
        .fetch_all(conn)
        .await?;
    let count = rows.first().map_or(0, |row| row.get(3));
    let difference = |row: sqlx::postgres::PgRow| Difference {
        table: table.to_owned(),
        key: row.get(0),
        how: row.get(1),
        columns: row.get(2),
    };
    let some = rows.into_iter().take(usize::try_from(limit).unwrap_or(0)).map(difference);
    Ok((count, some.collect()))
}
