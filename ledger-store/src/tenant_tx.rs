//! A transaction limited to one tenant by row security: the only access to a tenant's rows.

use std::io::ErrorKind;
use std::panic::resume_unwind;
use std::time::Duration;

use ledger_core::ids::TenantId;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, SqlSafeStr, SqlStr, Transaction};
use tokio::time::timeout;

use crate::stage;

/// Timeout of acquiring a connection and beginning the transaction.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(8);

/// A transaction that sees only the rows of `tenant_id`, enforced by row security for any query.
/// Readers may drop it; writers commit.
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    tenant_id: TenantId,
}

impl TenantTx {
    /// Begins a transaction for one tenant. The tenant setting ends with the transaction, so the
    /// connection returns to the pool without a tenant.
    ///
    /// # Errors
    /// The database did not answer; nothing was begun.
    pub async fn begin(pool: &PgPool, tenant_id: TenantId) -> sqlx::Result<Self> {
        // A single round trip. The id is formatted as hexadecimal digits and hyphens, so it needs
        // no escaping.
        let begin = format!("begin; set local ledger.tenant_id = '{}'", tenant_id.0);
        let tx = begin_with(pool, AssertSqlSafe(begin).into_sql_str()).await?;
        Ok(Self { tx, tenant_id })
    }

    /// Begins a read-only transaction for one tenant, whose statements all see the state of the
    /// first one.
    ///
    /// # Errors
    /// As for [`TenantTx::begin`].
    pub(crate) async fn begin_snapshot(pool: &PgPool, tenant_id: TenantId) -> sqlx::Result<Self> {
        let begin = format!(
            "begin isolation level repeatable read read only; set local ledger.tenant_id = '{}'",
            tenant_id.0
        );
        let tx = begin_with(pool, AssertSqlSafe(begin).into_sql_str()).await?;
        Ok(Self { tx, tenant_id })
    }

    /// Begins a transaction for one tenant and waits for the tenant's advisory lock, so that only
    /// one such transaction is open on all servers. Needs no further round trip.
    ///
    /// # Errors
    /// As for [`TenantTx::begin`].
    pub(crate) async fn begin_exclusive(pool: &PgPool, tenant_id: TenantId) -> sqlx::Result<Self> {
        let id = tenant_id.0;
        let begin = format!(
            "begin; set local ledger.tenant_id = '{id}'; \
             select pg_advisory_xact_lock(hashtextextended('vault {id}', 0))"
        );
        let tx = begin_with(pool, AssertSqlSafe(begin).into_sql_str()).await?;
        Ok(Self { tx, tenant_id })
    }

    /// The tenant of the visible rows.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// The connection that runs the statements.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Commits the transaction durably.
    ///
    /// # Errors
    /// The database did not answer; the transaction may have been committed or not.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.tx.commit().await
    }
}

/// Begins a transaction without a tenant, which sees no tenant's rows through row security.
pub(crate) async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    begin_with(pool, "begin".into_sql_str()).await
}

/// Begins a transaction like [`begin`], whose statements look up rows by key, whatever the statistics
/// are.
pub(crate) async fn begin_by_key(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let begin = "begin; set local enable_seqscan = off; set local enable_hashjoin = off; \
                 set local enable_mergejoin = off";
    begin_with(pool, begin.into_sql_str()).await
}

/// Begins a transaction in a task of its own, which completes even if the caller is dropped.
///
/// sqlx 0.9.0 forgets a cancelled `begin`, and the connection would return to the pool with an open
/// transaction (<https://github.com/launchbadge/sqlx/issues/4393>).
async fn begin_with(
    pool: &PgPool,
    statement: SqlStr,
) -> sqlx::Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    let begun = async move { timeout(BEGIN_TIMEOUT, pool.begin_with(statement)).await };
    match tokio::spawn(stage::in_current_stage(begun)).await {
        // On a timeout the pool closes the connection, because its check on return fails too.
        Ok(begun) => begun.unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into()))),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The task was cancelled by the shutdown of the runtime.
            Err(_) => Err(sqlx::Error::PoolClosed),
        },
    }
}
