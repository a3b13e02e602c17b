//! Write-ahead log between two moments, by stage.

use std::collections::BTreeMap;

use sqlx::PgPool;

/// A position in the write-ahead log, with all earlier records flushed to disk.
pub(super) struct Wal {
    bytes: i64,
}

/// Assigns each relation to a stage, and each record to that of its relation; records without a relation
/// count for the stage of their transaction. TOAST tables and indexes count for their tables.
const BY_STAGE: &str = r"
with relations as (
  select c.relfilenode,
         case when n.nspname = 'vault' then 'vault'
              when n.nspname = 'ledger' and coalesce(o.relname, t.relname, c.relname) = 'events' then 'append'
              when n.nspname = 'projection' or n.nspname ~ '_v[0-9]+$' then 'project'
              else 'rest' end as stage
    from pg_class c
    left join pg_index x on x.indexrelid = c.oid
    left join pg_class i on i.oid = x.indrelid
    left join pg_class o on o.reltoastrelid = coalesce(i.oid, c.oid)
    left join pg_class t on t.oid = i.oid and o.oid is null
    join pg_namespace n on n.oid = coalesce(o.relnamespace, t.relnamespace, c.relnamespace)
   where c.relfilenode <> 0
), records as materialized (
  select xid::text::bigint as xid, record_length::bigint as bytes,
         substring(block_ref from 'rel \d+/\d+/(\d+)')::oid as relfilenode
    from pg_get_wal_records_info('0/0'::pg_lsn + $1, '0/0'::pg_lsn + $2)
), staged as materialized (
  select r.xid, r.bytes, s.stage from records r left join relations s using (relfilenode)
), transactions as (
  select xid, min(stage) as stage from staged where xid <> 0 and stage is not null group by xid
)
select coalesce(s.stage, t.stage, 'rest'), sum(s.bytes)::bigint
  from staged s
  left join transactions t on t.xid = s.xid and s.xid <> 0
 group by 1";

impl Wal {
    /// The current position.
    pub(super) async fn now(pool: &PgPool) -> sqlx::Result<Self> {
        // A synchronous commit flushes all earlier records too, those of the asynchronous projections
        // included.
        sqlx::query("select pg_logical_emit_message(true, 'bench', '')").execute(pool).await?;
        let bytes =
            sqlx::query_scalar("select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint");
        Ok(Self { bytes: bytes.fetch_one(pool).await? })
    }

    /// Bytes between this position and a later one.
    pub(super) fn until(&self, later: &Self) -> u64 {
        u64::try_from(later.bytes - self.bytes).unwrap_or(0)
    }

    /// Bytes between this position and a later one, by stage; `None` if `pg_walinspect` is not installed or
    /// the log of that time was removed.
    pub(super) async fn by_stage(
        &self,
        later: &Self,
        pool: &PgPool,
    ) -> anyhow::Result<Option<BTreeMap<String, u64>>> {
        if let Err(error) =
            sqlx::query("create extension if not exists pg_walinspect").execute(pool).await
        {
            tracing::warn!(error = %error, "bench.no_walinspect");
            return Ok(None);
        }
        let asked = sqlx::query_as::<_, (String, i64)>(BY_STAGE).bind(self.bytes).bind(later.bytes);
        match asked.fetch_all(pool).await {
            Ok(rows) => Ok(Some(
                rows.into_iter().map(|(stage, bytes)| (stage, bytes.unsigned_abs())).collect(),
            )),
            Err(error) => {
                tracing::warn!(error = %error, "bench.wal_not_listed");
                Ok(None)
            }
        }
    }
}
