//! Import of an export into a restored database, in one transaction.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool, Row};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::VaultExportError;
use super::file::{Frame, Reader, TableHead};
use super::prove::{each_row, known};
use super::tables::{EXPORTED, ExportedTable, ImportRule, table};
use crate::tenant_tx;

/// Frames between the file and the database.
const QUEUED: usize = 4;
/// Time for sessions of ended servers to end.
const SESSION_WAIT: Duration = Duration::from_secs(3);
/// A lock that is not free within this time is held by a server.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '10s'";

/// The result of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultImport {
    /// Time of the export's snapshot.
    pub created_at: DateTime<Utc>,
    /// Tenants with a newer epoch in the export.
    pub replaced: i64,
    /// Tenants that kept their rows.
    pub kept: i64,
    /// Tenants of the export that the database does not have; nothing of them was imported.
    pub unknown: i64,
    /// Keys that were missing in the database.
    pub added_keys: u64,
    /// Keys with another state or a newer wrap than before.
    pub changed_keys: u64,
}

pub(super) async fn import(owner: &PgPool, path: PathBuf) -> Result<VaultImport, VaultExportError> {
    let checked = path.clone();
    // Read once before anything is locked, so that a damaged file changes nothing.
    let head = spawn_blocking(move || each_row(&checked, |_, _| Ok(())));
    let head = head.await.expect("reading does not panic")?;
    let mut tx = tenant_tx::begin(owner).await?;
    tx.execute(LOCK_TIMEOUT).await?;
    refuse_servers(&mut tx).await?;
    let names: Vec<&str> = EXPORTED.iter().map(|table| table.name).collect();
    run(&mut tx, format!("lock table {} in share row exclusive mode", names.join(", "))).await?;
    for table in EXPORTED {
        run(&mut tx, create_staged(table)).await?;
    }
    stage(&mut tx, &path).await?;
    for table in EXPORTED {
        run(&mut tx, format!("analyze {}", table.staged())).await?;
    }
    refuse_foreign(&mut tx, &path).await?;
    let (replaced, kept, unknown) = choose_tenants(&mut tx).await?;
    epochs_and_fences(&mut tx).await?;
    for rule in [ImportRule::Replaced, ImportRule::Sealed { key: 2 }] {
        replace(&mut tx, rule).await?;
    }
    let (added_keys, changed_keys) = keys(&mut tx).await?;
    tx.commit().await?;
    let created_at = head.created_at;
    Ok(VaultImport { created_at, replaced, kept, unknown, added_keys, changed_keys })
}

/// The statement that creates the temporary table of an import. A column that the export does not
/// have gets its default.
fn create_staged(table: &ExportedTable) -> String {
    let (staged, name) = (table.staged(), table.name);
    match table.import {
        ImportRule::Sealed { .. } => format!(
            "create temporary table {staged} on commit drop as select {} from {name} with no data",
            table.list("")
        ),
        _ => format!(
            "create temporary table {staged} (like {name} including defaults) on commit drop"
        ),
    }
}

/// Refuses a database that processes of other names use. Sessions of a server that has just ended
/// are waited for.
async fn refuse_servers(conn: &mut PgConnection) -> Result<(), VaultExportError> {
    let begun = Instant::now();
    loop {
        match sessions_of_servers(conn).await? {
            0 => return Ok(()),
            sessions if begun.elapsed() > SESSION_WAIT => {
                return Err(VaultExportError::InUse { sessions });
            }
            _ => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn sessions_of_servers(conn: &mut PgConnection) -> Result<i64, VaultExportError> {
    // A transaction sees the statistics of its first look otherwise.
    conn.execute("select pg_stat_clear_snapshot()").await?;
    let sessions = sqlx::query_scalar(
        "select count(*) from pg_catalog.pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()
            and application_name like 'call-ledger%'
            and application_name <> current_setting('application_name')",
    )
    .fetch_one(conn)
    .await?;
    Ok(sessions)
}

/// Copies the rows of the file into the temporary tables.
async fn stage(conn: &mut PgConnection, path: &Path) -> Result<(), VaultExportError> {
    let (frames, mut queue) = mpsc::channel(QUEUED);
    let file = path.to_owned();
    let reader = spawn_blocking(move || -> Result<(), VaultExportError> {
        let mut reader = Reader::open(&file)?;
        while let Some(frame) = reader.next()? {
            if let Frame::Head(head) = frame {
                known(&file, head)?;
            } else if frames.blocking_send(frame).is_err() {
                break;
            }
        }
        Ok(())
    });
    let staged = stage_frames(conn, path, &mut queue).await;
    queue.close();
    let read = reader.await.expect("reading does not panic");
    staged?;
    read
}

async fn stage_frames(
    conn: &mut PgConnection,
    path: &Path,
    queue: &mut mpsc::Receiver<Frame>,
) -> Result<(), VaultExportError> {
    let mut next = queue.recv().await;
    while let Some(frame) = next.take() {
        let Frame::Table(head) = frame else {
            return Err(VaultExportError::damaged(path, "rows without a table"));
        };
        let copy = format!(
            "copy {} ({}) from stdin (format binary)",
            known_table(path, &head)?.staged(),
            head.columns.join(", ")
        );
        let mut rows = conn.copy_in_raw(&copy).await?;
        next = queue.recv().await;
        while let Some(Frame::Rows(bytes)) = &next {
            rows.send(bytes.as_slice()).await?;
            next = queue.recv().await;
        }
        rows.finish().await?;
    }
    Ok(())
}

/// The table of a head, if this build knows it with all of its columns.
fn known_table(path: &Path, head: &TableHead) -> Result<&'static ExportedTable, VaultExportError> {
    let other = |what| VaultExportError::OtherBuild { path: path.to_owned(), what };
    let found =
        table(&head.name).ok_or_else(|| other(format!("it has the table {}", head.name)))?;
    let unknown = |column: &&String| !found.columns.contains(&column.as_str());
    match head.columns.iter().find(unknown) {
        Some(column) => Err(other(format!("it has the column {}.{column}", head.name))),
        None => Ok(found),
    }
}

/// Refuses an export whose epochs or keys are other ones than those of the database.
async fn refuse_foreign(conn: &mut PgConnection, path: &Path) -> Result<(), VaultExportError> {
    let foreign = |tenant_id, what| VaultExportError::Foreign {
        path: path.to_owned(),
        tenant_id: TenantId(tenant_id),
        what,
    };
    let epoch: Option<Uuid> = sqlx::query_scalar(
        "select k.tenant_id from import_epochs k join vault.epochs l using (tenant_id, epoch)
          where k.check_value <> l.check_value order by k.tenant_id limit 1",
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(tenant_id) = epoch {
        return Err(foreign(tenant_id, "the check value of an epoch"));
    }
    // Every installation has keys of its own, so one without a common epoch is another one.
    let is_other: bool = sqlx::query_scalar(
        "select exists (select from vault.epochs)
            and not exists (select from import_epochs k join vault.epochs l using (tenant_id, epoch))",
    )
    .fetch_one(&mut *conn)
    .await?;
    if is_other {
        return Err(foreign(Uuid::nil(), "the epoch"));
    }
    let key: Option<Uuid> = sqlx::query_scalar(
        "select k.tenant_id from import_subject_keys k
           join vault.subject_keys l using (tenant_id, subject_id, generation)
          where k.fingerprint <> l.fingerprint order by k.tenant_id limit 1",
    )
    .fetch_optional(conn)
    .await?;
    key.map_or(Ok(()), |tenant_id| Err(foreign(tenant_id, "the fingerprint of a key")))
}

/// Decides for each tenant whether the export is newer: by its newest epoch, then by the number of
/// destroyed ones. In the middle of a roll the export completes it. Returns the numbers of tenants
/// that are replaced, kept, and unknown.
async fn choose_tenants(conn: &mut PgConnection) -> Result<(i64, i64, i64), VaultExportError> {
    conn.execute(
        "create temporary table import_tenants on commit drop as
         with exported as (
           select tenant_id, max(epoch) as newest, count(*) filter (where state = 'destroyed') as ended
             from import_epochs group by tenant_id
         ), held as (
           select tenant_id, max(epoch) as newest, count(*) filter (where state = 'destroyed') as ended,
                  bool_or(state = 'draining') as is_unfinished
             from vault.epochs group by tenant_id
         )
         select t.tenant_id,
                h.tenant_id is null
                  or (e.newest, e.ended) > (h.newest, h.ended)
                  or (e.newest, e.ended) = (h.newest, h.ended) and h.is_unfinished as is_replaced
           from (select tenant_id from ledger.tenants
                 union select '00000000-0000-0000-0000-000000000000'::uuid) t
           join exported e using (tenant_id)
           left join held h using (tenant_id)",
    )
    .await?;
    let row = sqlx::query(
        "select count(*) filter (where is_replaced), count(*) filter (where not is_replaced),
                (select count(distinct k.tenant_id) from import_epochs k
                  where not exists (select from import_tenants t where t.tenant_id = k.tenant_id))
           from import_tenants",
    )
    .fetch_one(conn)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

/// Adds epochs and fences. Fences of keys that are not destroyed yet are not taken over: the log of
/// the database may not know their erasures, and the journal has those that went on.
async fn epochs_and_fences(conn: &mut PgConnection) -> Result<(), VaultExportError> {
    conn.execute(
        "insert into vault.epochs as e (tenant_id, epoch, check_value, state, created_at, destroyed_at)
         select k.tenant_id, k.epoch, k.check_value, k.state, k.created_at, k.destroyed_at
           from import_epochs k join import_tenants t using (tenant_id)
          where t.is_replaced or k.state = 'destroyed'
             on conflict (tenant_id, epoch) do update
            set state = excluded.state, destroyed_at = excluded.destroyed_at,
                changed_at = clock_timestamp()
          where e.state <> 'destroyed'",
    )
    .await?;
    conn.execute(
        "insert into vault.fences as f (tenant_id, subject_id, erasure_id, generation, placed_at, destroyed_at)
         select k.tenant_id, k.subject_id, k.erasure_id, k.generation, k.placed_at, k.destroyed_at
           from import_fences k join import_tenants t using (tenant_id)
          where k.destroyed_at is not null
             on conflict (tenant_id, subject_id) do update
            set erasure_id = case when excluded.generation >= f.generation then excluded.erasure_id
                                  else f.erasure_id end,
                generation = greatest(f.generation, excluded.generation),
                destroyed_at = coalesce(f.destroyed_at, excluded.destroyed_at)",
    )
    .await?;
    Ok(())
}

/// Replaces the rows, or the sealed values, of the tenants with a newer epoch.
async fn replace(conn: &mut PgConnection, rule: ImportRule) -> Result<(), VaultExportError> {
    let tables: Vec<&ExportedTable> =
        EXPORTED.iter().filter(|table| table.import == rule).collect();
    if rule == ImportRule::Replaced {
        // A table follows those that it has a foreign key to.
        for table in tables.iter().rev() {
            run(
                conn,
                format!(
                    "delete from {} l using import_tenants t
                      where t.tenant_id = l.tenant_id and t.is_replaced",
                    table.name
                ),
            )
            .await?;
        }
    }
    for table in tables {
        let statement = match table.import {
            ImportRule::Sealed { key } => update_sealed(table, key),
            _ => format!(
                "insert into {} ({}) select {} from {} k join import_tenants t using (tenant_id)
                  where t.is_replaced",
                table.name,
                table.list(""),
                table.list("k."),
                table.staged()
            ),
        };
        run(conn, statement).await?;
    }
    Ok(())
}

fn update_sealed(table: &ExportedTable, key: usize) -> String {
    let (keys, values) = table.columns.split_at(key);
    let pairs = |columns: &[&str], before: &str, between: &str| {
        let pairs: Vec<String> =
            columns.iter().map(|column| format!("{before}{column} = k.{column}")).collect();
        pairs.join(between)
    };
    format!(
        "update {} l set {} from {} k join import_tenants t using (tenant_id)
          where t.is_replaced and {}",
        table.name,
        pairs(values, "", ", "),
        table.staged(),
        pairs(keys, "l.", " and ")
    )
}

/// The states of keys before they are imported: nothing destroyed or fenced returns. Otherwise the
/// state of the database is kept, because its log is the one that holds.
const STATES: &[&str] = &[
    "update import_subject_keys k set state = 'destroyed', wrapped = null
       from vault.subject_keys l
      where l.tenant_id = k.tenant_id and l.subject_id = k.subject_id and l.generation = k.generation
        and l.state = 'destroyed' and k.state <> 'destroyed'",
    "update import_subject_keys k set state = 'destroyed', wrapped = null
       from vault.fences f
      where f.tenant_id = k.tenant_id and f.subject_id = k.subject_id and k.generation <= f.generation
        and f.destroyed_at is not null and k.state <> 'destroyed'",
    "update import_subject_keys k set state = coalesce(l.state, 'restricted')
       from import_subject_keys x
       left join vault.subject_keys l using (tenant_id, subject_id, generation)
      where x.tenant_id = k.tenant_id and x.subject_id = k.subject_id and x.generation = k.generation
        and (k.state = 'fenced' or k.state in ('active', 'restricted') and l.state is not null)",
    "update import_subject_keys k set state = 'fenced'
       from vault.fences f
      where f.tenant_id = k.tenant_id and f.subject_id = k.subject_id and k.generation <= f.generation
        and k.state in ('active', 'restricted')",
    "update vault.subject_keys l set state = 'destroyed', wrapped = null
       from vault.fences f
      where f.tenant_id = l.tenant_id and f.subject_id = l.subject_id and l.generation <= f.generation
        and f.destroyed_at is not null and l.state <> 'destroyed'",
];

/// Imports the keys; returns the numbers of added and of changed ones.
async fn keys(conn: &mut PgConnection) -> Result<(u64, u64), VaultExportError> {
    for statement in STATES {
        conn.execute(*statement).await?;
    }
    let changed = conn
        .execute(
            "update vault.subject_keys l
                set state = k.state, epoch = greatest(l.epoch, k.epoch),
                    wrapped = case when k.state = 'destroyed' then null
                                   when k.epoch > l.epoch then k.wrapped else l.wrapped end
               from import_subject_keys k join import_tenants t using (tenant_id)
              where k.tenant_id = l.tenant_id and k.subject_id = l.subject_id
                and k.generation = l.generation and l.state <> 'destroyed'
                and (k.state = 'destroyed' or k.epoch > l.epoch)",
        )
        .await?;
    let added = conn
        .execute(
            "insert into vault.subject_keys
                    (tenant_id, subject_id, generation, state, epoch, wrapped, fingerprint, created_at)
             select k.tenant_id, k.subject_id, k.generation, k.state, k.epoch, k.wrapped, k.fingerprint,
                    k.created_at
               from import_subject_keys k join import_tenants t using (tenant_id)
                 on conflict do nothing",
        )
        .await?;
    Ok((added.rows_affected(), changed.rows_affected()))
}

async fn run(conn: &mut PgConnection, statement: String) -> Result<(), VaultExportError> {
    conn.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}
