//! What a database says of itself, for whoever looks whether it is fit: settings, roles, ages,
//! migrations, keys. It reads catalogues and changes nothing; what is good or bad is for the caller
//! to say.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use sqlx::{FromRow, PgConnection};

use crate::error::StoreError;
use crate::keyring::KeyringError;
use crate::{MIGRATOR, Store};

/// The roles that the ledger works as.
pub const ROLES: [&str; 3] = ["ledger_owner", "ledger_app", "ledger_projector"];

/// The server and the database.
#[derive(Debug, Clone, FromRow)]
pub struct Facts {
    /// `150018` is 15.18.
    pub version_num: i32,
    /// In words.
    pub version: String,
    /// The database's name.
    pub database: String,
    /// Who we are logged in as.
    pub login: String,
    /// Whether it takes no writes: a standby.
    pub is_standby: bool,
    /// `on` or `off`.
    pub fsync: String,
    /// `on` or `off`.
    pub full_page_writes: String,
    /// `off` confirms a commit before it is on disk.
    pub synchronous_commit: String,
    /// `on` or `off`.
    pub data_checksums: String,
    /// `UTF8`, or what we cannot work with.
    pub encoding: String,
    /// How text is ordered.
    pub collation: String,
    /// Whether the system's collations are other than the database was made with.
    pub is_collation_changed: bool,
    /// Connections the server takes from those who are no superusers.
    pub connections: i32,
    /// Connections there are.
    pub connected: i64,
    /// The server's clock.
    pub now: DateTime<Utc>,
}

/// The server and the database, as they describe themselves.
///
/// # Errors
/// The database did not answer.
pub async fn facts(conn: &mut PgConnection) -> sqlx::Result<Facts> {
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

/// A role we work as.
#[derive(Debug, Clone, FromRow)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whether there is one.
    pub exists: bool,
    /// Whether row security does not bind it, as superuser or by an attribute.
    pub is_unbound: bool,
    /// Whether our login may take it.
    pub is_ours: bool,
}

/// Each of [`ROLES`].
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

/// What holds old rows back, and how far the counters of transactions have gone.
#[derive(Debug, Clone, FromRow)]
pub struct Ages {
    /// Seconds that the oldest open transaction of another session has lasted.
    pub oldest_transaction_s: i64,
    /// Transactions since the oldest snapshot anybody still holds, replication included.
    pub snapshot_age: i64,
    /// Two-phase transactions that nobody ended.
    pub prepared: i64,
    /// Transactions since the oldest row that is not frozen; at two thousand million it stops.
    pub wraparound_age: i64,
    /// The same for shared row locks.
    pub multixact_age: i64,
}

/// What holds old rows back, and how far the counters of transactions have gone.
///
/// # Errors
/// The database did not answer.
pub async fn ages(conn: &mut PgConnection) -> sqlx::Result<Ages> {
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

/// How the database's list of migrations and ours differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrations {
    /// How many of ours are applied.
    pub applied: usize,
    /// Ours that are not applied, or not to the end.
    pub missing: Vec<i64>,
    /// Applied ones that this build does not know: of a newer build.
    pub unknown: Vec<i64>,
    /// Applied ones whose text was another.
    pub altered: Vec<i64>,
}

/// How the database's list of migrations and ours differ.
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

/// What the keys of all tenants came to.
#[derive(Debug, Default)]
pub struct KeyCheck {
    /// How many epochs the database remembers keys of, the installation's among them.
    pub epochs: usize,
    /// Those whose key cannot be had, or is another.
    pub failed: Vec<(TenantId, KeyringError)>,
}

impl Store {
    /// Reads every tenant's keys and compares them with what the database remembers of them.
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
