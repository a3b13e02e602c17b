//! Checks the read models: each must be at the end of every log and equal a fold of that log from
//! the start.

use anyhow::Context;
use ledger_core::clock::LogTime;
use ledger_core::ids::TenantId;
use projections::calendar::zone as zone_named;
use projections::engine::set_search_path;
use projections::{LogEvent, Precomputed, Projector, TenantContext, TenantKeys, WriteMode};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::Instant;

use super::super::report::Check;
use super::log::Log;
use super::{CATCH_UP, Checker};

/// Events per batch: not the engine's number, because the result must not depend on it.
const BATCH: usize = 337;

/// Waits until every read model has reached the end of every log.
pub(super) async fn wait_for_all(checker: &Checker, conn: &mut PgConnection) -> anyhow::Result<()> {
    let since = Instant::now();
    loop {
        let behind: Vec<(String, i64, i64, Option<String>)> = sqlx::query_as(
            "select t.slug, h.position, coalesce(c.position, 0), c.halted
               from ledger.tenants t
               join lateral (select max(e.position) as position from ledger.events e
                              where e.tenant_id = t.tenant_id) h on true
              cross join projection.versions v
               left join projection.checkpoints c on c.tenant_id = t.tenant_id
                and c.projection = v.projection and c.version = v.version
              where coalesce(c.position, 0) <> h.position or c.halted is not null",
        )
        .fetch_all(&mut *conn)
        .await?;
        if behind.is_empty() {
            return Ok(());
        }
        if since.elapsed() > CATCH_UP {
            for (slug, head, reached, halted) in behind {
                checker.findings.add(Check::ReadModelStuck, || {
                    format!("{slug}: at {reached} of {head}, {}", halted.unwrap_or_default())
                });
            }
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Folds a tenant's log again into the same tables and compares the rows with those of the live
/// fold. The caller rolls back.
pub(super) async fn check(
    checker: &Checker,
    conn: &mut PgConnection,
    tenant_id: TenantId,
    log: &Log,
) -> anyhow::Result<()> {
    for projector in projections::all() {
        let tables = tables(conn, &*projector).await?;
        // A late projection writes the table of that name first: the lock waits for it instead of
        // causing a deadlock.
        let (name, version) = (projector.name(), version(conn, &*projector).await?);
        let first = format!("{name}_v{version}.{name}");
        let mut locked = tables.clone();
        locked.sort_by_key(|table| *table != first);
        let lock = format!("lock table {} in exclusive mode", locked.join(", "));
        sqlx::query(AssertSqlSafe(lock)).execute(&mut *conn).await?;
        let mut live = Vec::new();
        for table in &tables {
            live.push(rows(conn, table, tenant_id).await?);
            let empty = AssertSqlSafe(format!("delete from {table} where tenant_id = $1"));
            sqlx::query(empty).bind(tenant_id.0).execute(&mut *conn).await?;
        }
        let tenant = tenant(conn, tenant_id).await?;
        set_search_path(conn, name, version).await?;
        let mut time = LogTime::default();
        for batch in log.events.chunks(BATCH) {
            let timed = batch.iter().map(|event| (event, time.advance(event.recorded_at)));
            let wanted = timed.filter(|(event, _)| projector.handles(&event.stream_kind));
            let events: Vec<LogEvent> =
                wanted.map(|(event, at)| LogEvent::new(event.clone(), at)).collect();
            let wanted = [TenantKeys::of(&*projector, tenant, events.iter())];
            let mut fold = projector.load(conn, &wanted, Precomputed::default()).await?;
            for event in &events {
                fold.apply(tenant_id, event)?;
            }
            fold.write(conn, WriteMode::Upsert).await?;
        }
        for (table, live) in tables.iter().zip(live) {
            let folded = rows(conn, table, tenant_id).await?;
            if live == folded {
                continue;
            }
            checker.findings.add(Check::ReadModelDiffers, || {
                let other = |one: &[String], two: &[String]| {
                    let row = one.iter().find(|row| two.binary_search(row).is_err());
                    row.map_or_else(|| "nothing".to_owned(), |row| row.chars().take(160).collect())
                };
                let (one, two) = (other(&live, &folded), other(&folded, &live));
                format!("{table}, {} and {} rows: {one} is {two}", live.len(), folded.len())
            });
        }
    }
    Ok(())
}

/// Returns the tables in the schema of a read model.
async fn tables(conn: &mut PgConnection, projector: &dyn Projector) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = $1 order by 1",
    )
    .bind(format!("{}_v{}", projector.name(), version(conn, projector).await?))
    .fetch_all(conn)
    .await
}

/// Returns the active version of a read model.
async fn version(conn: &mut PgConnection, projector: &dyn Projector) -> sqlx::Result<i32> {
    sqlx::query_scalar(
        "select version from projection.versions where projection = $1 and state = 'active'",
    )
    .bind(projector.name())
    .fetch_one(conn)
    .await
}

async fn tenant(conn: &mut PgConnection, tenant_id: TenantId) -> anyhow::Result<TenantContext> {
    let zone: String =
        sqlx::query_scalar("select timezone from ledger.tenants where tenant_id = $1")
            .bind(tenant_id.0)
            .fetch_one(conn)
            .await?;
    let zone = zone_named(&zone).context("a tenant without a time zone")?;
    Ok(TenantContext { tenant_id, zone })
}

/// Returns the rows of a tenant as text, sorted by their bytes.
async fn rows(
    conn: &mut PgConnection,
    table: &str,
    tenant_id: TenantId,
) -> sqlx::Result<Vec<String>> {
    let all = format!("select t::text from {table} t where tenant_id = $1");
    let mut rows: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(all)).bind(tenant_id.0).fetch_all(conn).await?;
    rows.sort();
    Ok(rows)
}
