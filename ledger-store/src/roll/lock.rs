//! The lock that lets one roll of a tenant run at a time, on all servers.

use ledger_core::ids::TenantId;
use sqlx::{Connection, PgConnection, PgPool};

use super::RollError;

/// A connection with the lock. The lock ends with the connection, also if the roll is cancelled.
pub(super) struct RollLock(PgConnection);

impl RollLock {
    /// Takes the lock, or returns [`RollError::Running`].
    pub(super) async fn take(pool: &PgPool, tenant_id: TenantId) -> Result<Self, RollError> {
        let mut conn = pool.acquire().await?.detach();
        let is_taken = sqlx::query_scalar!(
            r#"select pg_try_advisory_lock(hashtextextended('roll ' || $1::uuid, 0)) as "is_taken!""#,
            tenant_id.0,
        )
        .fetch_one(&mut conn)
        .await?;
        if is_taken { Ok(Self(conn)) } else { Err(RollError::Running) }
    }

    /// Releases the lock, so that a roll that follows at once gets it.
    pub(super) async fn release(mut self) {
        // If that fails, the lock ends with the connection.
        let _ = sqlx::query("select pg_advisory_unlock_all()").execute(&mut self.0).await;
    }

    /// Checks that the connection, and so the lock, still exists.
    pub(super) async fn check(&mut self) -> Result<(), RollError> {
        self.0.ping().await.map_err(|_| RollError::LockLost)
    }
}
