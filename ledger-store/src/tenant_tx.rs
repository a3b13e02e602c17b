//! A transaction that sees one tenant: the only way to a tenant's rows.

use std::io::ErrorKind;
use std::panic::resume_unwind;
use std::time::Duration;

use ledger_core::ids::TenantId;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, SqlSafeStr, SqlStr, Transaction};
use tokio::time::timeout;

use crate::stage;

/// A connection is waited for this long, with the answer to its first words.
const PATIENCE: Duration = Duration::from_secs(8);

/// Row security shows this transaction the rows of `tenant_id` and no others, whatever the query
/// says. Read-only callers may drop it; writers commit.
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    tenant_id: TenantId,
}

impl TenantTx {
    /// Begins a transaction for one tenant. The setting ends with the transaction, so a pooled
    /// connection goes back without a tenant.
    ///
    /// # Errors
    /// The database did not answer; nothing was begun.
    pub async fn begin(pool: &PgPool, tenant_id: TenantId) -> sqlx::Result<Self> {
        // One round trip for both. An id is written in hexadecimal digits and hyphens.
        let begin = format!("begin; set local ledger.tenant_id = '{}'", tenant_id.0);
        let tx = begin_with(pool, AssertSqlSafe(begin).into_sql_str()).await?;
        Ok(Self { tx, tenant_id })
    }

    /// Begins a transaction for one tenant once no other that was begun so for the tenant is open, on
    /// any server. In the same round trip.
    ///
    /// # Errors
    /// As [`TenantTx::begin`].
    pub(crate) async fn begin_alone(pool: &PgPool, tenant_id: TenantId) -> sqlx::Result<Self> {
        let id = tenant_id.0;
        let begin = format!(
            "begin; set local ledger.tenant_id = '{id}'; \
             select pg_advisory_xact_lock(hashtextextended('vault {id}', 0))"
        );
        let tx = begin_with(pool, AssertSqlSafe(begin).into_sql_str()).await?;
        Ok(Self { tx, tenant_id })
    }

    /// Whose rows it sees.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// The connection, for the statement to run on.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// The database did not answer; whether it was written is not known.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.tx.commit().await
    }
}

/// Begins a transaction that sees no tenant.
pub(crate) async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    begin_with(pool, "begin".into_sql_str()).await
}

/// Begins a transaction, and hears the answer even when the caller is dropped meanwhile: sqlx 0.9.0
/// forgets a `begin` that nobody waits for, and its connection would go back to the pool inside a
/// transaction that nobody ends (<https://github.com/launchbadge/sqlx/issues/4393>).
async fn begin_with(
    pool: &PgPool,
    statement: SqlStr,
) -> sqlx::Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    let begun = async move { timeout(PATIENCE, pool.begin_with(statement)).await };
    match tokio::spawn(stage::carried(begun)).await {
        // The connection is cut when it is given back: it is silent there too, or in a transaction.
        Ok(begun) => begun.unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into()))),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is shutting down.
            Err(_) => Err(sqlx::Error::PoolClosed),
        },
    }
}
