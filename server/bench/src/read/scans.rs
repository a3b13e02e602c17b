//! Detects sequential scans of large tables.

use std::collections::BTreeMap;

use sqlx::PgPool;

use crate::report::{Goal, as_f64};

/// Tables that grow with the number of calls: log, vault and each version of the read models. A sequential
/// scan is the right plan for a table of a few rows, so these are excluded.
const SCANS: &str = "select schemaname || '.' || relname, coalesce(seq_scan, 0)
   from pg_stat_user_tables
  where (schemaname ~ '_v[0-9]+$' or schemaname in ('ledger', 'vault')) and n_live_tup > 2000";

/// Number of sequential scans of each table.
pub(super) struct Scans(BTreeMap<String, i64>);

impl Scans {
    /// Reads the statistics. A connection's statistics are complete only after it has ended.
    pub(super) async fn snapshot(pool: &PgPool) -> anyhow::Result<Self> {
        let rows: Vec<(String, i64)> = sqlx::query_as(SCANS).fetch_all(pool).await?;
        Ok(Self(rows.into_iter().collect()))
    }

    /// Goal of no sequential scan since `self`; names the tables with any.
    pub(super) async fn since(&self, pool: &PgPool) -> anyhow::Result<Goal> {
        let now = Self::snapshot(pool).await?;
        let more = now
            .0
            .iter()
            .map(|(table, count)| (table, count - self.0.get(table).copied().unwrap_or(0)));
        let more: Vec<(&String, i64)> = more.filter(|(_, count)| *count > 0).collect();
        let names: Vec<String> =
            more.iter().map(|(table, count)| format!(", {table} {count}")).collect();
        let what = format!("tables read from end to end{}", names.concat());
        let scans: i64 = more.iter().map(|(_, count)| count).sum();
        Ok(Goal::at_most(what, as_f64(scans.cast_unsigned()), 0.0))
    }
}
