//! Diagnostics of a database for operators: settings, roles, transaction ages, migrations, keys.
//! Reads catalogues and changes nothing; the caller judges the values.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::error::StoreError;
use crate::keyring::KeyringError;
use crate::{MIGRATOR, Store};

/// The database roles that the store switches to.
pub const ROLES: [&str; 3] = ["ledger_owner", "ledger_app", "ledger_projector"];

/// Version, identity and settings of the server and the database.
#[derive(Debug, Clone, FromRow)]
pub struct ServerFacts {
    /// The version as a number: `150018` is 15.18.
    pub version_num: i32,
    /// The version as PostgreSQL prints it.
    pub version: String,
    /// Name of the database.
    pub database: String,
    /// The login of this session.
    pub login: String,
    /// Whether the server is a standby, which accepts no writes.
    pub is_standby: bool,
    /// Setting `fsync`: `on` or `off`.
    pub fsync: String,
    /// Setting `full_page_writes`: `on` or `off`.
    pub full_page_writes: String,
    /// Setting `synchronous_commit`; `off` confirms a commit before it is on disk.
    pub synchronous_commit: String,
    /// Setting `data_checksums`: `on` or `off`.
    pub data_checksums: String,
    /// The encoding of the database; only `UTF8` is supported.
    pub encoding: String,
    /// The collation of the database, which orders text.
    pub collation: String,
    /// Whether the system's collation version differs from the one the database was created with.
    pub is_collation_changed: bool,
    /// Connection limit for logins that are not superusers.
    pub connections: i32,
    /// Number of client connections open now.
    pub connected: i64,
    /// The time by the server's clock.
    pub now: DateTime<Utc>,
}

/// Reads the version, identity and settings of the server and the database.
///
/// # Errors
/// The database did not answer.
pub async fn facts(conn: &mut PgConnection) -> sqlx::Result<ServerFacts> {
    sqlx::query_as(
        "select current_setting('server_version_num')::int as version_num,
                current_setting('server_version') as version,
                current_database()::text as database,
                session_user::text as login,
                pg_is_in_recovery() as is_standby,
                current_setting('fsync') as fsync,
                current_setting('full_page_writes') as full_page_writes,
                current_setting('synchronous_commit') as synchronous_commit,
                current_setting('data_checksums') as data_checksums,
                pg_encoding_to_char(d.encoding)::text as encoding,
                d.datcollate::text as collation,
                coalesce(d.datcollversion <> pg_database_collation_actual_version(d.oid), false)
                  as is_collation_changed,
                current_setting('max_connections')::int
                  - current_setting('superuser_reserved_connections')::int as connections,
                (select count(*) from pg_stat_activity where backend_type = 'client backend')
                  as connected,
                clock_timestamp() as now
           from pg_database d
          where d.datname = current_database()",
    )
    .fetch_one(conn)
    .await
}

/// The state of one of [`ROLES`].
#[derive(Debug, Clone, FromRow)]
pub struct Role {
    /// Name of the role.
    pub name: String,
    /// Whether the role exists.
    pub exists: bool,
    /// Whether row security does not apply to the role, as superuser or by `bypassrls`.
    pub is_unbound: bool,
    /// Whether our login is a member of the role.
    pub is_ours: bool,
}

/// Reads the state of each of [`ROLES`], in that order.
///
/// # Errors
/// The database did not answer.
pub async fn roles(conn: &mut PgConnection) -> sqlx::Result<Vec<Role>> {
    sqlx::query_as(
        "select wanted.name,
                r.oid is not null as \"exists\",
                coalesce(r.rolbypassrls or r.rolsuper, false) as is_unbound,
                coalesce(pg_has_role(session_user, r.oid, 'member'), false) as is_ours
           from unnest($1::text[]) with ordinality as wanted (name, nth)
           left join pg_roles r on r.rolname = wanted.name
          order by wanted.nth",
    )
    .bind(&ROLES[..])
    .fetch_all(conn)
    .await
}

/// How old the transactions are that prevent the removal of old row versions, and how far the
/// transaction counters are.
#[derive(Debug, Clone, FromRow)]
pub struct TransactionAges {
    /// Duration of the oldest open transaction of another session, in seconds.
    pub oldest_transaction_s: i64,
    /// Transactions since the oldest snapshot still held, by sessions, replication slots or
    /// prepared transactions.
    pub snapshot_age: i64,
    /// Number of two-phase transactions that are neither committed nor rolled back.
    pub prepared: i64,
    /// Transactions since the oldest unfrozen row; at two thousand million the server stops
    /// accepting writes.
    pub wraparound_age: i64,
    /// Multixact ids (shared row locks) since the oldest unfrozen one.
    pub multixact_age: i64,
}

/// Reads the ages of transactions and of the transaction counters.
///
/// # Errors
/// The database did not answer.
pub async fn ages(conn: &mut PgConnection) -> sqlx::Result<TransactionAges> {
    sqlx::query_as(
        "select coalesce((select extract(epoch from clock_timestamp() - min(xact_start))
                            from pg_stat_activity
                           where pid <> pg_backend_pid()
                             and backend_type = 'client backend'), 0)::bigint
                  as oldest_transaction_s,
                coalesce((select max(age(x)) from (
                    select backend_xmin from pg_stat_activity where pid <> pg_backend_pid()
                    union all select xmin from pg_replication_slots
                    union all select catalog_xmin from pg_replication_slots
                    union all select transaction from pg_prepared_xacts) as held (x)), 0)::bigint
                  as snapshot_age,
                (select count(*) from pg_prepared_xacts) as prepared,
                (select max(age(datfrozenxid)) from pg_database)::bigint as wraparound_age,
                (select max(mxid_age(datminmxid)) from pg_database)::bigint as multixact_age",
    )
    .fetch_one(conn)
    .await
}

/// Difference between the database's list of migrations and this build's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrations {
    /// Number of this build's migrations that are applied.
    pub applied: usize,
    /// Versions of this build that are not applied, or failed.
    pub missing: Vec<i64>,
    /// Applied versions that this build does not have, from a newer build.
    pub unknown: Vec<i64>,
    /// Applied versions with a checksum that differs from this build's.
    pub altered: Vec<i64>,
}

/// Compares the database's list of migrations with this build's.
///
/// # Errors
/// The database did not answer.
pub async fn migrations(conn: &mut PgConnection) -> sqlx::Result<Migrations> {
    let is_there: bool =
        sqlx::query_scalar("select to_regclass('public._sqlx_migrations') is not null")
            .fetch_one(&mut *conn)
            .await?;
    let rows: Vec<(i64, bool, Vec<u8>)> = if is_there {
        sqlx::query_as("select version, success, checksum from public._sqlx_migrations")
            .fetch_all(conn)
            .await?
    } else {
        Vec::new()
    };
    let mut applied: BTreeMap<i64, (bool, Vec<u8>)> = rows
        .into_iter()
        .map(|(version, success, checksum)| (version, (success, checksum)))
        .collect();
    let mut found = Migrations::default();
    for ours in MIGRATOR.iter() {
        match applied.remove(&ours.version) {
            Some((true, checksum)) if checksum == *ours.checksum => found.applied += 1,
            Some((true, _)) => found.altered.push(ours.version),
            Some((false, _)) | None => found.missing.push(ours.version),
        }
    }
    found.unknown = applied.into_keys().collect();
    Ok(found)
}

/// The result of the check of all tenants' keys.
#[derive(Debug, Default)]
pub struct KeyCheck {
    /// Number of epochs with a stored check value, the installation's included.
    pub epochs: usize,
    /// The tenants with a missing, unreadable or different key, with the error.
    pub failed: Vec<(TenantId, KeyringError)>,
}

impl Store {
    /// Reads the keys of every tenant and compares them with the check values in the database.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn check_keys(&self) -> Result<KeyCheck, StoreError> {
        let rows = sqlx::query!(
            "select tenant_id, epoch, check_value from vault.epochs
              where state <> 'destroyed' order by tenant_id, epoch",
        )
        .fetch_all(&self.owner)
        .await?;
        let mut check = KeyCheck { epochs: rows.len(), failed: Vec::new() };
        for row in rows {
            let tenant_id = TenantId(row.tenant_id);
            let epoch = self.keyring.checked_epoch(tenant_id, row.epoch, &row.check_value).await;
            let digest = self.keyring.digest_key(tenant_id).await;
            if let Some(error) = epoch.err().or(digest.err()) {
                check.failed.push((tenant_id, error));
            }
        }
        Ok(check)
    }
}

/// The state of the archiver of the write-ahead log.
#[derive(Debug, Clone, FromRow)]
pub struct Archiver {
    /// Setting `archive_mode`: `on`, `always` or `off`.
    pub mode: String,
    /// Number of archived segments since the statistics were reset.
    pub archived: i64,
    /// Time of the last archived segment.
    pub last_archived_at: Option<DateTime<Utc>>,
    /// Name of the segment that could not be archived last, if none was archived since.
    pub failing: Option<String>,
    /// Size of the segments that wait, in bytes.
    pub waiting_bytes: i64,
}

/// Reads the state of the archiver.
///
/// # Errors
/// The database did not answer, or the login may not read it.
pub async fn archiver(conn: &mut PgConnection) -> sqlx::Result<Archiver> {
    sqlx::query_as(
        "select current_setting('archive_mode') as mode,
                archived_count as archived,
                last_archived_time as last_archived_at,
                case when last_failed_time > coalesce(last_archived_time, '-infinity')
                     then last_failed_wal end as failing,
                case when current_setting('archive_mode') <> 'off'
                     then coalesce((select count(*) from pg_ls_archive_statusdir() where name like '%.ready'), 0)
                          * pg_size_bytes(current_setting('wal_segment_size'))
                     else 0 end as waiting_bytes
           from pg_stat_archiver",
    )
    .fetch_one(conn)
    .await
}
