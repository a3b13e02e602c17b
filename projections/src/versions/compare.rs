//! Whether two versions hold the same.

use ledger_core::ids::TenantId;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Row};
use uuid::Uuid;

use super::{State, VersionError, in_state, tables, versions};

/// What the rows of a version come to, whatever order they lie in: 128 bits that differ when a row
/// does. No proof against somebody who means to deceive; the log has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checksum {
    /// How many rows.
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

/// A row that two versions do not agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The row's key, as JSON. No personal data: ids and dimensions.
    pub key: String,
    /// `only_here`, `only_there` or `differs`.
    pub how: String,
    /// The columns that differ.
    pub columns: Vec<String>,
}

/// Where two versions do not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The read model.
    pub name: String,
    /// The one version (here).
    pub here: i32,
    /// The other (there).
    pub there: i32,
    /// Tenants that were compared.
    pub tenants: usize,
    /// Tenants that stand at different positions in the two: they were not compared.
    pub not_compared: usize,
    /// How many rows differ.
    pub rows: i64,
    /// Some of them.
    pub differences: Vec<Difference>,
}

/// The checksum of a version, of all tenants or of one; `None` when it is gone, perhaps since somebody
/// has told of it.
///
/// # Errors
/// The database did not answer.
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

/// SQLSTATE 42P01: a table that was there a moment ago, and 3F000: its schema.
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
    settle(&mut tx).await?;
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

/// All tables are of one moment, how values are written does not depend on who asks, and it takes as
/// long as there are rows.
async fn settle(conn: &mut PgConnection) -> sqlx::Result<()> {
    let settings = "set transaction isolation level repeatable read;
                    set local timezone = 'UTC'; set local statement_timeout = 0";
    conn.execute(settings).await?;
    Ok(())
}

/// What is shown, and what it is compared with unless a version is named: the one that is being built,
/// else the one before. Versions of another tenant alone are none of `only`'s.
///
/// # Errors
/// [`VersionError::Nothing`] when there is no other version, or not the one that is named;
/// [`VersionError::Filling`] when it is not whole yet, [`VersionError::Apart`] when its tables are others.
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
            let is_own = |one: &&super::Version| one.state == State::Building && one.only == only;
            let own = all.iter().find(is_own);
            own.or(in_state(&all, State::Building)).or(in_state(&all, State::Previous))
        }
    };
    let name = name.to_owned();
    let Some(other) = other else {
        let known: Vec<String> = all.iter().map(|one| one.version.to_string()).collect();
        return Err(VersionError::Nothing { name, known: known.join(", ") });
    };
    if other.indexed_at.is_none() && other.only.is_none() {
        return Err(VersionError::Filling { name, version: other.version });
    }
    if other.shape != shown.shape {
        return Err(VersionError::Apart { name, here: shown.version, there: other.version });
    }
    Ok((shown.version, other.version))
}

/// The rows that two versions do not agree on, at most `limit` of them by key, of the tenants that
/// stand at the same position in both.
///
/// # Errors
/// The database did not answer.
pub async fn diff(
    pool: &PgPool,
    name: &str,
    here: i32,
    there: i32,
    limit: i64,
) -> Result<Diff, VersionError> {
    diff_within(pool, name, (here, there), None, limit).await
}

/// The same, of one tenant when one is named.
///
/// # Errors
/// The database did not answer.
pub async fn diff_within(
    pool: &PgPool,
    name: &str,
    (here, there): (i32, i32),
    only: Option<TenantId>,
    limit: i64,
) -> Result<Diff, VersionError> {
    let mut conn = pool.acquire().await?;
    let mut tx = conn.begin().await?;
    settle(&mut tx).await?;
    let stands = sqlx::query!(
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
        stands.iter().filter(|row| row.is_same).map(|row| row.tenant_id).collect();
    let mut diff = Diff {
        name: name.to_owned(),
        here,
        there,
        tenants: same.len(),
        not_compared: stands.len() - same.len(),
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
